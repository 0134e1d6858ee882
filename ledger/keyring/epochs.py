"""Epochs: all that lives is wrapped again under a new key, then the old key goes, and with it every older backup.

An epoch ends in three steps, each of which may be repeated: ``begin`` puts all that lives under a new epoch and keeps
the row of the old one as the mark that it has yet to end; its key-encryption key is destroyed; ``end`` drops the row.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Connection, Row, Table, bindparam, delete, func, insert, select, tuple_, update

from ledger.clock import utc_now
from ledger.errors import KeyringError
from ledger.keyring import tables
from ledger.keyring.engine import destroying, reading, rewrite
from ledger.keyring.keyring import KEY_BYTES, Keyring, batches, lock_epochs, meta_label

_PAGE: Final = 2000


class Epoch(NamedTuple):
    """An epoch of the keyring: its number, its key as the key-encryption key wrapped it, when it began."""

    number: int
    wrapped: bytes
    created_at: str


class Epochs:
    """The epochs of a keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def all(self) -> list[Epoch]:
        """Every epoch, oldest first. All but the last have yet to end."""
        table = tables.epochs
        with reading(self._keyring.engine) as connection:
            return [_epoch(row) for row in connection.execute(select(table).order_by(table.c.epoch))]

    def begin(self, after: int = 0) -> dict[str, int]:
        """A new epoch, numbered above ``after``, under a new key-encryption key; all that lives is put under it.

        Returns how many rows of each table were; nothing, where another process began one meanwhile. Whoever wraps
        waits for the end. Raises ConfigError where only a person can bring a new key-encryption key.
        """
        keyring = self._keyring
        with destroying(keyring.engine) as connection:
            lock_epochs(connection, "EXCLUSIVE")
            epochs = [_epoch(row) for row in connection.execute(select(tables.epochs).order_by(tables.epochs.c.epoch))]
            if len(epochs) > 1:
                return {}
            keyring.kek.renew(epochs[-1].wrapped)
            row = {
                "epoch": max(epochs[-1].number, after) + 1,
                "wrapped": keyring.kek.wrap(secrets.token_bytes(KEY_BYTES), keyring.store_id),
                "created_at": utc_now(),
            }
            connection.execute(insert(tables.epochs), row)
            keyring.follow(connection)
            return _put_under_newest(keyring, connection, epochs[-1].number)

    def end(self, numbers: Sequence[int]) -> None:
        """Drop epochs whose key-encryption key was destroyed. Raises KeyringError for the newest."""
        with destroying(self._keyring.engine) as connection:
            lock_epochs(connection, "EXCLUSIVE")
            self._keyring.follow(connection)
            if self._keyring.epoch in numbers:
                raise KeyringError("the newest epoch of a keyring does not end")
            connection.execute(delete(tables.epochs).where(tables.epochs.c.epoch.in_(numbers)))
            self._keyring.follow(connection)
        # So many rows were moved that some copy of what the old epoch wrapped stands in some gap.
        rewrite(self._keyring.engine)


def _epoch(row: Row[Any]) -> Epoch:
    return Epoch(row.epoch, bytes(row.wrapped), row.created_at)


def _put_under_newest(keyring: Keyring, connection: Connection, old: int) -> dict[str, int]:
    moved = {
        "meta": _meta(keyring, connection),
        "identifiers": _identifiers(keyring, connection),
        "data_keys": _rows(
            connection,
            tables.data_keys,
            lambda row: {"wrapped": keyring.wrap(keyring.unwrap(row.epoch, row.wrapped))},
            keyring.epoch,
        ),
        "partition_trees": _sealed(keyring, connection, tables.partition_trees, "path", "sealed"),
        "inputs": _sealed(keyring, connection, tables.inputs, "ref", "sealed_uri"),
        "spools": _rows(
            connection,
            tables.spools,
            lambda row: {"wrapped": row.wrapped and keyring.wrap(keyring.unwrap(row.epoch, row.wrapped))},
            keyring.epoch,
        ),
        **_masked(keyring, connection, old),
    }
    for table in tables.metadata.sorted_tables:
        if table is not tables.epochs and "epoch" in table.c:
            left = select(func.count()).select_from(table).where(table.c.epoch != keyring.epoch)
            if connection.execute(left).scalar_one():
                raise KeyringError(f"rows of {table.name} were left under an old epoch, so none ends")
    return moved


def _meta(keyring: Keyring, connection: Connection) -> int:
    table = tables.meta

    def again(row: Row[Any]) -> dict[str, Any]:
        label = meta_label(row.name)
        return {"value": keyring.seal_here(label, keyring.open_here(row.epoch, label, bytes(row.value)))}

    return _rows(connection, table, again, keyring.epoch)


def _sealed(keyring: Keyring, connection: Connection, table: Table, label: str, column: str) -> int:
    """Seal a column again, bound to the row's ``label`` as before; what was destroyed stays so."""

    def again(row: Row[Any]) -> dict[str, Any]:
        bound = str(row._mapping[label]).encode()
        sealed = row._mapping[column]
        return {column: sealed and keyring.seal_here(bound, keyring.open_here(row.epoch, bound, bytes(sealed)))}

    return _rows(connection, table, again, keyring.epoch)


def _rows(connection: Connection, table: Table, again: Callable[[Row[Any]], dict[str, Any]], epoch: int) -> int:
    """Write what ``again`` makes of each row of another epoch into that row."""
    keys = list(table.primary_key)
    where = [column == bindparam(f"key_{column.name}") for column in keys]
    moved = 0
    for page in _pages(connection, table, epoch):
        changes = [
            {**again(row), "epoch": epoch, **{f"key_{column.name}": row._mapping[column.name] for column in keys}}
            for row in page
        ]
        connection.execute(update(table).where(*where), changes)
        moved += len(page)
    return moved


def _identifiers(keyring: Keyring, connection: Connection) -> int:
    """An HMAC cannot be re-keyed: each is made again from the identifier that is sealed beside it."""
    table = tables.identifiers
    moved = 0
    for page in _pages(connection, table, keyring.epoch):
        new = [keyring.identifier_row(*keyring.open_identifier(row)) for row in page]
        connection.execute(delete(table).where(table.c.mac == bindparam("old")), [{"old": row.mac} for row in page])
        connection.execute(insert(table), new)
        moved += len(page)
    return moved


def _masked(keyring: Keyring, connection: Connection, old: int) -> dict[str, int]:
    """Mask the digests of inputs again. These columns name no epoch: all of them are under one."""
    moved = {}
    for column in (tables.inputs.c.uri_mac, tables.aliases.c.uri_mac, tables.steps.c.mac):
        table = column.table
        found = connection.execute(select(column).where(column.is_not(None)).distinct()).scalars()
        changes = [{"old": bytes(masked), "new": keyring.mask(keyring.unmask(bytes(masked), old))} for masked in found]
        for page in batches(changes):
            connection.execute(
                update(table).where(column == bindparam("old")).values({column: bindparam("new")}), list(page)
            )
        moved[f"{table.name}.{column.name}"] = len(changes)
    return moved


def _pages(connection: Connection, table: Table, epoch: int) -> Iterator[Sequence[Row[Any]]]:
    """The rows of other epochs, in the order of the primary key, locked: what is destroyed meanwhile stays so."""
    keys: list[Column[Any]] = list(table.primary_key)
    statement = select(table).where(table.c.epoch != epoch).order_by(*keys).limit(_PAGE).with_for_update()
    last: tuple[Any, ...] | None = None
    while True:
        found = statement if last is None else statement.where(tuple_(*keys) > tuple_(*last))
        page = connection.execute(found).all()
        if not page:
            return
        last = tuple(page[-1]._mapping[column.name] for column in keys)
        yield page
