"""The RFC 9162 (section 2.1) Merkle tree: roots, and proofs of inclusion, of consistency and of subsets.

All hashes are 32 bytes of SHA-256. ``leaves`` are always leaf *hashes*, never the data that was hashed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from ledger.errors import FormatError, TamperedError

HASH_SIZE = 32
MAX_SIZE = 2**63 - 1
"""Leaves of a tree: other readers of tlog formats hold a size in a signed 64-bit integer."""
EMPTY_ROOT: bytes = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), RFC 9162 section 2.1.1."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(items: Iterable[bytes]) -> list[bytes]:
    """The leaf hash of each item, in order."""
    return [sha256(b"\x00" + item).digest() for item in items]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), RFC 9162 section 2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; ``EMPTY_ROOT`` over none."""
    if not leaves:
        return EMPTY_ROOT
    level = leaves
    while len(level) > 1:
        level = _parents(level)
    return level[0]


class Frontier:
    """A tree that only grows, kept as the roots of its complete subtrees: O(log n) memory."""

    __slots__ = ("_nodes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes | None] = []
        """Index = height; the root of the complete subtree of that height at the right edge, if there is one."""

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf hash."""
        self.extend((leaf_hash,))

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaf hashes in order. This is binary addition: two subtrees of one height carry into the next."""
        carry = list(leaf_hashes)
        self.size += len(carry)
        height = 0
        while carry:
            if height == len(self._nodes):
                self._nodes.append(None)
            held = self._nodes[height]
            if held is not None:
                carry.insert(0, held)
            self._nodes[height] = carry.pop() if len(carry) % 2 else None
            carry = _parents(carry)
            height += 1

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        right: bytes | None = None
        for left in self._nodes:
            if left is not None:
                right = left if right is None else node_hash(left, right)
        return EMPTY_ROOT if right is None else right

    def copy(self) -> Frontier:
        """An independent copy, to try an append on."""
        twin = Frontier()
        twin.size = self.size
        twin._nodes = self._nodes.copy()
        return twin


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of one leaf, lowest sibling first (RFC 9162 section 2.1.3.1). FormatError: no such leaf."""
    _check_index(index, len(leaves))
    path: list[bytes] = []
    level = leaves
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _parents(level)
        index >>= 1
    return path


class Tree:
    """A whole tree kept level by level, to take many proofs from: each costs its length, not the tree's."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels: list[Sequence[bytes]] = [leaves]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    @property
    def root(self) -> bytes:
        """The root; ``EMPTY_ROOT`` over no leaves."""
        top = self._levels[-1]
        return top[0] if top else EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """As the function of this name."""
        _check_index(index, len(self._levels[0]))
        siblings = ((level, (index >> height) ^ 1) for height, level in enumerate(self._levels[:-1]))
        return [level[sibling] for level, sibling in siblings if sibling < len(level)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that ``leaf`` stands at ``index`` of the tree (RFC 9162 section 2.1.3.2).

    Raises TamperedError where the proof does not lead to the root, FormatError where it could lead to none.
    """
    _check_index(index, size)
    _check_hashes("inclusion", leaf, root, *proof)
    inner, border = _path_shape(index, size)
    _check_count("inclusion", inner + border, len(proof))
    if _climb(leaf, index, proof, inner) != root:
        raise TamperedError(f"inclusion proof of leaf {index} does not lead to the root of size {size}")


def consistency_proof(leaves: Sequence[bytes], size1: int, size2: int) -> list[bytes]:
    """The proof that the tree of ``size2`` extends that of ``size1`` (RFC 9162 section 2.1.4.1).

    Raises FormatError unless 0 < size1 <= size2 <= len(leaves).
    """
    _check_sizes(size1, size2)
    if size2 > len(leaves):
        raise FormatError(f"consistency proof to size {size2} in a tree of {len(leaves)} leaves")
    path: list[bytes] = []
    low, high = 0, size2
    while size1 != high:
        middle = low + _split(high - low)
        if size1 <= middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    if low:
        path.append(root(leaves[low:high]))
    return path[::-1]


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that the tree of ``size2`` extends that of ``size1`` (RFC 9162 section 2.1.4.2).

    A size of 0 is refused, also 0 to 0: every tree extends the empty one, so such a proof says nothing.
    Raises TamperedError where the proof does not lead to the roots, FormatError where it could lead to none.
    """
    _check_sizes(size1, size2)
    if size1 == size2:
        _check_count("consistency", 0, len(proof))
        if root1 != root2:
            raise TamperedError(f"two different roots of one size {size1}")
        return
    _check_hashes("consistency", root1, root2, *proof)
    # The path starts at the largest complete subtree at the right edge of the old tree.
    complete = (size1 & -size1).bit_length() - 1
    whole = size1 == 1 << complete
    inner, border = _path_shape(size1 - 1, size2)
    inner -= complete
    _check_count("consistency", inner + border + (not whole), len(proof))
    start, rest = (root1, proof) if whole else (proof[0], proof[1:])
    position = (size1 - 1) >> complete
    old = start
    for height, sibling in enumerate(rest):
        if height >= inner or position >> height & 1:
            old = node_hash(sibling, old)
    if old != root1:
        raise TamperedError(f"consistency proof does not lead to the root of size {size1}")
    if _climb(start, position, rest, inner) != root2:
        raise TamperedError(f"consistency proof does not lead to the root of size {size2}")


def subset_proof(leaves: Sequence[bytes], indices: Sequence[int]) -> list[bytes]:
    """The hashes of the maximal subtrees that hold none of the sorted, distinct ``indices``, left to right.

    Subtrees are those of RFC 9162's recursive split. Raises FormatError where the indices are malformed.
    """
    _check_subset(indices, len(leaves))

    def walk(low: int, high: int, first: int, last: int) -> Iterator[bytes]:
        if first == last:
            yield root(leaves[low:high])
        elif last - first < high - low:
            middle = low + _split(high - low)
            cut = bisect_left(indices, middle, first, last)
            yield from walk(low, middle, first, cut)
            yield from walk(middle, high, cut, last)

    return list(walk(0, len(leaves), 0, len(indices))) if leaves else []


def root_from_subset(size: int, included: Sequence[tuple[int, bytes]], proof: Sequence[bytes]) -> bytes:
    """The root that ``included`` (index, leaf hash) and a ``subset_proof`` lead to; the caller compares it.

    Raises FormatError where indices are unsorted or out of range, or the proof has too many or too few hashes.
    """
    indices = [index for index, _ in included]
    hashes = [leaf for _, leaf in included]
    _check_subset(indices, size)
    _check_hashes("subset", *hashes, *proof)
    remaining = iter(proof)

    def walk(low: int, high: int, first: int, last: int) -> bytes:
        if first == last:
            subtree = next(remaining, None)
            if subtree is None:
                raise FormatError("subset proof has too few hashes")
            return subtree
        if last - first == high - low:
            return root(hashes[first:last])
        middle = low + _split(high - low)
        cut = bisect_left(indices, middle, first, last)
        left = walk(low, middle, first, cut)
        return node_hash(left, walk(middle, high, cut, last))

    result = walk(0, size, 0, len(indices)) if size else EMPTY_ROOT
    if next(remaining, None) is not None:
        raise FormatError("subset proof has too many hashes")
    return result


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """One level up; an odd last node is taken along as it is, which is RFC 9162's split seen from below."""
    nodes = iter(level)
    parents = [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes, nodes, strict=False)]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


def _split(size: int) -> int:
    """The largest power of two below ``size`` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _path_shape(index: int, size: int) -> tuple[int, int]:
    """Length of the path below and along the right border of the tree."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(node: bytes, index: int, path: Sequence[bytes], inner: int) -> bytes:
    for height, sibling in enumerate(path):
        left_child = height < inner and not index >> height & 1
        node = node_hash(node, sibling) if left_child else node_hash(sibling, node)
    return node


def _check_index(index: int, size: int) -> None:
    if not 0 <= index < size <= MAX_SIZE:
        raise FormatError(f"leaf {index} is not in a tree of size {size}")


def _check_sizes(size1: int, size2: int) -> None:
    if not 0 < size1 <= size2 <= MAX_SIZE:
        raise FormatError(f"consistency proof from size {size1} to size {size2} is not possible")


def _check_subset(indices: Sequence[int], size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise FormatError(f"a tree cannot have the size {size}")
    previous = -1
    for index in indices:
        if not previous < index < size:
            raise FormatError(f"subset indices are not sorted, distinct and below {size}")
        previous = index


def _check_hashes(kind: str, *hashes: bytes) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise FormatError(f"{kind} proof has a hash of {len(value)} bytes instead of {HASH_SIZE}")


def _check_count(kind: str, expected: int, got: int) -> None:
    if got != expected:
        raise TamperedError(f"{kind} proof has wrong size: expected {expected}, got {got}")
