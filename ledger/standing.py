"""What is in force now by the ledger: holds, and restrictions of processing. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ledger import entry_shapes
from ledger.history import Entry


class ActiveHold(NamedTuple):
    """A hold that was not released: its reference, scope, basis, and the entry that added it."""

    hold: str
    scope: entry_shapes.Scope
    basis: str
    entry: Entry


class Restricted(NamedTuple):
    """A subject whose processing is restricted: on which basis, until when where that is known, by which entry."""

    subject: str
    basis: str
    until: str | None
    entry: Entry


class Standing:
    """Holds by their reference and restrictions by subject, after the entries given."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.holds: dict[str, ActiveHold] = {}
        self.restricted: dict[str, Restricted] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        kind = entry.value["type"]
        if kind not in ("hold", "restriction"):
            return
        read = entry_shapes.read(entry.value)
        if isinstance(read, entry_shapes.Hold):
            if read.action == "release":
                self.holds.pop(read.hold, None)
            elif read.scope is not None:
                self.holds[read.hold] = ActiveHold(read.hold, read.scope, read.basis or "unstated", entry)
        elif isinstance(read, entry_shapes.Restriction):
            for subject in read.subjects:
                if read.action == "lift":
                    self.restricted.pop(subject, None)
                else:
                    self.restricted[subject] = Restricted(subject, read.basis or "unstated", read.until, entry)
