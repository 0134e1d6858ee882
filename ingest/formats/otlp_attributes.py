"""OTLP/JSON values: AnyValue, KeyValue lists, and ids as hex or base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ingest.formats.fields import embedded, hex_id

_MAX_DEPTH = 64
_SCALARS = ("stringValue", "boolValue", "doubleValue", "bytesValue")


def attributes(pairs: Any) -> dict[str, Any]:
    """A list of KeyValue as a dict of plain values; what does not follow the shape is left out."""
    return _pairs(pairs, _MAX_DEPTH)


def plain(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """One AnyValue as the JSON value it stands for; None for an empty, unknown or too deeply nested one."""
    if type(value) is not dict or depth <= 0:
        return None
    for name in _SCALARS:
        if name in value:
            return value[name]
    if "intValue" in value:
        return _integer(value["intValue"])
    if "arrayValue" in value:
        return [plain(item, depth - 1) for item in _values(value["arrayValue"])]
    if "kvlistValue" in value:
        return _pairs(_values(value["kvlistValue"]), depth - 1)
    return None


def identifier(value: Any, digits: int) -> str | None:
    """A trace id (32 hex digits) or span id (16) in lower case, also where a sender wrote base64; else None."""
    found = hex_id(value, digits)
    if found is not None or type(value) is not str or len(value) != -(-digits // 6) * 4:
        return found
    try:
        return hex_id(base64.b64decode(value, validate=True).hex(), digits)
    except (binascii.Error, ValueError):
        return None


def event_message(event: Mapping[str, Any]) -> dict[str, Any]:
    """What a span event ``gen_ai.<role>.message`` or ``gen_ai.choice`` says, by the keys of a message or a choice.

    Senders write it as JSON in the one attribute ``gen_ai.event.content``, or as an attribute for each key.
    """
    found = attributes(event.get("attributes"))
    said = embedded(found.get("gen_ai.event.content"))
    if type(said) is dict:
        return said
    if said:
        return {"content": said}
    return {name: embedded(value) for name, value in found.items() if not name.startswith("gen_ai.")}


def _pairs(pairs: Any, depth: int) -> dict[str, Any]:
    if type(pairs) is not list:
        return {}
    return {
        pair["key"]: plain(pair.get("value"), depth)
        for pair in pairs
        if type(pair) is dict and type(pair.get("key")) is str
    }


def _values(container: Any) -> list[Any]:
    values = container.get("values") if isinstance(container, Mapping) else None
    return values if type(values) is list else []


def _integer(value: Any) -> Any:
    """int64 is a decimal string in protobuf's JSON; senders also write a number."""
    if type(value) is str and len(value) < 21:
        try:
            return int(value)
        except ValueError:
            return value
    return value
