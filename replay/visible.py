"""Hostile text made harmless for a terminal or a page: what would act instead of being read is written out.

Recorded prompts are attacker-controlled: they may hold terminal escapes, or marks that reorder what is read.
"""

from __future__ import annotations

import re
from typing import Final

_ACTIVE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters as escapes; tabs and newlines stay."""
    return _ACTIVE.sub(_escape, text)


def one_line(text: str) -> str:
    """The same on one line, for tables."""
    return visible(text).replace("\n", "\\n").replace("\t", " ")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
