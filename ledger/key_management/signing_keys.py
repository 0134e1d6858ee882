"""Making signing keys, and reading public ones as people have them: vkeys, and SSH keys of type ssh-ed25519."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from ledger import kek, notes
from ledger.errors import ConfigError, FormatError, UsageError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})*\Z")
SSH: Final = "ssh-ed25519 "


def create(name: str, path: Path) -> notes.Verifier:
    """A new signing key in a file for its owner only. Raises UsageError for what is no key name, ConfigError."""
    if not _NAME.match(name):
        raise UsageError(f"{name!a} is no key name", hint="Letters, digits, dots and dashes, with slashes between.")
    signer = notes.Signer.generate(name)
    try:
        kek.write_private(path, f"{signer.skey()}\n".encode())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    return signer.verifier


def from_ssh(line: str, name: str) -> notes.Verifier:
    """The verifier of an ``ssh-ed25519`` public key: the same 32 bytes under a name. Raises FormatError."""
    try:
        key = load_ssh_public_key(line.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise FormatError("not an SSH public key of type ssh-ed25519") from None
    if not isinstance(key, Ed25519PublicKey) or not _NAME.match(name):
        raise FormatError("not an SSH public key of type ssh-ed25519, or not a key name")
    return notes.Verifier(name, key.public_bytes_raw())
