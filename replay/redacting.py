"""Taking spans out of content: valid JSON stays valid JSON, an envelope stays one, text stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Final

import orjson

from ingest.formats.sealed import BYTES, Piece, pack_pieces, unpack_pieces
from ledger.errors import FormatError
from replay.surfaces import Span

MARK: Final = b"[redacted]"

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+', re.DOTALL)
_UNIT: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\xc0-\xff][\x80-\xbf]*|.",
    re.DOTALL,
)
_HEADER: Final = 9
"""Bytes before each piece of an envelope."""


def redacted(content: bytes, spans: Sequence[Span]) -> bytes:
    """The content with a mark in place of each span (bytes from, and before which).

    In JSON only text within strings goes, whole characters and escapes; a number, or another bare word, goes as a whole
    and becomes a string. Raises FormatError for spans that are not of this content.
    """
    merged = _merged(spans)
    if merged and not 0 <= merged[0][0] <= merged[-1][1] <= len(content):
        raise FormatError("a span to redact lies outside the content")
    if not merged:
        return content
    if _is_json(content):
        return _json(content, merged)
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


def _json(content: bytes, spans: Sequence[Span]) -> bytes:
    changes: list[tuple[int, int, bytes]] = []
    position = 0
    for token in _TOKEN.finditer(content):
        start, end = token.span()
        while position < len(spans) and spans[position][1] <= start:
            position += 1
        if position == len(spans):
            break
        if spans[position][0] >= end:
            continue
        if content[start : start + 1] != b'"':
            changes.append((start, end, b'"' + MARK + b'"'))
            continue
        changes += [(*span, MARK) for span in _in_string(content, start + 1, end - 1, islice(spans, position, None))]
    return _changed(content, changes)


def _in_string(content: bytes, start: int, end: int, spans: Iterable[Span]) -> Iterator[Span]:
    """The parts of spans, in order, that lie within a string's text, widened to whole characters and escapes."""
    near = takewhile(lambda span: span[0] < end, spans)
    wanted = _merged([(max(start, first), min(end, last)) for first, last in near])
    position = 0
    grown: list[Span] = []
    for unit in _UNIT.finditer(content, start, end) if wanted else ():
        first, last = unit.span()
        while position < len(wanted) and wanted[position][1] <= first:
            position += 1
        if position == len(wanted):
            break
        if wanted[position][0] < last:
            grown.append((first, last))
    yield from _merged(grown)


def _whole_characters(content: bytes, spans: Sequence[Span]) -> list[Span]:
    """Spans widened to whole characters of UTF-8."""
    result = []
    for start, end in spans:
        while start > 0 and content[start] & 0xC0 == 0x80:
            start -= 1
        while end < len(content) and content[end] & 0xC0 == 0x80:
            end += 1
        result.append((start, end))
    return _merged(result)


def _replaced(content: bytes, spans: Sequence[Span]) -> bytes:
    return _changed(content, [(start, end, MARK) for start, end in spans])


def _changed(content: bytes, changes: Sequence[tuple[int, int, bytes]]) -> bytes:
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
