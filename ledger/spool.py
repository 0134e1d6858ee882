"""The spool: where records wait for sealing, encrypted and durable.

A frame is u64 number || u32 length || nonce || AES-256-GCM(ephemeral key, u32 length of the fields || fields ||
content), bound to
the spool and the frame's number. The key stands in the keyring and is destroyed once a partition holds the frames.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger import canonical
from ledger.durable import make_folder, sync_folder, write_synced
from ledger.errors import AccessNotRecordedError, ConfigError, EvidenceError, FormatError

SUFFIX: Final = ".spool"
IDENTITY: Final = "folder-id"
"""The file that holds a spool folder's own reference."""
MAX_FRAME: Final = 16 * 1024 * 1024
_HEAD: Final = 12
_OVERHEAD: Final = 28
"""Bytes of a frame's nonce and authentication tag."""


class Frame(NamedTuple):
    """One record that waits: its number in the spool, its line's fields, its content."""

    number: int
    fields: dict[str, Any]
    content: bytes


class Contents(NamedTuple):
    """What could be read of a spool, how many bytes between its frames could not, and what could not behind them."""

    frames: list[Frame]
    between: int = 0
    behind: bytes = b""

    def may_hold_more(self, last: int) -> bool:
        """Whether an acknowledged frame may stand among the bytes that could not be read.

        ``last`` is the last number that was taken. Its frame, cut short, is what a dying process leaves, and nothing
        can follow it.
        """
        if {frame.number for frame in self.frames} >= set(range(1, last + 1)):
            return False
        return self.between >= _HEAD + _OVERHEAD or not self._ends_with_cut_frame(last)

    def _ends_with_cut_frame(self, last: int) -> bool:
        if len(self.behind) < _HEAD + _OVERHEAD:
            return True
        number, length = _head(self.behind, 0)
        return number == last and len(self.behind) - _HEAD < length <= MAX_FRAME


class SpoolFile:
    """One process's spool, locked for as long as it is open. Several threads may write to it."""

    def __init__(self, folder: Path, spool: str, key: bytes) -> None:
        self.spool = spool
        self._cipher = AESGCM(key)
        self._turn = threading.RLock()
        path = folder / f"{spool}{SUFFIX}"
        try:
            make_folder(folder, 0o700)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AccessNotRecordedError(f"cannot open the spool: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            sync_folder(folder)
            self._end = os.fstat(self._file).st_size
        except OSError as error:
            self.close()
            raise AccessNotRecordedError(f"cannot open the spool: {error.strerror}") from None

    @property
    def closed(self) -> bool:
        """Whether it takes no more frames: it was closed, or what a failed write left could not be taken back."""
        return self._file < 0

    def append(self, frame: Frame) -> None:
        """Write one frame; durable when it returns. Raises AccessNotRecordedError if that fails.

        What a failed write leaves is cut off again: a later frame never stands behind a torn one.
        """
        data = self._sealed(frame)
        with self._turn:
            if self.closed:
                raise AccessNotRecordedError("the spool is closed")
            try:
                self._cut_back()
                _write(self._file, data)
            except OSError as error:
                self._recover()
                raise _refused(error) from None
            try:
                os.fsync(self._file)
            except OSError as error:
                # The kernel may have dropped what it could not write, and report success from now on.
                self._recover()
                self.close()
                raise _refused(error) from None
            self._end += len(data)

    def close(self) -> None:
        """Let the lock go."""
        with self._turn:
            if not self.closed:
                os.close(self._file)
                self._file = -1

    def _sealed(self, frame: Frame) -> bytes:
        fields = canonical.encode(frame.fields)
        plain = len(fields).to_bytes(4, "big") + fields + frame.content
        if len(plain) + _OVERHEAD > MAX_FRAME:
            raise AccessNotRecordedError(f"an access record has at most {MAX_FRAME - _OVERHEAD} bytes")
        nonce = secrets.token_bytes(12)
        sealed = nonce + self._cipher.encrypt(nonce, plain, _bound(self.spool, frame.number))
        return frame.number.to_bytes(8, "big") + len(sealed).to_bytes(4, "big") + sealed

    def _cut_back(self) -> None:
        """Cut off what an append that failed or was interrupted has left."""
        if os.fstat(self._file).st_size != self._end:
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)

    def _recover(self) -> None:
        try:
            self._cut_back()
        except OSError:
            self.close()


def identity(folder: Path) -> str | None:
    """The reference of a spool folder, or None if it has none. Raises ConfigError if it cannot be read.

    It says whether a spool that is not in the folder is missing, or lies in the folder of another installation.
    """
    try:
        text = (folder / IDENTITY).read_text("ascii")
        if len(bytes.fromhex(text)) != 16:
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        raise ConfigError(f"{folder / IDENTITY} cannot be read") from None
    return text.strip()


def identify(folder: Path) -> str:
    """The reference of a spool folder, made if it has none; durable when it returns. Raises AccessNotRecordedError."""
    try:
        make_folder(folder, 0o700)
        if identity(folder) is None:
            _make_identity(folder)
        sync_folder(folder)
    except OSError as error:
        raise AccessNotRecordedError(f"cannot write to the spool folder: {error.strerror}") from None
    found = identity(folder)
    if found is None:
        raise AccessNotRecordedError("the spool folder is gone")
    return found


def _make_identity(folder: Path) -> None:
    """Of several processes that make one, one wins."""
    scratch = folder / f".{IDENTITY}.{secrets.token_hex(4)}"
    try:
        write_synced(scratch, secrets.token_hex(16).encode() + b"\n")
        with suppress(FileExistsError):
            os.link(scratch, folder / IDENTITY)
    finally:
        scratch.unlink(missing_ok=True)


def read(folder: Path, spool: str, key: bytes) -> Contents:
    """What a spool holds; nothing, where it has no file. A frame that cannot be read does not hide those behind it."""
    try:
        data = (folder / f"{spool}{SUFFIX}").read_bytes()
    except FileNotFoundError:
        return Contents([])
    frames: dict[int, Frame] = {}
    between = end = 0
    for start, stop, frame in _frames(data, spool, AESGCM(key)):
        between += start - end
        end = stop
        frames.setdefault(frame.number, frame)
    return Contents(list(frames.values()), between, data[end:])


def read_frames(folder: Path, spool: str, key: bytes) -> list[Frame]:
    """The complete frames of a spool; a frame cut short by a crash was never acknowledged and is left out."""
    return read(folder, spool, key).frames


def exists(folder: Path, spool: str) -> bool:
    """Whether a spool has a file."""
    return (folder / f"{spool}{SUFFIX}").exists()


def in_use(folder: Path, spool: str) -> bool:
    """Whether a living process writes to this spool. Those who ask do not disturb one another."""
    try:
        with (folder / f"{spool}{SUFFIX}").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def remove(folder: Path, spool: str) -> None:
    """Delete a spool whose frames a partition holds."""
    (folder / f"{spool}{SUFFIX}").unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it: one call may take a part only."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _refused(error: OSError) -> AccessNotRecordedError:
    return AccessNotRecordedError(f"cannot write to the spool: {error.strerror}")


def _frames(data: bytes, spool: str, cipher: AESGCM) -> Iterator[tuple[int, int, Frame]]:
    """Every frame that opens, with the bytes from which and up to which it stands.

    After bytes that do not open, the next frame is looked for: its number begins with zeros.
    """
    at = 0
    while 0 <= at <= len(data) - _HEAD - _OVERHEAD:
        number, length = _head(data, at)
        stop = at + _HEAD + length
        frame = None
        if number and _OVERHEAD <= length <= MAX_FRAME and stop <= len(data):
            frame = _opened(data[at + _HEAD : stop], number, spool, cipher)
        if frame is None:
            at = data.find(bytes(4), at + 1)
        else:
            yield at, stop, frame
            at = stop


def _head(data: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(data[at : at + 8], "big"), int.from_bytes(data[at + 8 : at + _HEAD], "big")


def _opened(sealed: bytes, number: int, spool: str, cipher: AESGCM) -> Frame | None:
    try:
        return _frame(number, cipher.decrypt(sealed[:12], sealed[12:], _bound(spool, number)))
    except (InvalidTag, EvidenceError):
        return None


def _frame(number: int, plain: bytes) -> Frame:
    end = 4 + int.from_bytes(plain[:4], "big")
    fields: Mapping[str, Any] = canonical.decode(plain[4:end])
    if not isinstance(fields, dict):
        raise FormatError("a spool frame without fields")
    return Frame(number, dict(fields), plain[end:])


def _bound(spool: str, number: int) -> bytes:
    return b"evidence/v1/spool" + spool.encode() + number.to_bytes(8, "big")
