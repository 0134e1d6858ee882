"""OpenSSH signatures of files (``ssh-keygen -Y sign``), for Ed25519 keys. Source: PROTOCOL.sshsig of OpenSSH.

Strict: one spelling of everything, nothing behind the signature, no other key type or hash. No OpenSSH is needed here.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import FormatError, TamperedError
from ledger.notes import decode_base64

MAGIC: Final = b"SSHSIG"
VERSION: Final = 1
KEY_TYPE: Final = b"ssh-ed25519"
HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
MAX_ARMOUR: Final = 4096
"""Bytes of an armoured signature: one by an Ed25519 key has about 300."""

_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_COLUMNS: Final = 70
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64


class SshSignature(NamedTuple):
    """A parsed signature; nothing is verified. ``base64`` is the whole of it in one line."""

    public_key: bytes
    namespace: bytes
    hash_name: bytes
    signature: bytes
    base64: str


def parse(armoured: bytes) -> SshSignature:
    """A signature from its armoured text. Raises FormatError for anything that is not exactly one of an Ed25519 key."""
    if len(armoured) > MAX_ARMOUR:
        raise FormatError(f"an SSH signature of {len(armoured)} bytes is longer than {MAX_ARMOUR}")
    try:
        lines = armoured.decode("ascii").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise FormatError("an SSH signature is not ASCII") from None
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise FormatError(f"an SSH signature begins with {_BEGIN} and ends with {_END}")
    return parse_base64("".join(lines[1:-1]))


def parse_base64(text: str) -> SshSignature:
    """A signature from its base64 without armour. Raises FormatError."""
    if len(text) > MAX_ARMOUR:
        raise FormatError("an SSH signature is too long")
    blob = decode_base64(text, "an SSH signature")
    if not blob.startswith(MAGIC) or len(blob) < len(MAGIC) + 4:
        raise FormatError("an SSH signature does not begin with SSHSIG")
    (version,) = struct.unpack_from(">I", blob, len(MAGIC))
    if version != VERSION:
        raise FormatError(f"an SSH signature of version {version}, not {VERSION}")
    key, namespace, reserved, hash_name, signature = _strings(blob[len(MAGIC) + 4 :], 5)
    if reserved:
        raise FormatError("an SSH signature uses its reserved field")
    if hash_name not in HASHES:
        raise FormatError("an SSH signature is over another hash than SHA-256 or SHA-512")
    public_key = _typed(key, "key", _KEY_BYTES)
    return SshSignature(public_key, namespace, hash_name, _typed(signature, "signature", _SIGNATURE_BYTES), text)


def verify(signature: SshSignature, message: bytes, namespace: str) -> None:
    """Check that a signature is over these bytes in this namespace. Raises TamperedError."""
    if signature.namespace != namespace.encode():
        raise TamperedError(f"the SSH signature was made for another use than -n {namespace}")
    hashed = HASHES[signature.hash_name](message).digest()
    fields = (signature.namespace, b"", signature.hash_name, hashed)
    signed = MAGIC + b"".join(struct.pack(">I", len(field)) + field for field in fields)
    try:
        Ed25519PublicKey.from_public_bytes(signature.public_key).verify(signature.signature, signed)
    except InvalidSignature:
        raise TamperedError("the SSH signature is not over this statement") from None


def armour(text: str) -> str:
    """The base64 of a signature as ``ssh-keygen -Y verify`` reads it."""
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def public_line(public_key: bytes) -> str:
    """An Ed25519 key as it stands in an ``id_ed25519.pub`` or an allowed signers file."""
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (KEY_TYPE, public_key))
    return f"{KEY_TYPE.decode()} {base64.b64encode(blob).decode()}"


def _strings(data: bytes, number: int) -> list[bytes]:
    """Exactly so many length-prefixed strings, and nothing behind them."""
    found = []
    at = 0
    for _ in range(number):
        if len(data) - at < 4:
            raise FormatError("an SSH signature ends too early")
        (length,) = struct.unpack_from(">I", data, at)
        at += 4
        if length > len(data) - at:
            raise FormatError("an SSH signature ends too early")
        found.append(data[at : at + length])
        at += length
    if at != len(data):
        raise FormatError("an SSH signature holds more than it should")
    return found


def _typed(blob: bytes, what: str, size: int) -> bytes:
    """The value of a key or signature blob, which names its type first."""
    kind, value = _strings(blob, 2) if blob[4 : 4 + len(KEY_TYPE)] == KEY_TYPE else (b"", b"")
    if kind != KEY_TYPE:
        raise FormatError(f"an SSH {what} is not of type ssh-ed25519: only such keys can approve")
    if len(value) != size:
        raise FormatError(f"an ssh-ed25519 {what} has {size} bytes, not {len(value)}")
    return value
