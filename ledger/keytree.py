"""The puncturable key tree of a partition (Goldreich, Goldwasser, Micali 1986): one root, one leaf key a segment.

Each node derives its two children by SHA-256; a leaf is destroyed by keeping, instead of its ancestors, only
the siblings along its path. What is left opens every other segment and no longer the destroyed one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ledger.errors import ErasedError, FormatError
from ledger.kdf import derive

KEY_BYTES = 32
_DOMAIN = b"evidence/v1/ggm"
MAX_LEAVES = 1 << 24
SPACE = 1 << 20
"""Leaves of a new partition's tree: more than its segments can be, so that the root is durable before they exist."""


def child(node: bytes, bit: int) -> bytes:
    """SHA-256("evidence/v1/ggm" || bit || node): left for 0, right for 1."""
    return hashlib.sha256(_DOMAIN + (b"\x01" if bit else b"\x00") + node).digest()


def moved_leaf(old: bytes, path: str, number: int) -> bytes:
    """The leaf of a segment that was sealed again, from the one before and its new place; there is no way back.

    So a keyring from before a redaction can still follow it: else the neighbours of what was taken out would be lost.
    """
    return derive(old, b"evidence/v1/moved-leaf" + path.encode() + number.to_bytes(4, "big"))


def depth_of(leaves: int) -> int:
    """Levels under the root of a tree with this many leaves: ceil(log2(leaves))."""
    return max(leaves - 1, 0).bit_length()


@dataclass
class KeyTree:
    """A partition's key, or what is left of it: ``nodes`` maps (depth, index at that depth) to a 32-byte key."""

    leaves: int
    nodes: dict[tuple[int, int], bytes] = field(repr=False)

    @classmethod
    def generate(cls, leaves: int = SPACE) -> KeyTree:
        """A new tree from a random root."""
        return cls.from_root(secrets.token_bytes(KEY_BYTES), leaves)

    @classmethod
    def from_root(cls, root: bytes, leaves: int) -> KeyTree:
        """The whole tree under a 32-byte root."""
        if not 0 < leaves <= MAX_LEAVES or len(root) != KEY_BYTES:
            raise FormatError(f"a key tree has 1 to {MAX_LEAVES} leaves and a root of {KEY_BYTES} bytes")
        return cls(leaves, {(0, 0): root})

    @classmethod
    def from_leaves(cls, leaves: int, keys: Mapping[int, bytes]) -> KeyTree:
        """A tree in which these leaves alone can be derived, since they are given."""
        depth = depth_of(leaves)
        return cls(leaves, {(depth, index): key for index, key in keys.items()})

    def leaf(self, index: int) -> bytes:
        """The key of one leaf. Raises ErasedError if it was destroyed."""
        depth = depth_of(self.leaves)
        if not 0 <= index < self.leaves:
            raise FormatError(f"no leaf {index} in a key tree of {self.leaves}")
        for level in range(depth + 1):
            node = self.nodes.get((level, index >> (depth - level)))
            if node is None:
                continue
            for shift in range(depth - level - 1, -1, -1):
                node = child(node, index >> shift & 1)
            return node
        raise ErasedError(f"the key of segment {index} was destroyed")

    def walk(self, count: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The leaves below ``count`` that still exist, in order, each derived once: to open a whole partition."""
        depth = depth_of(self.leaves)
        stack = sorted(((level, index, key) for (level, index), key in self.nodes.items()), key=_leftmost(depth))
        stack.reverse()
        end = self.leaves if count is None else min(count, self.leaves)
        while stack:
            level, index, key = stack.pop()
            if index << (depth - level) >= end:
                continue
            if level == depth:
                yield index, key
                continue
            stack.append((level + 1, 2 * index + 1, child(key, 1)))
            stack.append((level + 1, 2 * index, child(key, 0)))

    def puncture(self, index: int) -> KeyTree:
        """A tree without this leaf: its ancestor's key is replaced by the siblings along the path."""
        self.leaf(index)
        depth = depth_of(self.leaves)
        level = next(d for d in range(depth + 1) if (d, index >> (depth - d)) in self.nodes)
        nodes = dict(self.nodes)
        node = nodes.pop((level, index >> (depth - level)))
        for shift in range(depth - level - 1, -1, -1):
            bit = index >> shift & 1
            nodes[(depth - shift, (index >> shift) ^ 1)] = child(node, bit ^ 1)
            node = child(node, bit)
        return KeyTree(self.leaves, nodes)

    def has(self, index: int) -> bool:
        """Whether a leaf can still be derived."""
        depth = depth_of(self.leaves)
        return any((level, index >> (depth - level)) in self.nodes for level in range(depth + 1))

    def without(self, indices: Iterable[int]) -> KeyTree:
        """A tree in which none of these leaves can be derived; those destroyed already stay so."""
        tree = self
        for index in indices:
            if tree.has(index):
                tree = tree.puncture(index)
        return tree

    def only(self, indices: Iterable[int]) -> KeyTree:
        """A tree in which no leaf can be derived but those of these that still exist."""
        return KeyTree.from_leaves(self.leaves, {index: self.leaf(index) for index in indices if self.has(index)})

    def to_bytes(self) -> bytes:
        """Leaves (u32), then per node depth (u8), index (u32), key (32 bytes); big-endian, in order."""
        parts = [self.leaves.to_bytes(4, "big")]
        for (level, index), key in sorted(self.nodes.items()):
            parts += (level.to_bytes(1, "big"), index.to_bytes(4, "big"), key)
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyTree:
        """The inverse of to_bytes. Raises FormatError."""
        step = 5 + KEY_BYTES
        if len(data) < 4 or (len(data) - 4) % step:
            raise FormatError("key tree bytes have a wrong length")
        leaves = int.from_bytes(data[:4], "big")
        if not 0 < leaves <= MAX_LEAVES:
            raise FormatError("key tree with a wrong number of leaves")
        nodes = {}
        for at in range(4, len(data), step):
            level, index = data[at], int.from_bytes(data[at + 1 : at + 5], "big")
            if level > depth_of(leaves) or index >> level:
                raise FormatError("key tree with a node outside the tree")
            nodes[(level, index)] = data[at + 5 : at + step]
        return cls(leaves, nodes)


def _leftmost(depth: int) -> Callable[[tuple[int, int, bytes]], int]:
    return lambda node: node[1] << (depth - node[0])
