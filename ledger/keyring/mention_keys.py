"""The keys of the mention index: what its rows are found by, and what they are sealed under.

They follow from the newest epoch key. So whoever rotates the epoch and destroys the old one makes noise of every copy
of an index that was made before, wherever it is; the next scan makes another.
"""

from __future__ import annotations

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import KeyringError
from ledger.kdf import derive
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import Keyring

_ROOT = b"evidence/v1/mentions"


class MentionKeys:
    """Keys of one epoch; they stay here, what they make goes out."""

    def __init__(self, keyring: Keyring) -> None:
        root = keyring.derived(_ROOT)
        self._index = derive(root, b"index")
        self._owners = derive(root, b"owners")
        self._aead = AESGCM(derive(root, b"seal"))
        self.mark = derive(root, b"mark")
        """The same for the same keys: it says whether an index is theirs, and nothing else."""

    def mac(self, identifier: Identifier) -> bytes:
        """What the mentions of an identifier are found by: 16 bytes over type, 0x00 and value as they are given."""
        data = f"{identifier.type}\0{identifier.value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._index, data, "sha256")[:16]

    def owner_mac(self, reference: str) -> bytes:
        """What the mentions in the content of one owner are found by."""
        return hmac.digest(self._owners, reference.encode(), "sha256")[:16]

    def seal(self, mac: bytes, plain: bytes) -> bytes:
        """A row, bound to what it is found by."""
        nonce = secrets.token_bytes(12)
        return nonce + self._aead.encrypt(nonce, plain, mac)

    def open(self, mac: bytes, sealed: bytes) -> bytes:
        """The inverse of seal. Raises KeyringError for a row of other keys, or one that was altered."""
        try:
            return self._aead.decrypt(sealed[:12], sealed[12:], mac)
        except (InvalidTag, ValueError):
            raise KeyringError(
                "a row of the mention index cannot be opened", hint="Delete mentions.db in the cache and scan again."
            ) from None
