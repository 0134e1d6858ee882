"""Sealing the spool dies at any write: the access records that waited are anchored once by the next one."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import EvidenceError
from ledger.verify import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.faulty_objects import Fault, FaultyObjects, Killed

ACCESSES = 3


def look(installation: Any) -> None:
    """Two processes that each looked at something and ended."""
    for _ in range(2):
        with installation.open() as store:
            for number in range(ACCESSES):
                store.record_access(b"access %d" % number, {})


@pytest.mark.parametrize("name", ["KILLED_BEFORE", "KILLED_AFTER", "FAILS_BEFORE", "FAILS_AFTER", "ARRIVES_LATE"])
def test_what_waited_is_anchored_once(
    new_installation: Callable[..., Any],
    tmp_path: Path,
    faulty: type[FaultyObjects],
    fault: type[Fault],
    killed: type[Killed],
    name: str,
) -> None:
    at, hit = 0, True
    while hit:
        installation = new_installation(tmp_path / str(at))
        look(installation)
        objects = faulty(installation.objects(), fault=fault[name], at=at, only="put_if_absent")
        store = installation.open_on(objects)
        with contextlib.suppress(killed, EvidenceError):
            store.seal()
        store.close()
        hit = objects.hit
        with installation.open() as store:
            store.seal()
            assert store.waiting() == 0
            store.publish()
        objects.settle()
        lines = [line for line in installation.lines() if line["kind"] == "access"]
        assert len(Counter(line["source_id"] for line in lines)) == len(lines) == 2 * ACCESSES
        report = installation.verify("deep")
        assert report.verdict is Verdict.INTACT, report.findings
        at += 1
    assert at > 3, "a partition has two objects, and a commit lists them"
