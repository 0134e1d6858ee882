"""What a reveal gives: one row's content, or the reason why there is none."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple


class Revealed(NamedTuple):
    """One row's content. ``bytes`` is None where it cannot be shown; ``state`` is then why.

    ``state``: ``verified`` (commitment recomputed), ``erased``, ``unverifiable`` (no key here), ``tampered``, ``lost``.
    ``row_key`` is the salted prefix that lets another recompute the commitment of this row alone.
    """

    record: bytes
    line: dict[str, Any]
    bytes: bytes | None
    state: str
    row_key: builtins.bytes | None
