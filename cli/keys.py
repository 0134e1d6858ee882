"""Public keys as people give them."""

from __future__ import annotations

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


def _is_there(text: str) -> bool:
    """Whether there is such a file; what no system can look up, as a name of 300 characters, is none."""
    try:
        return Path(text).exists()
    except OSError:
        return False
