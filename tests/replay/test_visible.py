"""Nothing that acts on a terminal or a page instead of being read survives; everything else stays as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay.visible import one_line, visible

# Unicode 15 (UAX 9): every character with the property Bidi_Control.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
TEXT = st.text(st.characters(codec=None) | st.sampled_from(BIDI + "\x1b\x07\x9b\u200b\ufeff\ud800"))


def acts(character: str) -> bool:
    return character in BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


@given(TEXT)
@example("\x1b]0;title\x07\x1b[2J")
@example("\r\x08\x9b31m")
def test_no_control_or_bidirectional_character_survives(text: str) -> None:
    assert not any(acts(character) for character in visible(text) if character not in "\n\t")
    assert not any(acts(character) for character in one_line(text))


@given(TEXT)
def test_what_does_not_act_is_left_alone(text: str) -> None:
    # A joiner or a byte order mark is invisible, not active; it is written out all the same.
    harmless = "".join(c for c in text if (not acts(c) or c in "\n\t") and unicodedata.category(c) != "Cf")

    assert visible(harmless) == harmless
    harmless.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("a\r\nb\tc", "a\\x0d\nb\tc"),
        ("\ud83d", "\\ud83d"),
        ("€ ß \u4e2d\u6587 \U0001f600 \u0645", "€ ß \u4e2d\u6587 \U0001f600 \u0645"),
    ],
)
def test_active_characters_are_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_a_table_s_cell_stays_on_one_line() -> None:
    assert one_line("a\nb\tc\x1b") == "a\\nb c\\x1b"
