"""The catalog: a local DuckDB file that says where things are. It can be deleted; the next use builds it again.

The file is opened for as long as one command or request needs it. DuckDB lets one process write at a time, and none
while another reads, so opening is tried again for longer than a query may take before it gives up.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from ledger.errors import StorageError
from ledger.history import Entry
from ledger.store import Store
from replay import calls
from replay.approvals import CHANGES_VIEW
from replay.mirror import Mirror

VERSION: Final = 7
SCHEMA: Final = (Path(__file__).parent / "schema.sql").read_text()
_TABLES: Final = (
    "state",
    "partition_list",
    "session_parts",
    "echoes",
    "calls",
    "calls_read",
    "subject_parts",
    "subject_runs",
    "input_parts",
    "change_list",
    "change_state",
    "entry_list",
)
_PATIENCE: Final = 90.0
_FILE: Final = "catalog.duckdb"
_SYNCING: Final = threading.Lock()


class Catalog:
    """An open catalog, in step with the store as of when it was opened; of the entries below ``size`` where given."""

    def __init__(self, store: Store, connection: duckdb.DuckDBPyConnection, size: int | None = None) -> None:
        self.store = store
        self.connection = connection
        self.mirror = Mirror(store)
        self.size = size

    def partitions(self) -> list[Entry]:
        """The partition entries, in the order of their numbers here."""
        every = self.store.history.partitions()
        return every if self.size is None else [entry for entry in every if entry.index < self.size]

    def entries(self) -> Sequence[Entry]:
        """The entries of the log."""
        return self.store.history.entries[: self.size]

    def events_paths(self) -> list[str]:
        """Local paths of all events files, in order."""
        return [str(self.mirror.path(entry.value)) for entry in self.partitions()]

    def sync(self) -> None:
        """Take in the partitions that were committed since the last time."""
        self._prepare()
        done = self._one("SELECT partitions FROM state")
        partitions = self.partitions()
        for number in range(done, len(partitions)):
            self.connection.execute("BEGIN")
            self._add(number, partitions[number])
            if number + 1 == len(partitions):
                self._settle()
            self.connection.execute("UPDATE state SET partitions = ?", [number + 1])
            self.connection.execute("COMMIT")
        add_entries(self.connection, self.entries()[self._one("SELECT count(*) FROM entry_list") :])

    def _prepare(self) -> None:
        """Make the tables; drop them first if they are of another version, another store, or ahead of the ledger."""
        row = self._state()
        if row is not None and row[:2] == (VERSION, self.store.history.store) and self._follows(row[2]):
            return
        for table in _TABLES:
            self.connection.execute(f"DROP TABLE IF EXISTS {table}")
        create_tables(self.connection)
        self.connection.execute("INSERT INTO state VALUES (?, ?, 0)", [VERSION, self.store.history.store])

    def _state(self) -> tuple[int, str, int] | None:
        """Version, store and number of partitions; None where there are no tables yet."""
        try:
            rows = self.connection.execute("SELECT version, store, partitions FROM state").fetchall()
        except duckdb.CatalogException:
            return None
        return rows[0] if rows else None

    def _follows(self, done: int) -> bool:
        """Whether the ledger begins with the partitions and entries of the catalog: a restored one may have others."""
        partitions = self.partitions()
        last = self._one("SELECT events FROM partition_list ORDER BY partition DESC LIMIT 1")
        if done > len(partitions) or last != (partitions[done - 1].value["events"]["path"] if done else None):
            return False
        rows = self.connection.execute("SELECT entry, value FROM entry_list ORDER BY entry DESC LIMIT 1").fetchall()
        entries = self.entries()
        return all(index < len(entries) and entries[index].data.decode() == value for index, value in rows)

    def _one(self, sql: str) -> Any:
        # A result that is not read to its end keeps the connection from other work.
        rows = self.connection.execute(sql).fetchall()
        return rows[0][0] if rows else None

    def _add(self, number: int, entry: Entry) -> None:
        value = entry.value
        path = str(self.mirror.path(value))
        day = date.fromisoformat(value["date"])
        self.connection.execute(
            "INSERT INTO partition_list VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(number, entry.index, entry.seq, entry.time, day, value["rows"], value["segments"], value["root"]),
                *(value["retention_class"], value["time"]["from"], value["time"]["to"], value["rejected"]),
                *(value["events"]["path"], value["events"]["size"]),
                *(value["content"]["path"], value["content"]["size"]),
            ],
        )
        for statement in (calls.ECHOES, _SESSIONS, _SUBJECTS, _INPUTS):
            self.connection.execute(statement, {"partition": number, "path": path})
        if value["kinds"].keys() & {"change", "approval"}:
            self.connection.execute(_CHANGES, {"partition": number, "path": path, "seq": entry.seq})
            # An approval can come long after its change, so the state of all is made anew: changes are few.
            self.connection.execute(f"CREATE OR REPLACE TABLE change_state AS {CHANGES_VIEW}")

    def _settle(self) -> None:
        """Find the calls of all echoes: they can stand in partitions before and after."""
        partitions = self.partitions()
        for number in calls.unread(self.connection):
            calls.read(self.connection, number, str(self.mirror.path(partitions[number].value)))
        calls.settle(self.connection)


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The empty tables of a catalog."""
    connection.execute(SCHEMA)
    connection.execute(f"CREATE OR REPLACE TABLE change_state AS {CHANGES_VIEW}")


def add_entries(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry]) -> None:
    """Add entries of the log to those that are there."""
    if not entries:
        return
    added = pa.table(
        {
            "entry": [entry.index for entry in entries],
            "seq": [entry.seq for entry in entries],
            "committed_at": [entry.time for entry in entries],
            "type": [entry.value["type"] for entry in entries],
            "value": [entry.data.decode() for entry in entries],
        }
    )
    connection.register("added_entries", added)
    connection.execute("INSERT INTO entry_list SELECT * FROM added_entries")
    connection.unregister("added_entries")


@contextlib.contextmanager
def opened(store: Store) -> Iterator[Catalog]:
    """The catalog, synced. Raises StorageError if others hold it for too long, or if it cannot be read or written."""
    catalog = _open(store)
    try:
        yield catalog
    except duckdb.Error as error:
        raise _unusable(error) from None
    finally:
        catalog.connection.close()


@contextlib.contextmanager
def as_of(catalog: Catalog, size: int) -> Iterator[Catalog]:
    """The catalog of what the entries below ``size`` hold: on the same tables where no later one is a partition.

    What is restricted now is restricted in it as well.
    """
    if all(entry.index < size for entry in catalog.partitions()):
        yield Catalog(catalog.store, catalog.connection, size)
        return
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("ATTACH ':memory:' AS catalog")
        connection.execute("USE catalog")
        bounded = Catalog(catalog.store, connection, size)
        bounded.sync()
        yield bounded


def _open(store: Store) -> Catalog:
    """The synced catalog; a file that is no catalog, or a damaged one, is made again: it is a cache."""
    path = store.settings.cache / _FILE
    with _SYNCING:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return _synced(store, path)
            except duckdb.Error:
                for file in (path, path.with_name(f"{_FILE}.wal")):
                    file.unlink(missing_ok=True)
            return _synced(store, path)
        except (OSError, duckdb.Error) as error:
            raise _unusable(error) from None


def _synced(store: Store, path: Path) -> Catalog:
    connection = _patiently(lambda: duckdb.connect(str(path)))
    try:
        connection.execute("SET TimeZone = 'UTC'")
        catalog = Catalog(store, connection)
        catalog.sync()
    except BaseException:
        connection.close()
        raise
    return catalog


def _patiently(act: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """Try again while another process, or another part of this one, holds the file."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return act()
        except (duckdb.IOException, duckdb.ResourceInUseException) as error:
            if isinstance(error, duckdb.IOException) and "lock" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise StorageError(
                    "the catalog is in use by another process", hint="Wait for it to end, or delete the cache folder."
                ) from None
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - jitter, not a secret


def _unusable(error: Exception) -> StorageError:
    return StorageError(
        f"the catalog cannot be used ({type(error).__name__})",
        hint="Check that the cache folder can be written; it can be deleted at any time.",
    )


def parameter(text: str) -> str:
    """Text as DuckDB takes it: what is no Unicode becomes a question mark, which no reference holds."""
    return text.encode("utf-8", "replace").decode()


class SessionPart(msgspec.Struct, frozen=True):
    """The rows of a session in one partition: contiguous, since rows are sorted by session."""

    partition: int
    first_row: int
    rows: int


def session_parts(catalog: Catalog, session: str) -> list[SessionPart]:
    """Where the rows of one session are, in the order of the log."""
    rows = catalog.connection.execute(
        "SELECT partition, first_row, rows FROM session_parts WHERE session = ? ORDER BY partition", [session]
    ).fetchall()
    return [SessionPart(*row) for row in rows]


_READ: Final = "read_parquet($path, file_row_number = true)"

_SESSIONS: Final = f"""
INSERT INTO session_parts
SELECT session, $partition, min(file_row_number), count(*),
    coalesce(min(occurred_at), min(observed_at)), coalesce(max(coalesce(ended_at, occurred_at)), max(observed_at)),
    count(*) FILTER (kind = 'inference' AND echo IS NULL),
    count(*) FILTER (kind = 'tool'), count(*) FILTER (kind = 'policy'), count(*) FILTER (status = 'error'),
    list_sort(list(DISTINCT model) FILTER (model IS NOT NULL)),
    list_sort(list(DISTINCT decision) FILTER (decision IS NOT NULL)),
    list_sort(list(DISTINCT status) FILTER (status IS NOT NULL)), list_sort(list(DISTINCT source)),
    sum(input_tokens) FILTER (echo IS NULL), sum(output_tokens) FILTER (echo IS NULL),
    list_sort(list_distinct(flatten(list(subjects) FILTER (subjects IS NOT NULL)))),
    count(occurred_at) FILTER (kind <> 'correction'),
    list_sort(list(DISTINCT owner)), count(*) FILTER (kind = 'envelope')
FROM {_READ} LEFT JOIN (SELECT row AS echo FROM echoes WHERE partition = $partition) ON echo = file_row_number
WHERE session IS NOT NULL GROUP BY session
"""

_SUBJECTS: Final = """
INSERT INTO subject_runs
SELECT subject, $partition, min(row), count(*) FROM (
    SELECT subject, row, row - row_number() OVER (PARTITION BY subject ORDER BY row) AS island FROM (
        SELECT unnest(list_distinct(list_append(coalesce(subjects, []), owner))) AS subject, file_row_number AS row
        FROM read_parquet($path, file_row_number = true)
    )
) GROUP BY subject, island ORDER BY subject, min(row)
"""
"""Whoever a line names in any role, and the owner of its content: rows that follow each other make one run."""

_INPUTS: Final = """
INSERT INTO input_parts
SELECT input, step, $partition, count(*), sum(CAST(decode(line)->>'$.content.length_class' AS BIGINT))
FROM read_parquet($path) WHERE input IS NOT NULL GROUP BY input, step
"""

_PEOPLE: Final = "coalesce((json->'$.subjects.{}')::VARCHAR[], [])"

_CHANGES: Final = f"""
INSERT INTO change_list
SELECT sha256('\\x00'::BLOB || line), $partition, file_row_number, $seq, kind, source, json->>'$.source_id',
    occurred_at, observed_at, decision, status, json->>'$.system', json->>'$.environment',
    json->>'$.change.type', json->>'$.change.name', json->>'$.change.from', json->>'$.change.to',
    json->>'$.change.digest_from', json->>'$.change.digest_to', subjects,
    {_PEOPLE.format("actor")}, {_PEOPLE.format("requester")}, {_PEOPLE.format("approver")},
    list_prepend(concat(source, '/', json->>'$.source_id'),
        [concat(l->>'$.source', '/', l->>'$.source_id') FOR l IN coalesce((json->'$.links')::JSON[], [])
         IF l->>'$.relation' IN ('same_as', 'part_of')]),
    [concat(l->>'$.source', '/', l->>'$.source_id') FOR l IN coalesce((json->'$.links')::JSON[], [])
     IF l->>'$.relation' = 'approves'],
    [concat(l->>'$.source', '/', l->>'$.source_id') FOR l IN coalesce((json->'$.links')::JSON[], [])
     IF l->>'$.relation' = 'rolls_back'],
    [concat(l->>'$.source', '/', l->>'$.source_id') FOR l IN coalesce((json->'$.links')::JSON[], [])
     IF l->>'$.relation' = 'part_of']
FROM (SELECT *, decode(line)::JSON AS json FROM {_READ} WHERE kind IN ('change', 'approval'))
"""
