"""What goes into a bundle: one session, or a period. Rows are chosen by their lines, never by an index over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ledger import merkle, records
from ledger.errors import LostError, MissingObjectError, TamperedError, UsageError
from ledger.history import Entry
from replay.catalog import Catalog, session_parts


@dataclass(frozen=True)
class SessionSelection:
    """All records of one session. Its id stands in the record lines: opaque, or a random reference."""

    session: str

    def as_json(self) -> dict[str, str]:
        """As manifest and ledger entry state it."""
        return {"session": self.session, "type": "session"}

    def matches(self, line: Mapping[str, Any]) -> bool:
        """Whether a record belongs to the selection."""
        return line.get("session") == self.session


@dataclass(frozen=True)
class PeriodSelection:
    """All records whose time (``occurred_at``, else ``observed_at``) lies in [start, end): RFC 3339 UTC, or None."""

    start: str | None
    end: str | None

    def as_json(self) -> dict[str, str]:
        """As manifest and ledger entry state it."""
        bounds = {"from": self.start, "to": self.end}
        return {"type": "time"} | {name: value for name, value in bounds.items() if value is not None}

    def matches(self, line: Mapping[str, Any]) -> bool:
        """Whether a record belongs to the selection. Without its Z, RFC 3339 UTC text sorts at any precision."""
        at: str = (line.get("occurred_at") or line["observed_at"])[:-1]
        return (self.start is None or self.start[:-1] <= at) and (self.end is None or at < self.end[:-1])

    def may_hold(self, entry: Mapping[str, Any]) -> bool:
        """Whether a partition of this entry can hold such records: to the second, as its bounds are ordered as text."""
        first, last = entry["time"]["from"][:19], entry["time"]["to"][:19]
        return (self.start is None or self.start[:19] <= last) and (self.end is None or first <= self.end[:19])


Selection = SessionSelection | PeriodSelection


def period(start: str | None, end: str | None) -> PeriodSelection:
    """A period between RFC 3339 UTC times. Raises UsageError for one that holds nothing."""
    if any(text is not None and not _UTC.match(text) for text in (start, end)):
        raise UsageError("a period is given by RFC 3339 times in UTC", hint="Write 2026-10-01T08:30:00Z.")
    if start is not None and end is not None and start[:-1] >= end[:-1]:
        raise UsageError("the period ends before it begins")
    return PeriodSelection(start, end)


_UTC: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\Z")


class Selected(NamedTuple):
    """Selected rows of one partition with their lines, and the leaf hash of every row, which proofs are made of."""

    entry: Entry
    rows: list[int]
    lines: list[bytes]
    leaves: list[bytes]

    @property
    def ranges(self) -> list[list[int]]:
        """The rows as ``[first, number]`` of each unbroken run."""
        runs: list[list[int]] = []
        for row in self.rows:
            if runs and sum(runs[-1]) == row:
                runs[-1][1] += 1
            else:
                runs.append([row, 1])
        return runs


def select(catalog: Catalog, selection: Selection) -> Iterator[Selected]:
    """The partitions that hold selected rows, one in memory at a time, in the order of the log.

    Raises LostError or TamperedError where a partition is not what its ledger entry says.
    """
    if isinstance(selection, SessionSelection):
        yield from _session(catalog, selection)
        return
    for entry in catalog.partitions():
        if selection.may_hold(entry.value):
            lines, leaves = _read(catalog, entry)
            rows = [row for row, line in enumerate(lines) if selection.matches(records.parse_line(line))]
            if rows:
                yield Selected(entry, rows, [lines[row] for row in rows], leaves)


def _session(catalog: Catalog, selection: SessionSelection) -> Iterator[Selected]:
    partitions = catalog.partitions()
    for part in session_parts(catalog, selection.session):
        entry = partitions[part.partition]
        lines, leaves = _read(catalog, entry)
        first, end = part.first_row, part.first_row + part.rows
        around = lines[max(first - 1, 0) : first] + lines[end : end + 1]
        inside = lines[first:end]
        if (
            len(inside) != part.rows
            or not all(selection.matches(records.parse_line(line)) for line in inside)
            or any(selection.matches(records.parse_line(line)) for line in around)
        ):
            path = entry.value["events"]["path"]
            raise TamperedError(f"the session index of {path} differs from its lines", path=path)
        yield Selected(entry, list(range(first, end)), inside, leaves)


def _read(catalog: Catalog, entry: Entry) -> tuple[list[bytes], list[bytes]]:
    """All lines and leaf hashes of a partition, whose root is the one in its entry."""
    path = entry.value["events"]["path"]
    try:
        lines: list[bytes] = pq.read_table(catalog.mirror.path(entry.value), columns=["line"])["line"].to_pylist()
    except (FileNotFoundError, MissingObjectError):
        raise LostError(f"{path} is missing", path=path) from None
    except (pa.ArrowException, OSError, KeyError):
        raise TamperedError(f"{path} cannot be decoded", path=path) from None
    leaves = merkle.leaf_hashes(lines)
    if len(lines) != entry.value["rows"] or merkle.root(leaves).hex() != entry.value["root"]:
        raise TamperedError(f"the lines of {path} do not have the root that the ledger states", path=path)
    return lines, leaves
