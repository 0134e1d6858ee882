"""Key-encryption keys that this process holds: from a private file or an environment variable.

Each holds one key, or several while they are changed: the first wraps, all are tried to unwrap.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ledger.clock import utc_now
from ledger.durable import sync_folder
from ledger.errors import ConfigError, KeyringError
from ledger.kek.base import Retired

KEY_BYTES: Final = 32
MAX_KEYS: Final = 8


class LocalKeys:
    """AES-256 key wrap (RFC 3394) under keys of 32 bytes; ``origin`` says in errors where they come from."""

    def __init__(self, keys: Sequence[bytes], origin: str) -> None:
        if not 0 < len(keys) <= MAX_KEYS or any(len(key) != KEY_BYTES for key in keys):
            raise ConfigError(f"the key-encryption key from {origin} must have {KEY_BYTES} bytes")
        self._keys = list(keys)
        self._origin = origin

    def wrap(self, key: bytes) -> bytes:
        """RFC 3394 wrap under the first key."""
        return aes_key_wrap(self._keys[0], key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """RFC 3394 unwrap; its integrity check tells a wrong KEK."""
        for kek in self._keys:
            with suppress(InvalidUnwrap, ValueError):
                return aes_key_unwrap(kek, wrapped)
        raise KeyringError(f"the key-encryption key from {self._origin} does not open this keyring")

    def position(self, wrapped: bytes) -> int | None:
        """Which of the keys has wrapped this."""
        for number, kek in enumerate(self._keys):
            with suppress(InvalidUnwrap, ValueError):
                aes_key_unwrap(kek, wrapped)
                return number
        return None


class FileKeys:
    """Keys in a file of mode 0600, one in base64 a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = self._read()

    def wrap(self, key: bytes, store: str) -> bytes:  # noqa: ARG002 - AES key wrap binds nothing
        """See LocalKeys."""
        return self._held.wrap(key)

    def unwrap(self, wrapped: bytes, store: str) -> bytes:  # noqa: ARG002 - likewise
        """See LocalKeys. Another process may have changed the keys since they were read: then they are read again."""
        try:
            return self._held.unwrap(wrapped)
        except KeyringError:
            self._held = self._read()
            return self._held.unwrap(wrapped)

    def renew(self, newest: bytes) -> None:
        """Put a new key before the others, unless the first one is new."""
        lines = self._lines()
        if self._decoded(lines).position(newest) == 0:
            self._replace([_new_line(), *lines])
        else:
            self._held = self._decoded(lines)

    def retire(self, newest: bytes, older: Sequence[bytes], days: int) -> Retired:  # noqa: ARG002 - all others go
        """Keep one key alone. The others' bytes are overwritten where the file system writes in place."""
        lines = self._lines()
        kept = self._decoded(lines).position(newest)
        if kept is None:
            raise ConfigError(f"no key in {self._origin} opens the keyring's newest epoch, so none is destroyed")
        if len(lines) > 1:
            self._replace([lines[kept]])
        self._clear_away()
        return Retired(utc_now())

    @property
    def _origin(self) -> str:
        return f"file:{self._path}"

    def _read(self) -> LocalKeys:
        return self._decoded(self._lines())

    def _decoded(self, lines: Sequence[bytes]) -> LocalKeys:
        return LocalKeys(_decoded(lines, self._origin), self._origin)

    def _lines(self) -> list[bytes]:
        return _read_private(self._path).split()

    def _replace(self, lines: Sequence[bytes]) -> None:
        """Put a file with these keys in the place of this one, durably; then overwrite what the old one held.

        Killed at any point it leaves one whole file under the name, and what else it leaves the next call overwrites.
        """
        # A link stays a link: what is replaced is the file behind it.
        path = self._path.resolve()
        new, old = _beside(path)
        try:
            self._clear_away()
            write_private(new, b"".join(line + b"\n" for line in lines))
            with suppress(OSError):
                old.hardlink_to(path)
            with path.open("r+b") as file:
                new.replace(path)
                sync_folder(path.parent)
                _overwrite(file)
            old.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot replace the key-encryption key {self._path}: {error.strerror}",
                hint="The file and its folder must be writable for whoever rotates keys.",
            ) from None
        self._held = self._read()

    def _clear_away(self) -> None:
        """Overwrite and remove what a killed process has left of keys, but never the keys themselves."""
        path = self._path.resolve()
        for left in _beside(path):
            if left.exists() and not left.samefile(path):
                with left.open("r+b") as file:
                    _overwrite(file)
            left.unlink(missing_ok=True)


class EnvironmentKeys:
    """Keys in an environment variable, in base64; two, with a comma between, while they are changed."""

    def __init__(self, name: str) -> None:
        value = os.environ.get(name)
        if value is None:
            raise ConfigError(f"environment variable {name} (the key-encryption key) is not set")
        self._name = name
        origin = f"env:{name}"
        self._held = LocalKeys(_decoded([part.encode() for part in value.split(",")], origin), origin)

    def wrap(self, key: bytes, store: str) -> bytes:  # noqa: ARG002 - AES key wrap binds nothing
        """See LocalKeys."""
        return self._held.wrap(key)

    def unwrap(self, wrapped: bytes, store: str) -> bytes:  # noqa: ARG002 - likewise
        """See LocalKeys."""
        return self._held.unwrap(wrapped)

    def renew(self, newest: bytes) -> None:
        """Only a person can bring another key: raise ConfigError unless the first one is new."""
        if self._held.position(newest) == 0:
            raise ConfigError(
                f"environment variable {self._name} holds no new key-encryption key",
                hint=f"Set {self._name} to NEW,OLD for all that open the keyring, and run this again. "
                "NEW is base64 of 32 random bytes.",
            )

    def retire(self, newest: bytes, older: Sequence[bytes], days: int) -> Retired:  # noqa: ARG002 - out of reach
        """Nothing here can take a key out of the environment of others: who runs this has to."""
        if self._held.position(newest) is None:
            raise ConfigError(f"environment variable {self._name} does not open the keyring's newest epoch")
        return Retired(utc_now(), "operator")


def create_kek_file(path: Path) -> None:
    """A new random KEK in a file that only its owner can read. Refuses to overwrite."""
    write_private(path, _new_line() + b"\n")


def write_private(path: Path, data: bytes) -> None:
    """Create a file with mode 0600, durably; ConfigError if it exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is not overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _beside(path: Path) -> tuple[Path, Path]:
    """Where the new and the old file stand while one takes the other's place."""
    return path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")


def _overwrite(file: BinaryIO) -> None:
    """Overwrite a file's bytes, durably; a file system that writes elsewhere, or a snapshot, keeps the old ones."""
    file.seek(0)
    file.write(secrets.token_bytes(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())


def _new_line() -> bytes:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES))


def _read_private(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others", hint=f"Run `chmod 600 {path}`.")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the key-encryption key {path}: {error.strerror}") from None


def _decoded(texts: Sequence[bytes], origin: str) -> list[bytes]:
    try:
        return [base64.b64decode(text.strip(), validate=True) for text in texts]
    except binascii.Error:
        raise ConfigError(f"the key-encryption key from {origin} is not base64") from None
