"""The log on an object store: reading its commits, and claiming the next one.

The claim is the commit object itself, put-if-absent on the predecessor's number plus one: one winner a number.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ledger import commits, notes
from ledger.clock import utc_now
from ledger.errors import (
    ConfigError,
    ContentionError,
    MissingObjectError,
    NothingThereError,
    PublisherRefusedError,
    StorageError,
    TamperedError,
)
from ledger.history import Entry, History
from ledger.objects.base import AppendObjects, ReadObjects

if TYPE_CHECKING:
    from ledger.keyring.publication import Published

ATTEMPTS: Final = 64
_PAUSE: Final = 0.05


class LogReader:
    """Follows a store's commits. ``history`` is the state after the last refresh."""

    def __init__(self, objects: ReadObjects) -> None:
        self._objects = objects
        self.history = History()
        self._heads: list[tuple[int, bytes]] = []

    def head(self, seq: int) -> tuple[int, bytes] | None:
        """The size and root of the log after a commit; None if there is no such commit."""
        return self._heads[seq] if 0 <= seq < len(self._heads) else None

    def accept(self, data: bytes) -> list[Entry]:
        """Take the next commit object and return its entries. Raises TamperedError."""
        new = self.history.apply(data)
        self._heads.append((self.history.frontier.size, self.history.frontier.root()))
        return new

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
            new += self.accept(data)


class LogWriter:
    """Appends entries, signed by the given keys, to a log that reaches what ``published`` says was published."""

    def __init__(
        self,
        objects: AppendObjects,
        reader: LogReader,
        signers: Sequence[notes.Signer],
        published: Callable[[], Published | None] = lambda: None,
    ) -> None:
        self._objects = objects
        self._reader = reader
        self._signers = tuple(signers)
        self._published = published

    def append(self, entries: Sequence[bytes], recheck: Callable[[list[Entry]], None] | None = None) -> list[Entry]:
        """Commit the entries, after whatever others committed first; durable when it returns.

        Before each attempt that follows another writer's commits, ``recheck`` is given their entries; what it
        raises ends the append with nothing claimed. Raises ContentionError if others win every attempt,
        PublisherRefusedError for a store that is older than what was published: what is claimed there would be on a
        branch that no checkpoint can cover.
        """
        for attempt in range(ATTEMPTS):
            # Asked before the log is read: another process may publish between the two.
            published = self._published()
            foreign = self._reader.refresh()
            self._check_reaches(published)
            if foreign and recheck is not None:
                recheck(foreign)
            if self._reader.history.seq < 0:
                raise NothingThereError("the store has no ledger")
            claimed = self._claim(entries)
            if claimed is not None:
                return claimed
            time.sleep(random.uniform(0, _PAUSE * min(attempt + 1, 20)))  # noqa: S311 - jitter, not a secret
        raise ContentionError(f"other writers won {ATTEMPTS} times in a row")

    def _check_reaches(self, published: Published | None) -> None:
        if published is None:
            return
        found = self._reader.head(published.seq)
        if found is None:
            raise PublisherRefusedError(
                f"not committed: the store ends at commit {self._reader.history.seq}, but commit {published.seq} was "
                "published before"
            )
        if found != (published.size, published.root):
            raise PublisherRefusedError(f"not committed: commit {published.seq} is not the one that was published")

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
        return self._reader.accept(data)

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
