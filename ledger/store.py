"""The one door of the ledger: a store as the rest of the product uses it.

What one can do depends on what one was given: reading needs the store, content needs the keyring, appending needs the
writer key, publishing the log key. Views open the store without any signing key.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ledger import entries, following, kek, notes, partition_writer, sealing
from ledger.access import AccessRecorder, Receipt
from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.content import ContentReader, Ledger
from ledger.decryption import Decryptor
from ledger.endings import Endings
from ledger.errors import ConfigError, FormatError, KeyringError, MissingObjectError, NothingThereError, StorageError
from ledger.history import Entry, History
from ledger.keyring.access_numbers import AccessNumbers
from ledger.keyring.bookmarks import Bookmarks
from ledger.keyring.destruction import Destruction
from ledger.keyring.identifiers import Identifier
from ledger.keyring.identities import Identities
from ledger.keyring.keyring import Keyring
from ledger.keyring.links import Links
from ledger.keyring.mention_keys import MentionKeys
from ledger.keyring.publication import PublicationState
from ledger.keytree import KeyTree
from ledger.log import LogReader, LogWriter
from ledger.objects import open_objects
from ledger.objects.base import CHECKPOINT, Objects
from ledger.objects.probe import probe_conditional_put
from ledger.publisher import Publisher
from ledger.revealed import Revealed
from ledger.settings import Settings
from ledger.standing import Standing


class Store:
    """An open store with its keyring. Use ``Store.open``; close it, or use it as a context manager."""

    def __init__(self, settings: Settings, objects: Objects, keyring: Keyring) -> None:
        self.settings = settings
        self.objects = objects
        self.keyring = keyring
        self.bookmarks = Bookmarks(keyring)
        self.accesses = AccessNumbers(keyring)
        self.identities = Identities(keyring)
        self.links = Links(keyring)
        self._reader = LogReader(objects)
        self._recorder = AccessRecorder(settings, self.accesses)
        self._read = 0
        self._endings, self._standing = Endings(), Standing()

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Open store and keyring and read the log.

        Raises NothingThereError if there is no ledger, KeyringError if the keyring belongs to another store.
        """
        objects = open_objects(settings.store, endpoint=settings.s3_endpoint)
        store = cls(settings, objects, open_keyring(settings))
        store.refresh()
        if store.history.seq < 0:
            raise NothingThereError(f"there is no ledger at {objects.url}")
        if store.history.store != store.keyring.store_id:
            raise KeyringError("the keyring belongs to another store")
        return store

    def close(self) -> None:
        """Let the spool go and give the database connections back."""
        self._recorder.close()
        self.keyring.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def history(self) -> History:
        """The state of the log as of the last refresh."""
        return self._reader.history

    def refresh(self) -> list[Entry]:
        """Read what others committed; their entries."""
        return self._reader.refresh()

    @property
    def endings(self) -> Endings:
        """What the log has ended, as of the last refresh."""
        self._read_state()
        return self._endings

    @property
    def standing(self) -> Standing:
        """The holds and restrictions in force, as of the last refresh."""
        self._read_state()
        return self._standing

    def _read_state(self) -> None:
        entries = self.history.entries
        if len(entries) != self._read:
            self._endings, self._standing = Endings(entries), Standing(entries)
            self._read = len(entries)

    def refuse_behind(self) -> None:
        """Raise KeyringError while the keyring may hold keys that the ledger says were destroyed."""
        following.refuse_behind(self)

    def committed_paths(self) -> set[str]:
        """The content paths of every partition that the ledger lists."""
        return {entry.value["content"]["path"] for entry in self.history.partitions()}

    def checkpoint(self) -> tuple[int, bytes]:
        """The size and the signed note of the newest checkpoint. Raises NothingThereError, TamperedError."""
        try:
            note = self.objects.get(CHECKPOINT)
        except MissingObjectError:
            raise NothingThereError("no checkpoint is published", hint="Run `evidence seal`.") from None
        return open_checkpoint(note, self.history.log_verifiers()).size, note

    def reference(self, identifier_type: str, value: str) -> str:
        """The random reference of an identifier, made if there is none."""
        identifier = Identifier(identifier_type, value)
        return self.keyring.resolve([identifier])[identifier]

    def survivors(self, subjects: Collection[str]) -> list[str]:
        """Those of the subjects that have a key or an identifier in the keyring."""
        return Destruction(self.keyring).survivors(subjects)

    def mention_keys(self) -> MentionKeys:
        """The keys of the mention index as of now."""
        return MentionKeys(self.keyring)

    # -- revealing

    def record_access(self, content: bytes, subjects: Mapping[str, list[str]], warnings: Sequence[str] = ()) -> Receipt:
        """Make an access record durable (committed, where the settings demand it) and return its receipt.

        ``warnings``: closed codes that stand in its line. Raises AccessNotRecordedError; then nothing may be shown.
        """
        receipt = self._recorder.record(content, subjects, warnings)
        if self.settings.reveal == "anchored":
            sealing.anchor(self, receipt)
            self.publish()
        return receipt

    def reveal(
        self,
        receipt: Receipt,
        entry: Mapping[str, Any],
        rows: range | Sequence[int],
        events: Path | None = None,
        *,
        despite_restriction: bool = False,
    ) -> Iterator[Revealed]:
        """The content of rows of a partition, in the order given, each checked against its commitment.

        ``events``: a checked local copy of its events file. ``despite_restriction``: also of people whose processing is
        restricted, as GDPR, Article 18(2) allows. Raises AccessNotRecordedError without a receipt of this process,
        KeyringError while the keyring is older than the ledger's erasures.
        """
        self._recorder.check(receipt)
        following.refuse_behind(self)
        reader = ContentReader(self.objects, self.keyring, self.ledger(not despite_restriction), entry, events)
        return reader.rows(rows.start, len(rows)) if isinstance(rows, range) else reader.chosen(rows)

    def ledger(self, restrict: bool = False) -> Ledger:
        """What opening content needs to know of the log."""
        restricted = {name: item.entry.index for name, item in self.standing.restricted.items()} if restrict else {}
        return Ledger(self.history.store, self.endings, restricted)

    def check(self, receipt: Receipt) -> None:
        """Raise AccessNotRecordedError unless this process gave the receipt: for what reveals people, not content."""
        self._recorder.check(receipt)

    def close_spool(self) -> None:
        """Let this process's spool be sealed; the next access opens another."""
        self._recorder.close()

    def seal(self) -> sealing.Sealed:
        """Seal what waits in the spool."""
        return sealing.seal(self)

    def waiting(self) -> int:
        """Records in the spool that are not anchored yet."""
        return sealing.waiting(self)

    # -- appending

    def new_partition(self, day: str) -> tuple[partition_writer.Place, KeyTree]:
        """A place with random names for a partition of a UTC day, its key tree already durable in the keyring."""
        name = secrets.token_hex(16)
        place = partition_writer.Place(
            self.history.store, f"events/date={day}/{name}.parquet", f"content/date={day}/{name}.parquet"
        )
        tree = KeyTree.generate()
        self.keyring.put_tree(place.content, tree)
        return place, tree

    def append(
        self,
        bodies: Sequence[tuple[str, dict[str, Any]]],
        recheck: Callable[[list[Entry]], None] | None = None,
        *,
        by: Sequence[KeyName | notes.Signer] = ("writer",),
    ) -> list[Entry]:
        """Commit entries of the given types, signed by keys that the settings name or others; durable when it returns.

        See LogWriter.append for ``recheck``. Raises ConfigError where the settings lack one of the keys.

        Raises UnsafeStoreError for a store that does not honour conditional writes, PublisherRefusedError for one that
        lacks what was published.
        """
        self._probe()
        encoded = [self._encode(entry_type, body) for entry_type, body in bodies]
        published = PublicationState(self.keyring, self.history.origin).read
        signers = [key if isinstance(key, notes.Signer) else self.signer(key) for key in by]
        writer = LogWriter(self.objects, self._reader, signers, published)
        return writer.append(encoded, recheck)

    def signer(self, name: KeyName) -> notes.Signer:
        """A signing key that the settings name. Raises ConfigError."""
        path: Path | None = getattr(self.settings, f"{name}_key")
        if path is None:
            raise ConfigError(
                f"the settings name no {name}_key", hint="Only an installation that holds it can do this."
            )
        return load_signer(path)

    def _probe(self) -> None:
        """Once for each installation and remote store: `evidence init` probed the store that it made, not this copy."""
        place = entries.sha256(f"{self.objects.url} {self.settings.s3_endpoint}".encode())
        mark = self.settings.cache / f"{place}.probed"
        if self.objects.url.startswith(_REMOTE) and not mark.exists():
            probe_conditional_put(self.objects)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()

    def _encode(self, entry_type: str, body: dict[str, Any]) -> bytes:
        """Canonical bytes; a partition's list of inputs goes to a blob where it would make the entry too large."""
        inputs = body.get("inputs")
        if isinstance(inputs, list) and len(inputs) > MAX_INLINE_INPUTS:
            data = entries.canonical_bytes(inputs)
            digest = entries.sha256(data)
            if not self.objects.put_if_absent(entries.blob_path(digest), data):
                raise StorageError("a blob with other bytes stands under this name", path=entries.blob_path(digest))
            body = {**body, "inputs": {"blob": digest, "count": len(inputs)}}
        return entries.encode(entry_type, body)

    def publish(self) -> Checkpoint | None:
        """Sign and write the newest checkpoint, if this installation holds the log key."""
        if self.settings.log_key is None:
            return None
        state = PublicationState(self.keyring, self.history.origin)
        return Publisher(self.objects, state, load_signer(self.settings.log_key)).publish()


KeyName = Literal["writer", "privacy", "certificate", "bundle"]
_REMOTE = ("s3://",)
MAX_INLINE_INPUTS = 16
"""Inputs that a partition entry lists itself; more go to a blob."""


def open_keyring(settings: Settings) -> Keyring:
    """The keyring that the settings name."""
    return Keyring.open(settings.keyring, kek.open_kek(settings.kek))


def open_decryptor(settings: Settings) -> Decryptor:
    """What deep verification opens content with, in this process."""
    keyring = open_keyring(settings)
    return Decryptor(keyring, keyring.store_id)


def record_without_store(settings: Settings, content: bytes, viewer: tuple[str, str]) -> None:
    """Make an access record durable in the spool, whatever state the store is in. ``viewer``: type and value.

    Raises AccessNotRecordedError, and KeyringError or ConfigError where the keyring cannot be opened.
    """
    keyring = open_keyring(settings)
    recorder = AccessRecorder(settings, AccessNumbers(keyring))
    try:
        identifier = Identifier(*viewer)
        recorder.record(content, {"viewer": [keyring.resolve([identifier])[identifier]]})
    finally:
        recorder.close()
        keyring.close()


def load_signer(path: Path) -> notes.Signer:
    """The signing key in a file. Raises ConfigError if it cannot be read or is none."""
    try:
        return notes.Signer.from_skey(path.read_text().strip())
    except OSError as error:
        raise ConfigError(f"cannot read the signing key {path}: {error.strerror}") from None
    except (UnicodeDecodeError, FormatError):
        raise ConfigError(f"{path} holds no signing key") from None
