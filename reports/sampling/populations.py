"""Populations that samples are drawn from: chosen, frozen under a checkpoint, counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import NamedTuple

from replay.catalog import Catalog, as_of
from reports.published import Published
from reports.sampling.drawing import PopulationRow, population_csv, stratum_of
from reports.selection.choosing import choose
from reports.selection.predicates import QuerySelection, Selection


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
