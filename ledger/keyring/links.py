"""Which references are one person: aliases that people or sources have linked. Links join references, never keys."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, or_, select

from ledger.clock import utc_now
from ledger.keyring import tables
from ledger.keyring.engine import reading, transaction
from ledger.keyring.keyring import Keyring, batches, insert_new


class Links:
    """The keyring's links."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def add(self, one: str, other: str) -> None:
        """Two references are one person; durable when it returns. Linking what is linked changes nothing."""
        now = utc_now()
        rows = [{"ref": one, "other": other, "linked_at": now}, {"ref": other, "other": one, "linked_at": now}]
        with transaction(self._keyring.engine) as connection:
            insert_new(connection, tables.subject_links, [row for row in rows if row["ref"] != row["other"]])

    def remove(self, one: str, other: str) -> bool:
        """They were not; whether there was such a link."""
        table = tables.subject_links
        pair = or_(
            (table.c.ref == one) & (table.c.other == other),
            (table.c.ref == other) & (table.c.other == one),
        )
        with transaction(self._keyring.engine) as connection:
            return connection.execute(delete(table).where(pair)).rowcount > 0

    def group(self, references: Iterable[str]) -> list[str]:
        """The references and all that are linked with them, also by way of others; sorted."""
        table = tables.subject_links
        found: set[str] = set()
        new = set(references)
        with reading(self._keyring.engine) as connection:
            while new:
                found |= new
                linked: set[str] = set()
                for batch in batches(sorted(new)):
                    linked.update(connection.execute(select(table.c.other).where(table.c.ref.in_(batch))).scalars())
                new = linked - found
        return sorted(found)

    def persons(self, references: Iterable[str]) -> int:
        """How many people these references are: those that are linked, also by way of others, are one."""
        table = tables.subject_links
        wanted, counted = set(references), 0
        others: dict[str, set[str]] = {}
        with reading(self._keyring.engine) as connection:
            for row in connection.execute(select(table.c.ref, table.c.other)):
                others.setdefault(row.ref, set()).add(row.other)
        while wanted:
            counted += 1
            new = {wanted.pop()}
            seen = set(new)
            while new:
                new = {other for reference in new for other in others.get(reference, ())} - seen
                seen |= new
            wanted -= seen
        return counted
