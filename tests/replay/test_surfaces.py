"""Text in content, however deep its escapes: found, and led back to exactly the bytes that it came from."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.surfaces import fold, normalised, surfaces

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def places(content: bytes, wanted: str, *, casefold: bool = False) -> list[bytes]:
    """The bytes of every place of a text on any surface."""
    found = []
    for surface in surfaces(content):
        read = normalised(surface, casefold=casefold)
        at = read.text.find(wanted)
        while at >= 0:
            start, end = read.span(at, at + len(wanted))
            found.append(content[start:end])
            at = read.text.find(wanted, at + 1)
    return found


@given(before=TEXTS, after=TEXTS, depth=st.integers(0, 4), ascii_only=st.booleans())
def test_a_text_is_found_at_any_depth_of_json(before: str, after: str, depth: int, ascii_only: bool) -> None:
    needle = "né\U0001f600d\\le"
    text = before + "<" + needle + ">" + after
    for _ in range(depth):
        text = json.dumps({"k": [text]}, ensure_ascii=ascii_only)

    (found, *_) = places(text.encode(), unicodedata.normalize("NFKC", needle))

    for _ in range(depth):
        found = json.loads(b'"' + found + b'"').encode()
    assert found.decode() == needle


@given(st.binary(max_size=200))
def test_every_character_of_any_bytes_has_a_place(content: bytes) -> None:
    for surface in surfaces(content):
        for read in (surface, normalised(surface, casefold=False), normalised(surface, casefold=True)):
            end = 0
            for at in range(len(read.text)):
                start, stop = read.span(at, at + 1)
                assert 0 <= start < stop <= len(content)
                assert stop >= end
                end = stop


@given(TEXTS)
def test_spellings_of_one_text_fold_to_one(text: str) -> None:
    folded = fold(text)

    assert fold(unicodedata.normalize("NFD", text)) == folded or len(text) > 30
    assert fold(folded) == folded
    assert fold("\u200b".join(text)) == folded or any(map(unicodedata.combining, text))


def test_capitals_marks_width_and_invisible_characters_make_no_difference() -> None:
    for spelled in ("Zoë", "ZOË", "zoe\u0308", "Ｚｏë", "Z\u200bo\xade\u200d\u0308"):
        assert fold(spelled) == "zoë"
    assert fold("Straße") == fold("STRASSE") == "strasse"
    assert places("x ZOE\u0308 y".encode(), "zoë", casefold=True) == ["ZOE\u0308".encode()]


def test_half_a_ligature_leads_back_to_all_of_it() -> None:
    assert places("oﬃce".encode(), "fic", casefold=True) == ["ﬃc".encode()]


def test_bytes_that_are_no_text_do_not_hide_what_is() -> None:
    assert places(b"\xff\xfe\x00ana@b.org\xc3", "ana@b.org") == [b"ana@b.org"]
    assert places(b'{"cut": "an\\u0061@b.org', "ana@b.org") == [b"an\\u0061@b.org"]


@pytest.mark.parametrize(
    "content",
    [
        b"\\" * 400_000,
        b"\\u00e9" * 60_000,
        ("e" + "\u0301" * 200_000).encode(),
        ("\u0301" * 200_000).encode(),
        ("\u200b" * 130_000).encode(),
        b'{"a":' * 60_000,
    ],
    ids=["backslashes", "escapes", "marks", "marks alone", "invisible", "nested"],
)
def test_hostile_content_takes_linear_time(content: bytes) -> None:
    started = time.process_time()
    for surface in surfaces(content):
        read = normalised(surface, casefold=True)
        if read.text:
            read.span(len(read.text) - 1, len(read.text))

    assert time.process_time() - started < 10
