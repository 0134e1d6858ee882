"""Records that a query or a control chooses: by guarded SQL over the views, whose results name them."""

from __future__ import annotations

import re
from typing import Final

from ledger.errors import NotFoundError, QueryRefusedError, UsageError
from ledger.store import Store
from replay import query, snapshot
from replay.catalog import Catalog
from reports import controls
from reports.published import Published
from reports.selection.predicates import ControlSelection, QuerySelection

COLUMN: Final = "record_id"
_ID: Final = re.compile(r"[0-9a-f]{64}\Z")


def chosen_by(store: Store, sql: str, start: str | None = None, end: str | None = None) -> QuerySelection:
    """The records whose ids a query gives, each once. Raises QueryRefusedError for one that gives none, or too many.

    Records of people whose processing is restricted stand in no view: a query never chooses them.
    """
    return _chosen(query.query(store, sql, limit=query.MAX_ROWS), sql, start, end)


def chosen_at(
    catalog: Catalog, published: Published, sql: str, start: str | None = None, end: str | None = None
) -> QuerySelection:
    """The same as of a checkpoint: what was committed later is not in the views."""
    with snapshot.at(catalog, published.checkpoint.size) as views:
        return _chosen(query.run(views, sql, limit=query.MAX_ROWS), sql, start, end)


def _chosen(result: query.Result, sql: str, start: str | None, end: str | None) -> QuerySelection:
    if COLUMN not in result.table.column_names:
        raise QueryRefusedError(f"a query that selects records has a column {COLUMN}")
    if result.more:
        raise QueryRefusedError(f"the query selects more than {query.MAX_ROWS:,} rows", hint="Select fewer at a time.")
    found = frozenset(result.table.column(COLUMN).to_pylist())
    if not all(isinstance(text, str) and _ID.match(text) for text in found):
        raise QueryRefusedError(f"a {COLUMN} of the query is no record's id")
    return QuerySelection(found, sql, result.left_out, start=start, end=end)


def chosen_for(
    catalog: Catalog, published: Published, named: str, start: str | None = None, end: str | None = None
) -> ControlSelection:
    """The records that a control looks at, as of a checkpoint. ``named``: ``FRAMEWORK:CONTROL``.

    Raises UsageError for one that there is not, NotFoundError where its tests look at no record of the period.
    """
    framework, colon, control = named.partition(":")
    if not colon:
        raise UsageError("a control is named as FRAMEWORK:CONTROL", hint="For example soc2:CC8.1.")
    found = controls.record_ids(catalog, framework, control, published, (start, end))
    if not found:
        raise NotFoundError(f"the tests of {named} look at no record here", hint="`evidence report controls` says why.")
    return ControlSelection(frozenset(found), framework, control)
