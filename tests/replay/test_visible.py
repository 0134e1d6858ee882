"""Nothing that acts on a terminal or a page instead of being read survives; everything else stays as it is."""

from __future__ import annotations

import re
import sys
import time
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


# Unicode's Default_Ignorable_Code_Point, less what is of category Cf.
IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def hides(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or bool(IGNORABLE.match(character))


@given(TEXT)
@example("\x1b]0;title\x07\x1b[2J")
@example("\r\x08\x9b31m")
def test_no_control_or_bidirectional_character_survives(text: str) -> None:
    assert not any(acts(character) for character in visible(text) if character not in "\n\t")
    assert not any(acts(character) for character in one_line(text))


@given(TEXT)
def test_what_does_not_act_is_left_alone(text: str) -> None:
    # What draws nothing does not act; it is written out all the same.
    harmless = "".join(c for c in text if (not acts(c) or c in "\n\t") and not hides(c))

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


def test_what_draws_nothing_is_written_out_in_all_of_unicode() -> None:
    everything = [chr(code) for code in range(sys.maxunicode + 1)]

    assert [c for c in everything if (acts(c) or hides(c)) and c not in "\n\t" and visible(c) == c] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\U000e0041\U000e007fb", "a\\U000e0041\\U000e007fb"),
        ("a\ufe01\ufe0f\U000e0100", "a\\ufe01\\ufe0f\\U000e0100"),
        ("so\xadft\u034f\u180e\u3164\ufff9", "so\\xadft\\u034f\\u180e\\u3164\\ufff9"),
        ("a\u200db", "a\\u200db"),
        ("\u2764\ufe0f\ufe0f", "\u2764\ufe0f\\ufe0f"),
    ],
)
def test_hidden_characters_are_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


@pytest.mark.parametrize(
    "emoji", ["\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f469\u200d\U0001f4bb", "\U0001f3f3\ufe0f\u200d\U0001f308"]
)
def test_an_emoji_stays_readable(emoji: str) -> None:
    assert visible(emoji) == emoji


def test_it_is_fast_on_hostile_and_on_plain_text() -> None:
    started = time.monotonic()
    visible("\u200d" * 1_000_000)
    visible("plain text " * 1_000_000)

    assert time.monotonic() - started < 10


def test_a_table_s_cell_stays_on_one_line() -> None:
    assert one_line("a\nb\tc\x1b") == "a\\nb c\\x1b"
