"""The publisher: alone holds the log key, checks the commits, then signs a checkpoint over them.

It signs only what is consistent with what it signed before, which the keyring remembers: neither a forged commit
nor a rolled-back store makes it sign a second history. Everything it writes is a pure function of the commits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ledger import checkpoints, commits, entries, merkle, notes, publisher_rules
from ledger.endings import Endings
from ledger.errors import FormatError, MissingObjectError, PublisherRefusedError, TamperedError, UnverifiableError
from ledger.history import Entry, History
from ledger.keyring.publication import PublicationState, Published
from ledger.objects.base import CHECKPOINT, Objects


class Publisher:
    """Publishes what the commits of ``objects`` say."""

    def __init__(self, objects: Objects, state: PublicationState, signer: notes.Signer) -> None:
        self._objects = objects
        self._state = state
        self._signer = signer

    def publish(self) -> checkpoints.Checkpoint | None:
        """Check every commit, sign the newest state, write tiles and checkpoint. None if the log has no commit.

        Raises PublisherRefusedError for a forged commit or a store that lost commits which were signed.
        Safe to repeat, and safe to run in several processes.
        """
        while True:
            before = self._state.read()
            history = self._check(before)
            if history.seq < 0:
                return None
            after = Published(history.seq, history.frontier.size, history.frontier.root())
            if before != after and not self._state.advance(before, after):
                continue
            published = self._published_size(history)
            if published <= after.size:
                self._derive(history, published, after)
                return checkpoints.Checkpoint(history.origin, after.size, after.root)
            if self._state.read() == after:
                raise PublisherRefusedError("not signed: the checkpoint in the store is of more than was ever signed")

    def _check(self, before: Published | None) -> History:
        """The state of the log, if it continues what was signed."""
        history = History()
        absent: list[str] = []
        while True:
            try:
                data = self._objects.get(commits.commit_path(history.seq + 1))
            except MissingObjectError:
                break
            try:
                new = history.apply(data)
            except (TamperedError, UnverifiableError) as error:
                raise PublisherRefusedError(f"not signed: {error.message}") from None
            if before is None or history.seq > before.seq:
                absent += self._absent(new)
            if before is not None and history.seq == before.seq:
                self._check_signed(history, before)
        if before is not None and history.seq < before.seq:
            raise PublisherRefusedError(
                f"not signed: the store ends at commit {history.seq}, but commit {before.seq} was signed before"
            )
        if absent:
            # What has expired may have been deleted before anybody published the commit that lists it.
            _refuse_absent(absent, Endings(history.entries).deleted)
        if history.seq >= 0 and self._signer.vkey not in {key.vkey for key in history.log_verifiers()}:
            raise PublisherRefusedError("not signed: the log does not name this key for checkpoints")
        return history

    def _check_signed(self, history: History, before: Published) -> None:
        if (history.frontier.size, history.frontier.root()) != (before.size, before.root):
            raise PublisherRefusedError(f"not signed: commit {before.seq} is not the one that was signed before")

    def _absent(self, new: list[Entry]) -> Iterator[str]:
        """The listed objects that are not there; one of another size is refused at once."""
        for entry in new:
            for path, size, _ in entries.referenced_objects(entry.value):
                found = self._objects.head(path)
                if found is None:
                    yield path
                elif size is not None and found != size:
                    raise PublisherRefusedError(f"not signed: {path} is missing or has a wrong size")

    def _derive(self, history: History, published: int, signed: Published) -> None:
        """Write bundles, tiles and checkpoints that the store does not have yet, then move the checkpoint forward.

        Forward only: a publisher that another one has overtaken leaves the checkpoint to it.
        """
        size = history.frontier.size
        for path, data in publisher_rules.grown(history, published, size):
            if not self._objects.put_if_absent(path, data):
                raise PublisherRefusedError(f"not written: other bytes stand at {path}")
        note = publisher_rules.sign(history.origin, size, history.frontier.root(), self._signer)
        self._keep(history, note)
        if published < size or not self._has_checkpoint():
            with self._state.while_newest(signed) as newest:
                if newest:
                    self._objects.replace(CHECKPOINT, note)

    def _keep(self, history: History, note: bytes) -> None:
        """Keep the checkpoint under its size. A note by an earlier log key over the same tree stays as it is."""
        path = publisher_rules.checkpoint_path(history.frontier.size)
        if self._objects.put_if_absent(path, note):
            return
        try:
            kept = checkpoints.open_checkpoint(self._objects.get(path), history.log_verifiers())
        except (TamperedError, FormatError, UnverifiableError) as error:
            raise PublisherRefusedError(f"not written: {path} holds another note: {error.message}") from None
        if (kept.size, kept.root) != (history.frontier.size, history.frontier.root()):
            raise PublisherRefusedError(f"not written: {path} holds a checkpoint of another history")

    def _published_size(self, history: History) -> int:
        """The size of the checkpoint that stands in the store; 0 if it is none of this log."""
        try:
            note = self._objects.get(CHECKPOINT)
            checkpoint = checkpoints.open_checkpoint(note, history.log_verifiers())
        except (MissingObjectError, TamperedError, FormatError, UnverifiableError):
            return 0
        size = checkpoint.size
        if size <= history.frontier.size and merkle.root(history.leaves[:size]) != checkpoint.root:
            raise PublisherRefusedError("not signed: the checkpoint in the store is of another history")
        return size

    def _has_checkpoint(self) -> bool:
        return self._objects.head(CHECKPOINT) is not None


def _refuse_absent(absent: Collection[str], deleted: Collection[str]) -> None:
    """Raise PublisherRefusedError for the first object that is not there and that no entry lists as deleted."""
    for path in absent:
        if path not in deleted:
            raise PublisherRefusedError(f"not signed: {path} is missing or has a wrong size")
