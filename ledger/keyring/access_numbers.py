"""Spools and their access numbers.

Each reveal takes the next number of its process's spool before any content is decrypted. Entries state the
numbers that a partition seals, so a number without a record shows that something was looked at unrecorded.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import insert, select, update

from ledger.errors import KeyringError
from ledger.keyring import tables
from ledger.keyring.engine import destroying, reading, transaction
from ledger.keyring.keyring import KEY_BYTES, Keyring, new_reference

UNSEALED: Final = ("open", "closed")
"""States of a spool whose numbers no commit states yet, or whose key is still to be destroyed after that commit."""


class SpoolKey(NamedTuple):
    """An open spool: its random reference and the ephemeral key of its frames."""

    spool: str
    key: bytes


class Waiting(NamedTuple):
    """A spool that is not sealed yet: its reference, that of the folder it lies in, the last number taken from it."""

    name: str
    folder: str
    last: int


class AccessNumbers:
    """The keyring's spools."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def new_spool(self, folder: str) -> SpoolKey:
        """A new spool with its own ephemeral key, in the spool folder of this reference; durable when it returns."""
        spool = SpoolKey(new_reference(), secrets.token_bytes(KEY_BYTES))
        with self._keyring.writing() as connection:
            row = {
                "spool": spool.spool,
                "folder": folder,
                "epoch": self._keyring.epoch,
                "wrapped": self._keyring.wrap(spool.key),
                "last_number": 0,
                "state": "open",
            }
            connection.execute(insert(tables.spools), row)
        return spool

    def take(self, spool: str) -> int:
        """The next access number of an open spool, from 1; durable when it returns."""
        table = tables.spools
        with transaction(self._keyring.engine) as connection:
            statement = (
                update(table)
                .where(table.c.spool == spool, table.c.state == "open")
                .values(last_number=table.c.last_number + 1)
                .returning(table.c.last_number)
            )
            number = connection.execute(statement).scalar()
        if number is None:
            raise KeyringError("the spool is closed")
        return int(number)

    def key(self, spool: str) -> bytes | None:
        """The key of a spool; None once it is sealed, by whatever process, or where there is no such spool."""
        table = tables.spools
        with reading(self._keyring.engine) as connection:
            row = connection.execute(select(table).where(table.c.spool == spool)).first()
        return None if row is None or row.wrapped is None else self._keyring.unwrap(row.epoch, row.wrapped)

    def close(self, spool: str) -> int | None:
        """Take no further numbers from this spool; the last number that was taken. None: it is sealed already."""
        table = tables.spools
        with transaction(self._keyring.engine) as connection:
            statement = (
                update(table)
                .where(table.c.spool == spool, table.c.state.in_(UNSEALED))
                .values(state="closed")
                .returning(table.c.last_number)
            )
            number = connection.execute(statement).scalar()
        return None if number is None else int(number)

    def unsealed(self) -> dict[str, int]:
        """Spools that are not sealed yet, with the last number taken from each."""
        return {spool.name: spool.last for spool in self.waiting()}

    def waiting(self) -> list[Waiting]:
        """Spools that are not sealed yet, sorted by name."""
        table = tables.spools
        statement = select(table).where(table.c.state.in_(UNSEALED)).order_by(table.c.spool)
        with reading(self._keyring.engine) as connection:
            return [Waiting(row.spool, row.folder, row.last_number) for row in connection.execute(statement)]

    def sealed(self, spools: Sequence[str]) -> None:
        """Destroy the keys of spools: what they held is in the ledger now."""
        table = tables.spools
        gone: list[bytes] = []
        with destroying(self._keyring.engine, gone) as connection:
            for spool in spools:
                gone += filter(
                    None, connection.execute(select(table.c.wrapped).where(table.c.spool == spool)).scalars()
                )
                statement = update(table).where(table.c.spool == spool, table.c.state.in_(UNSEALED))
                connection.execute(statement.values(state="sealed", wrapped=None))

    def damaged(self, spool: str) -> None:
        """Keep the key of a spool that was sealed but for bytes that could not be read."""
        table = tables.spools
        with transaction(self._keyring.engine) as connection:
            statement = update(table).where(table.c.spool == spool, table.c.state.in_(UNSEALED))
            connection.execute(statement.values(state="damaged"))

    def unused(self, spool: str) -> bool:
        """End a spool from which no number was taken; False if one was, or if it has ended."""
        table = tables.spools
        with transaction(self._keyring.engine) as connection:
            statement = (
                update(table)
                .where(table.c.spool == spool, table.c.state.in_(UNSEALED), table.c.last_number == 0)
                .values(state="sealed", wrapped=None)
                .returning(table.c.spool)
            )
            return connection.execute(statement).scalar() is not None
