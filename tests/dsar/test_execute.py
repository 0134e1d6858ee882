"""An approved plan is carried out: keys are gone, mentions are out, the certificate says so and verifies offline."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ledger import entries, following, notes, resealing
from ledger.errors import EvidenceError, RequestRefusedError
from ledger.store import Store
from ledger.verify import Verdict
from replay import access, catalog
from replay.catalog import Catalog
from reports.dsar import certificate as certificates
from reports.dsar import execute as executing
from reports.dsar import register, statements
from reports.dsar.approvals import approve, statement_of
from reports.dsar.certificate import Issued, issue
from reports.dsar.execute import Executed, execute
from reports.dsar.mentioned import mentions_of
from reports.dsar.planning import plan_request
from reports.dsar.requests import RequestState, find_request
from reports.retention.policy import DEFAULT, Policy, parse
from reports.standalone import verify
from tests.reports.bundles import fix_up, rezip, unzip

OLGA = notes.Signer("olga", bytes(range(32)))
NADIA = b"nadia@example.org"
WHEN = {"time": "2026-03-01T10:00:00Z"}
TEN_YEARS = parse(
    b'format = "evidence/retention-policy/1"\n[[rule]]\nname = "tickets"\nbasis = "law:ten-years"\nwords = "w"\n'
    b'sources = ["desk"]\ncontent = { minimum = "P10Y" }\n',
    "test",
)


@pytest.fixture
def listed(office: Any, store: Store) -> Iterator[Catalog]:
    """Nadia in two sessions and two sources; Emil mentions her."""
    office.ingest(
        office.said("nadia", "one", id="n1", **WHEN),
        office.said("nadia", "three", id="n3", session="another", source="desk", **WHEN),
        office.said("emil", "nadia@example.org told me so", id="e1", **WHEN),
        office.said("emil", "nothing", id="e2", **WHEN),
    )
    store.refresh()
    body = {"action": "enrol", "vkey": OLGA.vkey, "roles": ["approver"]}
    store.settings.__dict__["admin_key"] = Path(store.settings.writer_key).parent / "admin.key"
    store.append([("key", body)], by=("admin",))  # type: ignore[arg-type]  # enrolling is another command's
    with catalog.opened(store) as opened:
        yield opened


Approved = Callable[..., RequestState]


@pytest.fixture
def approved(listed: Catalog, opened: Callable[..., RequestState]) -> Approved:
    """A request whose plan Olga has approved."""

    def make(policy: Policy = DEFAULT, *, search: bool = False) -> RequestState:
        store = listed.store
        state = register.identify(store, opened(said={}), "account", None, {})
        receipt = access.record(store, "test", "test", {})
        mentions = mentions_of(listed, state, receipt, search=search)
        assert len(mentions) == 1 + search
        state = plan_request(listed, state, policy, mentions, searched=search).state
        return approve(store, state, statements.sign(statement_of(store, state), OLGA))

    return make


def contents(listed: Catalog) -> dict[str, tuple[str, bytes | None]]:
    store = listed.store
    receipt = access.record(store, "test", "test", {})
    return {
        row.line["source_id"]: (row.state, row.bytes)
        for entry in store.history.partitions()
        for row in store.reveal(receipt, entry.value, range(entry.value["rows"]), despite_restriction=True)
        if row.line["kind"] == "inference"
    }


def test_a_person_is_erased_and_taken_out_of_what_others_said(office: Any, listed: Catalog, approved: Approved) -> None:
    state = approved()
    before = contents(listed)

    done = execute(listed, state, DEFAULT)

    assert done == Executed(
        request=state.request,
        plan=state.plan or "",
        everywhere=True,
        keys=1,
        identifiers=1,
        erased=2,
        redacted=1,
        waiting=0,
        refused=0,
        sampled=2,
        opened=0,
        found=0,
        searched=1,
        mentioned=0,
    )
    after = contents(listed)
    assert (after["n1"], after["n3"], after["e2"]) == (("erased", None), ("erased", None), before["e2"])
    state_of_mention, content = after["e1"]
    assert state_of_mention == "redacted"
    assert content is not None
    assert NADIA not in content
    json.loads(content)
    assert find_request(listed.store, state.request).status == "executed"
    report = office.installation.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"erased": 2, "redacted": 1})


def test_without_a_second_person_nothing_is_done(listed: Catalog, opened: Callable[..., RequestState]) -> None:
    store = listed.store
    state = register.identify(store, opened(said={}), "account", None, {})
    state = plan_request(listed, state, DEFAULT, []).state
    with pytest.raises(RequestRefusedError, match="no approval that counts"):
        execute(listed, state, DEFAULT)
    assert {name for name, (state_of, _) in contents(listed).items() if state_of == "verified"} == {
        "n1",
        "n3",
        "e1",
        "e2",
    }


def test_a_record_that_came_since_stops_it(office: Any, listed: Catalog, approved: Approved) -> None:
    state = approved()
    office.ingest(office.said("nadia", "later", id="n4", **WHEN))
    with pytest.raises(RequestRefusedError, match="population"):
        execute(listed, state, DEFAULT)
    assert contents(listed)["n1"][0] == "verified"


def test_what_the_law_keeps_stays_and_is_restricted(listed: Catalog, approved: Approved, office: Any) -> None:
    state = approved(TEN_YEARS)

    done = execute(listed, state, TEN_YEARS)

    assert (done.everywhere, done.erased, done.waiting, done.opened) == (False, 1, 1, 0)
    after = contents(listed)
    assert (after["n1"][0], after["n3"][0]) == ("erased", "verified")
    (restricted,) = listed.store.standing.restricted.values()
    assert (restricted.basis, restricted.until) == ("erasure_deferred", "2036-03-01")
    assert office.installation.verify("deep").explained == {"erased": 1, "redacted": 1}


def test_what_had_to_wait_goes_when_its_day_has_come(
    listed: Catalog, approved: Approved, on: Callable[[date], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = approved(TEN_YEARS)
    execute(listed, state, TEN_YEARS)
    state = find_request(listed.store, state.request)
    with pytest.raises(RequestRefusedError, match="nothing of the plan"):
        execute(listed, state, TEN_YEARS)

    on(date(2036, 3, 2))
    monkeypatch.setattr(executing, "today", register.today)
    done = execute(listed, state, TEN_YEARS)

    assert (done.everywhere, done.erased, done.waiting, done.found) == (True, 1, 0, 0)
    assert contents(listed)["n3"] == ("erased", None)


@pytest.mark.parametrize("place", ["erase", "reseal", "advance"])
def test_a_run_that_died_is_completed_by_the_next(
    office: Any, listed: Catalog, approved: Approved, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    state = approved()

    def die(*_: object, **__: object) -> None:
        raise EvidenceError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(executing, place, die)
        with pytest.raises(EvidenceError, match="died"):
            execute(listed, state, DEFAULT)

    state = find_request(listed.store, state.request)
    done = execute(listed, state, DEFAULT)

    assert (done.everywhere, done.opened, done.found) == (True, 0, 0)
    assert contents(listed)["e1"][0] == "redacted"
    assert office.installation.verify("deep").explained == {"erased": 2, "redacted": 1}


# -- the certificate


Certified = tuple[bytes, Issued]


@pytest.fixture
def certificate(listed: Catalog, approved: Approved) -> Certified:
    state = approved()
    execute(listed, state, DEFAULT)
    out = io.BytesIO()
    issued = issue(listed, find_request(listed.store, state.request), out)
    return out.getvalue(), issued


def check(data: bytes, office: Any, tmp_path: Path) -> verify.Result:
    path = tmp_path / "certificate.zip"
    path.write_bytes(data)
    return verify.check(str(path), [verify.parse_key(office.installation.log_key.vkey)])


def test_a_certificate_verifies_offline_with_nothing_but_python(
    certificate: Certified, office: Any, tmp_path: Path
) -> None:
    data, issued = certificate
    path = tmp_path / "certificate.zip"
    path.write_bytes(data)
    command = [sys.executable, "-I", "-S", str(verify.__file__), str(path), "--key", office.installation.log_key.vkey]
    done = subprocess.run([*command, "--json"], env={}, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"]) == (0, "intact"), found["findings"]
    assert found["certificate"] == issued.statement
    assert (found["checked"]["approvals"], found["checked"]["acts of erasure"]) == (1, 2)
    assert issued.statement["erased"]["records"] == 2
    assert issued.statement["backups"] == {"depends_on": None, "entry": None, "unreadable_at": None}
    assert issued.statement["negative_check"]["searched"] == 1


def test_a_certificate_names_nobody(certificate: Certified) -> None:
    files = unzip(certificate[0])
    assert all(NADIA not in data and b"Nadia" not in data for data in files.values())


def entry_without(kind: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        import base64

        lines = files["data/entries.jsonl"].splitlines(keepends=True)
        kept = [line for line in lines if f'"{kind}"'.encode() not in base64.b64decode(json.loads(line)["entry"])]
        assert len(kept) < len(lines)
        files["data/entries.jsonl"] = b"".join(kept)
        for line in set(lines) - set(kept):
            del files[f"data/proofs/{json.loads(line)['index']}.tlog-proof"]

    return change


def replaced(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        assert old in files[f"data/{name}"]
        files[f"data/{name}"] = files[f"data/{name}"].replace(old, new, 1)

    return change


FORGERIES = {
    "another number of records": replaced("certificate", b'"records":2', b'"records":3'),
    "another plan": replaced("plan.json", b'"outcome":"erase"', b'"outcome":"keep"'),
    "no erasure": entry_without("erasure"),
    "no redaction": entry_without("reseal"),
    "no approval": entry_without("approved"),
    "no key entries": entry_without("approver"),
    "another time before": replaced("before", b"\n6\n", b"\n5\n"),
    "a signature less": replaced("certificate", "\N{EM DASH}".encode(), b"-"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_certificate_does_not_pass(certificate: Certified, office: Any, tmp_path: Path, forgery: str) -> None:
    files = unzip(certificate[0])
    if forgery == "another time before":
        size = files["data/before"].split(b"\n")[1]
        FORGERIES[forgery] = replaced("before", b"\n" + size + b"\n", b"\n" + str(int(size) - 1).encode() + b"\n")
    FORGERIES[forgery](files)
    lines = files["data/entries.jsonl"].count(b"\n")
    result = check(rezip(fix_up(files, counts={"entries": lines})), office, tmp_path)
    assert (result.verdict, result.exit_code) == ("tampered", 1), result.findings


def test_before_anything_was_executed_there_is_no_certificate(listed: Catalog, approved: Approved) -> None:
    state = approved()
    with pytest.raises(RequestRefusedError, match="nothing of request"):
        issue(listed, state, io.BytesIO())


def test_redaction_keeps_the_machines_hands_off_everything_else(listed: Catalog, approved: Approved) -> None:
    """What is sealed again is one segment of one object; no other object is written or altered."""
    state = approved()
    store = listed.store
    before = {info.path for info in store.objects.list("content/")}
    execute(listed, state, DEFAULT)
    new = {info.path for info in store.objects.list("content/")} - before
    assert len(new) == 1 + sum("access" in entry.value["kinds"] for entry in store.history.partitions())
    assert resealing.MAX_NAMED > 0


# -- what has to wait, and what goes with a person


def test_a_hold_on_the_person_keeps_what_names_her_too(listed: Catalog, approved: Approved) -> None:
    (subject,) = listed.store.keyring.lookup("nadia@example.org")
    body = {"action": "add", "hold": "1" * 32, "basis": "litigation", "scope": {"subjects": [subject]}}
    listed.store.append([("hold", body)], by=("privacy",))
    state = approved()

    done = execute(listed, state, DEFAULT)

    assert (done.erased, done.redacted, done.waiting, done.everywhere) == (0, 0, 2, False)
    assert {name: state_of for name, (state_of, _) in contents(listed).items()} == {
        "n1": "verified",
        "n3": "verified",
        "e1": "verified",
        "e2": "verified",
    }
    listed.store.append([("hold", {"action": "release", "hold": "1" * 32})], by=("privacy",))
    again = execute(listed, find_request(listed.store, state.request), DEFAULT)
    assert (again.erased, again.redacted, again.waiting, again.everywhere) == (2, 1, 0, True)
    assert contents(listed)["e1"][0] == "redacted"


def test_what_expired_meanwhile_no_longer_waits(
    listed: Catalog, approved: Approved, on: Callable[[date], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = approved(TEN_YEARS)
    execute(listed, state, TEN_YEARS)
    store = listed.store
    waiting = next(entry for entry in store.history.partitions() if "desk" in str(entry.value["sources"]))
    policy = b"# a policy\n"
    digest = entries.sha256(policy)
    assert store.objects.put_if_absent(entries.blob_path(digest), policy)
    body = {"policy": digest, "what": "content", "partitions": [{"partition": waiting.index}]}
    store.append([("retention", body)], by=("privacy",))
    following.follow(store)

    on(date(2036, 3, 2))
    monkeypatch.setattr(executing, "today", register.today)
    done = execute(listed, find_request(store, state.request), TEN_YEARS)

    assert (done.everywhere, done.waiting, done.found, done.keys) == (True, 0, 0, 1)


def test_a_closed_request_still_does_what_had_to_wait(
    listed: Catalog, approved: Approved, on: Callable[[date], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = approved(TEN_YEARS)
    execute(listed, state, TEN_YEARS)
    state = find_request(listed.store, state.request)
    state = register.advance(listed.store, state, [register.Step("closed", {"reason": "partly_fulfilled"})])
    on(date(2036, 3, 2))
    monkeypatch.setattr(executing, "today", register.today)
    assert execute(listed, state, TEN_YEARS).everywhere


def test_the_names_of_her_conversations_go_with_her(
    office: Any, store: Store, opened: Callable[..., RequestState], listed: Catalog
) -> None:
    """A source's id of a conversation can hold a name: then a line has a reference, the keyring the id."""
    office.ingest(
        office.said("nadia", "x", id="n9", session="Nadia Canary, second call", **WHEN),
        office.said("emil", "y", id="e9", session="Emil Other, first call", **WHEN),
    )
    assert len(store.keyring.lookup("Nadia Canary, second call")) == 1
    state = register.identify(store, opened(said={}), "account", None, {})
    listed.sync()
    state = plan_request(listed, state, DEFAULT, mentions_of(listed, state, receipt_of(store), search=False)).state
    approve(store, state, statements.sign(statement_of(store, state), OLGA))

    execute(listed, find_request(store, state.request), DEFAULT)
    assert store.keyring.lookup("Nadia Canary, second call") == []
    assert len(store.keyring.lookup("Emil Other, first call")) == 1
    assert office.installation.verify("deep").verdict is Verdict.INTACT


def receipt_of(store: Store) -> Any:
    return access.record(store, "test", "test", {})


def test_what_still_opens_is_neither_certified_nor_believed(
    listed: Catalog, approved: Approved, office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the negative check finds something there is no certificate, and one that says so does not hold."""
    state = approved()
    monkeypatch.setattr(executing, "still_opens", lambda *_: 1)
    assert not execute(listed, state, DEFAULT).is_clean
    state = find_request(listed.store, state.request)
    with pytest.raises(RequestRefusedError, match="not all was gone"):
        issue(listed, state, io.BytesIO())

    monkeypatch.setattr(certificates, "_MUST_BE_NONE", ())
    out = io.BytesIO()
    issue(listed, state, out)
    result = check(out.getvalue(), office, tmp_path)
    assert (result.verdict, result.exit_code) == ("unverifiable", 3), result.findings
