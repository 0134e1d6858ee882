"""Subtree hashes read from tiles: enough to check consistency of two tree sizes without reading every entry."""

from __future__ import annotations

from typing import Final

from ledger import merkle, tiles
from ledger.errors import FormatError, TamperedError
from ledger.objects.base import ReadObjects

PREFIX: Final = "ledger/"


class TileReader:
    """Hashes of perfect subtrees of a log of ``size`` entries, from its hash tiles."""

    def __init__(self, objects: ReadObjects, size: int) -> None:
        self._objects = objects
        self._size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` entries."""
        return self._range(0, size)

    def _range(self, start: int, end: int) -> bytes:
        """RFC 9162 hash of leaves start to end, where the range is one that the recursive split makes."""
        length = end - start
        if length == 0:
            return merkle.EMPTY_ROOT
        if length & (length - 1) == 0 and start % length == 0:
            return self._perfect(start, length)
        split = 1 << (length - 1).bit_length() - 1
        return merkle.node_hash(self._range(start, start + split), self._range(start + split, end))

    def _perfect(self, start: int, length: int) -> bytes:
        height = length.bit_length() - 1
        level = height // 8
        first = start >> 8 * level
        count = 1 << height - 8 * level
        tile = self._tile(level, first // tiles.TILE_WIDTH)
        at = first % tiles.TILE_WIDTH
        if at + count > len(tile):
            raise FormatError("a tile is narrower than its tree needs")
        return merkle.root(tile[at : at + count])

    def _tile(self, level: int, index: int) -> list[bytes]:
        """A tile of the current size: its partial form where the tree ends in it."""
        known = self._tiles.get((level, index))
        if known is not None:
            return known
        width = min(tiles.TILE_WIDTH, (self._size >> 8 * level) - index * tiles.TILE_WIDTH)
        path = PREFIX + tiles.tile_path(level, index, width)
        try:
            hashes = tiles.parse_tile(self._objects.get(path), width)
        except FormatError:
            raise TamperedError(f"{path} is no tile", path=path) from None
        self._tiles[(level, index)] = hashes
        return hashes


def check_consistency(objects: ReadObjects, old: tuple[int, bytes], new: tuple[int, bytes]) -> None:
    """Both roots follow from the same tiles, so the older tree is a beginning of the newer.

    Raises TamperedError if they do not, MissingObjectError if a tile is not there.
    """
    reader = TileReader(objects, new[0])
    if reader.root(new[0]) != new[1]:
        raise TamperedError("the tiles have another root than the checkpoint")
    if old[0] and reader.root(old[0]) != old[1]:
        raise TamperedError("the store does not continue the pinned checkpoint")
