"""Taking spans out of content: valid JSON stays valid JSON, an envelope stays one, text stays text."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice, takewhile
from typing import Final

import orjson

from ingest.formats.sealed import BYTES, Piece, pack_pieces, unpack_pieces
from ledger.errors import FormatError
from replay.surfaces import Span

MARK: Final = b"[redacted]"

Change = tuple[int, int, bytes]
"""The bytes from, and before which, and what comes in their place."""

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+', re.DOTALL)
_UNIT: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\xc0-\xff][\x80-\xbf]*|.",
    re.DOTALL,
)
_HEADER: Final = 9
"""Bytes before each piece of an envelope."""


def redacted(content: bytes, spans: Sequence[Span]) -> bytes:
    """The content with a mark in place of each span (bytes from, and before which).

    In JSON, and in JSON within its strings, only text within strings goes, whole characters and escapes; a number, or
    another bare word, goes as a whole and becomes a string. Raises FormatError for spans that are not of this content.
    """
    merged = _merged(spans)
    if merged and not 0 <= merged[0][0] <= merged[-1][1] <= len(content):
        raise FormatError("a span to redact lies outside the content")
    if not merged:
        return content
    if _is_json(content):
        return _changed(content, _json(content, merged))
    pieces = _pieces(content)
    return _envelope(pieces, merged) if pieces else _replaced(content, _whole_characters(content, merged))


def _merged(spans: Sequence[Span]) -> list[Span]:
    """In order, those that touch as one, without empty ones."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _is_json(content: bytes) -> bool:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True


def _json(content: bytes, spans: Sequence[Span]) -> Iterator[Change]:
    """What is to be replaced in a JSON document, in order."""
    position = 0
    for token in _TOKEN.finditer(content):
        start, end = token.span()
        while position < len(spans) and spans[position][1] <= start:
            position += 1
        if position == len(spans):
            return
        if spans[position][0] >= end:
            continue
        if content[start : start + 1] == b'"':
            yield from _string(content, start + 1, end - 1, islice(spans, position, None))
        else:
            yield start, end, b'"' + MARK + b'"'


def _string(content: bytes, start: int, end: int, spans: Iterable[Span]) -> Iterator[Change]:
    """What is to be replaced in a string's text: whole characters and escapes; in JSON that it holds, as in JSON."""
    near = takewhile(lambda span: span[0] < end, spans)
    wanted = _merged([(max(start, first), min(end, last)) for first, last in near])
    if not wanted:
        return
    units = [unit.span() for unit in _UNIT.finditer(content, start, end)]
    grown = _grown(units, wanted)
    text = content[start:end].lstrip()
    inner = _Inner(content, units) if text[:1] in (b"{", b"[") else None
    if inner is None or not _is_json(inner.content):
        yield from ((*span, MARK) for span in grown)
        return
    for first, last, mark in _json(inner.content, [inner.inwards(span) for span in grown]):
        yield (*inner.outwards(first, last), json.dumps(mark.decode())[1:-1].encode())


class _Inner:
    """What a string's text is when it is unescaped, and where each of its characters stands outside."""

    def __init__(self, content: bytes, units: Sequence[Span]) -> None:
        self._units = units
        characters = [_unescaped(content[start:end]) for start, end in units]
        self.content = b"".join(characters)
        self._at = list(accumulate(map(len, characters), initial=0))
        self._starts = [start for start, _ in units]

    def inwards(self, span: Span) -> Span:
        """Whole characters outside as bytes inside."""
        return self._at[bisect_left(self._starts, span[0])], self._at[bisect_left(self._starts, span[1])]

    def outwards(self, start: int, end: int) -> Span:
        """Whole characters inside as bytes outside."""
        return self._units[bisect_right(self._at, start) - 1][0], self._units[bisect_left(self._at, end) - 1][1]


def _unescaped(unit: bytes) -> bytes:
    """The character that an escape, or a character as it is, stands for."""
    if unit[:1] != b"\\":
        return unit
    text: str = json.loads(b'"' + unit + b'"')
    return text.encode("utf-8", "surrogatepass")


def _grown(units: Sequence[Span], wanted: Sequence[Span]) -> list[Span]:
    """Spans widened to the whole of each unit that they touch."""
    grown: list[Span] = []
    position = 0
    for first, last in units:
        while position < len(wanted) and wanted[position][1] <= first:
            position += 1
        if position == len(wanted):
            break
        if wanted[position][0] < last:
            grown.append((first, last))
    return _merged(grown)


def _whole_characters(content: bytes, spans: Sequence[Span]) -> list[Span]:
    """Spans widened to whole characters, as far as the bytes are UTF-8."""
    return _merged([(_begin(content, start), _end(content, end)) for start, end in spans])


def _begin(content: bytes, at: int) -> int:
    """Where the character at this byte begins."""
    for back in range(min(4, at + 1)):
        if content[at - back] >= 0xC0:
            return at - back
        if content[at - back] < 0x80:
            break
    return at


def _end(content: bytes, at: int) -> int:
    """Where the character that this byte would cut ends."""
    end = at
    while end < len(content) and end < at + 3 and content[end] & 0xC0 == 0x80:
        end += 1
    return end if content[_begin(content, at - 1)] >= 0xC0 else at


def _replaced(content: bytes, spans: Sequence[Span]) -> bytes:
    return _changed(content, [(start, end, MARK) for start, end in spans])


def _changed(content: bytes, changes: Iterable[Change]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end, text in changes:
        parts += (content[at:start], text)
        at = end
    return b"".join([*parts, content[at:]])


def _pieces(content: bytes) -> list[Piece]:
    """The pieces of an envelope; none where it is no envelope."""
    try:
        return unpack_pieces(content)
    except FormatError:
        return []


def _envelope(pieces: Sequence[Piece], spans: Sequence[Span]) -> bytes:
    """Each piece of source bytes without what is in it; references to records and headers stay."""
    at = 0
    result = []
    for piece in pieces:
        at += _HEADER
        end = at + len(piece.payload)
        inside = _merged([(max(first, at) - at, min(last, end) - at) for first, last in spans])
        if inside and piece.type == BYTES:
            piece = piece._replace(payload=_replaced(piece.payload, _whole_characters(piece.payload, inside)))
        result.append(piece)
        at = end
    return pack_pieces(result)
