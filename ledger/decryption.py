"""Opens the sealed segments of one partition with the keys that the keyring holds."""

from __future__ import annotations

from collections.abc import Collection

from ledger import segments
from ledger.errors import EvidenceError
from ledger.keyring.destruction import Destruction
from ledger.keyring.keyring import Keyring
from ledger.keytree import KeyTree


class PartitionKeys:
    """The keys of one content object, read from the keyring as they are needed and kept."""

    def __init__(self, keyring: Keyring, store: str, path: str) -> None:
        self._keyring = keyring
        self._store = store
        self._path = path
        self._tree: KeyTree | None = None
        self._leaves: dict[int, bytes] = {}
        self._owners: dict[tuple[str, int], bytes] = {}

    def prepare(self, owners: Collection[tuple[str, int]], segment_count: int) -> None:
        """Read the keys of many owners, and derive all leaves, at once: for opening a whole partition."""
        self._owners |= self._keyring.existing_keys(owners)
        self._leaves = dict(self._key_tree().walk(segment_count))

    def unseal(self, number: int, owner: str, version: int, sealed: segments.Sealed) -> segments.Opened:
        """One segment. Raises ErasedError, KeyringError (no key here), or TamperedError (does not decrypt)."""
        key, context = self.segment_key(number, owner, version)
        return segments.unseal(key, context, sealed)

    def unseal_resealed(
        self, number: int, owner: str, version: int, sealed: segments.Sealed
    ) -> dict[int, segments.Kept]:
        """One segment that a redaction has sealed again: rows by slot. Raises like ``unseal``."""
        key, context = self.segment_key(number, owner, version, resealed=True)
        return segments.unseal_resealed(key, context, sealed)

    def segment_key(self, number: int, owner: str, version: int, *, resealed: bool = False) -> tuple[bytes, bytes]:
        """The key of a segment and the context that it is bound to. Raises ErasedError, KeyringError."""
        leaf = self._leaves.get(number) or self._key_tree().leaf(number)
        context = segments.SegmentId(self._store, self._path, number, owner, version).context(resealed=resealed)
        return segments.segment_key(self._owner_key(owner, version), leaf, context), context

    def opens(self, number: int) -> bool:
        """Whether the leaf of a segment can still be derived here."""
        try:
            return self._key_tree().has(number)
        except EvidenceError:
            return False

    def root(self) -> bytes | None:
        """The root of the key tree; None once any of it is destroyed, or where it is not here."""
        try:
            return self._key_tree().nodes.get((0, 0))
        except EvidenceError:
            return None

    def _owner_key(self, owner: str, version: int) -> bytes:
        key = self._owners.get((owner, version))
        if key is None:
            key = self._owners[(owner, version)] = self._keyring.data_key(owner, version)
        return key

    def _key_tree(self) -> KeyTree:
        if self._tree is None:
            self._tree = self._keyring.tree(self._path)
        return self._tree


class Decryptor:
    """What deep verification is handed where keys are held: opens segments, tells why where it cannot."""

    def __init__(self, keyring: Keyring, store: str) -> None:
        self._keyring = keyring
        self._store = store

    def partition(self, path: str) -> PartitionKeys:
        """The keys of the content object at ``path``."""
        return PartitionKeys(self._keyring, self._store, path)

    def survivors(self, subjects: Collection[str]) -> list[str]:
        """Those of the subjects that have a key or an identifier here, though the ledger says that they have none."""
        return Destruction(self._keyring).survivors(subjects)


def reason(error: EvidenceError) -> str:
    """Why content cannot be shown, as the state that people read."""
    return _STATES.get(type(error).__name__, "tampered")


_STATES = {
    "ErasedError": "erased",
    "KeyringError": "unverifiable",
    "ConfigError": "unverifiable",
    "LostError": "lost",
    "MissingObjectError": "lost",
    "StorageError": "unverifiable",
    "UnverifiableError": "unverifiable",
}
