"""Who a reference stands for: the identifiers that the keyring holds of it, until an erasure deletes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import select

from ledger import canonical
from ledger.keyring import tables
from ledger.keyring.engine import reading
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import Keyring, batches


class Identities:
    """The keyring's identifiers by reference."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def of(self, references: Iterable[str]) -> dict[str, list[Identifier]]:
        """The identifiers of each reference, in normal form, sorted; none for one that was erased or never was.

        Whoever shows them reveals a person. Raises KeyringError.
        """
        table = tables.identifiers
        found: dict[str, list[Identifier]] = {reference: [] for reference in references}
        with reading(self._keyring.engine) as connection:
            self._keyring.follow(connection)
            macs = {
                self._keyring.subject_mac(reference, epoch)
                for reference in found
                for epoch in self._keyring.live_epochs()
            }
            for batch in batches(sorted(macs)):
                for row in connection.execute(select(table).where(table.c.subject_mac.in_(batch))):
                    opened = canonical.decode(self._keyring.open_here(row.epoch, bytes(row.mac), row.sealed))
                    value = bytes.fromhex(opened["value"]).decode("utf-8", "surrogatepass")
                    found[opened["ref"]].append(Identifier(row.type, value))
        return {reference: sorted(identifiers) for reference, identifiers in found.items()}

    def types_of(self, references: Iterable[str]) -> dict[str, int]:
        """How many of the references have an identifier of each type; no identifier is opened."""
        table = tables.identifiers
        found: set[tuple[str, bytes]] = set()
        with reading(self._keyring.engine) as connection:
            self._keyring.follow(connection)
            macs = [
                self._keyring.subject_mac(reference, epoch)
                for reference in set(references)
                for epoch in self._keyring.live_epochs()
            ]
            for batch in batches(sorted(macs)):
                statement = select(table.c.type, table.c.subject_mac).where(table.c.subject_mac.in_(batch))
                found.update((row.type, bytes(row.subject_mac)) for row in connection.execute(statement))
        return dict(sorted(Counter(kind for kind, _ in found).items()))
