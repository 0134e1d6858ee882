"""Copies of a keyring: one SQLite file, written table by table, whatever database the keyring is in.

Keys in a copy are wrapped as in the keyring, under its newest epoch alone: the copy is worth nothing without the KEK.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from ledger.errors import KeyringError
from ledger.keyring import tables
from ledger.keyring.engine import destroying, reading, rewrite
from ledger.keyring.keyring import Keyring, lock_epochs, meta_label

_PAGE: Final = 2000


def write(keyring: Keyring, connection: Connection, path: Path) -> dict[str, int]:
    """Copy what a read transaction of the keyring sees into an empty file at ``path``; rows by table."""
    keyring.follow(connection)
    with _file(path) as engine, engine.begin() as target:
        tables.metadata.create_all(target)
        counts = {table.name: _copy(connection, target, table) for table in tables.metadata.sorted_tables}
        older = delete(tables.epochs).where(tables.epochs.c.epoch != keyring.epoch)
        counts[tables.epochs.name] -= target.execute(older).rowcount
        return counts


def write_raw(source: Engine, path: Path) -> None:
    """Copy a keyring into an empty file at ``path`` as it is, without a key to open it."""
    with reading(source) as connection, _file(path) as engine, engine.begin() as target:
        tables.metadata.create_all(target)
        for table in tables.metadata.sorted_tables:
            _copy(connection, target, table)


def load(path: Path, target: Engine) -> dict[str, int]:
    """Put a copy in the place of all that a keyring's database holds, in one transaction; rows by table."""
    with _file(path) as source, source.connect() as connection, destroying(target) as into:
        tables.metadata.create_all(into)
        lock_epochs(into, "EXCLUSIVE")
        for table in tables.metadata.sorted_tables:
            into.execute(delete(table))
        counts = {table.name: _copy(connection, into, table) for table in tables.metadata.sorted_tables}
    rewrite(target)
    return counts


def store_of(target: Engine) -> str | None:
    """The id of the store whose keyring a database holds; None where it holds none."""
    table = tables.meta
    with reading(target) as connection:
        if not target.dialect.has_table(connection, table.name):
            return None
        value = connection.execute(select(table.c.value).where(table.c.name == "store_id")).scalar()
        return None if value is None else bytes(value).decode("ascii", "replace")


def open_everything(keyring: Keyring) -> dict[str, int]:
    """Unwrap or open every key and every sealed value; how many by table. Raises KeyringError at the first that fails.

    Each is opened, none is kept.
    """
    opened: dict[str, int] = {}
    with reading(keyring.engine) as connection:
        keyring.follow(connection)
        for table, opens in _OPENED.items():
            rows = connection.execution_options(yield_per=_PAGE).execute(select(table))
            opened[table.name] = sum(opens(keyring, row) for row in rows)
    return opened


def differences(connection: Connection, path: Path) -> list[str]:
    """The tables of which a copy does not hold what a read transaction of the keyring sees."""
    newest = select(func.max(tables.epochs.c.epoch)).scalar_subquery()
    with _file(path) as engine, engine.connect() as copy:
        found = []
        for table in tables.metadata.sorted_tables:
            statement = select(table)
            if table is tables.epochs:
                statement = statement.where(table.c.epoch == newest)
            with _sorted(connection, statement, table) as here, _sorted(copy, statement, table) as there:
                if any(one != other for one, other in itertools.zip_longest(here, there)):
                    found.append(table.name)
        return found


@contextmanager
def _sorted(connection: Connection, statement: Select[Any], table: Table) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Rows by the bytes of their primary key, whatever the database's language; closed where not all were taken."""
    c = connection.dialect.name == "postgresql"
    keys = [key.collate("C") if c and isinstance(key.type, String) else key for key in table.primary_key]
    with connection.execution_options(yield_per=_PAGE).execute(statement.order_by(*keys)) as rows:
        yield (tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows)


def _tree(keyring: Keyring, row: Row[Any]) -> bool:
    return row.sealed is not None and bool(keyring.open_here(row.epoch, row.path.encode(), row.sealed))


_OPENED: Final[dict[Table, Callable[[Keyring, Row[Any]], bool]]] = {
    tables.meta: lambda keyring, row: (
        row.epoch is not None and bool(keyring.open_here(row.epoch, meta_label(row.name), row.value))
    ),
    tables.identifiers: lambda keyring, row: bool(keyring.open_identifier(row)),
    tables.data_keys: lambda keyring, row: bool(keyring.unwrap(row.epoch, row.wrapped)),
    tables.partition_trees: _tree,
    tables.inputs: lambda keyring, row: bool(
        keyring.open_here(row.epoch, row.ref.encode(), row.sealed_uri) and keyring.unmask(bytes(row.uri_mac))
    ),
    tables.aliases: lambda keyring, row: bool(keyring.unmask(bytes(row.uri_mac))),
    tables.steps: lambda keyring, row: row.mac is not None and bool(keyring.unmask(bytes(row.mac))),
    tables.spools: lambda keyring, row: row.wrapped is not None and bool(keyring.unwrap(row.epoch, row.wrapped)),
}


def _copy(source: Connection, target: Connection, table: Table) -> int:
    copied = 0
    rows = source.execution_options(yield_per=_PAGE).execute(select(table))
    for page in rows.mappings().partitions():
        target.execute(insert(table), [dict(row) for row in page])
        copied += len(page)
    return copied


@contextmanager
def _file(path: Path) -> Iterator[Engine]:
    """A copy's database: no write-ahead log beside it, so that it is one file. Raises KeyringError."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _durable)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise KeyringError(f"the copy of the keyring failed ({type(error).__name__})") from None
    finally:
        engine.dispose()


def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    # A backup comes from elsewhere: nothing that its schema calls is run.
    connection.execute("PRAGMA trusted_schema=OFF")
