"""What all adapters need to turn a source's values into line fields: strict JSON, times, opaque values, slices."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson

from ingest.formats.base import Identifier, RejectedInput

MAX_OPAQUE = 256
"""Characters an opaque value may have; longer ones are left in the content and the record is flagged."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_is_opaque = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/+=#~,()\[\]-]{{0,{MAX_OPAQUE - 1}}}\Z").match
_is_hex_id = re.compile(r"(?!0+\Z)[0-9A-Fa-f]+\Z").match
_EMAIL = re.compile(r"[^@\s\"<>]+@[^@\s\"<>]+\.[^@\s\"<>.]+\Z")
_UTC_TIME = re.compile(
    r"[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z\Z", re.ASCII
)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s*(Z|z|[+-]\d\d:?\d\d)?\Z", re.ASCII
)
_TOKEN = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")(\s*+:)?+|[\[\]{}]', re.DOTALL)
_MAX_SAFE = 2**53


def load(document: bytes) -> Any:
    """Parse one JSON document strictly (RFC 8259, UTF-8). Raises RejectedInput with a closed reason code."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise RejectedInput(_reason(document), str(error)) from None


def load_object(document: bytes) -> dict[str, Any]:
    """Parse one JSON object strictly. Raises RejectedInput, also for another kind of JSON value."""
    value = load(document)
    if type(value) is not dict:
        raise RejectedInput("not_an_object")
    return value


def _reason(document: bytes) -> str:
    """Why JSON bytes did not parse, as a closed code: the parser's words may quote the content."""
    if not document.strip():
        return "empty"
    if document.startswith(BYTE_ORDER_MARK):
        return "byte_order_mark"
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    if "\x00" in text:
        return "binary"
    try:
        json.loads(text)
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "not_json"
    return "not_strict_json"


def has_duplicate_keys(document: bytes, parsed: Any) -> bool:
    """Whether any object of the document repeats a key, in which case parsers disagree on its meaning.

    Two exact shortcuts come before the slow pass. A compact source equals its re-encoding. Otherwise every
    member has one colon, every colon inside a string is kept, and a repeated member loses at least its own:
    so equal counts of colons mean no repeats, unless a colon was written as an escape.
    """
    try:
        encoded = orjson.dumps(parsed)
    except orjson.JSONEncodeError:
        return _repeats_a_key(document)
    if document.startswith(encoded):
        return False
    if document.count(b":") == encoded.count(b":") and (b"\\" not in document or b"\\u003" not in document):
        return False
    return _repeats_a_key(document)


def _repeats_a_key(document: bytes) -> bool:
    repeated = False

    def pairs(items: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in items}) != len(items)

    try:
        json.loads(document, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return _scan_for_repeats(document)
    return repeated


def _scan_for_repeats(document: bytes) -> bool:
    """The same without recursion: orjson accepts deeper nesting than the standard library's parser."""
    open_keys: list[set[str] | None] = []
    for token in _TOKEN.finditer(document):
        sign = token.group()[:1]
        if sign in b"{[":
            open_keys.append(set() if sign == b"{" else None)
        elif sign in b"}]":
            open_keys.pop()
        elif token.group(2) and open_keys and (keys := open_keys[-1]) is not None:
            key = json.loads(token.group(1))
            if key in keys:
                return True
            keys.add(key)
    return False


def locate(document: bytes, value: bytes, start: int) -> tuple[int, int]:
    """Offsets of the next occurrence of ``value`` at or after ``start``. Raises RejectedInput if there is none.

    Equal bytes further left would be an equally exact slice, so the first match is right.
    """
    at = document.find(value, start)
    if at < 0:
        raise RejectedInput("slice_not_found")
    return at, at + len(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one: sources write null, "" or a list in its place."""
    return value if type(value) is dict else {}


def embedded(value: Any) -> Any:
    """What a string that holds a JSON object or array stands for; any other value as it is."""
    if type(value) is str and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def opaque(value: Any) -> str | None:
    """The value as an opaque code, or None if it is absent, too long, or could be a name or an address.

    Only codes that an adapter declares opaque come here; the shape is checked all the same, because a source
    may put an e-mail address anywhere.
    """
    if type(value) is str:
        return value if _is_opaque(value) else None
    return str(value) if type(value) is int and 0 <= value < _MAX_SAFE else None


class Repeated(dict[str, str]):
    """What a reader says of texts that recur from record to record: each is read once, and kept in memory once."""

    def __init__(self, reader: Callable[[str], str | None]) -> None:
        self._reader = reader

    def __missing__(self, text: str) -> str | None:
        read = self._reader(text)
        # What is no code may be of any length, and say anything: it is not kept.
        if read is not None:
            if len(self) >= _MAX_REPEATED:
                self.clear()
            self[text] = read
        return read


_MAX_REPEATED = 4096
_OPAQUE = Repeated(opaque)


def repeated_opaque(value: Any) -> str | None:
    """The same as ``opaque``, for what has few different values."""
    return _OPAQUE[value] if type(value) is str else opaque(value)


def hex_id(value: Any, digits: int) -> str | None:
    """A trace id (32 digits) or span id (16) in lower case, or None: all zeros is no id (W3C Trace Context)."""
    return value.lower() if type(value) is str and len(value) == digits and _is_hex_id(value) else None


def identify(value: Any) -> Identifier | None:
    """A source's name for a person as ``email`` where it has that shape, else ``user_id``; None if there is none."""
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        return None
    value = value.strip()
    if not value:
        return None
    return Identifier("email" if _EMAIL.match(value) else "user_id", value)


def count(value: Any) -> int | None:
    """A non-negative integer below 2^53, or None: what is no count is not written as one."""
    if type(value) is not int:
        whole = type(value) is float and value.is_integer()
        digits = type(value) is str and value.isascii() and value.isdigit() and len(value) < 17
        value = int(value) if whole or digits else -1
    return value if 0 <= value < _MAX_SAFE else None


def rfc3339(value: Any) -> tuple[str | None, str]:
    """A source's time as RFC 3339 UTC at the source's precision (up to 9 digits), and its ``time_basis``.

    Accepts text with ``T`` or a space, with or without a zone, and epoch seconds as a number. The basis is
    ``source``, ``zone_assumed`` (no zone: taken as UTC) or ``none`` (absent or not a time: never invented).
    """
    if type(value) is not str:
        moment = _from_epoch(value) if type(value) in (int, float) else None
        return moment, "source" if moment else "none"
    if _UTC_TIME.match(value):
        return value, "source"
    match = _TIME.match(value)
    if match is None:
        return None, "none"
    return _from_text(match)


def _from_text(match: re.Match[str]) -> tuple[str | None, str]:
    date, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}")
        if zone and zone not in "Zz":
            moment = moment.replace(tzinfo=_offset(zone)).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None, "none"
    text = moment.isoformat()
    return f"{text}.{fraction}Z" if fraction else f"{text}Z", "source" if zone else "zone_assumed"


def from_unix_nanoseconds(value: Any) -> str | None:
    """RFC 3339 UTC with 9 digits from nanoseconds since 1970 as an integer or its decimal text (OTLP)."""
    nanoseconds = count_nanoseconds(value)
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}.{rest:09d}Z"


def count_nanoseconds(value: Any) -> int | None:
    """OTLP's fixed64 time: a positive integer below 2^64 as number or text; 0 means unknown there."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    return value if type(value) is int and 0 < value < 2**64 else None


def _offset(text: str) -> timezone:
    hours, minutes = int(text[1:3]), int(text[-2:])
    return timezone((1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def _from_epoch(value: float) -> str | None:
    try:
        moment = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    precision = "microseconds" if type(value) is float else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"
