"""Records that a query chooses: guarded SQL over the views, whose result names them in a column ``record_id``."""

from __future__ import annotations

import re
from typing import Final

from ledger.errors import QueryRefusedError
from ledger.store import Store
from replay import query
from reports.selection import QuerySelection

COLUMN: Final = "record_id"
_ID: Final = re.compile(r"[0-9a-f]{64}\Z")


def chosen_by(store: Store, sql: str, start: str | None = None, end: str | None = None) -> QuerySelection:
    """The records whose ids a query gives, each once. Raises QueryRefusedError for one that gives none, or too many.

    Records of people whose processing is restricted stand in no view: a query never chooses them.
    """
    result = query.query(store, sql, limit=query.MAX_ROWS)
    if COLUMN not in result.table.column_names:
        raise QueryRefusedError(f"a query that selects records has a column {COLUMN}")
    if result.more:
        raise QueryRefusedError(f"the query selects more than {query.MAX_ROWS:,} rows", hint="Select fewer at a time.")
    found = frozenset(result.table.column(COLUMN).to_pylist())
    if not all(isinstance(text, str) and _ID.match(text) for text in found):
        raise QueryRefusedError(f"a {COLUMN} of the query is no record's id")
    return QuerySelection(found, sql, result.left_out, start=start, end=end)
