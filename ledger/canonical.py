"""Canonical JSON: RFC 8785 restricted to what every JSON library writes alike.

Keys are ``_`` or ``[a-z][a-z0-9_]*``, integers are below 2^53 in size; there are no floats and no lone surrogates.
So sorting by bytes and by UTF-16 code units agree, and no number has a second spelling. Nothing nests deeper than
``MAX_DEPTH``, which every reader's stack can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from ledger.errors import FormatError

MAX_DEPTH = 64
INT_LIMIT = 2**53
"""Integers are below this in size: above it, readers that hold numbers as doubles round."""

_KEY = re.compile(r"_|[a-z][a-z0-9_]*")
# Keys recur in every line, and looking them up here costs a quarter of matching them again.
_known_keys: set[str] = set()
_MAX_KNOWN_KEYS = 4096


def encode(value: object) -> bytes:
    """The canonical bytes of dicts, lists, tuples, str, int, bool and None (exactly these types).

    Raises FormatError for anything that the restriction excludes.
    """
    _check(value, MAX_DEPTH)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise FormatError(f"not canonical JSON: {error}") from None


def decode(data: bytes) -> Any:
    """The value of canonical bytes. Raises FormatError unless ``encode`` gives back the same bytes.

    That also refuses duplicate keys, white space, needless escapes, ``-0`` and ``1.0``.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error.msg} at byte {error.pos}") from None
    if encode(value) != data:
        raise FormatError("JSON is not in its canonical form")
    return value


def _check(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is dict:
        if not _known_keys.issuperset(value):
            _check_keys(value)
        children = value.values()
    elif kind is list or kind is tuple:
        children = value
    elif kind is int:
        if not -INT_LIMIT < value < INT_LIMIT:
            raise FormatError("an integer of canonical JSON is below 2^53 in size")
        return
    elif kind is str or kind is bool or value is None:
        return
    else:
        raise FormatError(f"canonical JSON does not hold a {kind.__name__}")
    if depth == 0:
        raise FormatError(f"canonical JSON nests at most {MAX_DEPTH} deep")
    for child in children:
        # Most values are strings, and a call for each would dominate the cost of a record line.
        if type(child) is not str:
            _check(child, depth - 1)


def _check_keys(keys: Iterable[object]) -> None:
    for key in keys:
        if type(key) is not str or not _KEY.fullmatch(key):
            raise FormatError("a key of canonical JSON is _ or [a-z][a-z0-9_]*")
        if len(_known_keys) < _MAX_KNOWN_KEYS:
            _known_keys.add(key)
