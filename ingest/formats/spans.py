"""Where the values of a JSON document stand in its bytes: members of an object, elements of an array."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from ingest.formats.base import RejectedInput

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TO_MEMBER = re.compile(rb'[,\s]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"\s*+:\s*+', re.DOTALL)
_TO_ELEMENT = re.compile(rb"[,\s]*+")


class Span(NamedTuple):
    """Byte offsets of one JSON value in its document."""

    start: int
    end: int


def member_spans(document: bytes, span: Span) -> dict[str, Span]:
    """Where each value of an object stands. Raises RejectedInput if a key is repeated or nesting is too deep."""
    at = document.index(b"{", span.start) + 1
    spans: dict[str, Span] = {}
    for key, raw in _decode(_OBJECT, document, span).items():
        at = _skip(_TO_MEMBER, document, at)
        if not document.startswith(raw, at):
            raise RejectedInput("duplicate_keys")
        spans[key] = Span(at, at + len(raw))
        at += len(raw)
    if document[at : span.end].strip() != b"}":
        raise RejectedInput("duplicate_keys")
    return spans


def element_spans(document: bytes, span: Span) -> list[Span]:
    """Where each element of an array stands. Raises RejectedInput if nesting is too deep."""
    at = document.index(b"[", span.start) + 1
    spans: list[Span] = []
    for raw in _decode(_ARRAY, document, span):
        at = _skip(_TO_ELEMENT, document, at)
        spans.append(Span(at, at + len(raw)))
        at += len(raw)
    return spans


def _decode(decoder: Any, document: bytes, span: Span) -> Any:
    try:
        return decoder.decode(memoryview(document)[span.start : span.end])
    except RecursionError:
        raise RejectedInput("too_deep") from None
    except msgspec.MsgspecError as error:
        raise RejectedInput("not_strict_json", str(error)) from None


def _skip(pattern: re.Pattern[bytes], document: bytes, at: int) -> int:
    match = pattern.match(document, at)
    if match is None:
        raise RejectedInput("duplicate_keys")
    return match.end()
