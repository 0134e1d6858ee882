"""Who may do what by the log, and how the keyring stands to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ledger import following
from ledger.key_management.enrolment import Holder, holders
from ledger.key_management.rotation import ended_epochs
from ledger.keyring.epochs import Epochs

if TYPE_CHECKING:
    from ledger.store import Store


class EpochState(NamedTuple):
    """An epoch of the keyring. ``state``: ``current``; ``ending``, by a rotation; ``ended``, as the ledger says."""

    number: int
    created_at: str
    state: str


class Overview(NamedTuple):
    """Keys of the log, epochs of the keyring, and whether the keyring is behind the ledger's erasures."""

    holders: list[Holder]
    epochs: list[EpochState]
    behind: bool

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "keys": [holder._asdict() for holder in self.holders],
            "epochs": [epoch._asdict() for epoch in self.epochs],
            "behind": self.behind,
        }


def overview(store: Store) -> Overview:
    """The state of all keys now."""
    epochs, ended = Epochs(store.keyring).all(), ended_epochs(store)
    listed = [
        EpochState(
            epoch.number,
            epoch.created_at,
            "ended" if epoch.number in ended else "current" if epoch == epochs[-1] else "ending",
        )
        for epoch in epochs
    ]
    return Overview(holders(store.history), listed, following.behind(store))
