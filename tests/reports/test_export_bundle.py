"""A bundle exported from a store, and what an auditor with nothing but Python and the log's key makes of it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import entries, notes
from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.erasing import Erasing, erase
from ledger.errors import (
    AccessNotRecordedError,
    LostError,
    NotFoundError,
    StaleError,
    TamperedError,
    UnverifiableError,
    UsageError,
)
from ledger.keyring.destruction import Destruction
from ledger.store import Store, load_signer
from ledger.verify.pin import Pin
from replay.catalog import opened
from reports.bundle.checking import check_bundle
from reports.bundle.export import ContentGrant, Order, export_bundle
from reports.selection.predicates import PeriodSelection, SessionSelection, period
from reports.standalone import verify
from tests.fixtures_stores import SAMPLE_LOGS
from tests.reports.bundles import Bank, Verdict, contents_of, described, new_bank, unzip

Audit = Callable[..., Verdict]


def pin_of(bank: Bank, path: Path) -> Checkpoint:
    """Keep the published checkpoint as an auditor's pin."""
    with Store.open(bank.settings) as store:
        _, note = store.checkpoint()
    path.write_bytes(Pin(bank.log_vkey, note.decode(), 0, "2026-11-01T00:00:00Z").to_bytes())
    return parse_checkpoint(notes.parse_note(note).text)


def append_something(bank: Bank) -> None:
    with Store.open(bank.settings) as store:
        store.append([("heartbeat", {})])
        store.publish()


# -- intact


def test_a_session_verifies_with_the_key_that_the_auditor_holds(
    bank: Bank, session_bundle: bytes, audit: Audit
) -> None:
    result = audit(session_bundle, "--key", bank.log_vkey)

    assert result.code == 0, result.reasons
    assert result.output["schema"] == "evidence/verify-bundle/2"
    lines = unzip(session_bundle)["data/records.jsonl"].splitlines()
    assert result.output["checked"]["records"] == result.output["checked"]["population"] == len(lines)
    assert {json.loads(line)["session"] for line in lines} == {bank.session}
    assert result.output["completeness"] == "shown"
    assert "Completeness: that no other row" in " ".join(result.output["not_proven"])
    assert not any("Completeness" in words for words in result.output["proven"])
    assert result.output["attested"].startswith("by the bundle key")


def test_a_period_takes_the_rows_of_its_time_and_shows_that_none_is_missing(
    bank: Bank, morning: PeriodSelection, period_bundle: bytes, audit: Audit
) -> None:
    result = audit(period_bundle, "--key", bank.log_vkey)

    assert result.code == 0, result.reasons
    with Store.open(bank.settings) as store, opened(store) as catalog:
        files = [str(catalog.mirror.path(entry.value)) for entry in catalog.partitions()]
        expected = catalog.connection.execute(
            "SELECT count(*) FROM read_parquet(?) WHERE coalesce(occurred_at, observed_at) >= ? "
            "AND coalesce(occurred_at, observed_at) < ?",
            [files, *(datetime.fromisoformat(str(text)).astimezone(UTC) for text in (morning.start, morning.end))],
        ).fetchone()
    assert expected == (result.output["checked"]["records"],)
    assert result.output["completeness"] == "whole"
    checked = result.output["checked"]
    assert checked["entries"] == result.output["checkpoint"]["size"]
    assert checked["complete partitions"] == checked["partitions"] == checked["partitions that can hold such records"]
    assert checked["context"] == checked["lines of context"] > 0, "rows that do not belong are shown, to show that"
    assert any("none that belongs to it is left out" in words for words in result.output["proven"])


def test_content_is_shown_to_be_what_the_records_commit_to(bank: Bank, content_bundle: bytes, audit: Audit) -> None:
    result = audit(content_bundle, "--key", bank.log_vkey)

    assert result.code == 0, result.reasons
    assert result.output["contents"] == {"verified": result.output["checked"]["records"]}
    logs = b"".join(path.read_bytes() for path in sorted((SAMPLE_LOGS).rglob("*.json*")))
    contents = contents_of(unzip(content_bundle))
    assert contents
    assert all(data in logs for data in contents), "content is the exact bytes of the input"
    assert result.output["checked"]["verbatim texts"] > 0


def test_an_unpacked_folder_verifies_like_the_archive(
    bank: Bank, content_bundle: bytes, audit: Audit, tmp_path: Path
) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(io.BytesIO(content_bundle)) as archive:
        archive.extractall(folder)

    assert audit(folder, "--key", bank.log_vkey).code == 0
    sha256sum = shutil.which("sha256sum")
    if sha256sum is None:
        pytest.skip("no sha256sum here")
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        command = [sha256sum, "--check", "--strict", manifest]
        sums = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert sums.returncode == 0, sums.stderr


def test_the_copy_in_the_bundle_is_the_program_itself(bank: Bank, session_bundle: bytes, tmp_path: Path) -> None:
    own = tmp_path / "verify.py"
    own.write_bytes(unzip(session_bundle)["verify.py"])
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(session_bundle)

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(own), str(bundle), "--key", bank.log_vkey],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.startswith("INTACT: everything that was checked is unchanged since ingest.")
    assert "Not proven:" in done.stdout


def test_the_product_checks_with_the_same_code(bank: Bank, session_bundle: bytes, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(session_bundle)

    assert check_bundle(bundle, [bank.log_vkey]).exit_code == 0
    with pytest.raises(UsageError, match="cannot read"):
        check_bundle(tmp_path / "absent.zip", [bank.log_vkey])


def test_the_same_export_gives_the_same_bytes(bank: Bank, content_bundle: bytes, period_bundle: bytes) -> None:
    """Also after the log has grown: as of the checkpoint of then."""
    content, stated = described(unzip(content_bundle)), described(unzip(period_bundle))
    order = Order(at=content["checkpoint"]["size"], frameworks=())
    assert bank.export(SessionSelection(bank.session), with_content=True, order=order)[0] == content_bundle
    chosen = period(stated["selection"]["from"], stated["selection"]["to"])
    assert bank.export(chosen, order=replace(order, at=stated["checkpoint"]["size"]))[0] == period_bundle


def test_a_bundle_holds_no_clear_content_unless_it_was_asked_for(session_bundle: bytes, content_bundle: bytes) -> None:
    contents = contents_of(unzip(content_bundle))
    without = b"".join(unzip(session_bundle).values())

    assert not any(name.startswith("data/content") or "replay" in name for name in unzip(session_bundle))
    assert not any(data in without for data in contents)


# -- recorded


def test_an_export_is_recorded_in_the_ledger(bank: Bank) -> None:
    data, summary = bank.export(SessionSelection(bank.session))

    with Store.open(bank.settings) as store:
        entry = store.history.entries[summary.entry].value
    assert entry["type"] == "export"
    assert entry["bundle"] == {"sha256": entries.sha256(data), "size": len(data)}
    assert entry["selection"] == {"type": "session", "session": bank.session}
    assert (entry["records"], entry["with_content"]) == (summary.records, False)


def test_content_needs_an_access_record_of_this_process(bank: Bank) -> None:
    from ledger.access import Receipt

    with Store.open(bank.settings) as store, opened(store) as catalog:
        before = len(store.history.entries)
        with pytest.raises(AccessNotRecordedError):
            export_bundle(
                store,
                catalog,
                SessionSelection(bank.session),
                content=ContentGrant(Receipt("0" * 32, 1)),
                out=io.BytesIO(),
            )
        assert len(store.history.entries) == before, "a refused export is not recorded as one"


# -- pins


def test_a_bundle_made_for_a_pin_proves_that_it_continues_it(fresh_bank: Bank, audit: Audit, tmp_path: Path) -> None:
    pin = tmp_path / "pin.json"
    pinned = pin_of(fresh_bank, pin)
    fresh_bank.export(SessionSelection(fresh_bank.session))
    append_something(fresh_bank)

    data, _ = fresh_bank.export(SessionSelection(fresh_bank.session), pinned=pinned)
    result = audit(data, "--pin", str(pin), "--strict")

    assert result.code == 0, result.reasons
    assert result.output["checked"]["consistency with the pin"] == 1
    assert result.output["grade"].startswith("pinned")


@pytest.mark.parametrize("older", ["the pin", "the bundle"])
def test_without_such_a_proof_the_bundle_is_not_tied_to_the_pin(
    fresh_bank: Bank, audit: Audit, tmp_path: Path, older: str
) -> None:
    pin = tmp_path / "pin.json"
    if older == "the bundle":
        data, _ = fresh_bank.export(SessionSelection(fresh_bank.session))
        append_something(fresh_bank)
        pin_of(fresh_bank, pin)
    else:
        pin_of(fresh_bank, pin)
        append_something(fresh_bank)
        data, _ = fresh_bank.export(SessionSelection(fresh_bank.session))

    assert audit(data, "--pin", str(pin)).code == 0
    strict = audit(data, "--pin", str(pin), "--strict")
    assert (strict.code, strict.verdicts) == (6, {"stale"})


def test_a_pin_of_the_same_size_must_have_the_same_root(
    bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path
) -> None:
    pin = tmp_path / "pin.json"
    pin.write_bytes(
        Pin(bank.log_vkey, unzip(session_bundle)["data/checkpoint"].decode(), 0, "2026-11-01T00:00:00Z").to_bytes()
    )
    assert audit(session_bundle, "--pin", str(pin), "--strict").code == 0

    assert bank.settings.log_key is not None
    signer = load_signer(bank.settings.log_key)
    stated = parse_checkpoint(notes.parse_note(unzip(session_bundle)["data/checkpoint"]).text)
    other = notes.sign_note(Checkpoint(stated.origin, stated.size, bytes(32)).text(), signer)
    pin.write_bytes(Pin(bank.log_vkey, other.decode(), 0, "2026-11-01T00:00:00Z").to_bytes())
    forked = audit(session_bundle, "--pin", str(pin))
    assert (forked.code, forked.verdicts) == (1, {"tampered"})


def test_strict_wants_a_pin(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    assert audit(session_bundle, "--key", bank.log_vkey, "--strict").code == 6


def test_an_export_refuses_a_pin_that_the_ledger_does_not_continue(bank: Bank) -> None:
    selection = SessionSelection(bank.session)
    with Store.open(bank.settings) as store:
        origin = store.history.origin
    with pytest.raises(TamperedError, match="does not continue"):
        bank.export(selection, pinned=Checkpoint(origin, 2, bytes(32)))
    with pytest.raises(UnverifiableError, match="another log"):
        bank.export(selection, pinned=Checkpoint("example.com/other", 2, bytes(32)))
    with pytest.raises(StaleError):
        bank.export(selection, pinned=Checkpoint(origin, 10**6, bytes(32)))


# -- what cannot be exported


def test_a_selection_without_records_gives_no_bundle(bank: Bank) -> None:
    with pytest.raises(NotFoundError):
        bank.export(SessionSelection("no-such-session"))
    with pytest.raises(NotFoundError):
        bank.export(period("1999-01-01T00:00:00Z", "1999-01-02T00:00:00Z"))


def test_a_period_has_an_end_after_its_beginning() -> None:
    with pytest.raises(UsageError, match="before it begins"):
        period("2026-10-02T00:00:00Z", "2026-10-01T00:00:00Z")
    with pytest.raises(UsageError, match="RFC 3339"):
        period("yesterday", None)


@pytest.mark.parametrize("damage", ["deleted", "truncated", "other lines"])
def test_a_partition_that_is_not_what_its_entry_says_is_not_exported(fresh_bank: Bank, damage: str) -> None:
    with Store.open(fresh_bank.settings) as store, opened(store) as catalog:
        session = SessionSelection(fresh_bank.session)
        paths = [Path(fresh_bank.settings.store, entry.value["events"]["path"]) for entry in catalog.partitions()]
        for path in paths:
            data = path.read_bytes()
            path.unlink()
            if damage == "truncated":
                path.write_bytes(data[: len(data) // 2])
            if damage == "other lines":
                path.write_bytes(paths[-1].read_bytes() if path != paths[-1] else data)
        with pytest.raises(LostError if damage == "deleted" else TamperedError):
            export_bundle(store, catalog, session, content=None, out=io.BytesIO())


# -- erased content


def destroy_keys(bank: Bank, owner: str, *, recorded: bool) -> None:
    """What an erasure does; or the key alone goes, and the ledger does not say so."""
    with Store.open(bank.settings) as store:
        if recorded:
            erase(store, Erasing([owner]))
            store.publish()
        else:
            Destruction(store.keyring).subjects([owner])


@pytest.mark.parametrize("recorded", [True, False])
def test_erased_content_is_explained_by_the_ledger_or_it_is_lost(
    tmp_path: Path, audit: Audit, *, recorded: bool
) -> None:
    bank = new_bank(tmp_path, SAMPLE_LOGS / "mira" / "2026-W40.jsonl")
    line = unzip(bank.export(SessionSelection(bank.session))[0])["data/records.jsonl"].splitlines()[0]
    destroy_keys(bank, json.loads(line)["content"]["owner"], recorded=recorded)

    data, summary = bank.export(SessionSelection(bank.session), with_content=True)
    result = audit(data, "--key", bank.log_vkey)

    state = "erased" if recorded else "lost"
    assert summary.contents[state] > 0
    assert (result.code, result.verdicts) == ((0, {"unpinned"}) if recorded else (5, {"lost", "unpinned"}))
    assert result.output["contents"][state] == summary.contents[state]


# -- the file itself


def test_the_verifier_imports_nothing_but_the_standard_library_and_parses_as_python_38() -> None:
    import ast

    tree = ast.parse(Path(verify.__file__).read_text(), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    later = {"dict", "list", "set", "tuple", "Iterable", "Iterator", "Sequence"}
    evaluated = [node for top in tree.body if isinstance(top, ast.Assign) for node in ast.walk(top.value)]
    subscripted = {
        node.value.id for node in evaluated if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    }
    assert not subscripted & later, "Python 3.8 knows no list[int] but in annotations"
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    assert imported <= sys.stdlib_module_names | {"__future__"}
    assert not imported & {"pickle", "marshal", "shelve", "socket", "ssl", "urllib", "http", "subprocess", "ctypes"}
    assert not calls & {"eval", "exec", "compile", "__import__"}


@pytest.mark.wheel
def test_the_verifier_and_its_readme_are_installed() -> None:
    assert Path(verify.__file__).name == "verify.py"
    assert (Path(verify.__file__).parents[1] / "bundle" / "readme.txt").is_file()
