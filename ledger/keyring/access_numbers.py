"""Spools and their access numbers.

Each reveal takes the next number of its process's spool before any content is decrypted. Entries state the
numbers that a partition seals, so a number without a record shows that something was looked at unrecorded.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import insert, select, update

from ledger.errors import KeyringError
from ledger.keyring import tables
from ledger.keyring.engine import reading, transaction
from ledger.keyring.keyring import KEY_BYTES, Keyring, new_reference


class SpoolKey(NamedTuple):
    """An open spool: its random reference and the ephemeral key of its frames."""

    spool: str
    key: bytes


class AccessNumbers:
    """The keyring's spools."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def new_spool(self) -> SpoolKey:
        """A new spool with its own ephemeral key; durable when it returns."""
        spool = SpoolKey(new_reference(), secrets.token_bytes(KEY_BYTES))
        row = {
            "spool": spool.spool,
            "epoch": self._keyring.epoch,
            "wrapped": self._keyring.wrap(spool.key),
            "last_number": 0,
            "state": "open",
        }
        with transaction(self._keyring.engine) as connection:
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
        """The key of a spool that is not sealed yet, else None."""
        table = tables.spools
        with reading(self._keyring.engine) as connection:
            row = connection.execute(select(table).where(table.c.spool == spool)).first()
        return None if row is None or row.wrapped is None else self._keyring.unwrap(row.epoch, row.wrapped)

    def close(self, spool: str) -> int:
        """Take no further numbers from this spool; the last number that was taken."""
        table = tables.spools
        with transaction(self._keyring.engine) as connection:
            statement = (
                update(table).where(table.c.spool == spool).values(state="closed").returning(table.c.last_number)
            )
            number = connection.execute(statement).scalar()
        return int(number or 0)

    def unsealed(self) -> dict[str, int]:
        """Spools that are not sealed yet, with the last number taken from each."""
        table = tables.spools
        with reading(self._keyring.engine) as connection:
            rows = connection.execute(select(table).where(table.c.state != "sealed")).all()
        return {row.spool: row.last_number for row in rows}

    def sealed(self, spool: str) -> None:
        """Destroy a spool's key: what it held is in the ledger now."""
        table = tables.spools
        with transaction(self._keyring.engine) as connection:
            connection.execute(update(table).where(table.c.spool == spool).values(state="sealed", wrapped=None))
