"""Bringing a keyring up to the ledger: after a restore, or after somebody died between an entry and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from ledger import following
from ledger.key_management.rotation import ended_epochs
from ledger.keyring import tables
from ledger.keyring.engine import reading
from ledger.keyring.epochs import Epochs

if TYPE_CHECKING:
    from ledger.store import Store


class Reconciled(NamedTuple):
    """What was destroyed again, and what else a restored keyring lacks.

    ``subjects``, ``keys``, ``trees``: subjects that the ledger names, data keys and key trees of theirs that were here.
    ``without_key``: partitions whose key is not here; nothing here opens their content, so deep verification says lost.
    ``ended``: epochs of this keyring that the ledger says have ended, and when their keys are gone for good.
    """

    subjects: int
    keys: int
    trees: int
    without_key: int
    ended: dict[int, str]


def reconcile(store: Store) -> Reconciled:
    """Carry out in the keyring everything that the ledger has ever ended. Safe to repeat."""
    followed = following.follow(store, since=-1)
    with reading(store.keyring.engine) as connection:
        here = set(connection.execute(select(tables.partition_trees.c.path)).scalars())
    return Reconciled(
        followed.subjects,
        followed.keys,
        followed.trees,
        len(store.committed_paths() - here),
        ended_here(store),
    )


def ended_here(store: Store) -> dict[int, str]:
    """Epochs of this keyring that the ledger says have ended, and from when nothing opens what they wrap."""
    ended = ended_epochs(store)
    return {epoch.number: ended[epoch.number] for epoch in Epochs(store.keyring).all() if epoch.number in ended}
