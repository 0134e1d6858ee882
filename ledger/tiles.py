"""C2SP tlog-tiles: the paths, the contents and the growth of hash tiles and entry bundles.

A hash tile holds up to 256 hashes of one level; a bundle holds the entries under one level 0 tile. What is less
than full is partial, and its width stands in its path. Empty tiles do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger import merkle
from ledger.errors import FormatError

TILE_WIDTH = 256
MAX_ENTRY = 65535
"""Bytes of one entry: its length is a uint16 in the bundle."""
MAX_LEVEL = 63

_HEIGHT = 8
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One hash tile, or one entry bundle where ``level`` is None. ``width``: hashes or entries in it, 1 to 256."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Its path in the store, below ``ledger/``."""
        if self.level is None:
            return bundle_path(self.index, self.width)
        return tile_path(self.level, self.index, self.width)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """``tile/<L>/<N>[.p/<W>]``, such as ``tile/0/x001/x234/067.p/12``. Raises FormatError out of bounds."""
    if not 0 <= level <= MAX_LEVEL:
        raise FormatError(f"tile level {level} is not within 0..{MAX_LEVEL}")
    return f"tile/{level}/{_number(index, width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """``tile/entries/<N>[.p/<W>]``, such as ``tile/entries/000.p/3``. Raises FormatError out of bounds."""
    return f"tile/entries/{_number(index, width)}"


def parse_tile_path(path: str) -> Tile:
    """The tile or bundle at ``path``; FormatError unless the path is written exactly as this module writes it."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise FormatError(f"not a tile path: {path[:200]!r}")
    level, number, width = match.groups()
    tile = Tile(
        level=None if level == "entries" else int(level),
        index=int(number.replace("/", "").replace("x", "")),
        width=TILE_WIDTH if width is None else int(width),
    )
    if tile.path != path:
        raise FormatError(f"tile path is not in its shortest form: {path[:200]!r}")
    return tile


def tiles_of(size: int) -> Iterator[Tile]:
    """All hash tiles that a tree of ``size`` leaves has, level by level, partial ones included."""
    _check_growth(0, size)
    for level in range(MAX_LEVEL + 1):
        yield from _grown(level, 0, size >> _HEIGHT * level)


def new_tiles(before: int, after: int) -> list[Tile]:
    """The hash tiles to write when a tree grows from ``before`` to ``after`` leaves, level by level."""
    _check_growth(before, after)
    levels = range(MAX_LEVEL + 1)
    return [tile for k in levels for tile in _grown(k, before >> _HEIGHT * k, after >> _HEIGHT * k)]


def new_bundles(before: int, after: int) -> list[Tile]:
    """The entry bundles to write when a log grows from ``before`` to ``after`` entries."""
    _check_growth(before, after)
    return list(_grown(None, before, after))


def edge_tiles(size: int) -> list[Tile]:
    """The partial hash tiles of a tree, lowest level first: all that is needed to grow it, or to compute its root."""
    _check_growth(0, size)
    counts = [size >> _HEIGHT * level for level in range(MAX_LEVEL + 1)]
    return [Tile(k, n // TILE_WIDTH, n % TILE_WIDTH) for k, n in enumerate(counts) if n % TILE_WIDTH]


def tile_contents(
    added: Sequence[bytes], before: int = 0, edge: Sequence[Sequence[bytes]] = ()
) -> Iterator[tuple[Tile, bytes]]:
    """The tiles of ``new_tiles(before, before + len(added))`` with their bytes, at a cost of O(added).

    ``added`` are the new leaf hashes; ``edge[level]`` are the hashes of the partial tile at that level of the tree of
    size ``before`` (nothing where there is none, see ``edge_tiles``). From an empty tree neither is needed.
    Raises FormatError where the edge is not that of a tree of size ``before``.
    """
    _check_edge(edge, before)
    hashes, level = list(added), 0
    while hashes:
        row = [*edge[level], *hashes] if level < len(edge) else hashes
        first = before >> _HEIGHT * (level + 1)
        hashes = []
        for start in range(0, len(row), TILE_WIDTH):
            part = row[start : start + TILE_WIDTH]
            yield Tile(level, first + start // TILE_WIDTH, len(part)), tile_bytes(part)
            # Only full tiles are hashed upward.
            if len(part) == TILE_WIDTH:
                hashes.append(merkle.root(part))
        level += 1


def edge_root(edge: Sequence[Sequence[bytes]], size: int) -> bytes:
    """The root of a tree of ``size`` from its partial tiles (as in ``tile_contents``). FormatError: not its edge."""
    _check_edge(edge, size)
    below: list[bytes] = []
    for hashes in edge:
        if hashes or below:
            below = [merkle.root([*hashes, *below])]
    return below[0] if below else merkle.EMPTY_ROOT


def tile_bytes(hashes: Sequence[bytes]) -> bytes:
    """The bytes of a tile of 1 to 256 hashes."""
    data = b"".join(hashes)
    if not 1 <= len(hashes) <= TILE_WIDTH or len(data) != merkle.HASH_SIZE * len(hashes):
        raise FormatError(f"a tile holds 1 to {TILE_WIDTH} hashes of {merkle.HASH_SIZE} bytes")
    return data


def parse_tile(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """The hashes in a tile of the ``width`` that its path gives. FormatError where its length is another."""
    if not 1 <= width <= TILE_WIDTH or len(data) != width * merkle.HASH_SIZE:
        raise FormatError(f"a tile of width {width} cannot have {len(data)} bytes")
    return [data[start : start + merkle.HASH_SIZE] for start in range(0, len(data), merkle.HASH_SIZE)]


def check_entry(entry: bytes) -> None:
    """FormatError if an entry is too long for a bundle. To be called before an entry is appended."""
    if len(entry) > MAX_ENTRY:
        raise FormatError(f"a ledger entry of {len(entry)} bytes is longer than {MAX_ENTRY}")


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """The bundle of 1 to 256 entries: each a big-endian uint16 length, then the entry."""
    parts: list[bytes] = []
    for entry in entries:
        check_entry(entry)
        parts += (len(entry).to_bytes(2, "big"), entry)
    if not 2 <= len(parts) <= 2 * TILE_WIDTH:
        raise FormatError(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(parts) // 2}")
    return b"".join(parts)


def parse_bundle(data: bytes) -> list[bytes]:
    """The 1 to 256 entries of a bundle. Raises FormatError."""
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 2
        position = start + int.from_bytes(data[start - 2 : start], "big")
        if start > len(data) or position > len(data):
            raise FormatError(f"a bundle ends within entry {len(entries)}")
        entries.append(data[start:position])
        if len(entries) > TILE_WIDTH:
            raise FormatError(f"a bundle holds more than {TILE_WIDTH} entries")
    if not entries:
        raise FormatError("a bundle without entries")
    return entries


def _number(index: int, width: int) -> str:
    if not 0 <= index <= merkle.MAX_SIZE // TILE_WIDTH:
        raise FormatError(f"tile index {index} is out of range")
    if not 1 <= width <= TILE_WIDTH:
        raise FormatError(f"tile width {width} is not within 1..{TILE_WIDTH}")
    *higher, last = re.findall("...", str(index).zfill(-(-len(str(index)) // 3) * 3))
    number = "".join(f"x{group}/" for group in higher) + last
    return number if width == TILE_WIDTH else f"{number}.p/{width}"


def _grown(level: int | None, before: int, after: int) -> Iterator[Tile]:
    """Tiles of one level that change when its hashes grow from ``before`` to ``after``."""
    if after == before:
        return
    full, partial = divmod(after, TILE_WIDTH)
    for index in range(before // TILE_WIDTH, full):
        yield Tile(level, index)
    if partial:
        yield Tile(level, full, partial)


def _check_growth(before: int, after: int) -> None:
    if not 0 <= before <= after <= merkle.MAX_SIZE:
        raise FormatError(f"a tree cannot grow from {before} to {after}")


def _check_edge(edge: Sequence[Sequence[bytes]], size: int) -> None:
    _check_growth(0, size)
    for level in range(max(len(edge), -(-size.bit_length() // _HEIGHT))):
        expected = (size >> _HEIGHT * level) % TILE_WIDTH
        held = len(edge[level]) if level < len(edge) else 0
        if held != expected:
            raise FormatError(f"the edge of a tree of size {size} has {expected} hashes at level {level}, not {held}")
