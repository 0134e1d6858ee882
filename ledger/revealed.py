"""What a reveal gives: one row's content, or the reason why there is none."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple


class Revealed(NamedTuple):
    """One row's content. ``bytes`` is None where it cannot be shown; ``state`` is then why.

    ``state``: ``verified`` (commitment recomputed), ``redacted`` (a part was taken out, checked against what the ledger
    states since), ``erased``, ``expired``, ``restricted``, ``lost``, ``tampered``, ``unverifiable`` (no key here).
    ``row_key`` is the salted prefix that lets another recompute the commitment of this row alone. ``entry`` is the
    index of the ledger entry that explains a state.
    """

    record: bytes
    line: dict[str, Any]
    bytes: bytes | None
    state: str
    row_key: builtins.bytes | None
    entry: int | None = None
