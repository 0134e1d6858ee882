"""Key-encryption keys: what wraps the keyring's epoch keys. Providers: a file (default), the environment, AWS KMS."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import ConfigError
from ledger.kek.base import KeyEncryptionKey as KeyEncryptionKey
from ledger.kek.base import Retired as Retired
from ledger.kek.local import EnvironmentKeys, FileKeys
from ledger.kek.local import create_kek_file as create_kek_file
from ledger.kek.local import write_private as write_private


def open_kek(provider: str) -> KeyEncryptionKey:
    """The KEK that ``file:PATH``, ``env:NAME`` or ``aws-kms:KEY`` names. Raises ConfigError."""
    scheme, _, rest = provider.partition(":")
    match scheme:
        case "file":
            return FileKeys(Path(rest))
        case "env":
            return EnvironmentKeys(rest)
        case "aws-kms":
            # The client takes long to load, and no other provider needs it.
            from ledger.kek.aws_kms import KmsKey

            return KmsKey(rest)
        case _:
            raise ConfigError(f"unknown key-encryption key provider {scheme!r}: use file:PATH, env:NAME or aws-kms:KEY")
