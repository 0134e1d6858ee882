"""The views as they were at a published checkpoint, for guarded queries: what was committed later is not in them.

A copy of the tables behind the views, in a file of its own beside the catalog: the process that answers can read it
while this one holds the catalog.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from replay import catalog as catalogs
from replay.catalog import Catalog
from replay.query import Views
from replay.restricted import records_left_out
from replay.views import statements

_TABLES: Final = (
    "partition_list",
    "session_parts",
    "echoes",
    "input_parts",
    "change_list",
    "change_state",
)


@contextmanager
def at(catalog: Catalog, size: int) -> Iterator[Views]:
    """The views over the first ``size`` entries of the log, but for what names people who are restricted now."""
    file = catalog.store.settings.cache / f"snapshot-{secrets.token_hex(8)}.duckdb"
    try:
        with catalogs.as_of(catalog, size) as bounded:
            _copy(bounded, file, size)
            paths = bounded.events_paths()
            left_out = records_left_out(bounded)
        yield Views(str(file), paths, statements(paths, catalog.store.standing.restricted), left_out)
    finally:
        for left in (file, Path(f"{file}.wal")):
            left.unlink(missing_ok=True)


def _copy(catalog: Catalog, file: Path, size: int) -> None:
    path = str(file).replace("'", "''")
    catalog.connection.execute(f"ATTACH '{path}' AS snapshot")
    try:
        for table in _TABLES:
            catalog.connection.execute(f"CREATE TABLE snapshot.{table} AS FROM {table}")
        catalog.connection.execute("CREATE TABLE snapshot.entry_list AS FROM entry_list WHERE entry < ?", [size])
    finally:
        catalog.connection.execute("DETACH snapshot")
