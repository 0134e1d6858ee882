"""The log on an object store: reading its commits, and claiming the next one.

The claim is the commit object itself, put-if-absent on the predecessor's number plus one: one winner a number.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from ledger import commits, notes
from ledger.clock import utc_now
from ledger.errors import (
    ConfigError,
    ContentionError,
    MissingObjectError,
    NothingThereError,
    StorageError,
    TamperedError,
)
from ledger.history import Entry, History
from ledger.objects.base import AppendObjects, ReadObjects

ATTEMPTS: Final = 64
_PAUSE: Final = 0.05


class LogReader:
    """Follows a store's commits. ``history`` is the state after the last refresh."""

    def __init__(self, objects: ReadObjects) -> None:
        self._objects = objects
        self.history = History()

    def refresh(self) -> list[Entry]:
        """Apply every commit that is there and return the new entries.

        The head is found by probing upward from the last one known. Raises TamperedError at the first commit
        that is forged or out of place.
        """
        new: list[Entry] = []
        while True:
            try:
                data = self._objects.get(commits.commit_path(self.history.seq + 1))
            except MissingObjectError:
                return new
            new += self.history.apply(data)


class LogWriter:
    """Appends entries, signed by the given keys."""

    def __init__(self, objects: AppendObjects, reader: LogReader, signers: Sequence[notes.Signer]) -> None:
        self._objects = objects
        self._reader = reader
        self._signers = tuple(signers)

    def append(self, entries: Sequence[bytes], recheck: Callable[[list[Entry]], None] | None = None) -> list[Entry]:
        """Commit the entries, after whatever others committed first; durable when it returns.

        Before each attempt that follows another writer's commits, ``recheck`` is given their entries; what it
        raises ends the append with nothing claimed. Raises ContentionError if others win every attempt.
        """
        for attempt in range(ATTEMPTS):
            foreign = self._reader.refresh()
            if foreign and recheck is not None:
                recheck(foreign)
            if self._reader.history.seq < 0:
                raise NothingThereError("the store has no ledger")
            claimed = self._claim(entries)
            if claimed is not None:
                return claimed
            time.sleep(random.uniform(0, _PAUSE * min(attempt + 1, 20)))  # noqa: S311 - jitter, not a secret
        raise ContentionError(f"other writers won {ATTEMPTS} times in a row")

    def begin(self, entries: Sequence[bytes], origin: str) -> list[Entry]:
        """Claim the first commit of a new log. Raises ContentionError if the log has one."""
        if self._reader.refresh() or self._reader.history.seq >= 0:
            raise ContentionError("the store has a ledger already")
        claimed = self._claim(entries, origin)
        if claimed is None:
            raise ContentionError("the store has a ledger already")
        return claimed

    def _claim(self, entries: Sequence[bytes], origin: str | None = None) -> list[Entry] | None:
        history = self._reader.history
        previous = None if history.seq < 0 else (history.seq, history.digest)
        commit = commits.next_commit(origin or history.origin, utc_now(), previous, history.frontier, entries)
        data = notes.sign_note(commit.text(), *self._signers)
        self._check_own(data)
        if not self._put(commits.commit_path(commit.seq), data):
            return None
        return history.apply(data)

    def _check_own(self, data: bytes) -> None:
        """A commit that readers refuse, once claimed, would end the log: nothing can follow it."""
        try:
            self._reader.history.check(data)
        except TamperedError as error:
            raise ConfigError(
                f"not committed: {error.message}", hint="Use the keys that the log has enrolled."
            ) from None

    def _put(self, path: str, data: bytes) -> bool:
        """Put-if-absent, asked again while the outcome is unknown: the same bytes settle it."""
        for attempt in range(3):
            try:
                return self._objects.put_if_absent(path, data)
            except StorageError:
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")
