"""Rotation: a new epoch of the keyring, and the end of the old one, after which no older backup opens anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import following
from ledger.erasing import check_role
from ledger.key_management import backups
from ledger.key_management.backups import Backup
from ledger.keyring.epochs import Epoch, Epochs

if TYPE_CHECKING:
    from ledger.store import Store

WAITING_DAYS: Final = 30
"""How long a provider that destroys nothing at once is asked to wait, where nothing else is said."""


class Rotated(NamedTuple):
    """What a rotation did.

    ``moved``: rows put under the new epoch, by table; empty where an earlier run that was interrupted had done that.
    ``unreadable_at``: from when no key opens what only the old epoch wrapped, such as older backups; where
    ``depends_on`` is ``operator``, at the earliest then: once a person has taken the old key away.
    """

    ended: list[int]
    begun: int
    moved: dict[str, int]
    backup: Backup
    unreadable_at: str
    depends_on: str | None


def rotate(store: Store, backup: Path | None = None, days: int = WAITING_DAYS) -> Rotated:
    """Put the keyring under a new epoch, back it up, open the backup, then destroy the old epoch and its KEK.

    The order: all that lives is wrapped again, in one transaction; the backup is written, opened and compared; the old
    key-encryption key is destroyed; the ledger says so; the old epoch's row goes. Whoever dies in between leaves a
    keyring that opens, and calling this again completes it. Raises ConfigError where this installation may not commit
    the end of an epoch, or has no new key-encryption key.
    """
    check_role(store, "erasure")
    # What the ledger has ended is not carried into the new epoch and its backup.
    following.follow(store)
    epochs = Epochs(store.keyring)
    moved = {} if len(epochs.all()) > 1 else epochs.begin(_last_in_ledger(store))
    *old, newest = epochs.all()
    made = backups.write(store.keyring, backup or backups.default_path(store.settings, newest.number))
    retired = store.keyring.kek.retire(newest.wrapped, [epoch.wrapped for epoch in old], days)
    _commit(store, old, newest, retired.unreadable_at, retired.depends_on)
    epochs.end([epoch.number for epoch in old])
    ended = [epoch.number for epoch in old]
    return Rotated(ended, newest.number, moved, made, retired.unreadable_at, retired.depends_on)


def _commit(store: Store, old: list[Epoch], newest: Epoch, unreadable_at: str, depends_on: str | None) -> None:
    """Say that these epochs ended, but for those of which an earlier run has."""
    store.refresh()
    said = {(epoch["ended"], epoch["begun"]) for epoch in _ends(store)}
    bodies: list[tuple[str, dict[str, Any]]] = []
    for epoch in old:
        if (epoch.number, newest.number) not in said:
            end = {"ended": epoch.number, "begun": newest.number, "unreadable_at": unreadable_at}
            bodies.append(
                ("erasure", {"subjects": [], "epoch": end | ({"depends_on": depends_on} if depends_on else {})})
            )
    if bodies:
        store.append(bodies, by=("privacy",))


def _ends(store: Store) -> list[dict[str, Any]]:
    """What the ledger says of epochs that ended, oldest first."""
    return [
        entry.value["epoch"]
        for entry in store.history.entries
        if entry.value["type"] == "erasure" and entry.value.get("epoch")
    ]


def ended_epochs(store: Store) -> dict[int, str]:
    """The epochs that ended, and from when nothing opens what they wrapped."""
    return {epoch["ended"]: epoch["unreadable_at"] for epoch in _ends(store)}


def _last_in_ledger(store: Store) -> int:
    return max((epoch["begun"] for epoch in _ends(store)), default=0)
