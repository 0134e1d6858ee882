"""Key-encryption keys: what wraps the keyring's epoch keys. Providers: a file (default), an environment variable."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ledger.durable import sync_folder
from ledger.errors import ConfigError, KeyringError

KEY_BYTES: Final = 32


class KeyEncryptionKey(Protocol):
    """Wraps 32-byte keys. Implementations hold or reach the KEK; they never give it out."""

    def wrap(self, key: bytes) -> bytes:
        """The key wrapped (RFC 3394 or the provider's own form)."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key again. Raises KeyringError if this KEK did not wrap it."""


class LocalKey:
    """A KEK held in this process: AES-256 key wrap (RFC 3394)."""

    def __init__(self, key: bytes, origin: str) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(f"the key-encryption key from {origin} must have {KEY_BYTES} bytes")
        self._key = key
        self._origin = origin

    def wrap(self, key: bytes) -> bytes:
        """RFC 3394 wrap."""
        return aes_key_wrap(self._key, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """RFC 3394 unwrap; its integrity check tells a wrong KEK."""
        try:
            return aes_key_unwrap(self._key, wrapped)
        except (InvalidUnwrap, ValueError):
            raise KeyringError(f"the key-encryption key from {self._origin} does not open this keyring") from None


def open_kek(provider: str) -> KeyEncryptionKey:
    """The KEK named by ``file:PATH`` or ``env:NAME`` (base64 of 32 bytes). Raises ConfigError."""
    scheme, _, rest = provider.partition(":")
    if scheme == "file":
        return LocalKey(_decode(_read_private(Path(rest)), provider), provider)
    if scheme == "env":
        value = os.environ.get(rest)
        if value is None:
            raise ConfigError(f"environment variable {rest} (the key-encryption key) is not set")
        return LocalKey(_decode(value.encode(), provider), provider)
    raise ConfigError(f"unknown key-encryption key provider {scheme!r}: use file:PATH or env:NAME")


def create_kek_file(path: Path) -> None:
    """A new random KEK in a file that only its owner can read. Refuses to overwrite."""
    write_private(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")


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


def _read_private(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others", hint=f"Run `chmod 600 {path}`.")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the key-encryption key {path}: {error.strerror}") from None


def _decode(text: bytes, provider: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise ConfigError(f"the key-encryption key from {provider} is not base64") from None
