"""What the publisher has signed last: kept by compare-and-set, so that two publishers never sign two histories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from ledger.keyring import tables
from ledger.keyring.engine import reading, transaction
from ledger.keyring.keyring import Keyring


class Published(NamedTuple):
    """The last signed checkpoint's size and root, and the number of the last commit in it (-1: none)."""

    seq: int
    size: int
    root: bytes


class PublicationState:
    """The publisher's memory in the keyring, for one origin."""

    def __init__(self, keyring: Keyring, origin: str) -> None:
        self._keyring = keyring
        self._origin = origin

    def read(self) -> Published | None:
        """What was signed last, or None if nothing ever was."""
        table = tables.publisher
        with reading(self._keyring.engine) as connection:
            row = connection.execute(select(table).where(table.c.origin == self._origin)).first()
        return None if row is None else Published(row.seq, row.size, bytes(row.root))

    @contextmanager
    def while_newest(self, mine: Published) -> Iterator[bool]:
        """Whether nothing newer than ``mine`` was signed; nothing newer is until the block ends."""
        with transaction(self._keyring.engine) as connection:
            yield self._found(connection) == mine

    def advance(self, before: Published | None, after: Published) -> bool:
        """Replace ``before`` by ``after``; False if another publisher was faster. Durable when it returns True."""
        table = tables.publisher
        values = after._asdict()
        with transaction(self._keyring.engine) as connection:
            if self._found(connection) != before:
                return False
            if before is None:
                connection.execute(insert(table), {"origin": self._origin, **values})
            else:
                connection.execute(update(table).where(table.c.origin == self._origin).values(values))
        return True

    def _found(self, connection: Connection) -> Published | None:
        table = tables.publisher
        row = connection.execute(select(table).where(table.c.origin == self._origin).with_for_update()).first()
        return None if row is None else Published(row.seq, row.size, bytes(row.root))
