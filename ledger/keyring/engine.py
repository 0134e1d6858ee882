"""Opening the keyring's database: durable, secrets overwritten on delete, several processes at once."""

from __future__ import annotations

import mmap
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ledger.errors import ConfigError, KeyringError

BUSY_MS = 60_000
FORGET_MS = 5_000
"""How long a destruction waits for those who read the database, before the write-ahead log is emptied."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
    "PRAGMA foreign_keys=ON",
    # Else rewriting the database would leave a copy of it in a folder for temporary files.
    "PRAGMA temp_store=MEMORY",
)

_SOUGHT = 16
"""Bytes from the middle of a destroyed value that are looked for: what is left of one without them is worth nothing."""
_MANY = 64
"""Values above which the database is rewritten without a look."""


_SQLITE = "sqlite:///"


def exists(url: str) -> bool:
    """Whether there is a database to open: SQLite would make an empty file where there is none."""
    return not url.startswith(_SQLITE) or Path(url.removeprefix(_SQLITE)).is_file()


def open_engine(url: str) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql+driver://...``. Raises ConfigError for a wrong URL."""
    try:
        # A path is taken as it is: make_url would read a percent sign in it as an escape.
        parsed = URL.create("sqlite", database=url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else make_url(url)
    except ArgumentError:
        raise ConfigError("the keyring URL is no database URL") from None
    try:
        engine = create_engine(parsed)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ConfigError(
            "the driver of the keyring's database is not installed",
            hint="For postgresql+psycopg:// install evidence-ledger[postgres].",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A write transaction, committed durably at the end. Raises KeyringError; the driver's words may hold values."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise KeyringError(f"the keyring's database failed ({type(error).__name__})") from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A read transaction: all that it reads is of one moment."""
    options: dict[str, Any] = {"reading": True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        with engine.connect() as connection:
            yield connection.execution_options(**options)
    except SQLAlchemyError as error:
        raise KeyringError(f"the keyring's database failed ({type(error).__name__})") from None


@contextmanager
def destroying(engine: Engine, gone: Sequence[bytes] = ()) -> Iterator[Connection]:
    """A write transaction that destroys keys; after it they stand in no file of the database.

    ``gone``: a list that the block fills with the values that it destroys.

    SQLite's write-ahead log keeps the old pages until it is emptied. Where somebody reads for longer than FORGET_MS,
    that is left to the next destruction, or to the last connection's end: the keys are gone for every reader.
    """
    with transaction(engine) as connection:
        yield connection
    empty_log(engine)
    if gone and engine.dialect.name == "sqlite" and (len(gone) > _MANY or _stands(engine, gone)):
        rewrite(engine)


def _stands(engine: Engine, gone: Sequence[bytes]) -> bool:
    """Whether a deleted value still stands in some page of the file: looked for there, without a copy of all of it.

    SQLite overwrites what it deletes, but not every copy that it left in the gap of a page when it moved a row to
    another one: measured for about one row in a thousand.
    """
    starts = [(value, max(len(value) - _SOUGHT, 0) // 2) for value in map(bytes, gone) if value]
    with (
        Path(str(engine.url.database)).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages,
    ):
        return any(pages.find(value[at : at + _SOUGHT]) >= 0 for value, at in starts)


def rewrite(engine: Engine) -> None:
    """Write a SQLite database anew, page by page, so that nothing but what lives stands in it."""
    if engine.dialect.name == "sqlite":
        with _raw(engine) as connection:
            connection.execute("VACUUM")
        empty_log(engine)


@contextmanager
def _raw(engine: Engine) -> Iterator[sqlite3.Connection]:
    """SQLite's own connection, outside a transaction. Raises KeyringError."""
    try:
        pooled = engine.raw_connection()
        try:
            connection = pooled.driver_connection
            assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - the dialect says so
            yield connection
        finally:
            pooled.close()
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise KeyringError(f"the keyring's database failed ({type(error).__name__})") from None


def empty_log(engine: Engine) -> bool:
    """Move SQLite's write-ahead log into the database and cut it to nothing; whether that was possible."""
    if engine.dialect.name != "sqlite":
        return True
    with _raw(engine) as connection:
        try:
            connection.execute(f"PRAGMA busy_timeout={FORGET_MS}")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return not busy
