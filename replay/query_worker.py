"""The process that runs guarded queries: ``python -P -m replay.query_worker``, started by ``replay.query``.

It is a process of its own because DuckDB's memory limit does not count all that a query allocates: here the operating
system holds the limit. The request comes as JSON on stdin, the answer goes to stdout: ``+`` and, of each query, the
length of its result (u64, big-endian) and that as an Arrow IPC stream; or ``-`` and a JSON object with ``kind``,
``message`` and the ``number`` of the query. It imports no more than it needs: it is started each time.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import duckdb
import pyarrow as pa

_BATCH: Final = 1024
_LOCKS: Final = (
    "temp_directory = ''",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "allow_community_extensions = false",
    "enable_external_access = false",
    "lock_configuration = true",
)


class RefusedError(Exception):
    """The query is not answered: what kind of reason it is, and the reason in words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.number: int | None = None


def main() -> None:
    """Answer the request on stdin."""
    # Ctrl-C reaches all processes of a terminal; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request = json.load(sys.stdin.buffer)
    # Should that one have been killed, this one ends all the same.
    signal.alarm(int(request["seconds"]) + 5)
    _limit_memory(request["headroom"])
    out = sys.stdout.buffer
    try:
        _answer(request, out)
    except RefusedError as error:
        out.write(b"-" + _refusal(error))
    out.flush()
    # What DuckDB and Arrow would tidy up on leaving is of no use, and can fail where memory has run out.
    os._exit(0)


def _limit_memory(headroom: int) -> None:
    """So many bytes more than what the libraries have taken until now."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs an import
            taken = int(file.read().split()[0]) * resource.getpagesize()
    except FileNotFoundError:
        return  # not Linux: docs/LIMITATIONS.md says so
    resource.setrlimit(resource.RLIMIT_AS, (taken + headroom, taken + headroom))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _refusal(error: RefusedError) -> bytes:
    said = {"kind": error.kind, "message": str(error)}
    return json.dumps(said if error.number is None else {**said, "number": error.number}).encode()


def _answer(request: Mapping[str, Any], out: BinaryIO) -> None:
    """Run the queries and write their rows, once all are there: a part of them would look like an answer."""
    with _explained(), duckdb.connect(":memory:") as guarded:
        _prepare(guarded, request)
        answers = [_result(guarded, request, number) for number in range(len(request["queries"]))]
        out.write(b"+")
        for answer in answers:
            out.write(len(answer).to_bytes(8, "big"))
            out.write(answer)


def _result(guarded: duckdb.DuckDBPyConnection, request: Mapping[str, Any], number: int) -> memoryview:
    try:
        with _explained():
            schema, batches = _read(guarded, request, request["queries"][number])
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, schema) as stream:
                for batch in batches:
                    stream.write_batch(batch)
            return memoryview(sink.getvalue())
    except RefusedError as error:
        error.number = number
        raise


@contextmanager
def _explained() -> Iterator[None]:
    """What DuckDB, Arrow and the operating system refuse, as a reason in words."""
    try:
        yield
    except duckdb.PermissionException:
        raise RefusedError("outside", "the query reaches outside the views") from None
    except MemoryError:
        raise RefusedError("query", "the query does not work: Out of Memory") from None
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeError, RuntimeError) as error:
        # While a result is read, DuckDB's errors come as Arrow's or as OSError.
        raise RefusedError("query", f"the query does not work: {_first_line(error)}") from None


def _prepare(guarded: duckdb.DuckDBPyConnection, request: Mapping[str, Any]) -> None:
    """Attach the catalog, make the views, then shut every door and lock it."""
    guarded.execute("SET TimeZone = 'UTC'")
    guarded.execute(f"SET threads = {min(os.cpu_count() or 1, 4)}")
    _attach(guarded, request["catalog"], request["patience"])
    for statement in request["views"]:
        guarded.execute(statement)
    allowed = ", ".join(_quote(path) for path in [*request["paths"], request["catalog"]])
    guarded.execute(f"SET allowed_paths = [{allowed}]")
    for setting in (f"memory_limit = {_quote(request['memory'])}", *_LOCKS):
        guarded.execute(f"SET {setting}")


def _attach(guarded: duckdb.DuckDBPyConnection, path: str, patience: float) -> None:
    """Attach the catalog, read-only, as ``catalog``; wait while another process writes it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            guarded.execute(f"ATTACH {_quote(path)} AS catalog (READ_ONLY)")
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise RefusedError("catalog", "the catalog is in use by another process") from None
            time.sleep(0.1)
        else:
            return


def _read(
    guarded: duckdb.DuckDBPyConnection, request: Mapping[str, Any], query: Mapping[str, Any]
) -> tuple[pa.Schema, Sequence[pa.RecordBatch]]:
    """A result as far as one row beyond the limit, its columns told apart by their names."""
    reader = guarded.sql(query["sql"], params=query["parameters"]).to_arrow_reader(min(request["limit"] + 1, _BATCH))
    names = _distinct(reader.schema.names)
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    return schema, [batch.rename_columns(names) for batch in _batches(reader, request["limit"], request["bytes"])]


def _batches(reader: pa.RecordBatchReader, limit: int, most: int) -> Iterator[pa.RecordBatch]:
    rows = size = 0
    for batch in reader:
        yield batch
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size > most:
            raise RefusedError("large", "the result is too large")
        if rows > limit:
            return


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
    return next(iter(str(error).splitlines()), type(error).__name__)[:500]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
