"""Carrying out in the keyring what the ledger says was ended. Safe to repeat; a restored keyring is brought up to date.

The entry comes first, then the keys go: whoever dies between the two leaves what any later process can finish.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ledger import forgetting
from ledger.endings import Endings
from ledger.errors import ErasedError, KeyringError
from ledger.keyring.destruction import Destruction
from ledger.keytree import KeyTree, moved_leaf

if TYPE_CHECKING:
    from ledger.store import Store

PATIENCE = 5.0
"""Seconds that a reader waits for another process that is between the entry and the keys."""


class Followed(NamedTuple):
    """What was carried out: data keys destroyed, and key trees that were cut or destroyed."""

    subjects: int
    keys: int
    trees: int


def behind(store: Store) -> bool:
    """Whether the ledger has ended keys that this keyring was not told to destroy yet."""
    return Destruction(store.keyring).followed() < store.endings.last


def refuse_behind(store: Store) -> None:
    """Raise KeyringError while the keyring is behind the ledger: it may hold keys of people who were erased."""
    deadline = time.monotonic() + PATIENCE
    while behind(store):
        if time.monotonic() > deadline:
            raise KeyringError(
                "the keyring is older than the ledger's erasures: it may hold keys that were destroyed",
                hint="Run `evidence keys reconcile`: it destroys them again.",
            )
        time.sleep(0.05)


def follow(store: Store, *, since: int | None = None, told: Mapping[int, int] | None = None) -> Followed:
    """Destroy every key that the ledger says is destroyed, as far as this keyring still has it.

    ``since``: the entries up to this one were carried out before; by default the keyring's own memory of that. -1 looks
    at all again. ``told``: entries by index of which the keyring was told before which digests of inputs go, and up to
    which number of entries; for any other that erases a person, all partitions are looked through.
    """
    store.refresh()
    endings, act = store.endings, Destruction(store.keyring)
    since = act.followed() if since is None else since
    act.forget_bytes(forgetting.portions(store, since, told))
    subjects = sorted(ref for ref, entry in endings.subjects.items() if entry.index > since)
    keys = act.subjects(subjects) if subjects else 0
    sessions = sorted(ref for ref, entry in endings.sessions.items() if entry.index > since)
    if sessions:
        act.identifiers(sessions)
    _derive_moved(store, endings, since)
    trees = _trees(store, endings, since)
    expired = {path: tree for path, tree in trees.items() if tree is None}
    act.trees(expired, "expired")
    act.trees({path: tree for path, tree in trees.items() if tree is not None})
    act.follow_to(endings.last)
    return Followed(len(subjects), keys, len(trees))


def _derive_moved(store: Store, endings: Endings, since: int) -> None:
    """Trees of redacted segments that this keyring lacks, because it was backed up before: from the leaves before."""
    missing: dict[str, dict[int, bytes]] = {}
    sizes: dict[str, int] = {}
    for move in (move for move in endings.moves if move.entry.index > since):
        path, number = move.new
        if path not in missing and _tree(store, path) is not None:
            continue
        sizes[path] = max(sizes.get(path, 0), number + 1)
        where, leaf = move.old
        if where in missing:
            key = missing[where].get(leaf)
        else:
            tree = _tree(store, where)
            key = tree.leaf(leaf) if tree is not None and tree.has(leaf) else None
        found = missing.setdefault(path, {})
        if key is not None:
            found[number] = moved_leaf(key, path, number)
    for path, keys in missing.items():
        if keys:
            store.keyring.put_tree(path, KeyTree.from_leaves(sizes[path], keys))


def _tree(store: Store, path: str) -> KeyTree | None:
    try:
        return store.keyring.tree(path)
    except (ErasedError, KeyringError):
        return None


def _trees(store: Store, endings: Endings, since: int) -> dict[str, KeyTree | None]:
    """The key trees that still open what they should not, as they are to be."""
    changes: dict[str, KeyTree | None] = {}
    expired = {name: path for path in endings.expired for name in endings.objects_of(path)}
    for path in sorted(path for path, index in endings.touched.items() if index > since):
        tree = _tree(store, path)
        if tree is not None:
            left = _left(endings, path, expired.get(path), tree)
            if left is None or left.nodes != tree.nodes:
                changes[path] = left
    return changes


def _left(endings: Endings, path: str, partition: str | None, tree: KeyTree) -> KeyTree | None:
    """What may be left of the tree of an object; None for nothing. ``partition``: the expired one that it is of."""
    left = tree.without(sorted(endings.destroyed_leaves(path)))
    if partition is not None:
        kept, moved = endings.expired[partition].kept, endings.moved.get(partition, {})
        if path == partition:
            leaves = [number for number in kept if number not in moved]
        else:
            leaves = [place.number for number, place in moved.items() if number in kept and place.content.path == path]
        left = left.only(sorted(leaves))
    return left if left.nodes else None
