"""Data keys, deriving one key from another, and the digest of an input that a derived key makes."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final, NamedTuple

_INPUT_DIGEST: Final = b"evidence/v1/input-digest"


class DataKey(NamedTuple):
    """A subject's data key (32 bytes) and its version."""

    version: int
    key: bytes


def derive(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) with an empty salt and one output block of 32 bytes."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def input_digest(tree_root: bytes, commitments: Iterable[str]) -> str:
    """HMAC-SHA256, under a key of the partition, over the commitments of one input's pieces in their order.

    The commitments bind the bytes; whoever holds the partition's key and the contents can recompute both.
    """
    return hmac.digest(derive(tree_root, _INPUT_DIGEST), bytes.fromhex("".join(commitments)), "sha256").hex()
