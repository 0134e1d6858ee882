"""Content segments: the slices of one owner and one session in one partition, sealed together.

    plaintext  = salt (32 bytes) || (u32 big-endian length || slice)*
    sealed     = AES-256-GCM(segment key, nonce, zstd(plaintext), associated data = context)
    segment key = HKDF-SHA256(IKM = owner's data key, salt = leaf key, info = context)
    commitment = SHA-256(HMAC-SHA256(segment salt, u32 index) || slice)

The salt lives only inside the ciphertext, so a commitment says nothing once the key is gone. After every
decryption the caller recomputes the commitment: AES-GCM alone does not commit to its key.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger import compression
from ledger.errors import FormatError, TamperedError

SALT_BYTES: Final = 32
NONCE_BYTES: Final = 12
CHUNK: Final = 16 * 1024 * 1024
"""A slice above this many bytes is cut into chunks, each in a segment of its own."""
MAX_PLAINTEXT: Final = 2 * CHUNK
"""Bytes a segment's plaintext may have: bounds what a hostile frame can make a reader allocate."""

_INFO: Final = b"evidence/v1/segment"
_RESEALED: Final = b"evidence/v1/resealed"
_HMAC_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class SegmentId(NamedTuple):
    """What a segment is bound to: store id, content object's path, number in it, owner and key version."""

    store: str
    path: str
    segment: int
    owner: str
    version: int

    def context(self, *, resealed: bool = False) -> bytes:
        """The HKDF info and associated data: each field length-prefixed (u32 big-endian)."""
        fields = (
            _RESEALED if resealed else _INFO,
            self.store.encode(),
            self.path.encode(),
            self.segment.to_bytes(4, "big"),
            self.owner.encode(),
            self.version.to_bytes(4, "big"),
        )
        return b"".join(len(item).to_bytes(4, "big") + item for item in fields)


class Sealed(NamedTuple):
    """A segment as stored."""

    nonce: bytes
    ciphertext: bytes


class Opened(NamedTuple):
    """A segment's salt and slices."""

    salt: bytes
    slices: list[bytes]


def segment_key(owner_key: bytes, leaf_key: bytes, context: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) with one output block of 32 bytes."""
    extracted = hmac.digest(leaf_key, owner_key, "sha256")
    return hmac.digest(extracted, context + b"\x01", "sha256")


def row_key(salt: bytes, index: int) -> bytes:
    """The prefix that discloses one row without its neighbours: HMAC-SHA256(salt, u32 index)."""
    return hmac.digest(salt, index.to_bytes(4, "big"), "sha256")


def commitment_of(key: bytes, data: bytes) -> bytes:
    """The salted commitment to one slice under its row key: SHA-256(row key || slice)."""
    return sha256(key + data).digest()


class Commitments:
    """The salted commitments to the slices of one segment: SHA-256(HMAC-SHA256(salt, u32 index) || slice).

    HMAC is written out (RFC 2104): with the two forms of its key made once a segment, it costs half of a call each.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, salt: bytes) -> None:
        key = salt.ljust(_HMAC_BLOCK, b"\0")
        self._inner, self._outer = key.translate(_INNER), key.translate(_OUTER)

    def of(self, index: int, data: bytes) -> bytes:
        """The commitment to one slice."""
        key = sha256(self._outer + sha256(self._inner + index.to_bytes(4, "big")).digest()).digest()
        return sha256(key + data).digest()


def new_salt() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(SALT_BYTES)


def seal(key: bytes, context: bytes, salt: bytes, slices: Sequence[bytes]) -> Sealed:
    """Compress and encrypt one segment under a fresh random nonce."""
    pieces = [salt]
    for data in slices:
        pieces += (len(data).to_bytes(4, "big"), data)
    nonce = secrets.token_bytes(NONCE_BYTES)
    frame = compression.compress(b"".join(pieces))
    return Sealed(nonce, AESGCM(key).encrypt(nonce, frame, context))


def unseal(key: bytes, context: bytes, sealed: Sealed) -> Opened:
    """Decrypt one segment. Raises TamperedError if the key or any byte is wrong, FormatError on a bad frame,
    UnverifiableError for a dictionary that this release does not have.
    """
    try:
        frame = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, context)
    except (InvalidTag, ValueError):
        raise TamperedError("a content segment does not decrypt under its key") from None
    plain = compression.decompress(frame, SALT_BYTES, MAX_PLAINTEXT)
    return Opened(plain[:SALT_BYTES], _split(plain))


class Kept(NamedTuple):
    """A row of a resealed segment: the key of its commitment and its slice."""

    row_key: bytes
    slice: bytes


def reseal(key: bytes, context: bytes, rows: Mapping[int, Kept]) -> Sealed:
    """Seal rows of a segment again, by slot, without its salt: what was taken out cannot be guessed against."""
    pieces: list[bytes] = []
    for slot, kept in sorted(rows.items()):
        pieces += (slot.to_bytes(4, "big"), kept.row_key, len(kept.slice).to_bytes(4, "big"), kept.slice)
    nonce = secrets.token_bytes(NONCE_BYTES)
    return Sealed(nonce, AESGCM(key).encrypt(nonce, compression.compress(b"".join(pieces)), context))


def unseal_resealed(key: bytes, context: bytes, sealed: Sealed) -> dict[int, Kept]:
    """The rows of a resealed segment by slot. Raises like ``unseal``."""
    try:
        frame = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, context)
    except (InvalidTag, ValueError):
        raise TamperedError("a content segment does not decrypt under its key") from None
    plain = compression.decompress(frame, _KEPT_HEAD, MAX_PLAINTEXT)
    rows: dict[int, Kept] = {}
    at = 0
    while at < len(plain):
        slot, length = (int.from_bytes(plain[at + shift : at + shift + 4], "big") for shift in (0, 36))
        end = at + _KEPT_HEAD + length
        if at + _KEPT_HEAD > len(plain) or end > len(plain) or slot in rows:
            raise FormatError("a resealed segment is cut short, or holds a row twice")
        rows[slot] = Kept(plain[at + 4 : at + 36], plain[at + _KEPT_HEAD : end])
        at = end
    return rows


_KEPT_HEAD: Final = 40


def _split(plain: bytes) -> list[bytes]:
    at, end = SALT_BYTES, len(plain)
    slices = []
    while at < end:
        length = int.from_bytes(plain[at : at + 4], "big")
        at += 4
        if at + length > end:
            raise FormatError("a content segment is cut short")
        slices.append(plain[at : at + length])
        at += length
    return slices
