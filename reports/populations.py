"""Populations that samples are drawn from: chosen, frozen under a checkpoint, counted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import Final, NamedTuple

from ledger.errors import UsageError
from ledger.store import Store
from replay.catalog import Catalog, as_of
from replay.query import MAX_ROWS, query
from reports.published import Published
from reports.sampling import PopulationRow, population_csv, stratum_of
from reports.selecting import choose
from reports.selection import QuerySelection, Selection

_ID: Final = re.compile(r"[0-9a-f]{64}\Z")


class Asked(NamedTuple):
    """The records that a query names. ``left_out``: records of the store that no query sees (restricted processing)."""

    selection: QuerySelection
    left_out: int


class Frozen(NamedTuple):
    """A population as of a checkpoint. ``later``: records that a query named and the checkpoint does not cover."""

    rows: list[PopulationRow]
    later: int

    @property
    def csv(self) -> bytes:
        """``population.csv``, whose SHA-256 an auditor notes before naming a nonce."""
        return population_csv(self.rows)

    @property
    def sha256(self) -> str:
        """Of ``population.csv``, in hex."""
        return hashlib.sha256(self.csv).hexdigest()

    @property
    def by_entry(self) -> dict[int, int]:
        """Rows by the index of their partition's entry."""
        return dict(Counter(row.partition for row in self.rows))

    @property
    def by_stratum(self) -> dict[str, int]:
        """Rows by stratum."""
        return dict(sorted(Counter(row.stratum for row in self.rows).items()))


def ask(store: Store, sql: str, start: str | None = None, end: str | None = None) -> Asked:
    """The records that a SELECT over the views names in its column ``record_id``, within [start, end).

    Raises QueryRefusedError for what is no such query, UsageError for one without that column or with too many rows.
    """
    result = query(store, sql, limit=MAX_ROWS)
    if "record_id" not in result.table.column_names:
        raise UsageError("the query of a population gives a column record_id", hint=_EXAMPLE)
    if result.more:
        raise UsageError(
            f"the query of a population gives at most {MAX_ROWS:,} records",
            hint="Narrow it, or take a period by --from and --to.",
        )
    found = frozenset(result.table.column("record_id").to_pylist())
    if not all(isinstance(each, str) and _ID.match(each) for each in found):
        raise UsageError("the column record_id holds what is no record id", hint=_EXAMPLE)
    return Asked(QuerySelection(found, start=start, end=end), result.left_out)


def freeze(catalog: Catalog, published: Published, selection: Selection, field: str | None = None) -> Frozen:
    """The population of a selection under a checkpoint, in the order of the log.

    Raises FormatError for a ``field`` whose values are no codes, LostError or TamperedError where a partition is not
    what its entry says.
    """
    with as_of(catalog, published.checkpoint.size) as bounded:
        rows = [
            PopulationRow(entry.index, item.row, item.record, stratum_of(item.line, field))
            for entry, found in choose(bounded, selection, complete=False)
            for item in found
        ]
    if not isinstance(selection, QuerySelection) or selection.start is not None or selection.end is not None:
        return Frozen(rows, 0)
    return Frozen(rows, len(selection.records - {row.record.hex() for row in rows}))


_EXAMPLE: Final = "For example: SELECT record_id FROM records WHERE kind = 'inference'."
