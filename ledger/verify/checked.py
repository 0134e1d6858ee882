"""What is found and counted in one partition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from ledger.errors import EvidenceError, UnverifiableError

NAMED_ROWS: Final = 100
"""Rows that are named for one reason at most."""


class Problem(msgspec.Struct):
    """One thing wrong in a partition: ``verdict`` is a Verdict's text."""

    verdict: str
    path: str
    reason: str
    row: int | None = None
    record: str | None = None


class Checked(msgspec.Struct):
    """What was checked in one partition.

    ``ended`` counts contents that the ledger says are not there, by state, and ``redacted`` ones that were opened;
    ``closed`` counts those that did not open, by state: ``lost`` (the key was destroyed and no entry says why) or
    ``unverifiable``.
    """

    rows: int = 0
    bytes: int = 0
    content_rows: int = 0
    content_bytes: int = 0
    ended: dict[str, int] = msgspec.field(default_factory=dict)
    because: set[tuple[int, str]] = msgspec.field(default_factory=set)
    """Segment and owner of what ended, by which the entry is found that says so."""
    closed: dict[str, int] = msgspec.field(default_factory=dict)
    problems: list[Problem] = msgspec.field(default_factory=list)
    accesses: list[tuple[str, int]] = msgspec.field(default_factory=list)

    def wrong(self, path: str, reason: str, row: int | None = None, record: str | None = None) -> None:
        """Note that something was tampered with."""
        self.problems.append(Problem("tampered", path, reason, row, record))

    def survives(self, path: str, reason: str) -> None:
        """Note a key that should have been destroyed: what the ledger says of it is not true yet."""
        self.problems.append(Problem("unverifiable", path, f"{reason}: run `evidence keys reconcile`"))


_T = TypeVar("_T")


def guard(checked: Checked, path: str, check: Callable[[], _T]) -> _T | None:
    """What ``check`` returns, or None with a problem noted if it raises."""
    try:
        return check()
    except EvidenceError as error:
        checked.problems.append(Problem(verdict_of(error), str(error.where.get("path", path)), error.message))
        return None


def verdict_of(error: EvidenceError) -> str:
    """What is of a later version than this program cannot be judged by it."""
    return "unverifiable" if isinstance(error, UnverifiableError) else "tampered"


Entry = Mapping[str, Any]
"""A partition entry."""
