"""C2SP tlog-checkpoint/v1.0.0: the signed statement of a log's size and root."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ledger import merkle, notes
from ledger.errors import FormatError, UnverifiableError, UsageError
from ledger.notes import Signer, Verifier

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``size`` leaves under ``root`` (32 bytes) of the log named ``origin``. Raises FormatError for impossible values.

    ``extensions`` are opaque lines, kept for reading other logs' checkpoints: no cosigner vouches for them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= merkle.MAX_SIZE:
            raise FormatError(f"checkpoint size {self.size} is out of range")
        if len(self.root) != merkle.HASH_SIZE:
            raise FormatError(f"checkpoint root has {len(self.root)} bytes instead of {merkle.HASH_SIZE}")
        if self.size == 0 and self.root != merkle.EMPTY_ROOT:
            raise FormatError("checkpoint of size 0 does not have the root of the empty tree")
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise FormatError("checkpoint lines are not empty and hold no newline")
        notes.check_text(self.text())

    def text(self) -> bytes:
        """The text to sign, with its final newline."""
        encoded = base64.b64encode(self.root).decode()
        lines = (self.origin, str(self.size), encoded, *self.extensions)
        # A lone surrogate becomes bytes that are not UTF-8, which the constructor refuses.
        return "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read a note's text. Raises FormatError unless it is the one spelling of a checkpoint."""
    lines = notes.check_text(text).removesuffix("\n").split("\n")
    if len(lines) < 3:
        raise FormatError(f"checkpoint has {len(lines)} lines, fewer than 3")
    origin, size, root, *extensions = lines
    return Checkpoint(
        origin=origin,
        size=parse_decimal(size, "checkpoint size"),
        root=notes.decode_base64(root, "checkpoint root"),
        extensions=tuple(extensions),
    )


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The signed note. Raises UsageError unless the key is named as the origin, which ``open_checkpoint`` demands."""
    if signer.name != checkpoint.origin:
        raise UsageError(f"a key named {signer.name} cannot sign a checkpoint of {checkpoint.origin}")
    return notes.sign_note(checkpoint.text(), signer)


def open_checkpoint(note: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    """Verify a signed checkpoint against the trusted keys of its log (and, optionally, of cosigners).

    Raises as ``notes.open_note``; and UnverifiableError where none of the keys that signed is a key of the log itself
    (Ed25519, named as the origin): a cosigner alone does not speak for the log, nor does one log for another.
    """
    opened = notes.open_note(note, verifiers)
    checkpoint = parse_checkpoint(opened.text)
    if not any(key.name == checkpoint.origin and key.algorithm == notes.ED25519 for key in opened.verified):
        names = ", ".join(sorted({key.name for key in opened.verified}))
        raise UnverifiableError(f"checkpoint of {checkpoint.origin} is signed by {names}, by no known key of that log")
    return checkpoint


def parse_decimal(text: str, what: str) -> int:
    """ASCII decimal without sign or leading zeros, up to 2^63 - 1. Raises FormatError."""
    if not _DECIMAL.fullmatch(text) or int(text) > merkle.MAX_SIZE:
        raise FormatError(f"{what} is not a decimal number in range")
    return int(text)
