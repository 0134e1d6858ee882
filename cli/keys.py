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

    path = Path(text)
    value = text
    if "+" not in text or path.exists():
        try:
            value = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{text!a} is neither a key nor a file that can be read") from None
    try:
        return Verifier.from_vkey(value)
    except FormatError as error:
        raise UsageError(
            f"not a verifier key: {error.message}", hint="It looks like name+8 hex digits+base64."
        ) from None
