"""Everything that a store holds of a period, counted four ways: what ``evidence tie-out`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from replay import views
from replay.catalog import Catalog, as_of
from replay.restricted import names_any
from reports.published import Published
from reports.selection.choosing import choose
from reports.selection.predicates import period
from reports.tie_out.counting import LINES, Scope, TieOut, tie_out


@dataclass(frozen=True)
class PeriodCounts:
    """The counts of a period. ``left_out``: records that views and reports do not show, as processing is restricted."""

    scope: Scope
    tie_out: TieOut
    left_out: int


def count_period(catalog: Catalog, published: Published, start: str | None, end: str | None) -> PeriodCounts:
    """Count the records of a period under a checkpoint.

    ``ledger`` and ``events`` count whole partitions that overlap the period. ``population`` parses every line, after
    recomputing the partition's root; ``report`` goes by the views' typed columns. Raises LostError, TamperedError.
    """
    selection, scope, size = period(start, end), Scope((start, end)), published.checkpoint.size
    with as_of(catalog, size) as bounded:
        by_entry = {entry.index: sum(1 for _ in rows) for entry, rows in choose(bounded, selection, complete=False)}
        left_out = _left_out(bounded, scope)
        shown = _in_views(bounded, scope)
        how = "record lines of these files, parsed one by one, under the partition's root", _how(scope, left_out)
        counted = tie_out(bounded, published, scope, sum(by_entry.values()), shown + left_out, by_entry, how)
    return PeriodCounts(scope, counted, left_out)


_AT: Final = "coalesce(occurred_at, observed_at)"
_SHOWN: Final = (
    f"SELECT count(*) FROM records WHERE ($from IS NULL OR {_AT} >= $from::TIMESTAMPTZ) "
    f"AND ($to IS NULL OR {_AT} < $to::TIMESTAMPTZ)"
)


def _in_views(catalog: Catalog, scope: Scope) -> int:
    """Records that the view of ``evidence query`` shows."""
    start, end = scope.period
    with views.on(catalog) as connection:
        ((count,),) = connection.execute(_SHOWN, {"from": start, "to": end}).fetchall()
    return int(count)


def _left_out(catalog: Catalog, scope: Scope) -> int:
    people, paths = catalog.store.standing.restricted, catalog.events_paths()
    if not people or not paths:
        return 0
    condition, given = scope.sql()
    named = names_any("list_append(coalesce(subjects, []), owner)", people)
    ((count,),) = catalog.connection.execute(
        f"SELECT count(*) FROM {LINES} WHERE {named} AND ({condition})", {"files": paths, **given}
    ).fetchall()
    return int(count)


def _how(scope: Scope, left_out: int) -> str:
    start, end = scope.period
    bounds = [f"{_AT} >= '{start}'"] if start is not None else []
    bounds += [f"{_AT} < '{end}'"] if end is not None else []
    query = " WHERE ".join(["SELECT count(*) FROM records", *([" AND ".join(bounds)] if bounds else [])])
    return f"{query} -- and {left_out} left out there: processing is restricted" if left_out else query
