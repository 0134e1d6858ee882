"""Completeness against the source: how many events it says that it had, and how many records of them are here.

The store shows that nothing was lost since ingest; what never came it cannot know. A gateway's or a provider's own
count, by day for example, is what tells.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from ledger.errors import UsageError
from replay.catalog import Catalog, parameter
from reports.document import Column, Table
from reports.published import Published
from reports.tie_out.counting import LINES, TIME, Scope

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a file of counts."""

_KEYS: Final = {
    "source": "source",
    "system": "coalesce(json->>'$.system', '')",
    "kind": "kind",
    "day": f"left({TIME}, 10)",
}
"""What counts can be grouped by, and how a record says it."""

_NOT_OF_A_SOURCE: Final = "kind NOT IN ('envelope', 'access') AND source <> 'evidence'"
"""Left out: what stands between the records of an input, and what the store itself has made."""

_NUMBER: Final = re.compile(r"[0-9]{1,15}\Z")

Key = tuple[str, ...]


class Stated(NamedTuple):
    """What a source says: by which columns it counts, and the count of each of their values."""

    columns: tuple[str, ...]
    counts: Mapping[Key, int]


class Compared(NamedTuple):
    """One count of a source and what is here: different ids, records that came again, and those rejected as unreadable.

    ``stated`` is None for what is here although the source does not state it.
    """

    key: Key
    stated: int | None
    here: int
    again: int
    rejected: int

    @property
    def difference(self) -> int | None:
        """How many more are here than the source states; negative: missing."""
        return None if self.stated is None else self.here - self.stated


def read_counts(path: Path) -> Stated:
    """A CSV file with a heading: ``count``, and one or more of source, system, kind, day. Raises UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES // 1024**2} MiB")
    return parse_counts(data)


def parse_counts(data: bytes) -> Stated:
    """See ``read_counts``."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"the counts are no CSV in UTF-8: {error}", hint=_EXAMPLE) from None
    header = [name.strip() for name in rows[0]] if rows else []
    columns = tuple(name for name in header if name != "count")
    if header.count("count") != 1 or not columns or len(set(columns)) != len(columns) or not set(columns) <= set(_KEYS):
        raise UsageError("the counts need a heading with count and some of source, system, kind, day", hint=_EXAMPLE)
    counts: dict[Key, int] = {}
    for number, row in enumerate(rows[1:], 2):
        if row:
            key, count = _row(header, row, number)
            if key in counts:
                raise UsageError(f"line {number} of the counts counts the same again")
            counts[key] = count
    return Stated(columns, counts)


def _row(header: Sequence[str], row: Sequence[str], number: int) -> tuple[Key, int]:
    values = dict(zip(header, (cell.strip() for cell in row), strict=False))
    if len(row) != len(header) or not _NUMBER.match(values["count"]):
        raise UsageError(f"line {number} of the counts has no whole number as its count, or other columns")
    if "day" in values and not _is_day(values["day"]):
        raise UsageError(f"line {number} of the counts has no day such as 2026-10-31")
    return tuple(value for name, value in values.items() if name != "count"), int(values["count"])


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def compare(catalog: Catalog, published: Published, stated: Stated, scope: Scope) -> list[Compared]:
    """Each count of the source against the records under a checkpoint, in order; then what it does not state.

    The latter only of sources (systems, kinds) that it names, and of days between its first and last. A record's day
    is that of ``occurred_at``, else of ``observed_at``, in UTC. Raises LostError or TamperedError.
    """
    size = published.checkpoint.size
    entries = [item.value for item in catalog.partitions() if item.index < size and scope.holds(item.value)]
    found: dict[Key, tuple[int, int, int]] = {}
    if entries:
        condition, given = scope.sql()
        keys = ", ".join(_KEYS[name] for name in stated.columns)
        rows = catalog.connection.execute(
            f"SELECT {keys}, count(*) FILTER (kind <> 'rejected'), count(DISTINCT (source, json->>'$.source_id')) "
            f"FILTER (kind <> 'rejected'), count(*) FILTER (kind = 'rejected') FROM {LINES} "
            f"WHERE {_NOT_OF_A_SOURCE} AND ({condition}) GROUP BY ALL",
            {
                "files": [str(catalog.mirror.path(entry)) for entry in entries],
                **{k: parameter(v) for k, v in given.items()},
            },
        ).fetchall()
        found = {tuple(key): (records, different, rejected) for *key, records, different, rejected in rows}
    is_meant = _meant(stated)
    keys_here = sorted(key for key in found if key not in stated.counts and is_meant(key))
    return [_compared(key, stated.counts.get(key), *found.get(key, (0, 0, 0))) for key in [*stated.counts, *keys_here]]


def _compared(key: Key, stated: int | None, records: int, different: int, rejected: int) -> Compared:
    return Compared(key, stated, different, records - different, rejected)


def _meant(stated: Stated) -> Callable[[Key], bool]:
    """Whether a source that counts so would have stated this too."""
    known = [{key[at] for key in stated.counts} for at in range(len(stated.columns))]

    def is_meant(key: Key) -> bool:
        for name, value, values in zip(stated.columns, key, known, strict=True):
            if not values or (not min(values) <= value <= max(values) if name == "day" else value not in values):
                return False
        return True

    return is_meant


def differences(compared: Sequence[Compared]) -> list[str]:
    """What is not equal, in words."""
    found = []
    for item in compared:
        what = " ".join(filter(None, item.key)) or "-"
        if item.stated is None:
            found.append(f"{what}: {item.here} here, not stated by the source")
        elif item.difference:
            missing = "more here than" if item.difference > 0 else "fewer here than"
            found.append(f"{what}: {abs(item.difference)} {missing} the source states ({item.stated})")
    return found


def table(stated: Stated, compared: Sequence[Compared]) -> Table:
    """The comparison for a report."""
    numbers = ("Source states", "Here", "Difference", "Came again", "Rejected")
    columns = (*(Column(name.capitalize(), "code") for name in stated.columns), *(Column(n, "number") for n in numbers))
    rows = tuple((*each.key, each.stated, each.here, each.difference, each.again, each.rejected) for each in compared)
    return Table("source-counts", "Counts of the source", columns, rows, note=_NOTE)


_NOTE: Final = (
    "Here: records with different ids. Came again: records with an id that was here already. Rejected: bytes "
    "that no format understood, which may hold what is missing."
)
_EXAMPLE: Final = "For example: source,day,count and then mira,2026-10-13,27."
