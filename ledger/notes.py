"""C2SP signed-note/v1.0.0: text followed by signature lines of named Ed25519 keys.

The signed bytes are the text with its final newline, without the empty line that splits it from the signatures.
Parsing is stricter than the specification in one respect: base64 and keys have exactly one spelling.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import FormatError, TamperedError, UnverifiableError, UsageError

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_ML_DSA_44 = 0x06
"""Reserved: the number is C2SP's, no key of this type is made or verified here."""

MAX_NOTE = 1 << 20
MAX_SIGNATURES = 64
KEY_ID_SIZE = 4

_PREFIX = "\N{EM DASH} "
_KEY_SIZE = 32
_CONTROLS = bytes(set(range(0x20)) - {0x0A})


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who claims to have signed, and what follows the key ID (64 bytes for a plain Ed25519)."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> bytes:
        """The line as it stands in a note, with its newline."""
        encoded = base64.b64encode(self.key_id + self.signature).decode()
        return f"{_PREFIX}{self.name} {encoded}\n".encode()


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was parsed: nothing is verified. ``text`` ends in a newline."""

    text: bytes
    signatures: tuple[Signature, ...]


class Verifier:
    """A public key with its name. Raises FormatError for a name that a note cannot carry, or a malformed key."""

    algorithm: ClassVar[int] = ED25519
    __slots__ = ("_key", "key_id", "name", "public_key")

    def __init__(self, name: str, public_key: bytes) -> None:
        _check_name(name)
        if len(public_key) != _KEY_SIZE:
            raise FormatError(f"an Ed25519 public key has {_KEY_SIZE} bytes, not {len(public_key)}")
        self.name = name
        self.public_key = public_key
        self.key_id = sha256(name.encode() + b"\n" + bytes([self.algorithm]) + public_key).digest()[:KEY_ID_SIZE]
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    @classmethod
    def from_vkey(cls, text: str) -> Self:
        """From ``<name>+<key ID, 8 hex>+<base64(type || public key)>``. Raises FormatError, also for another type."""
        name, key = _split_key(text, "verifier key")
        if key[0] != cls.algorithm:
            raise FormatError(f"verifier key has type 0x{key[0]:02x} instead of 0x{cls.algorithm:02x}")
        verifier = cls(name, key[1:])
        if verifier.vkey != text:
            raise FormatError("verifier key does not match its key ID, or is not in its canonical spelling")
        return verifier

    @property
    def vkey(self) -> str:
        """The key as text, to hand to those who verify."""
        encoded = base64.b64encode(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a signature over ``text``. Raises TamperedError."""
        self._verify_message(text, signature)

    def _verify_message(self, message: bytes, signature: bytes) -> None:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise TamperedError(f"the signature by {self.name} ({self.key_id.hex()}) does not verify") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verifier) and other.vkey == self.vkey

    def __hash__(self) -> int:
        return hash(self.vkey)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.vkey})"


class Signer:
    """A private key with its name. ``seed``: the 32 bytes of RFC 8032. Raises FormatError as Verifier does."""

    algorithm: ClassVar[int] = ED25519
    __slots__ = ("_key", "_seed", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        self._seed = seed
        self._key = private_key(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new random key."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_skey(cls, text: str) -> Self:
        """From ``PRIVATE+KEY+<name>+<key ID, 8 hex>+<base64(0x01 || seed)>``. Raises FormatError, without the key."""
        prefix = "PRIVATE+KEY+"
        if not text.startswith(prefix):
            raise FormatError("signer key does not begin with PRIVATE+KEY+")
        name, key = _split_key(text.removeprefix(prefix), "signer key")
        if key[0] != cls.algorithm:
            raise FormatError(f"signer key has type 0x{key[0]:02x} instead of 0x{cls.algorithm:02x}")
        signer = cls(name, key[1:])
        if signer.skey() != text:
            raise FormatError("signer key does not match its key ID, or is not in its canonical spelling")
        return signer

    @property
    def name(self) -> str:
        """The key name."""
        return self.verifier.name

    @property
    def key_id(self) -> bytes:
        """The 4-byte key ID."""
        return self.verifier.key_id

    @property
    def vkey(self) -> str:
        """The public key as text."""
        return self.verifier.vkey

    def skey(self) -> str:
        """The private key as text: a secret."""
        encoded = base64.b64encode(bytes([self.algorithm]) + self._seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.key_id.hex()}+{encoded}"

    def sign(self, text: str | bytes) -> bytes:
        """The signature line over a note's text. Raises FormatError where no note can have that text."""
        data = _text_bytes(text)
        return Signature(self.name, self.key_id, self._key.sign(data)).line()

    def sign_message(self, message: bytes) -> bytes:
        """The bare signature (64 bytes) over what is no note: its own first bytes must say what it is instead."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.vkey})"


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note that at least one known key has signed; ``verified`` in the order of the signature lines."""

    text: bytes
    verified: tuple[Verifier, ...]


def sign_note(text: str | bytes, *signers: Signer, limit: int = MAX_NOTE) -> bytes:
    """The whole note: text, empty line, one signature line a signer. Raises FormatError."""
    data = _text_bytes(text)
    return assemble_note(data, *(signer.sign(data) for signer in signers), limit=limit)


def assemble_note(text: bytes, *lines: bytes, limit: int = MAX_NOTE) -> bytes:
    """A note from its text and signature lines made elsewhere. Raises FormatError where they do not make a note."""
    note = text + b"\n" + b"".join(lines)
    if parse_note(note, limit).text != text:
        raise FormatError("the signature lines do not continue this text")
    return note


def parse_note(data: bytes, limit: int = MAX_NOTE) -> Note:
    """Split a note into text and signatures, verifying nothing. Raises FormatError on anything malformed.

    ``limit``: bytes that a note of this kind may have.
    """
    if len(data) > limit:
        raise FormatError(f"a note of {len(data)} bytes is longer than {limit}")
    # The last empty line splits: a text may itself hold empty lines, and lines that look like signatures.
    split = data.rfind(b"\n\n")
    if split < 0:
        raise FormatError("a note has no empty line before its signatures")
    text, block = data[: split + 1], data[split + 2 :]
    check_text(text)
    if not block.endswith(b"\n"):
        raise FormatError("a note does not end in a signature line")
    lines = _decode(block).removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise FormatError(f"a note has {len(lines)} signatures, more than {MAX_SIGNATURES}")
    return Note(text, tuple(parse_signature(line) for line in lines))


def parse_signature(line: str) -> Signature:
    """One signature line, without its newline. Raises FormatError."""
    name, space, encoded = line.removeprefix(_PREFIX).partition(" ")
    if not line.startswith(_PREFIX) or not space:
        raise FormatError("a signature line is malformed")
    _check_name(name)
    blob = decode_base64(encoded, "signature")
    if len(blob) <= KEY_ID_SIZE:
        raise FormatError("a signature line holds no signature")
    return Signature(name, blob[:KEY_ID_SIZE], blob[KEY_ID_SIZE:])


def open_note(data: bytes, verifiers: Sequence[Verifier], limit: int = MAX_NOTE) -> OpenedNote:
    """Verify a note against the keys that the caller trusts.

    Signatures by unknown keys are ignored, also where only name or key ID match. Raises FormatError for a malformed
    note, TamperedError where a known key's signature is wrong, UnverifiableError where no known key has signed.
    """
    note = parse_note(data, limit)
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise UsageError(f"two different keys share the name {verifier.name} and the ID {verifier.key_id.hex()}")
    verified: dict[Verifier, None] = {}
    for signature in note.signatures:
        signer = known.get((signature.name, signature.key_id))
        if signer is not None:
            signer.verify(note.text, signature.signature)
            verified[signer] = None
    if not verified:
        names = sorted({f"{each.name} ({each.key_id.hex()})" for each in note.signatures})
        raise UnverifiableError(f"no known key has signed; signed by: {', '.join(names)}")
    return OpenedNote(note.text, tuple(verified))


def private_key(seed: bytes) -> Ed25519PrivateKey:
    """The key of an RFC 8032 seed. Raises FormatError unless it has 32 bytes."""
    if len(seed) != _KEY_SIZE:
        raise FormatError(f"an Ed25519 seed has {_KEY_SIZE} bytes, not {len(seed)}")
    return Ed25519PrivateKey.from_private_bytes(seed)


def decode_base64(text: str, what: str) -> bytes:
    """Standard base64 in its one canonical spelling. Raises FormatError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError(f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise FormatError(f"{what} is not canonical base64")
    return data


def _split_key(text: str, what: str) -> tuple[str, bytes]:
    """Name and (type || key). The key ID between them is checked by writing the whole text again."""
    # The base64 may itself hold plus signs.
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise FormatError(f"{what} does not have three parts")
    key = decode_base64(parts[2], what)
    if not key:
        raise FormatError(f"{what} is empty")
    return parts[0], key


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() or char < " " or "\ud800" <= char <= "\udfff" for char in name):
        raise FormatError("a key name is empty, or holds a space, a plus sign or a control character")


def _text_bytes(text: str | bytes) -> bytes:
    if isinstance(text, str):
        try:
            text = text.encode()
        except UnicodeEncodeError:
            raise FormatError("a note's text holds a lone surrogate") from None
    check_text(text)
    return text


def check_text(text: bytes) -> str:
    """The text of a note as characters. Raises FormatError where no note can have it."""
    if not text.endswith(b"\n"):
        raise FormatError("a note's text does not end in a newline")
    return _decode(text)


def _decode(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FormatError("a note is not UTF-8") from None
    if len(data.translate(None, _CONTROLS)) != len(data):
        raise FormatError("a note holds a control character")
    return text
