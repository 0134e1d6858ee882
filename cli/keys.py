"""Public keys as people give them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import FormatError, UsageError

if TYPE_CHECKING:
    from ledger.notes import Verifier


def read_vkey(text: str) -> Verifier:
    """A verifier key from its text or from a file that holds it. Raises UsageError."""
    from ledger.notes import Verifier

    value = text
    if "+" not in text or _is_there(text):
        try:
            value = Path(text).read_text().strip()
        except (OSError, ValueError):
            raise UsageError(
                f"{text[:100]!a} is neither a key nor a file that can be read",
                hint="Give the log's public key, name+8 hex digits+base64, or the file that holds it.",
            ) from None
    try:
        return Verifier.from_vkey(value)
    except FormatError as error:
        raise UsageError(
            f"not a verifier key: {error.message}", hint="It looks like name+8 hex digits+base64."
        ) from None


def read_signing_key(text: str, origin: str, roles: Sequence[str], name: str | None) -> Verifier:
    """A key to enrol: a vkey or a file with one, or a file with an ``ssh-ed25519`` public key. Raises UsageError.

    ``name``: what an SSH key is called in the log, after origin and role. Its comment, often a person's, is dropped.
    """
    from ledger.key_management.signing_keys import SSH, from_ssh

    try:
        line = Path(text).read_text().strip() if _is_there(text) else text
    except (OSError, ValueError):
        line = text
    if not line.startswith(SSH):
        return read_vkey(text)
    if name is None:
        raise UsageError("an SSH key needs a name in the log", hint="Give --name, such as dpo. No person's name.")
    try:
        return from_ssh(line, f"{origin}/{'-'.join(sorted(roles))}/{name}")
    except FormatError as error:
        raise UsageError(f"not a key to enrol: {error.message}") from None


def _is_there(text: str) -> bool:
    """Whether there is such a file; what no system can look up, as a name of 300 characters, is none."""
    try:
        return Path(text).exists()
    except OSError:
        return False
