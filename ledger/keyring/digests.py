"""Keyed digests of inputs' bytes: when one may stand in the keyring, and when it goes.

A digest under the store's own key outlives every person's key, so none may be over content that was ended: whoever
holds the keyring could try guesses against it. See docs/decisions/0029-the-fence.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select, tuple_, update

from ledger.keyring import tables
from ledger.keyring.keyring import batches, insert_new


class Portion(NamedTuple):
    """One portion of an input."""

    input: str
    step: int


class Borrowed(NamedTuple):
    """A portion that holds bytes which are the content of records of another portion, ``lender``."""

    portion: Portion
    lender: Portion


def forget(connection: Connection, portions: Iterable[tuple[str, int]]) -> list[bytes]:
    """Drop the digests of these portions, and of those that borrow from them; what they were."""
    wanted = {Portion(*portion) for portion in portions}
    lock(connection, {portion.input for portion in wanted})
    wanted |= _borrowers(connection, wanted)
    lock(connection, {portion.input for portion in wanted})
    table = tables.steps
    gone: list[bytes] = []
    for batch in batches(sorted(wanted)):
        which = (tuple_(table.c.input, table.c.step).in_(batch), table.c.mac.is_not(None))
        gone += connection.execute(select(table.c.mac).where(*which)).scalars()
        connection.execute(update(table).where(*which).values(mac=None))
    return gone


def lock(connection: Connection, refs: Iterable[str]) -> None:
    """Let nobody else change what is known of these inputs until the transaction ends (PostgreSQL; SQLite has one)."""
    table = tables.inputs
    for batch in batches(sorted(set(refs))):
        connection.execute(select(table.c.ref).where(table.c.ref.in_(batch)).order_by(table.c.ref).with_for_update())


def borrow(connection: Connection, borrowed: Collection[Borrowed]) -> set[Portion]:
    """Note what portions borrow; those of them whose lender has no digest any more."""
    rows = [
        {
            "input": item.portion.input,
            "step": item.portion.step,
            "lender": item.lender.input,
            "lender_step": item.lender.step,
        }
        for item in sorted(borrowed)
    ]
    insert_new(connection, tables.borrowed, rows)
    table = tables.steps
    gone: set[Portion] = set()
    for batch in batches(sorted({item.lender for item in borrowed})):
        which = (tuple_(table.c.input, table.c.step).in_(batch), table.c.mac.is_(None))
        found = connection.execute(select(table.c.input, table.c.step).where(*which))
        gone.update(Portion(row.input, row.step) for row in found)
    return {item.portion for item in borrowed if item.lender in gone}


def _borrowers(connection: Connection, lenders: Collection[Portion]) -> set[Portion]:
    table = tables.borrowed
    found: set[Portion] = set()
    for batch in batches(sorted(lenders)):
        which = tuple_(table.c.lender, table.c.lender_step).in_(batch)
        rows = connection.execute(select(table.c.input, table.c.step).where(which))
        found.update(Portion(row.input, row.step) for row in rows)
    return found
