"""Guarded SQL: one SELECT over the views, read-only, without any way to a file, a network or a setting."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from ledger.errors import QueryRefusedError
from ledger.store import Store
from replay import catalog
from replay.views import statements

MAX_ROWS: Final = 100_000
MAX_SECONDS: Final = 60.0
MEMORY: Final = "1GB"


class Result(NamedTuple):
    """A query's rows, at most ``limit``; ``more`` says that there were others."""

    table: pa.Table
    more: bool


def query(store: Store, sql: str, parameters: Sequence[Any] = (), limit: int = 1000) -> Result:
    """Run one SELECT over the views. Raises QueryRefusedError for anything else, or what takes too long."""
    with connection(store) as guarded:
        return run(guarded, sql, parameters, limit)


@contextmanager
def connection(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees the views and nothing else."""
    with catalog.opened(store) as opened:
        paths = opened.events_paths()
    guarded = duckdb.connect(":memory:")
    try:
        _prepare(guarded, store, paths)
        yield guarded
    finally:
        guarded.close()


def run(guarded: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = (), limit: int = 1000) -> Result:
    """One SELECT on a guarded connection."""
    _check(guarded, sql)
    limit = min(max(limit, 0), MAX_ROWS)
    timer = threading.Timer(MAX_SECONDS, guarded.interrupt)
    timer.start()
    try:
        reader = guarded.sql(sql, params=list(parameters)).to_arrow_reader(limit + 1)
        batches, rows = [], 0
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            if rows > limit:
                break
        table = pa.Table.from_batches(batches, reader.schema)
    except duckdb.InterruptException:
        raise QueryRefusedError(f"the query was stopped after {MAX_SECONDS:.0f} seconds") from None
    except duckdb.PermissionException:
        raise QueryRefusedError("the query reaches outside the views") from None
    except duckdb.Error as error:
        raise QueryRefusedError(f"the query does not work: {_first_line(error)}") from None
    finally:
        timer.cancel()
    return Result(table.slice(0, limit), table.num_rows > limit)


def _prepare(guarded: duckdb.DuckDBPyConnection, store: Store, paths: Sequence[str]) -> None:
    """Attach the catalog, make the views, then shut every door and lock it."""
    file = store.settings.cache / "catalog.duckdb"
    guarded.execute("SET TimeZone = 'UTC'")
    guarded.execute(f"ATTACH {_quote(str(file))} AS catalog (READ_ONLY)")
    for statement in statements(paths):
        guarded.execute(statement)
    allowed = ", ".join(_quote(path) for path in [*paths, str(file)])
    guarded.execute(f"SET allowed_paths = [{allowed}]")
    for setting in (
        f"memory_limit = '{MEMORY}'",
        "temp_directory = ''",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        guarded.execute(f"SET {setting}")


def _check(guarded: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        statements = guarded.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefusedError(f"the query cannot be read: {_first_line(error)}") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryRefusedError("a query is exactly one SELECT")


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0][:500]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
