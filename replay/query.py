"""Guarded SQL: one SELECT over the views, read-only, without any way to a file, a network or a setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import duckdb
import orjson
import pyarrow as pa

from ledger.errors import QueryRefusedError
from ledger.store import Store
from replay import catalog
from replay.views import NAMES, statements

MAX_ROWS: Final = 100_000
MAX_SECONDS: Final = 60.0
MAX_BYTES: Final = 256 * 1024 * 1024
"""Bytes of a result."""
MEMORY: Final = "1GB"
_BATCH: Final = 1024
_TABLE_FUNCTIONS: Final = frozenset({"generate_series", "range", "unnest"})
"""Functions that a FROM may call: they read nothing."""


class Result(NamedTuple):
    """A query's rows, at most ``limit``; ``more`` says that there were others."""

    table: pa.Table
    more: bool

    def rows(self) -> list[list[Any]]:
        """Plain values, row by row. Raises QueryRefusedError for a date or time that Python cannot hold."""
        try:
            return [list(row) for row in zip(*(column.to_pylist() for column in self.table.columns), strict=True)]
        except (OverflowError, ValueError):
            raise QueryRefusedError("a date or time is out of range", hint="Cast it to VARCHAR.") from None


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
    # In a thread of its own: DuckDB does not look for Ctrl-C while it works on one long step.
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_read, guarded, sql, parameters, limit)
        try:
            table = running.result(MAX_SECONDS)
        except TimeoutError:
            raise QueryRefusedError(f"the query was stopped after {MAX_SECONDS:.0f} seconds") from None
        finally:
            while not running.done():
                guarded.interrupt()
                wait([running], 0.05)
    return Result(table.slice(0, limit), table.num_rows > limit)


def _read(guarded: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any], limit: int) -> pa.Table:
    """A result as far as one row beyond the limit, its columns told apart by their names."""
    try:
        reader = guarded.sql(sql, params=list(parameters)).to_arrow_reader(min(limit + 1, _BATCH))
        try:
            batches = list(_batches(reader, limit))
        finally:
            # Else an unfinished result keeps the catalog's file open for as long as anyone holds the error.
            reader.close()
    except duckdb.PermissionException:
        raise QueryRefusedError("the query reaches outside the views") from None
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        # While a result is read, DuckDB's errors come as Arrow's or as OSError.
        raise QueryRefusedError(f"the query does not work: {_first_line(error)}") from None
    table = pa.Table.from_batches(batches, reader.schema)
    return table.rename_columns(_distinct(table.column_names))


def _batches(reader: pa.RecordBatchReader, limit: int) -> Iterator[pa.RecordBatch]:
    rows = size = 0
    for batch in reader:
        yield batch
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size > MAX_BYTES:
            raise QueryRefusedError("the result is too large", hint="Ask for fewer rows or columns.")
        if rows > limit:
            return


def _prepare(guarded: duckdb.DuckDBPyConnection, store: Store, paths: Sequence[str]) -> None:
    """Attach the catalog, make the views, then shut every door and lock it."""
    guarded.execute("SET TimeZone = 'UTC'")
    file = catalog.attach(guarded, store)
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
        sql.encode()
        statements = guarded.extract_statements(sql)
    except UnicodeEncodeError:
        raise QueryRefusedError("the query is not UTF-8") from None
    except duckdb.Error as error:
        raise QueryRefusedError(f"the query cannot be read: {_first_line(error)}") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryRefusedError("a query is exactly one SELECT")
    for kind, name in _sources(_parsed(guarded, sql)):
        if kind == "TABLE_FUNCTION" and name not in _TABLE_FUNCTIONS:
            raise QueryRefusedError(f"the query reaches outside the views: the function {name!a}")
        if kind == "BASE_TABLE" and name not in NAMES:
            raise QueryRefusedError(f"the query reaches outside the views: {name!a} is none of them")


def _parsed(guarded: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """DuckDB's own syntax tree of the query: what it does with names is decided by what it read."""
    try:
        ((serialized,),) = guarded.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
        tree = orjson.loads(serialized)
    except (duckdb.Error, orjson.JSONDecodeError):
        raise QueryRefusedError("the query is nested too deeply to be checked") from None
    if tree.get("error") is not False:
        raise QueryRefusedError(f"the query cannot be checked: {str(tree.get('error_message'))[:500]}")
    return tree


def _sources(tree: Any) -> Iterator[tuple[str, str]]:
    """What the query reads: (BASE_TABLE, its name, dots for any catalog or schema) or (TABLE_FUNCTION, its name)."""
    named: set[str] = set()
    tables: list[str] = []
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
            continue
        if not isinstance(node, dict):
            continue
        left += node.values()
        named.update(item["key"].lower() for item in (node.get("cte_map") or {}).get("map", ()))
        if node.get("type") == "BASE_TABLE":
            path = (node["catalog_name"], node["schema_name"], node["table_name"])
            tables.append(".".join(part.lower() for part in path if part))
        elif node.get("type") == "TABLE_FUNCTION":
            yield "TABLE_FUNCTION", str(node["function"]["function_name"]).lower()
    yield from (("BASE_TABLE", name) for name in tables if name not in named)


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names, each once: a second ``a`` becomes ``a_1``, as DuckDB names it in a subquery."""
    found: dict[str, None] = {}
    for name in names:
        number, distinct = 0, name
        while distinct in found:
            number += 1
            distinct = f"{name}_{number}"
        found[distinct] = None
    return list(found)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:500]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
