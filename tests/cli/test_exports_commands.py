"""Handing out content that can be closed again: export, the register, a grant, an erasure, a second grant."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger import erasing
from ledger.settings import load
from ledger.store import Store
from tests.cli.conftest import Shell
from tests.reports.authority import make_authority, serving

ANA, BEN = "ana@example.com", "ben@example.com"
WHY, WHOM = "audit 2026-11", "Müller & Partner"


def line(ident: str, person: str, said: str) -> str:
    event = {
        "evidence": "event/1",
        "kind": "inference",
        "source": "chat",
        "id": ident,
        "time": "2026-10-04T08:00:00Z",
        "session": f"s-{ident}",
        "subjects": {"end_user": [{"type": "email", "id": person}]},
        "input": [{"role": "user", "parts": [{"type": "text", "content": said}]}],
        "output": [{"role": "assistant", "parts": [{"type": "text", "content": "Yes."}]}],
    }
    return json.dumps(event) + "\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A store of two conversations, from which a revocable bundle was handed out; not to be changed."""
    shell = Shell(tmp_path_factory.mktemp("office") / "office")
    shell.folder.mkdir()
    shell("init")
    (shell.folder / "log.jsonl").write_text(line("a", ANA, "Am I Ana?") + line("b", BEN, "Am I Ben?"))
    shell("ingest", "log.jsonl")
    hand_out(shell, "bundle.zip")
    return shell


@pytest.fixture
def office(shared: Shell, tmp_path: Path) -> Shell:
    """A copy of it."""
    return shared.copy(tmp_path / "office")


def hand_out(shell: Shell, name: str) -> None:
    period = ("--from", "2026-10-01", "--to", "2026-11-01")
    sealed = ("--with-content", "--revocable", "--purpose", WHY, "--recipient", WHOM)
    shell("export", *period, *sealed, "-o", name)


def key(shell: Shell) -> Path:
    (found,) = shell.folder.glob("*-private/log.vkey")
    return found


def test_an_export_is_listed_and_its_words_open_on_demand(office: Shell) -> None:
    listed = office("exports").out
    revealed = office("exports", "--reveal", "--purpose", "a review").out

    assert "sealed" in listed
    assert all(word not in listed for word in (WHY, WHOM))
    assert all(word in revealed for word in (WHY, WHOM))
    (item,) = office("exports", "--reveal", "--json").json["exports"]
    assert (item["records"], item["revocable"]) == (2, True)
    assert (item["details"]["purpose"], item["details"]["recipient"]) == (WHY, WHOM)
    office("seal")
    assert "a review" in office("accesses").out


def test_a_file_is_found_in_the_register(office: Shell) -> None:
    (office.folder / "other.zip").write_bytes(b"another file")

    assert len(office("exports", "--bundle", "bundle.zip", "--json").json["exports"]) == 1
    assert "no export of this store" in office("exports", "--bundle", "other.zip").err


def test_a_grant_opens_the_bundle_and_after_an_erasure_the_next_one_opens_less(office: Shell) -> None:
    (item,) = office("exports", "--json").json["exports"]
    vouched = ("verify-bundle", "bundle.zip", "--key", key(office), "--json")
    grant = ("exports", "grant", item["export"][:8], "--until", in_days(30), "--purpose", WHY, "--json")
    assert office(*vouched).json["checked"]["sealed contents"] == 2

    assert office(*grant, "-o", "first.json").json["opens"] == 2
    erase(office, ANA)
    second = office(*grant, "-o", "second.json").json
    assert (second["opens"], second["withheld"]) == (1, {"erased": 1})

    assert office(*vouched, "--grant", "second.json").json["grant"]["opened"] == 1
    assert office(*vouched, "--grant", "first.json").json["grant"]["opened"] == 2, "kept is kept"
    looked = office("seal").out + office("accesses").out
    assert looked.count("exports grant") == 2


def test_a_grant_is_refused_with_a_code_of_its_own(office: Shell) -> None:
    (item,) = office("exports", "--json").json["exports"]
    grant = ("exports", "grant", str(item["entry"]))
    assert "in the future" in office(*grant, "--until", "2026-01-01", "-o", "g.json", ends_with=2).err
    office(*grant, "--until", in_days(1), "-o", "g.json")
    hand_out(office, "other.zip")
    done = office("verify-bundle", "other.zip", "--key", key(office), "--grant", "g.json", ends_with=32)
    assert "for another export" in done.err


def test_a_bundle_is_timestamped_where_an_authority_is_configured(office: Shell) -> None:
    authority = make_authority(office.folder / "authority")
    roots = str(authority.ca)
    with serving(authority.answer) as url:
        export = ("export", "--from", "2026-10-01", "--purpose", WHY, "-o")
        office(*export, "stamped.zip", EVIDENCE_TSA_URL=url, EVIDENCE_TSA_ROOTS=roots)
        office(*export, "no-roots.zip", EVIDENCE_TSA_URL=url, ends_with=11)
    office(*export, "silent.zip", EVIDENCE_TSA_URL=url, EVIDENCE_TSA_ROOTS=roots, ends_with=31)
    done = office("verify-bundle", "stamped.zip", "--key", key(office), "--tsa-roots", roots)

    assert "by CN=Example Timestamps" in done.out
    assert not (office.folder / "silent.zip").exists()
    assert len(office("exports", "--json").json["exports"]) == 2


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def erase(office: Shell, person: str) -> None:
    """As a request does that was planned and approved."""
    with Store.open(load(str(office.folder / "evidence.toml"))) as store:
        erasing.erase(store, erasing.Erasing(store.keyring.lookup(person)))


def test_an_export_that_nobody_made_has_no_grant(office: Shell) -> None:
    done = office("exports", "grant", "99", "--until", "2099-01-01", "-o", "grant.json", ends_with=20)

    assert "no export is named so" in done.err
    assert not (office.folder / "grant.json").exists()
