"""Hostile text made harmless for a terminal or a page: what would act instead of being read is written out.

Recorded prompts are attacker-controlled: they may hold terminal escapes, marks that reorder what is read, or characters
that draw nothing, in which instructions to a model hide.
"""

from __future__ import annotations

import re
from typing import Final

_ACTIVE: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"  # controls, line separators, lone surrogates
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # category Cf
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufff0-\ufff8"  # fillers that draw nothing
    "\ufe00-\ufe0f\U000e0000-\U000e0fff"  # variation selectors and tags: whole texts can hide in them
    "]"
)
_EMOJI: Final = re.compile("[#*0-9\xa9\xae\u203c-\u3299\U0001f000-\U0001faff]")


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters as escapes; tabs and newlines stay."""
    return _ACTIVE.sub(_escape, text)


def one_line(text: str) -> str:
    """The same on one line, for tables."""
    return visible(text).replace("\n", "\\n").replace("\t", " ")


def _escape(match: re.Match[str]) -> str:
    if _is_of_an_emoji(match):
        return match[0]
    code = ord(match[0])
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_of_an_emoji(match: re.Match[str]) -> bool:
    """Whether it asks for the coloured form of the emoji before it, or joins two emoji into one."""
    before, after = match.string[max(match.start() - 2, 0) : match.start()], match.string[match.end() : match.end() + 1]
    if match[0] == "\ufe0f":
        return bool(_EMOJI.match(before[-1:]))
    return match[0] == "\u200d" and bool(_EMOJI.match(before.rstrip("\ufe0f")[-1:]) and _EMOJI.match(after))
