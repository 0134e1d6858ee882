"""Content as text that can be searched, with a way back from every character to the bytes that it came from.

Sources write one text in many ways: escaped in JSON, in JSON within a JSON string (a tool's arguments), decomposed,
in full width, with characters that draw nothing. What searches looks at surfaces: the bytes as text, the same with one
more level of JSON escapes undone, each as it stands or normalised. Escapes are undone wherever they stand, so that
fragments of JSON, such as an envelope holds, are read like whole documents. All of it takes linear time.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

MAX_LEVELS: Final = 6
"""Times that a text is unescaped: JSON in a string in JSON is two."""

_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[\"\\/bfnrt])"
)
_SIMPLE: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_TWO: Final = [(f"\\{letter}", character) for letter, character in _SIMPLE.items() if letter != "\\"]
_MAX_MARKS: Final = 32
"""Marks that are normalised with one character: putting thousands in order takes quadratic time."""
_RUN: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f\udc80-\udcff]+")
"""What normalising can change; bytes that are no text stand for themselves."""
_IGNORED: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
"""Characters that draw nothing: whoever reads does not see them, so whoever searches must not trip over them."""

Span = tuple[int, int]


class _Piece(NamedTuple):
    """A stretch of a text: ``at`` there, ``source`` in the text before it; of a ``whole`` one no part has a place."""

    at: int
    source: int
    source_end: int
    whole: bool


class Surface:
    """A text made from content."""

    def __init__(self, text: str) -> None:
        self.text = text

    def span(self, start: int, end: int) -> Span:
        """The bytes of the characters from ``start`` to before ``end``; at least one character."""
        raise NotImplementedError


class _Made(Surface):
    """A text made from the text of another surface. Where its pieces came from is worked out when it is asked for."""

    def __init__(self, text: str, before: Surface, pieces: Callable[[str], Iterator[_Piece]]) -> None:
        super().__init__(text)
        self._before = before
        self._make = pieces
        self._pieces: list[_Piece] = []
        self._starts: list[int] = []

    def span(self, start: int, end: int) -> Span:
        """By way of the surface before."""
        if not self._pieces:
            self._pieces = list(self._make(self._before.text))
            self._starts = [piece.at for piece in self._pieces]
        first = self._pieces[bisect_right(self._starts, start) - 1]
        last = self._pieces[bisect_right(self._starts, end - 1) - 1]
        begin = first.source if first.whole else first.source + start - first.at
        stop = last.source_end if last.whole else last.source + end - last.at
        return self._before.span(begin, stop)


class _Bytes(Surface):
    """The content itself, as UTF-8; a byte that is none stands for itself as a lone surrogate."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content.decode("utf-8", "surrogateescape"))
        self._same = len(self.text) == len(content)
        self._offsets: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None

    def span(self, start: int, end: int) -> Span:
        """At once where every character is one byte."""
        if self._same:
            return start, end
        if self._offsets is None:
            points = np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
            sizes = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
            sizes[(points >= 0xDC80) & (points <= 0xDCFF)] = 1
            self._offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        return int(self._offsets[start]), int(self._offsets[end])


def surfaces(content: bytes) -> Iterator[Surface]:
    """The text of content, and the texts that undoing JSON escapes makes of it, until there are none.

    Of what begins like JSON the bytes as they stand are left out where they hold escapes: every text in them comes with
    the next level.
    """
    surface: Surface = _Bytes(content)
    like_json = content.lstrip()[:1] in (b"{", b"[", b'"')
    for level in range(MAX_LEVELS):
        unescaped = None if "\\" not in surface.text else _unescaped(surface)
        if unescaped is None or level or not like_json:
            yield surface
        if unescaped is None:
            return
        surface = unescaped
    yield surface


def _unescaped(surface: Surface) -> Surface | None:
    """One level of JSON escapes undone; None where there is none."""
    text = surface.text
    if _ESCAPE.search(text) is None:
        return None
    if "\\u" in text:
        made = _ESCAPE.sub(lambda match: _character(match[0]), text)
    else:
        made = "\\".join(map(_without_escapes, text.split("\\\\")))
    return _Made(made, surface, _unescaped_pieces)


def _without_escapes(text: str) -> str:
    """Escapes of two characters undone, but for that of the backslash."""
    if "\\" in text:
        for escape, character in _TWO:
            text = text.replace(escape, character)
    return text


def _unescaped_pieces(text: str) -> Iterator[_Piece]:
    at = done = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        if start > done:
            yield _Piece(at, done, start, False)
            at += start - done
        yield _Piece(at, start, end, True)
        at += 1
        done = end
    if done < len(text):
        yield _Piece(at, done, len(text), False)


def _character(escape: str) -> str:
    if escape[1] != "u":
        return _SIMPLE[escape[1]]
    if len(escape) == 6:
        return chr(int(escape[2:6], 16))
    high, low = int(escape[2:6], 16), int(escape[8:], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def normalised(surface: Surface, *, casefold: bool) -> Surface:
    """The surface in NFKC without characters that draw nothing; with ``casefold`` also caseless.

    Characters are normalised with the marks that follow them. What normalising makes of them leads back to them all.
    """
    text = surface.text
    if text.isascii():
        return _Made(text.lower(), surface, _identity) if casefold else surface

    def run(match: re.Match[str]) -> str:
        clusters = _clusters(text, *match.span())
        return "".join(_form(text[start:end], casefold=casefold) for start, end in clusters)

    def pieces(text: str) -> Iterator[_Piece]:
        return _normalised_pieces(text, casefold=casefold)

    made = _RUN.sub(run, text)
    return _Made(made.lower() if casefold else made, surface, pieces)


def _identity(text: str) -> Iterator[_Piece]:
    yield _Piece(0, 0, len(text), False)


def _normalised_pieces(text: str, *, casefold: bool) -> Iterator[_Piece]:
    at = done = 0
    for match in _RUN.finditer(text):
        if match.start() > done:
            yield _Piece(at, done, match.start(), False)
            at += match.start() - done
        for start, end in _clusters(text, *match.span()):
            size = len(_form(text[start:end], casefold=casefold))
            if size:
                yield _Piece(at, start, end, True)
                at += size
        done = match.end()
    if done < len(text):
        yield _Piece(at, done, len(text), False)


def _clusters(text: str, start: int, end: int) -> Iterator[Span]:
    """Each character with the marks that can compose with it; one that draws nothing goes with what is before it."""
    at = start
    for position in range(start + 1, end):
        character = text[position]
        if position - at > _MAX_MARKS or not _joins(character):
            yield at, position
            at = position
    yield at, end


def _joins(character: str) -> bool:
    """Whether it can compose with what is before it. Vowels and final consonants of Hangul do, and are no marks."""
    return bool(unicodedata.combining(character) or "\u1160" <= character <= "\u11ff" or _IGNORED.match(character))


def _form(text: str, *, casefold: bool) -> str:
    form = unicodedata.normalize("NFKC", _IGNORED.sub("", text))
    return unicodedata.normalize("NFKC", form.casefold()) if casefold else form


def fold(text: str) -> str:
    """A text as it stands in a caseless surface."""
    return normalised(Surface(text), casefold=True).text
