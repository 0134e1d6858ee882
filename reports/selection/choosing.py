"""Finding the rows of a selection: by their lines, never by an index over them. One partition in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ledger import merkle, records
from ledger.errors import LostError, MissingObjectError, TamperedError
from ledger.history import Entry
from replay.catalog import Catalog, session_parts
from reports.selection.predicates import ChosenSelection, Selection, SessionSelection, SubjectSelection

COMPLETE: Final = "complete"
ACCESS: Final = "access"
ROWS_AT_ONCE: Final = 4096
"""Rows whose content is opened together, about a row group: bounds what is decrypted at a time."""


class Chosen(NamedTuple):
    """A row of a selection: its number, its leaf hash, and what its line says."""

    row: int
    record: bytes
    line: dict[str, Any]


@dataclass
class Part:
    """Rows of one partition that a bundle shows: those of the selection with their ids, and others with the reason.

    ``context``: row → why it is shown although it is not selected. ``drawn``: of a sample, the rows in it.
    """

    entry: Entry
    rows: list[int] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    context: dict[int, str] = field(default_factory=dict)
    drawn: set[int] | None = None

    @property
    def shown(self) -> list[int]:
        """All of them, ascending: of those that were not drawn the id is shown."""
        return sorted([*self.rows, *self.context]) if self.context else self.rows

    @property
    def lined(self) -> list[int]:
        """Rows of the selection whose lines are shown."""
        return self.rows if self.drawn is None else [row for row in self.rows if row in self.drawn]


def ranges(rows: Iterable[int]) -> list[list[int]]:
    """Ascending rows as ``[first, number]`` of each unbroken run."""
    runs: list[list[int]] = []
    end = -1
    for row in rows:
        if row == end:
            runs[-1][1] += 1
        else:
            runs.append([row, 1])
        end = row + 1
    return runs


def batches(rows: Sequence[int]) -> Iterator[range | list[int]]:
    """Ascending rows in pieces of about a row group, which are opened together; a range where nothing is between."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        piece = rows[start : start + ROWS_AT_ONCE]
        unbroken = piece[-1] - piece[0] + 1 == len(piece)
        yield range(piece[0], piece[-1] + 1) if unbroken else list(piece)


def choose(
    catalog: Catalog, selection: Selection, *, complete: bool, since: int = 0
) -> Iterator[tuple[Entry, Iterator[Chosen]]]:
    """The partitions that can hold selected rows, with these, to be read before the next; in the order of the log.

    From the entry ``since`` on; without ``complete`` only where an index, if there is one, knows of some. Raises
    LostError or TamperedError, also while rows are read, where a partition is not what its ledger entry says.
    """
    indexed = _indexed(catalog, selection)
    for number, entry in enumerate(catalog.partitions()):
        may_hold = entry.index >= since and selection.may_hold(entry.value)
        if may_hold and (complete or indexed is None or number in indexed):
            found = _matching(selection, *read(catalog, entry))
            if indexed is not None and isinstance(selection, SessionSelection):
                found = _checked(selection, entry, found, indexed.get(number, 0))
            yield entry, found


def _indexed(catalog: Catalog, selection: Selection) -> Mapping[int, int] | None:
    """The numbers of the partitions that hold rows of the selection, and how many, by the catalog; None: no index."""
    if isinstance(selection, SessionSelection):
        return {part.partition: part.rows for part in session_parts(catalog, selection.session)}
    if isinstance(selection, SubjectSelection):
        rows = catalog.connection.execute(
            "SELECT partition, sum(rows)::BIGINT FROM subject_runs "
            "WHERE subject IN (SELECT unnest(?::VARCHAR[])) GROUP BY partition",
            [list(selection.subjects)],
        ).fetchall()
        return dict(rows)
    return None


def _matching(selection: Selection, lines: Sequence[bytes], leaves: Sequence[bytes]) -> Iterator[Chosen]:
    hints = selection.hints()
    wanted = selection.records if isinstance(selection, ChosenSelection) else None
    for row, (line, leaf) in enumerate(zip(lines, leaves, strict=True)):
        if wanted is not None and leaf.hex() not in wanted:
            continue
        if hints is not None and not any(hint in line for hint in hints):
            continue
        value = records.parse_line(line)
        if selection.matches(value):
            yield Chosen(row, leaf, value)


def _checked(selection: SessionSelection, entry: Entry, found: Iterator[Chosen], indexed: int) -> Iterator[Chosen]:
    """The rows, as many as the catalog's index knows; with a period no more."""
    count = 0
    for count, item in enumerate(found, 1):  # noqa: B007 - the count of all is what is wanted
        yield item
    is_whole = selection.start is None and selection.end is None
    if count != indexed if is_whole else count > indexed:
        path = entry.value["events"]["path"]
        raise TamperedError(f"the session index of {path} differs from its lines", path=path)


def read(catalog: Catalog, entry: Entry) -> tuple[list[bytes], list[bytes]]:
    """All lines and leaf hashes of a partition, whose root is the one in its entry. Raises LostError, TamperedError."""
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
