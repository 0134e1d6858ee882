"""The pin: the last verified checkpoint, kept outside the store. Without it an old copy of a store verifies."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger import canonical, checkpoints, notes
from ledger.durable import sync_folder
from ledger.errors import ConfigError, EvidenceError, FormatError, UsageError

TYPE: Final = "evidence/pin/1"
MAX_BYTES: Final = 1024 * 1024


DEPTHS: Final = ("fast", "deep", "content")
"""How much a run reads: objects whole; lines too; content too. Each includes those before it."""


class Reach(NamedTuple):
    """How far runs of one depth have come: partition entries below ``size`` were all read at least that deeply once.

    ``cursor`` is where an incremental run goes on with re-reading them; ``at`` is when the last run was ("": never).
    """

    size: int = 0
    cursor: int = 0
    at: str = ""


@dataclass(frozen=True)
class Pin:
    """The log's key, the checkpoint note, the number of the last commit in it, when it was verified.

    ``reach``: how far each depth of DEPTHS has come: a fast run must not pass for a deep one. ``writers``: the keys
    that could commit as of then; a commit's time counts as known only under one of them.
    """

    vkey: str
    note: str
    seq: int
    verified_at: str
    reach: Mapping[str, Reach] = field(default_factory=dict)
    writers: tuple[str, ...] = ()

    @property
    def verifier(self) -> notes.Verifier:
        """The pinned key."""
        return notes.Verifier.from_vkey(self.vkey)

    @property
    def checkpoint(self) -> checkpoints.Checkpoint:
        """The pinned checkpoint, its signature checked again."""
        return checkpoints.open_checkpoint(self.note.encode(), [self.verifier])

    def reach_of(self, depth: str) -> Reach:
        """How far runs of this depth have come."""
        return self.reach.get(depth, Reach())

    @property
    def level(self) -> str:
        """The deepest level at which everything up to the pinned checkpoint was read."""
        return "deep" if self.reach_of("deep").size >= self.checkpoint.size else "fast"

    def to_bytes(self) -> bytes:
        """Canonical JSON with a final newline."""
        body = {
            "_": TYPE,
            "checkpoint": self.note,
            "reach": {name: self.reach_of(name)._asdict() for name in DEPTHS},
            "seq": self.seq,
            "verified_at": self.verified_at,
            "vkey": self.vkey,
            "writers": list(self.writers),
        }
        return canonical.encode(body) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Pin:
        """The inverse of to_bytes. Raises FormatError."""
        value: Any = canonical.decode(data.removesuffix(b"\n"))
        try:
            if value["_"] != TYPE:
                raise FormatError("not a pin of a known version")
            reach = {name: Reach(**value["reach"][name]) for name in DEPTHS}
            pin = cls(
                value["vkey"], value["checkpoint"], value["seq"], value["verified_at"], reach, tuple(value["writers"])
            )
            pin.checkpoint  # noqa: B018 - a pin whose own signature is wrong is refused when it is read
            [notes.Verifier.from_vkey(vkey) for vkey in pin.writers]
            numbers = [pin.seq, *(number for item in reach.values() for number in (item.size, item.cursor))]
            if datetime.fromisoformat(pin.verified_at).tzinfo is None or min(numbers) < 0:
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
    sync_folder(path.parent)
