"""Incremental verification: what is new is always read, the rest in turn, and each depth remembers its own reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.verify import Pin, deep, fast


@pytest.fixture
def ingest(installation: Any, tmp_path: Path) -> Callable[[], None]:
    """Each call commits one more partition."""

    def more() -> None:
        number = len(list(tmp_path.glob("note-*")))
        source = tmp_path / f"note-{number}.txt"
        source.write_text(f"not a log, number {number}\n")
        installation.ingest(source)

    return more


@pytest.fixture
def read(installation: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[int], Pin]]:
    """``read("deep", pin=..., fraction=...)``: the numbers of the partitions that a run read, and its pin."""

    def run(level: str, **options: Any) -> tuple[list[int], Pin]:
        seen: list[str] = []
        check_partition, check_objects = deep.check_partition, fast.check_objects

        def noted(objects: Any, entry: Any, *rest: Any) -> Any:
            seen.append(entry["events"]["path"])
            return check_partition(objects, entry, *rest)

        def noted_objects(objects: Any, report: Any, listed: Any, *rest: Any) -> None:
            seen.extend(item.path for item in listed if item.path.startswith("events/"))
            check_objects(objects, report, listed, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(deep, "check_partition", noted)
            patch.setattr(fast, "check_objects", noted_objects)
            _, pin = installation.verify_and_pin(level, **options)
        with installation.open() as store:
            order = [entry.value["events"]["path"] for entry in store.history.partitions()]
        return [order.index(path) for path in seen], pin

    return run


def test_what_is_new_is_read_and_the_oldest_are_read_again_in_turn(
    ingest: Callable[[], None], read: Callable[..., tuple[list[int], Pin]]
) -> None:
    for _ in range(4):
        ingest()
    every, pin = read("deep", fraction=2)
    assert every == [0, 1, 2, 3]
    ingest()
    again, pin = read("deep", fraction=2, pin=pin)
    assert again == [0, 1, 4]
    again, pin = read("deep", fraction=2, pin=pin)
    assert again == [2, 3, 4]


def test_a_nightly_fast_run_does_not_pass_for_the_weekly_deep_one(
    ingest: Callable[[], None], read: Callable[..., tuple[list[int], Pin]]
) -> None:
    deeply: set[int] = set()
    ingest()
    _, pin = read("fast")
    for week in range(4):
        ingest()
        _, pin = read("fast", pin=pin)
        ingest()
        _, pin = read("fast", pin=pin, fraction=3)
        seen, pin = read("deep", pin=pin, fraction=4)
        deeply |= set(seen)
        assert deeply == set(range(2 * week + 3)), "every partition was opened at least once"


def test_a_deep_run_without_keys_does_not_pass_for_one_that_opened_content(
    ingest: Callable[[], None], read: Callable[..., tuple[list[int], Pin]]
) -> None:
    ingest()
    ingest()
    _, pin = read("deep", open_decryptor=None)
    assert (pin.reach_of("deep").size, pin.reach_of("content").size) == (pin.checkpoint.size, 0)
    seen, pin = read("deep", pin=pin, fraction=9)
    assert seen == [0, 1]
    assert pin.reach_of("content").size == pin.checkpoint.size
    assert Pin.from_bytes(pin.to_bytes()) == pin
