"""The pin: the last verified checkpoint, kept outside the store. Without it an old copy of a store verifies."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ledger import canonical, checkpoints, notes
from ledger.errors import ConfigError, EvidenceError, FormatError, UsageError

TYPE: Final = "evidence/pin/1"
MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Pin:
    """The log's key, the checkpoint note, the number of the last commit in it, when and how deep it was verified.

    ``cursor`` is where an incremental verification goes on with the older partitions.
    """

    vkey: str
    note: str
    seq: int
    verified_at: str
    cursor: int = 0
    level: str = "fast"

    @property
    def verifier(self) -> notes.Verifier:
        """The pinned key."""
        return notes.Verifier.from_vkey(self.vkey)

    @property
    def checkpoint(self) -> checkpoints.Checkpoint:
        """The pinned checkpoint, its signature checked again."""
        return checkpoints.open_checkpoint(self.note.encode(), [self.verifier])

    def to_bytes(self) -> bytes:
        """Canonical JSON with a final newline."""
        body = {
            "_": TYPE,
            "checkpoint": self.note,
            "cursor": self.cursor,
            "level": self.level,
            "seq": self.seq,
            "verified_at": self.verified_at,
            "vkey": self.vkey,
        }
        return canonical.encode(body) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Pin:
        """The inverse of to_bytes. Raises FormatError."""
        value: Any = canonical.decode(data.removesuffix(b"\n"))
        try:
            if value["_"] != TYPE:
                raise FormatError("not a pin of a known version")
            pin = cls(
                value["vkey"], value["checkpoint"], value["seq"], value["verified_at"], value["cursor"], value["level"]
            )
            pin.checkpoint  # noqa: B018 - a pin whose own signature is wrong is refused when it is read
            if datetime.fromisoformat(pin.verified_at).tzinfo is None or pin.seq < 0 or pin.cursor < 0:
                raise FormatError("a pin with a malformed time or number")
        except (KeyError, TypeError, AttributeError, ValueError):
            raise FormatError("not a pin of a known version") from None
        return pin


def load(path: Path) -> Pin | None:
    """The pin in a file, or None if there is no file. Raises UsageError for a file that is no pin."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read the pin {path}: {error.strerror}") from None
    try:
        if len(data) > MAX_BYTES:
            raise FormatError("too large")
        return Pin.from_bytes(data)
    except EvidenceError as error:
        raise UsageError(f"{path} is no pin: {error.message}") from None


def save(path: Path, pin: Pin) -> None:
    """Replace the pin, atomically and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with scratch.open("wb") as file:
        file.write(pin.to_bytes())
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
