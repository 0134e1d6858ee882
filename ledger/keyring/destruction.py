"""Destroying keys: of subjects everywhere, of single segments, of whole partitions. What is destroyed never comes back.

The ledger says first what is to be destroyed; these are the acts that follow from it, and each may be repeated. The
keyring remembers up to which entry it has followed, so that one that was restored from a backup is recognised.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, and_, delete, or_, select, update

from ledger.clock import utc_now
from ledger.keyring import digests, tables
from ledger.keyring.engine import destroying, reading
from ledger.keyring.keyring import Keyring, batches, insert_new
from ledger.keytree import KeyTree

_FOLLOWED = "followed"


class Destruction:
    """The keyring's acts of destruction."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def begin(self, references: Collection[str]) -> int:
        """Forget who these subjects are: their identifiers and links go, nothing new is sealed for them.

        What was sealed for them is readable until ``subjects``. Returns the number of identifiers deleted.
        """
        gone: list[bytes] = []
        with destroying(self._keyring.engine, gone) as connection:
            return self._forget(connection, references, "erasing", gone)

    def identifiers(self, references: Collection[str]) -> int:
        """Delete the identifiers of references that are no people; the number deleted."""
        gone: list[bytes] = []
        deleted = 0
        with destroying(self._keyring.engine, gone) as connection:
            for batch in batches(sorted(references)):
                found = self._delete_identifiers(connection, batch)
                deleted += len(found)
                gone += itertools.chain.from_iterable(found)
        return deleted

    def subjects(self, references: Collection[str]) -> int:
        """Destroy every data key of these subjects, and what ``begin`` does; the number of keys destroyed."""
        keys = tables.data_keys
        gone: list[bytes] = []
        destroyed = 0
        with destroying(self._keyring.engine, gone) as connection:
            self._forget(connection, references, "erased", gone)
            for batch in batches(sorted(references)):
                deleted = delete(keys).where(keys.c.ref.in_(batch)).returning(keys.c.wrapped)
                wrapped = connection.execute(deleted).scalars().all()
                destroyed += len(wrapped)
                gone += wrapped
        return destroyed

    def _forget(self, connection: Connection, references: Collection[str], state: str, gone: list[bytes]) -> int:
        now = utc_now()
        wanted = sorted(references)
        subjects, links = tables.subjects, tables.subject_links
        insert_new(connection, subjects, [{"ref": ref, "state": state, "created_at": now} for ref in wanted])
        deleted = 0
        for batch in batches(wanted):
            ended = update(subjects).where(subjects.c.ref.in_(batch), subjects.c.state != "erased")
            connection.execute(ended.values(state=state, erased_at=now))
            connection.execute(delete(links).where(or_(links.c.ref.in_(batch), links.c.other.in_(batch))))
            identifiers = self._delete_identifiers(connection, batch)
            deleted += len(identifiers)
            gone += itertools.chain.from_iterable(identifiers)
        return deleted

    def _delete_identifiers(self, connection: Connection, references: Iterable[str]) -> list[tuple[bytes, ...]]:
        table = tables.identifiers
        self._keyring.follow(connection, hold=True)
        macs = [
            and_(table.c.epoch == epoch, table.c.subject_mac == self._keyring.subject_mac(reference, epoch))
            for reference in references
            for epoch in self._keyring.live_epochs()
        ]
        columns = (table.c.mac, table.c.subject_mac, table.c.sealed)
        deleted = (delete(table).where(or_(*batch)).returning(*columns) for batch in batches(macs))
        return [tuple(row) for statement in deleted for row in connection.execute(statement)]

    def trees(self, changes: Mapping[str, KeyTree | None], state: str = "expired") -> None:
        """Put what is left of key trees in their place; None destroys a tree as a whole, which is then in ``state``.

        By the path of the content object. A tree that is not here is none to destroy.
        """
        table = tables.partition_trees
        now = utc_now()
        gone: list[bytes] = []
        with destroying(self._keyring.engine, gone) as connection:
            self._keyring.follow(connection, hold=True)
            for path, tree in sorted(changes.items()):
                gone += filter(None, connection.execute(select(table.c.sealed).where(table.c.path == path)).scalars())
                values: dict[str, object] = {"sealed": None, "state": state, "ended_at": now}
                if tree is not None:
                    sealed = self._keyring.seal_here(path.encode(), tree.to_bytes())
                    values = {"sealed": sealed, "epoch": self._keyring.epoch}
                connection.execute(update(table).where(table.c.path == path).values(**values))

    def forget_bytes(self, steps: Iterable[tuple[str, int]]) -> None:
        """Drop every digest that is over bytes of the given (input, step): content of them was ended."""
        wanted = set(steps)
        gone: list[bytes] = []
        if wanted:
            with destroying(self._keyring.engine, gone) as connection:
                self._keyring.follow(connection, hold=True)
                gone += digests.forget(connection, wanted)

    def survivors(self, references: Collection[str]) -> list[str]:
        """Those of the subjects that have a key or an identifier here, though the ledger says they have none."""
        keys, identifiers = tables.data_keys, tables.identifiers
        found: set[str] = set()
        with reading(self._keyring.engine) as connection:
            self._keyring.follow(connection)
            for batch in batches(sorted(references)):
                found.update(connection.execute(select(keys.c.ref).where(keys.c.ref.in_(batch))).scalars())
                macs = {
                    self._keyring.subject_mac(reference, epoch): reference
                    for reference in batch
                    for epoch in self._keyring.live_epochs()
                }
                for some in batches(sorted(macs)):
                    rows = connection.execute(
                        select(identifiers.c.subject_mac).where(identifiers.c.subject_mac.in_(some))
                    )
                    found.update(macs[bytes(mac)] for mac in rows.scalars())
        return sorted(found)

    def followed(self) -> int:
        """The index of the last entry of the ledger whose destructions were carried out here; -1 before the first."""
        table = tables.meta
        with reading(self._keyring.engine) as connection:
            value = connection.execute(select(table.c.value).where(table.c.name == _FOLLOWED)).scalar()
        return -1 if value is None else int(bytes(value))

    def follow_to(self, index: int) -> None:
        """Remember that all entries up to this one were carried out."""
        table = tables.meta
        with destroying(self._keyring.engine) as connection:
            insert_new(connection, table, [{"name": _FOLLOWED, "value": b"-1", "epoch": None}])
            value = connection.execute(select(table.c.value).where(table.c.name == _FOLLOWED)).scalar_one()
            newest = str(max(int(bytes(value)), index)).encode()
            connection.execute(update(table).where(table.c.name == _FOLLOWED).values(value=newest))
