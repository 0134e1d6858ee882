"""What the publisher derives from the commits: a pure function, so that anyone can write or check it, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger import checkpoints, merkle, notes, tiles
from ledger.errors import FormatError
from ledger.history import History

PREFIX: Final = "ledger/"


def checkpoint_path(size: int) -> str:
    """Where the checkpoint of this size stays."""
    return f"ledger/checkpoints/{size}"


def sign(origin: str, size: int, root: bytes, signer: notes.Signer) -> bytes:
    """The signed checkpoint note: the same bytes whoever makes it, since Ed25519 is deterministic."""
    return checkpoints.sign_checkpoint(checkpoints.Checkpoint(origin, size, root), signer)


def grown(history: History, before: int, after: int) -> Iterator[tuple[str, bytes]]:
    """Entry bundles and tiles to write when what is published grows from ``before`` to ``after`` entries."""
    for tile in tiles.new_bundles(before, after):
        yield PREFIX + tile.path, _bundle(history, tile)
    for tile, data in tiles.tile_contents(history.leaves[before:after], before, _edge(history.leaves, before)):
        yield PREFIX + tile.path, data


def objects_of(history: History, size: int) -> Iterator[tuple[str, bytes]]:
    """Every bundle and tile that a published log of ``size`` entries has."""
    return grown(history, 0, size)


def least_size(path: str) -> int | None:
    """How many entries a log has at least that has this tile or bundle; None if the path is none of one."""
    try:
        tile = tiles.parse_tile_path(path.removeprefix(PREFIX))
    except FormatError:
        return None
    step: int = tiles.TILE_WIDTH ** (tile.level or 0)
    return (tile.index * tiles.TILE_WIDTH + tile.width) * step


def was_derived(history: History, path: str, data: bytes) -> bool:
    """Whether these bytes are a tile or bundle of this log at an earlier size (partial tiles stay behind)."""
    try:
        tile = tiles.parse_tile_path(path.removeprefix(PREFIX))
        if tile.level is None:
            return data == _bundle(history, tile)
        step = tiles.TILE_WIDTH**tile.level
        start = tile.index * tiles.TILE_WIDTH * step
        spans = range(start, start + tile.width * step, step)
        if start + tile.width * step > history.frontier.size:
            return False
        return data == tiles.tile_bytes([merkle.root(history.leaves[at : at + step]) for at in spans])
    except FormatError:
        return False


def _bundle(history: History, tile: tiles.Tile) -> bytes:
    start = tile.index * tiles.TILE_WIDTH
    return tiles.encode_bundle(entry.data for entry in history.entries[start : start + tile.width])


def _edge(leaves: list[bytes], size: int) -> list[list[bytes]]:
    """The hashes of the partial tiles of a tree of ``size``, level by level."""
    edge: list[list[bytes]] = []
    row = leaves[:size]
    while row:
        full = len(row) // tiles.TILE_WIDTH * tiles.TILE_WIDTH
        edge.append(row[full:])
        row = [merkle.root(row[start : start + tiles.TILE_WIDTH]) for start in range(0, full, tiles.TILE_WIDTH)]
    return edge
