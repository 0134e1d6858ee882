"""Who may commit what: a commit that breaks a rule is refused by readers, by the publisher, and named by verify.

The three come to the same verdict because they ask the same class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ledger import canonical, commits, entries, notes
from ledger.errors import PublisherRefusedError, TamperedError
from ledger.publisher import Publisher
from ledger.verify import Options, Verdict, verify

if TYPE_CHECKING:
    from tests.fixtures_history import HandMade


def beat(number: int = 1) -> bytes:
    return entries.encode("heartbeat", {"number": number})


def raw(**body: Any) -> bytes:
    """An entry that the encoder would not vouch for."""
    return canonical.encode({"_": entries.TYPE, **body})


def erasure() -> bytes:
    return entries.encode("erasure", {"subjects": ["0" * 32]})


def genesis_of(log: HandMade) -> bytes:
    return entries.encode("genesis", {"origin": "x.example/y", "store": "", "admin": log.signers["stranger"].vkey})


FORGERIES: dict[str, Callable[[HandMade], bytes]] = {
    "a key that nobody enrolled": lambda log: log.sign(beat(), by=["stranger"]),
    "no right to erase": lambda log: log.sign(erasure(), by=["writer"]),
    "no right to append": lambda log: log.sign(beat(), by=["privacy"]),
    "no right to enrol": lambda log: log.sign(log.enrolment("stranger", ["admin"]), by=["writer", "stranger"]),
    "the log's key does not commit": lambda log: log.sign(beat(), by=["log"]),
    "one entry of several without its role": lambda log: log.sign(beat(), erasure(), by=["writer"]),
    "an enrolled key that did not sign": lambda log: log.sign(log.enrolment("stranger", ["append"]), by=["admin"]),
    "a key that uses its role in the commit that enrols it": lambda log: log.sign(
        log.enrolment("stranger", ["append"]), beat(), by=["admin", "stranger"]
    ),
    "a second genesis": lambda log: log.sign(genesis_of(log), by=["admin"]),
    "a wrong predecessor": lambda log: log.sign(beat(), previous="0" * 64),
    "a wrong number": lambda log: log.sign(beat(), seq=log.history.seq + 2),
    "a wrong size before": lambda log: log.sign(beat(), size_before=0),
    "a wrong root before": lambda log: log.sign(beat(), root_before=bytes(32)),
    "a wrong size after": lambda log: log.sign(beat(), size_after=99),
    "a wrong root after": lambda log: log.sign(beat(), root_after=bytes(32)),
    "another log": lambda log: log.sign(beat(), origin="logs.example.com/other"),
    "a time that no calendar has": lambda log: log.sign(beat(), time="2026-13-45T25:00:00Z"),
    "replayed": lambda log: log.objects.get(commits.commit_path(log.history.seq)),
    "no entry": lambda log: log.sign(),
    "an entry of nothing": lambda log: log.sign(b"{}"),
    "an entry that is not canonical": lambda log: log.sign(beat() + b" "),
    "a key entry without a key": lambda log: log.sign(raw(type="key", action="enrol"), by=["admin"]),
    "a key entry with roles of another type": lambda log: log.sign(
        raw(type="key", action="enrol", vkey=log.signers["admin"].vkey, roles=7), by=["admin"]
    ),
    "a key entry with an unknown action": lambda log: log.sign(
        raw(type="key", action="bless", vkey=log.signers["admin"].vkey), by=["admin"]
    ),
    "a key entry whose key is a list": lambda log: log.sign(raw(type="key", action="retire", vkey=[]), by=["admin"]),
    "spool numbers without end": lambda log: log.sign(
        raw(type="heartbeat", spools=[{"spool": "x", "first": 1, "last": 2**52}])
    ),
    "a partition outside its folders": lambda log: log.sign(partition("../../etc/passwd")),
    "a partition in the ledger's folder": lambda log: log.sign(partition("ledger/checkpoint")),
    "an altered signature": lambda log: log.sign(beat())[:-6] + b"AAA=\n",
    "no note": lambda log: b"no note",
}


def partition(path: str) -> bytes:
    item = {"path": path, "size": 1, "sha256": "0" * 64}
    body = {"events": item, "content": item, "rows": 1, "segments": 1, "root": "0" * 64, "schema": "0" * 64}
    return raw(type="partition", **body)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_commit_is_refused_by_all(
    log: HandMade, new_publisher: Callable[..., Publisher], forgery: str
) -> None:
    log.append(2)
    new_publisher(log).publish()
    published = log.objects.get("ledger/checkpoint")
    size, keys, origin = log.history.frontier.size, dict(log.history.keys), log.history.origin
    forged = FORGERIES[forgery](log)

    with pytest.raises(TamperedError):
        log.history.apply(forged)
    assert (log.history.frontier.size, log.history.keys, log.history.origin) == (size, keys, origin)

    log.put(forged)
    with pytest.raises(PublisherRefusedError):
        new_publisher(log).publish()
    assert log.objects.get("ledger/checkpoint") == published

    report, _ = verify(log.objects, Options("fast", [log.signers["log"].verifier]))
    assert report.verdict is Verdict.TAMPERED
    assert commits.commit_path(log.history.seq + 1) in {finding.path for finding in report.findings}


@pytest.mark.parametrize("forgery", ["a stranger's", "an origin that is not the commit's", "no genesis", "no admin"])
def test_a_forged_first_commit_leaves_no_trace(new_log: Callable[..., HandMade], forgery: str) -> None:
    """What it claims of origin and keys must not survive its refusal."""
    log, empty = new_log(), new_log().history.__class__()
    data = log.objects.get(commits.commit_path(0))
    entry_list = commits.parse_commit(data)[0].entries
    log.history = empty
    match forgery:
        case "a stranger's":
            forged = log.sign(*entry_list, by=["stranger"])
        case "an origin that is not the commit's":
            forged = log.sign(*entry_list, by=["admin", "writer", "privacy", "log"], origin="other.example/log")
        case "no genesis":
            forged = log.sign(beat(), by=["admin"])
        case _:
            forged = log.sign(raw(type="genesis", origin="a.example/b"), by=["admin"])
    with pytest.raises(TamperedError):
        log.history.apply(forged)
    assert (empty.origin, empty.store, empty.keys, empty.seq) == ("", "", {}, -1)
    assert len(empty.apply(data)) == 4


def test_a_retired_key_commits_nothing_any_more(log: HandMade) -> None:
    retire = entries.encode("key", {"action": "retire", "vkey": log.signers["writer"].vkey})
    log.history.apply(log.sign(retire, by=["admin"]))
    with pytest.raises(TamperedError, match="no enrolled key"):
        log.history.apply(log.sign(beat()))


def test_rotation_is_signed_by_the_old_and_the_new_key(log: HandMade) -> None:
    log.history.apply(log.sign(log.enrolment("stranger", ["append"]), by=["admin", "stranger"]))
    log.history.apply(log.sign(beat(), by=["stranger"]))
    assert log.history.seq == 2


def test_a_log_key_that_was_retired_still_vouches_for_what_it_signed(log: HandMade) -> None:
    retire = entries.encode("key", {"action": "retire", "vkey": log.signers["log"].vkey})
    log.history.apply(log.sign(retire, by=["admin"]))
    assert log.history.log_verifiers() == [log.signers["log"].verifier]


def test_an_unknown_entry_type_needs_the_right_to_append(log: HandMade) -> None:
    """Its meaning is unknown, so it may not mean more than the least role allows."""
    new = entries.encode("prophecy", {"says": "doom"})
    with pytest.raises(TamperedError, match="role append"):
        log.history.apply(log.sign(new, by=["privacy"]))
    assert log.history.apply(log.sign(new))[0].value["says"] == "doom"


def test_a_signature_by_a_stranger_beside_the_writers_changes_nothing(log: HandMade) -> None:
    log.history.apply(log.sign(beat(), by=["writer", "stranger"]))
    assert log.history.seq == 1


def test_commit_names_are_numbers_of_nine_digits() -> None:
    assert commits.commit_path(42) == "ledger/commit/000/000/042"
    assert commits.commit_path(999_999_999) == "ledger/commit/999/999/999"


def test_a_commit_reads_back_as_it_was_written(log: HandMade) -> None:
    data = log.sign(beat())
    commit, note = commits.parse_commit(data)
    assert commit.text() == note.text
    assert notes.sign_note(commit.text(), log.signers["writer"]) == data
