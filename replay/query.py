"""Guarded SQL: one SELECT over the views, read-only, without any way to a file, a network or a setting.

A query is checked here, by DuckDB's own syntax tree, and run by ``replay.query_worker`` in a process whose memory the
operating system limits, on a connection that can reach nothing but the files behind the views.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import duckdb
import orjson
import pyarrow as pa

from ledger.errors import QueryRefusedError, StorageError
from ledger.store import Store
from replay import catalog
from replay.restricted import records_left_out
from replay.views import NAMES, statements

MAX_ROWS: Final = 100_000
MAX_SECONDS: Final = 60.0
MAX_BYTES: Final = 256 * 1024 * 1024
"""Bytes of a result."""
MEMORY: Final = "1GB"
"""What DuckDB gives a query, by its own count."""
HEADROOM: Final = 2 * 1024**3
"""Bytes of address space that the query's process gets beyond what its libraries take."""
_TABLE_FUNCTIONS: Final = frozenset({"generate_series", "range", "unnest"})
"""Functions that a FROM may call: they read nothing."""
_TELLING: Final = frozenset({"current_setting", "getenv", "getvariable", "pg_get_constraintdef", "pg_get_viewdef"})
"""Functions that tell of settings, files or definitions instead of records."""
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
_LEAN: Final = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
"""Else libraries reserve address space by the number of processors."""
_PATIENCE: Final = 50.0
_LENGTH: Final = struct.Struct(">Q")


class Result(NamedTuple):
    """A query's rows, at most ``limit``; ``more`` says that there were others.

    ``left_out``: records of the store that no view shows, because they name people whose processing is restricted.
    """

    table: pa.Table
    more: bool
    left_out: int

    def rows(self) -> list[list[Any]]:
        """Plain values, row by row. Raises QueryRefusedError for a date or time that Python cannot hold."""
        try:
            return [list(row) for row in zip(*(column.to_pylist() for column in self.table.columns), strict=True)]
        except (OverflowError, ValueError):
            raise QueryRefusedError("a date or time is out of range", hint="Cast it to VARCHAR.") from None


class Views(NamedTuple):
    """What a query can reach: the catalog's file and the events files, by the statements that make the views."""

    catalog: str
    paths: list[str]
    statements: list[str]
    left_out: int


def query(store: Store, sql: str, parameters: Sequence[Any] = (), limit: int = 1000) -> Result:
    """Run one SELECT over the views. Raises QueryRefusedError for anything else, or what takes too much.

    ``parameters`` are plain values: text, numbers, true, false and None.
    """
    with connection(store) as guarded:
        return run(guarded, sql, parameters, limit)


@contextmanager
def connection(store: Store) -> Iterator[Views]:
    """The views of a store as it is now, its events files checked."""
    with catalog.opened(store) as opened:
        paths = opened.events_paths()
        ((file,),) = opened.connection.execute("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchall()
        left_out = records_left_out(opened)
    yield Views(file, paths, statements(paths, store.standing.restricted), left_out)


def run(guarded: Views, sql: str, parameters: Sequence[Any] = (), limit: int = 1000) -> Result:
    """One SELECT on the views. Raises StorageError where others hold the catalog for too long."""
    return run_all(guarded, [(sql, parameters)], limit)[0]


def run_all(guarded: Views, queries: Sequence[tuple[str, Sequence[Any]]], limit: int = 1000) -> list[Result]:
    """Several SELECTs with their parameters, one after the other in one process; all have an answer, or none has.

    Raises as ``run`` does; ``where["number"]`` of the error is that of the query, where it is known.
    """
    for number, (sql, _) in enumerate(queries):
        with _numbered(number):
            _check(sql)
    limit = min(max(limit, 0), MAX_ROWS)
    seconds = MAX_SECONDS * max(len(queries), 1)
    answer = _ask(
        {
            "bytes": MAX_BYTES,
            "catalog": guarded.catalog,
            "headroom": HEADROOM,
            "limit": limit,
            "memory": MEMORY,
            "paths": guarded.paths,
            "patience": min(_PATIENCE, MAX_SECONDS),
            "queries": [{"sql": sql, "parameters": list(parameters)} for sql, parameters in queries],
            "seconds": seconds,
            "views": guarded.statements,
        },
        seconds,
    )
    if answer[:1] == b"-":
        _refuse(**json.loads(answer[1:]))
    if answer[:1] != b"+":
        raise QueryRefusedError("the query does not work: Out of Memory, or its process was ended")
    tables = list(_tables(memoryview(answer)[1:]))
    return [Result(table.slice(0, limit), table.num_rows > limit, guarded.left_out) for table in tables]


@contextmanager
def _numbered(number: int) -> Iterator[None]:
    """Errors say which of several queries they are about."""
    try:
        yield
    except QueryRefusedError as error:
        error.where["number"] = number
        raise


def _tables(answer: memoryview) -> Iterator[pa.Table]:
    """The results of a worker's answer: the length of each, then an Arrow stream."""
    while answer:
        (length,) = _LENGTH.unpack_from(answer)
        yield pa.ipc.open_stream(answer[_LENGTH.size : _LENGTH.size + length]).read_all()
        answer = answer[_LENGTH.size + length :]


def _ask(request: dict[str, Any], seconds: float) -> bytes:
    """What the worker answers; nothing, or half an answer, is no answer."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        # -P: a folder in which somebody has left a duckdb.py must not be where modules come from.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "replay.query_worker"],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept | _LEAN,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise QueryRefusedError(f"the query was stopped after {seconds:.0f} seconds") from None
    return done.stdout if done.returncode == 0 else b""


def _refuse(kind: str, message: str, number: int | None = None) -> None:
    if kind == "catalog":
        raise StorageError(message, hint="Wait for it to end, or delete the cache folder.")
    if kind == "large":
        raise QueryRefusedError(message, hint="Ask for fewer rows or columns.", number=number)
    raise QueryRefusedError(message, number=number)


def _check(sql: str) -> None:
    with duckdb.connect(":memory:") as parser:
        try:
            sql.encode()
            found = parser.extract_statements(sql)
        except UnicodeEncodeError:
            raise QueryRefusedError("the query is not UTF-8") from None
        except duckdb.Error as error:
            raise QueryRefusedError(f"the query cannot be read: {str(error).splitlines()[0][:500]}") from None
        if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
            raise QueryRefusedError("a query is exactly one SELECT")
        tree = _parsed(parser, sql)
    for kind, name in _sources(tree):
        if kind == "BASE_TABLE":
            raise QueryRefusedError(f"the query reaches outside the views: {name!a} is none of them")
        raise QueryRefusedError(f"the query reaches outside the views: the function {name!a}")


def _parsed(parser: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """DuckDB's own syntax tree of the query: what it does with names is decided by what it read."""
    try:
        ((serialized,),) = parser.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
        tree = orjson.loads(serialized)
    except (duckdb.Error, orjson.JSONDecodeError):
        raise QueryRefusedError("the query is nested too deeply to be checked") from None
    if tree.get("error") is not False:
        raise QueryRefusedError(f"the query cannot be checked: {str(tree.get('error_message'))[:500]}")
    return tree


def _sources(tree: Any) -> Iterator[tuple[str, str]]:
    """What the query would reach outside the views: (BASE_TABLE, its name) or (FUNCTION, its name).

    A name stands for a common table expression only where DuckDB takes it so: without catalog and schema, and within
    the query that the WITH belongs to. Anywhere else the same name can be a table of the system.
    """
    left: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while left:
        node, named = left.pop()
        if isinstance(node, list):
            left += [(item, named) for item in node]
            continue
        if not isinstance(node, dict):
            continue
        yield from _outside(node, named)
        inner = dict(node)
        for item in (inner.pop("cte_map", None) or {}).get("map", ()):
            left.append((item["value"], named))
            named = named | {item["key"].lower()}
        if node.get("type") == "RECURSIVE_CTE_NODE":
            left.append((inner.pop("right"), named | {str(node["cte_name"]).lower()}))
        left += [(value, named) for value in inner.values()]


def _outside(node: dict[str, Any], named: frozenset[str]) -> Iterator[tuple[str, str]]:
    if node.get("type") == "BASE_TABLE":
        path = [str(part).lower() for part in node["qualified_name"]["path"]]
        if len(path) != 1 or node["catalog_name"] or node["schema_name"] or path[0] not in named.union(NAMES):
            yield "BASE_TABLE", ".".join(path)
    elif node.get("type") == "SHOW_REF":
        yield "BASE_TABLE", "SHOW or DESCRIBE"
    elif node.get("type") == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in _TABLE_FUNCTIONS:
            yield "TABLE_FUNCTION", name
    elif node.get("class") == "FUNCTION" and str(node["function_name"]).lower() in _TELLING:
        yield "FUNCTION", str(node["function_name"]).lower()
