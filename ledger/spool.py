"""The spool: where records wait for sealing, encrypted and durable.

A frame is u64 number || u32 length || nonce || AES-256-GCM(ephemeral key, u32 length of the fields || fields ||
content), bound to
the spool and the frame's number. The key stands in the keyring and is destroyed once a partition holds the frames.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger import canonical
from ledger.errors import AccessNotRecordedError, EvidenceError, FormatError

SUFFIX: Final = ".spool"
MAX_FRAME: Final = 16 * 1024 * 1024
_OVERHEAD: Final = 28
"""Bytes of a frame's nonce and authentication tag."""


class Frame(NamedTuple):
    """One record that waits: its number in the spool, its line's fields, its content."""

    number: int
    fields: dict[str, Any]
    content: bytes


class SpoolFile:
    """One process's spool, locked for as long as it is open."""

    def __init__(self, folder: Path, spool: str, key: bytes) -> None:
        self.spool = spool
        self._cipher = AESGCM(key)
        self._path = folder / f"{spool}{SUFFIX}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        except OSError as error:
            raise AccessNotRecordedError(f"cannot open the spool: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH)
            _sync_folder(folder)
        except OSError as error:
            self._file.close()
            raise AccessNotRecordedError(f"cannot open the spool: {error.strerror}") from None

    def append(self, frame: Frame) -> None:
        """Write one frame; durable when it returns. Raises AccessNotRecordedError if that fails."""
        fields = canonical.encode(frame.fields)
        plain = len(fields).to_bytes(4, "big") + fields + frame.content
        if len(plain) + _OVERHEAD > MAX_FRAME:
            raise AccessNotRecordedError(f"an access record has at most {MAX_FRAME - _OVERHEAD} bytes")
        nonce = secrets.token_bytes(12)
        sealed = nonce + self._cipher.encrypt(nonce, plain, _bound(self.spool, frame.number))
        head = frame.number.to_bytes(8, "big") + len(sealed).to_bytes(4, "big")
        try:
            self._file.write(head + sealed)
            self._file.flush()
            os.fsync(self._file.fileno())
        except (OSError, ValueError) as error:
            raise AccessNotRecordedError(f"cannot write to the spool ({type(error).__name__})") from None

    def close(self) -> None:
        """Let the lock go."""
        self._file.close()


def read_frames(folder: Path, spool: str, key: bytes) -> list[Frame]:
    """The complete frames of a spool; a frame cut short by a crash was never acknowledged and is left out."""
    path = folder / f"{spool}{SUFFIX}"
    if not path.exists():
        return []
    with path.open("rb") as file:
        return list(_frames(file, spool, AESGCM(key)))


def exists(folder: Path, spool: str) -> bool:
    """Whether a spool has a file."""
    return (folder / f"{spool}{SUFFIX}").exists()


def in_use(folder: Path, spool: str) -> bool:
    """Whether a living process holds this spool."""
    path = folder / f"{spool}{SUFFIX}"
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def remove(folder: Path, spool: str) -> None:
    """Delete a spool whose frames a partition holds."""
    (folder / f"{spool}{SUFFIX}").unlink(missing_ok=True)


def _frames(file: BinaryIO, spool: str, cipher: AESGCM) -> Iterator[Frame]:
    while len(head := file.read(12)) == 12:
        number, length = int.from_bytes(head[:8], "big"), int.from_bytes(head[8:], "big")
        if not _OVERHEAD <= length <= MAX_FRAME:
            return
        sealed = file.read(length)
        if len(sealed) < length:
            return
        try:
            plain = cipher.decrypt(sealed[:12], sealed[12:], _bound(spool, number))
            yield _frame(number, plain)
        except (InvalidTag, EvidenceError):
            return


def _frame(number: int, plain: bytes) -> Frame:
    end = 4 + int.from_bytes(plain[:4], "big")
    fields: Mapping[str, Any] = canonical.decode(plain[4:end])
    if not isinstance(fields, dict):
        raise FormatError("a spool frame without fields")
    return Frame(number, dict(fields), plain[end:])


def _bound(spool: str, number: int) -> bytes:
    return b"evidence/v1/spool" + spool.encode() + number.to_bytes(8, "big")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
