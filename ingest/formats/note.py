"""The store's own words: reviews, corrections, and what was said about a request. Never read from an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats.base import Described, Format, Framing, RejectedInput, Rendered
from ingest.formats.fields import load_object
from ingest.formats.messages import as_text, unreadable

MARK = "evidence/note/1"


def _never(_value: Any) -> bool:
    return False


def _not_an_input(_document: bytes) -> Described:
    raise RejectedInput("reserved_kind")


def render(content: bytes, _fields: Mapping[str, Any]) -> Rendered:
    """Every value under its own name; those of an object as ``name.key``."""
    try:
        value = load_object(content)
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    if value.get("_") != MARK:
        return unreadable(content, "unknown_shape")
    return Rendered(facts=tuple((label, text) for label, text in _facts(value) if text))


def _facts(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from ((f"{name}.{key}", as_text(inner)) for key, inner in item.items())
        elif name != "_":
            yield name, as_text(item)


FORMAT = Format("note", 1, (Framing.DOCUMENT,), _never, _not_an_input, render)
