"""Data keys, and deriving one key from another."""

from __future__ import annotations

import hmac
from typing import NamedTuple


class DataKey(NamedTuple):
    """A subject's data key (32 bytes) and its version."""

    version: int
    key: bytes


def derive(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) with an empty salt and one output block of 32 bytes."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")
