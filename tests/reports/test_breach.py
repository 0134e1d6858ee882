"""A breach in numbers: who and what was reached, and that what had been shredded before is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger import entries
from ledger.access import Receipt
from ledger.erasing import Erasing, erase
from ledger.errors import AccessNotRecordedError, NotFoundError
from ledger.key_management import rotation
from replay import access, catalog
from reports import breach

ANA, BO, CY = "ana@example.org", "bo@example.org", "cy@example.org"


def line(number: int, day: int, person: str, **fields: Any) -> bytes:
    event = {
        "evidence": "event/1",
        "kind": "inference",
        "source": "desk",
        "id": f"e-{number}",
        "time": f"2026-10-{day:02d}T08:00:00Z",
        "session": f"s-{person}-{day}",
        "subjects": {"end_user": [{"type": "email", "id": person}]},
        "text": f"said {number}",
        **fields,
    }
    return orjson.dumps(event) + b"\n"


@pytest.fixture
def store(installation: Any, tmp_path: Path) -> Any:
    """Two days: Ana three times and Bo once on the first, Bo once and Cy twice on the second."""
    days = {1: [ANA, ANA, ANA, BO], 2: [BO, CY, CY]}
    agent = {"subjects": {"end_user": [{"type": "email", "id": CY}], "service": [{"type": "user_id", "id": "bot"}]}}
    for day, people in days.items():
        path = tmp_path / f"{day}.jsonl"
        lines = [line(10 * day + at, day, person) for at, person in enumerate(people)]
        if day == 2:
            lines[-1] = line(29, day, CY, kind="tool", **agent)
        path.write_bytes(b"".join(lines))
        installation.ingest(path)
    with installation.open() as opened:
        yield opened


def counted(store: Any, *patterns: str, epoch: int | None = None) -> breach.Breach:
    with catalog.opened(store) as listed:
        chosen, began = (
            (breach.of_partitions(store, patterns), None) if epoch is None else breach.of_epoch(store, epoch)
        )
        receipt = access.record(store, "breach", "test", {})
        return breach.count(listed, receipt, chosen, began)


def test_people_are_counted_once_and_by_role(store: Any) -> None:
    found = counted(store, "all")
    assert (found.partitions, found.reached.records) == (2, 7)
    assert found.reached.people == 3, "a service is no person"
    assert found.reached.roles == {"end_user": 3, "service": 1}
    assert found.reached.kinds == {"inference": 6, "tool": 1}
    assert found.reached.sources == {"desk": 7}
    assert found.reached.identifiers == {"email": 3}
    assert (found.first_at, found.last_at) == ("2026-10-01T08:00:00Z", "2026-10-02T08:00:00Z")
    assert (found.ended_since.records, found.ended_before.records, found.erased_subjects) == (0, 0, 0)


def test_only_what_was_copied_counts(store: Any) -> None:
    first, second = store.history.partitions()
    for pattern in ("2026-10-01", str(first.index), first.value["content"]["path"], "events/date=2026-10-01/*"):
        found = counted(store, pattern)
        assert (found.reached.records, found.reached.people) == (4, 2), pattern
    for pattern in ("2026-10", "2026", f"{first.index}..{second.index}", "events/*"):
        assert counted(store, pattern).reached.records == 7, pattern
    for pattern in ("2027", "999", "events/none", "7..3", "", "*.key"):
        with pytest.raises(NotFoundError):
            counted(store, pattern)


def test_linked_references_are_one_person(store: Any) -> None:
    (ana,), (bo,) = store.keyring.lookup(ANA), store.keyring.lookup(BO)
    store.links.add(ana, bo)
    assert counted(store, "2026-10-01").reached.people == 1
    assert counted(store, "all").reached.people == 2


def test_who_was_erased_before_is_left_out_and_shown_apart(store: Any) -> None:
    erase(store, Erasing(store.keyring.lookup(ANA)))
    found = counted(store, "all")
    assert (found.reached.records, found.reached.people) == (4, 2)
    assert (found.ended_before.records, found.ended_before.people, found.erased_subjects) == (3, 1, 1)
    assert found.ended_before.identifiers == {}, "nobody knows who it was"


def test_single_segments_and_expired_partitions_are_left_out(store: Any) -> None:
    first, second = store.history.partitions()
    erase(store, Erasing(segments={first.index: [0]}))
    gone = counted(store, "all").ended_before.records
    assert 0 < gone < 4
    data = entries.canonical_bytes({"_": "test"})
    policy = entries.sha256(data)
    store.objects.put_if_absent(entries.blob_path(policy), data)
    body = {"policy": policy, "what": "content", "partitions": [{"partition": second.index}]}
    store.append([("retention", body)], by=("privacy",))
    found = counted(store, "all")
    assert found.ended_before.records == gone + 3
    assert found.reached.records == 4 - gone


def test_keys_of_an_epoch(store: Any, installation: Any, tmp_path: Path) -> None:
    """Who was erased before it began was never in it; who was erased in it may have been copied."""
    erase(store, Erasing(store.keyring.lookup(ANA)))
    rotation.rotate(store)
    erase(store, Erasing(store.keyring.lookup(BO)))
    rotation.rotate(store)
    later = tmp_path / "later.jsonl"
    later.write_bytes(line(40, 3, "dora@example.org"))
    installation.ingest(later)
    store.refresh()

    first = counted(store, epoch=1)
    assert (first.partitions, first.reached.records, first.ended_since.records) == (2, 2, 5)
    second = counted(store, epoch=2)
    assert (second.partitions, second.reached.records) == (2, 2)
    assert (second.ended_since.records, second.ended_since.people) == (2, 1), "Bo's keys stood in it"
    assert (second.ended_before.records, second.ended_before.people) == (3, 1), "Ana's did not"
    third = counted(store, epoch=3)
    assert (third.partitions, third.reached.records, third.reached.people) == (3, 3, 2)
    assert third.ended_before.records == 5
    with pytest.raises(NotFoundError):
        counted(store, epoch=4)


def test_people_are_not_counted_without_a_record(store: Any) -> None:
    with catalog.opened(store) as listed, pytest.raises(AccessNotRecordedError):
        breach.count(listed, Receipt("0" * 32, 1), store.history.partitions())
