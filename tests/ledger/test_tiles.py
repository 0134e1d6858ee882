"""Tiles and bundles: the specification's examples, the definition as an oracle, one spelling of every path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle, tiles
from ledger.errors import FormatError
from ledger.tiles import MAX_ENTRY, TILE_WIDTH, Tile

LEAVES = merkle.leaf_hashes(f"leaf-{i}".encode() for i in range(70_000))

indices = st.integers(0, 2**55 - 1)
widths = st.integers(1, TILE_WIDTH)
hash_tiles = st.builds(Tile, level=st.integers(0, 63), index=indices, width=widths)
bundles = st.builds(Tile, level=st.none(), index=indices, width=widths)
sizes = st.integers(0, 70_000)


def edge_of(size: int) -> list[list[bytes]]:
    """The hashes of the partial tiles of the tree over the first leaves, by level, as a reader would fetch them."""
    partial = {tile: content for tile, content in tiles.tile_contents(LEAVES[:size]) if tile.width < TILE_WIDTH}
    edge: list[list[bytes]] = [[], [], [], []]
    for tile in tiles.edge_tiles(size):
        assert tile.level is not None
        edge[tile.level] = tiles.parse_tile(partial[tile], tile.width)
    return edge


class TestPaths:
    # Origin: C2SP tlog-tiles.
    @pytest.mark.parametrize(
        ("tile", "path"),
        [
            (Tile(0, 1234067), "tile/0/x001/x234/067"),
            (Tile(0, 1234067, 12), "tile/0/x001/x234/067.p/12"),
            (Tile(0, 5), "tile/0/005"),
            (Tile(1, 1000, 1), "tile/1/x001/000.p/1"),
            (Tile(None, 0, 3), "tile/entries/000.p/3"),
            (Tile(63, 999, 255), "tile/63/999.p/255"),
        ],
    )
    def test_examples(self, tile: Tile, path: str) -> None:
        assert tile.path == path
        assert tiles.parse_tile_path(path) == tile

    @given(hash_tiles | bundles)
    def test_round_trip(self, tile: Tile) -> None:
        assert tiles.parse_tile_path(tile.path) == tile

    @given(st.text(max_size=30) | (hash_tiles | bundles).map(lambda tile: tile.path), st.data())
    def test_any_text_is_refused_or_is_the_path(self, text: str, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.text("/x.p0123456789 \n", max_size=3)) + text[at + 1 :]
        try:
            tile = tiles.parse_tile_path(text)
        except FormatError:
            return
        assert tile.path == text

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "tile/0/5",
            "tile/0/0005",
            "tile/00/005",
            "tile/01/005",
            "tile/64/005",
            "tile/-1/005",
            "tile/0/x000/005",
            "tile/0/001/005",
            "tile/0/x001",
            "tile/0/005.p/0",
            "tile/0/005.p/01",
            "tile/0/005.p/256",
            "tile/0/005.p/-1",
            "tile/0/005.p/",
            "tile/0/005.p",
            "tile/0/005/",
            "/tile/0/005",
            "tile/0/005\n",
            "tile/0/00\u0665",
            "tile/data/005",
            "tile/8/0/005",
            "tile/0/x999/x999/x999/x999/x999/999",
            "tile/0/../005",
        ],
    )
    def test_other_spellings(self, path: str) -> None:
        with pytest.raises(FormatError):
            tiles.parse_tile_path(path)

    @pytest.mark.parametrize(("level", "index", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
    def test_tiles_that_cannot_be(self, level: int, index: int, width: int) -> None:
        with pytest.raises(FormatError):
            tiles.tile_path(level, index, width)


class TestGrowth:
    def test_the_tree_of_70000_leaves(self) -> None:
        # Origin: C2SP tlog-tiles, "Partial Tiles".
        found = list(tiles.tiles_of(70_000))
        assert [tile for tile in found if tile.level == 0] == [*(Tile(0, i) for i in range(273)), Tile(0, 273, 112)]
        assert [tile for tile in found if tile.level] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]

    def test_the_tree_of_256_leaves(self) -> None:
        assert list(tiles.tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]

    def test_the_empty_tree_has_no_tiles(self) -> None:
        assert list(tiles.tiles_of(0)) == []

    @given(sizes)
    def test_every_level_holds_all_its_complete_subtrees(self, size: int) -> None:
        for level in range(4):
            widths = [tile.width for tile in tiles.tiles_of(size) if tile.level == level]
            assert sum(widths) == size // 256**level
            assert all(width == TILE_WIDTH for width in widths[:-1])

    @given(sizes, sizes)
    def test_growing_writes_what_the_smaller_tree_lacks(self, one: int, other: int) -> None:
        before, after = sorted((one, other))
        had = set(tiles.tiles_of(before))
        assert tiles.new_tiles(before, after) == [tile for tile in tiles.tiles_of(after) if tile not in had]

    @given(sizes, sizes)
    def test_bundles_stand_under_the_lowest_tiles(self, one: int, other: int) -> None:
        before, after = sorted((one, other))
        lowest = [(tile.index, tile.width) for tile in tiles.new_tiles(before, after) if tile.level == 0]
        assert [(tile.index, tile.width) for tile in tiles.new_bundles(before, after)] == lowest

    @pytest.mark.parametrize(("before", "after"), [(1, 0), (-1, 0), (0, 2**63)])
    def test_impossible_growth(self, before: int, after: int) -> None:
        with pytest.raises(FormatError):
            tiles.new_tiles(before, after)
        with pytest.raises(FormatError):
            tiles.new_bundles(before, after)


class TestContents:
    @pytest.mark.parametrize("size", [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000])
    def test_equals_the_definition(self, size: int) -> None:
        """Hash i of tile n at level l is MTH(D[(n * 256 + i) * 256^l : (n * 256 + i + 1) * 256^l])."""
        contents = dict(tiles.tile_contents(LEAVES[:size]))
        assert list(contents) == list(tiles.tiles_of(size))
        for tile, content in contents.items():
            assert tile.level is not None
            span = 256**tile.level
            for i, value in enumerate(tiles.parse_tile(content, tile.width)):
                start = (tile.index * 256 + i) * span
                assert value == merkle.root(LEAVES[start : start + span])

    @given(sizes, st.integers(0, 700))
    def test_a_tree_grows_from_its_partial_tiles_alone(self, before: int, added: int) -> None:
        leaves = LEAVES[:before] + LEAVES[:added]
        grown = dict(tiles.tile_contents(LEAVES[:added], before, edge_of(before)))
        whole = dict(tiles.tile_contents(leaves))
        assert grown == {tile: whole[tile] for tile in tiles.new_tiles(before, before + added)}

    @given(sizes)
    def test_the_partial_tiles_lead_to_the_root(self, size: int) -> None:
        assert tiles.edge_root(edge_of(size), size) == merkle.root(LEAVES[:size])

    @given(sizes, sizes)
    def test_the_edge_of_another_tree_is_refused(self, size: int, other: int) -> None:
        if [tile.width for tile in tiles.edge_tiles(size)] != [tile.width for tile in tiles.edge_tiles(other)]:
            with pytest.raises(FormatError):
                tiles.edge_root(edge_of(size), other)
            with pytest.raises(FormatError):
                list(tiles.tile_contents(LEAVES[:1], other, edge_of(size)))

    @pytest.mark.parametrize("hashes", [[], [b"short"], LEAVES[:257]])
    def test_contents_that_no_tile_has(self, hashes: list[bytes]) -> None:
        with pytest.raises(FormatError):
            tiles.tile_bytes(hashes)

    @pytest.mark.parametrize(("length", "width"), [(0, 0), (31, 1), (33, 1), (64, 1), (8192, 255), (8224, 257)])
    def test_lengths_that_no_tile_has(self, length: int, width: int) -> None:
        with pytest.raises(FormatError):
            tiles.parse_tile(bytes(length), width)


class TestBundles:
    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=TILE_WIDTH))
    def test_round_trip(self, entries: list[bytes]) -> None:
        assert tiles.parse_bundle(tiles.encode_bundle(entries)) == entries

    @given(st.binary(max_size=300))
    def test_any_bytes_are_refused_or_read_exactly(self, data: bytes) -> None:
        try:
            entries = tiles.parse_bundle(data)
        except FormatError:
            return
        assert tiles.encode_bundle(entries) == data

    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
    def test_a_cut_bundle_is_refused_or_ends_between_entries(self, entries: list[bytes], data: st.DataObject) -> None:
        whole = tiles.encode_bundle(entries)
        cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
        ends = {tiles.encode_bundle(entries[:count]) for count in range(1, len(entries))}
        if cut in ends:
            assert tiles.parse_bundle(cut) == entries[: len(tiles.parse_bundle(cut))]
        else:
            with pytest.raises(FormatError):
                tiles.parse_bundle(cut)

    def test_the_longest_entry(self) -> None:
        entry = bytes(MAX_ENTRY)
        assert tiles.parse_bundle(tiles.encode_bundle([entry])) == [entry]

    def test_a_longer_entry_is_refused_not_cut(self) -> None:
        entry = bytes(MAX_ENTRY + 1)
        with pytest.raises(FormatError, match="65536"):
            tiles.encode_bundle([entry])
        with pytest.raises(FormatError):
            tiles.check_entry(entry)

    def test_a_bundle_is_never_empty_nor_wider_than_a_tile(self) -> None:
        for count in (0, TILE_WIDTH + 1):
            with pytest.raises(FormatError):
                tiles.encode_bundle([b""] * count)
            with pytest.raises(FormatError):
                tiles.parse_bundle(b"\x00\x00" * count)
