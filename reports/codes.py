"""Closed codes that people give as reasons and bases: they stand in the ledger in the clear, so they hold no words."""

from __future__ import annotations

import re
from typing import Final

from ledger.errors import UsageError

_CODE: Final = re.compile(r"[a-z][a-z0-9_.:-]{0,63}\Z")


def check_code(text: str, what: str) -> str:
    """The code itself. Raises UsageError for anything but lower-case letters, digits and ``_ . : -``."""
    if not _CODE.match(text):
        raise UsageError(f"{what} is a code, not words", hint="Lower-case letters, digits, _ . : - such as art18-1-a.")
    return text
