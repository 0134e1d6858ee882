"""Content in a revocable bundle: each record's sealed under a key of this export alone, which a grant hands out later.

The key follows from the record's row key. The store keeps no list of such keys: it derives one again while it can open
the record, and no longer. Once the person's key is destroyed nobody can, but for those who have kept one.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import FormatError, TamperedError

EXPORT_BYTES: Final = 16
RECORD_BYTES: Final = 32
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
OVERHEAD: Final = NONCE_BYTES + 16 + KEY_BYTES + 4
"""Bytes that sealed content has besides content and parts: nonce, tag, row key, a length."""
_INFO: Final = b"evidence/v1/export"
_LABEL: Final = "evidence/sealed/1"


class Unsealed(NamedTuple):
    """A record's content as a bundle has it: the key of its commitment, how the exporter arranged it, its bytes."""

    row_key: bytes
    parts: bytes
    content: bytes


def record_key(export: bytes, record: bytes, row_key: bytes) -> bytes:
    """The key of one record in one export: HKDF-SHA256 (RFC 5869), one block, salted by the export's reference."""
    extracted = hmac.digest(export, row_key, "sha256")
    return hmac.digest(extracted, _INFO + record + b"\x01", "sha256")


def seal(export: bytes, record: bytes, row_key: bytes, parts: bytes, content: bytes) -> bytes:
    """What stands in the bundle. ``export``: the 16 bytes of its reference; ``record``: the record's leaf hash."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    plain = row_key + len(parts).to_bytes(4, "big") + parts + content
    return nonce + AESGCM(record_key(export, record, row_key)).encrypt(nonce, plain, _context(export, record))


def unseal(export: bytes, record: bytes, key: bytes, sealed: bytes) -> Unsealed:
    """Open sealed content with a key that a grant has. Nothing of it is checked against a commitment: see ``fits``.

    Raises TamperedError if key, export, record or any byte is another one, FormatError for what is cut short.
    """
    try:
        plain = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _context(export, record))
    except (InvalidTag, ValueError):
        raise TamperedError("the sealed content does not open with the key that the grant has for it") from None
    start = KEY_BYTES + 4
    end = start + int.from_bytes(plain[KEY_BYTES:start], "big")
    if len(plain) < start or end > len(plain):
        raise FormatError("sealed content is cut short")
    return Unsealed(plain[:KEY_BYTES], plain[start:end], plain[end:])


def fits(opened: Unsealed, export: bytes, record: bytes, key: bytes, commitment: str) -> bool:
    """Whether opened content is what the record commits to, and the key is the one that follows from its row key.

    Without the second an exporter could seal one content under two keys and hand out either: AES-GCM does not commit
    to its key.
    """
    committed = sha256(opened.row_key + opened.content).hexdigest() == commitment
    return committed and record_key(export, record, opened.row_key) == key


def _context(export: bytes, record: bytes) -> bytes:
    return f"{_LABEL}\n{export.hex()}\n{record.hex()}".encode()
