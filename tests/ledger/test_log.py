"""Claiming the next commit: one winner a number, no gap, and nothing claimed that readers would refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ledger import commits, entries
from ledger.errors import ConfigError, ContentionError, NothingThereError, StorageError, TamperedError
from ledger.history import Entry
from ledger.log import ATTEMPTS, LogReader, LogWriter
from ledger.objects import Objects

if TYPE_CHECKING:
    from tests.fixtures_history import HandMade
    from tests.simulator.faulty_objects import Fault, FaultyObjects, Killed


def beat(number: int = 1) -> bytes:
    return entries.encode("heartbeat", {"number": number})


def writer(log: HandMade, objects: Objects | None = None, key: str = "writer") -> LogWriter:
    objects = objects or log.objects
    return LogWriter(objects, LogReader(objects), [log.signers[key]])


def numbers(objects: Objects) -> list[int]:
    """What every heartbeat says, in the order of the log."""
    reader = LogReader(objects)
    return [entry.value["number"] for entry in reader.refresh() if entry.value["type"] == "heartbeat"]


def test_entries_of_one_append_stand_together(log: HandMade) -> None:
    added = writer(log).append([beat(1), beat(2)])
    assert [(entry.index, entry.seq) for entry in added] == [(4, 1), (5, 1)]
    assert numbers(log.objects) == [1, 2]


def test_the_loser_of_a_claim_takes_the_next_number(log: HandMade) -> None:
    first, second = writer(log), writer(log)
    first.append([beat(1)])
    second.append([beat(2)])
    first.append([beat(3)])
    assert numbers(log.objects) == [1, 2, 3]


def test_what_others_committed_is_shown_before_the_next_attempt(log: HandMade) -> None:
    late = writer(log)
    late.append([beat(1)])
    writer(log).append([beat(2)])
    seen: list[Entry] = []
    late.append([beat(3)], seen.extend)
    assert [entry.value["number"] for entry in seen] == [2]


def test_what_the_recheck_raises_ends_the_append_with_nothing_claimed(log: HandMade) -> None:
    late = writer(log)
    late.append([beat(1)])
    writer(log).append([beat(2)])

    def refuse(_: list[Entry]) -> None:
        raise StorageError("not any more")

    with pytest.raises(StorageError, match="not any more"):
        late.append([beat(3)], refuse)
    assert numbers(log.objects) == [1, 2]


def test_who_always_loses_is_told(log: HandMade, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer takes every number first."""
    monkeypatch.setattr("ledger.log._PAUSE", 0.0)
    inner = log.objects

    class Taken:
        url = inner.url

        def get(self, path: str) -> bytes:
            return inner.get(path)

        def put_if_absent(self, path: str, data: bytes) -> bool:
            log.append()
            return inner.put_if_absent(path, data)

    with pytest.raises(ContentionError):
        LogWriter(Taken(), LogReader(inner), [log.signers["writer"]]).append([beat(0)])  # type: ignore[arg-type]
    assert numbers(inner) == [*range(4, 4 + ATTEMPTS)]


def test_a_commit_that_readers_would_refuse_is_not_claimed(log: HandMade) -> None:
    """A wrong key in the settings must not end the log: nothing could ever follow such a commit."""
    for key in ("stranger", "privacy"):
        with pytest.raises(ConfigError, match="not committed"):
            writer(log, key=key).append([beat()])
    with pytest.raises(ConfigError):
        writer(log).append([entries.encode("erasure", {"subjects": []})])
    writer(log).append([beat(7)])
    assert numbers(log.objects) == [7]


def test_a_store_without_a_ledger_is_not_appended_to(log: HandMade, objects: Objects) -> None:
    with pytest.raises(NothingThereError):
        writer(log, objects).append([beat()])


def test_a_log_begins_once(log: HandMade) -> None:
    with pytest.raises(ContentionError):
        writer(log, key="admin").begin([beat()], "other.example/log")


def test_a_reader_stops_at_a_commit_that_is_out_of_place(log: HandMade) -> None:
    log.append(2)
    reader = LogReader(log.objects)
    reader.refresh()
    log.put(log.objects.get(commits.commit_path(1)))
    with pytest.raises(TamperedError):
        reader.refresh()
    assert reader.history.seq == 2


@pytest.mark.parametrize("name", ["FAILS_BEFORE", "FAILS_AFTER", "ARRIVES_LATE"])
def test_a_claim_of_unknown_outcome_is_asked_again(
    log: HandMade, faulty: type[FaultyObjects], fault: type[Fault], name: str
) -> None:
    """The same bytes settle whether it had won; it is never claimed twice."""
    objects = faulty(log.objects, fault=fault[name], at=0, only="put_if_absent", delay=1)
    writer(log, objects).append([beat(1)])
    objects.settle()
    assert objects.hit
    assert numbers(log.objects) == [1]


@pytest.mark.parametrize("name", ["KILLED_BEFORE", "KILLED_AFTER"])
def test_a_claim_counts_whole_or_not_at_all(
    log: HandMade, faulty: type[FaultyObjects], fault: type[Fault], killed: type[Killed], name: str
) -> None:
    objects = faulty(log.objects, fault=fault[name], at=0, only="put_if_absent")
    with pytest.raises(killed):
        writer(log, objects).append([beat(1), beat(2)])
    assert numbers(log.objects) == ([1, 2] if name == "KILLED_AFTER" else [])


def test_a_writer_that_follows_the_log_reads_each_commit_once(new_log: Callable[..., HandMade]) -> None:
    log = new_log()
    log.append(20)
    reads: list[str] = []
    inner = log.objects

    class Counting:
        url = inner.url

        def get(self, path: str) -> bytes:
            reads.append(path)
            return inner.get(path)

        def put_if_absent(self, path: str, data: bytes) -> bool:
            return inner.put_if_absent(path, data)

    one = LogWriter(Counting(), LogReader(Counting()), [log.signers["writer"]])  # type: ignore[arg-type]
    one.append([beat(1)])
    assert len(reads) == 22, "every commit there is, and the number after the last"
    one.append([beat(2)])
    assert len(reads) == 23
