"""The RFC 9162 tree: published constants, the definition itself as an oracle, and refusal of everything altered."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.errors import FormatError, TamperedError

# Origin: transparency-dev/merkle, testonly/constants.go. The root of size 8 is the published constant.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(size: int) -> list[bytes]:
    return merkle.leaf_hashes(f"leaf-{i}".encode() for i in range(size))


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if len(leaves) == 0:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(mth(leaves[:k]), mth(leaves[k:]))


def flipped(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")


class TestRoot:
    @pytest.mark.parametrize("size", range(9))
    def test_published_roots(self, size: int) -> None:
        leaves = merkle.leaf_hashes(bytes.fromhex(leaf) for leaf in LEAVES[:size])
        assert merkle.root(leaves).hex() == ROOTS[size]

    def test_published_leaf_hash(self) -> None:
        # Origin: golang.org/x/mod/sumdb/tlog, RecordHash("hello world").
        expected = base64.b64decode("TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=")
        assert merkle.leaf_hash(b"hello world") == expected

    @pytest.mark.parametrize("size", range(70))
    def test_equals_the_definition(self, size: int) -> None:
        assert merkle.root(leaves_of(size)) == mth(leaves_of(size))

    def test_a_node_never_passes_for_a_leaf(self) -> None:
        left, right = leaves_of(2)
        assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)

    @given(st.lists(st.integers(0, 40), max_size=12))
    def test_a_frontier_grows_to_the_same_root_in_any_steps(self, steps: list[int]) -> None:
        leaves, frontier, size = leaves_of(sum(steps)), merkle.Frontier(), 0
        for step in steps:
            frontier.extend(leaves[size : size + step])
            size += step
            assert (frontier.size, frontier.root()) == (size, merkle.root(leaves[:size]))

    def test_a_frontier_appends_one_by_one(self) -> None:
        frontier = merkle.Frontier()
        for size, leaf in enumerate(leaves_of(70), start=1):
            frontier.append(leaf)
            assert frontier.root() == merkle.root(leaves_of(size))

    def test_a_copied_frontier_grows_alone(self) -> None:
        frontier = merkle.Frontier()
        frontier.extend(leaves_of(5))
        twin = frontier.copy()
        twin.append(merkle.leaf_hash(b"more"))
        assert (frontier.size, frontier.root()) == (5, merkle.root(leaves_of(5)))
        assert (twin.size, twin.root()) == (6, merkle.root([*leaves_of(5), merkle.leaf_hash(b"more")]))


class TestInclusion:
    @given(st.data(), st.integers(1, 600))
    def test_every_leaf_is_proved(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, size - 1))
        leaves = leaves_of(size)
        merkle.verify_inclusion(leaves[index], index, size, merkle.inclusion_proof(leaves, index), merkle.root(leaves))

    @given(st.data(), st.integers(1, 600))
    def test_any_flipped_bit_is_refused(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, size - 1))
        leaves = leaves_of(size)
        hashes = [leaves[index], *merkle.inclusion_proof(leaves, index), merkle.root(leaves)]
        target = data.draw(st.integers(0, len(hashes) - 1))
        hashes[target] = flipped(hashes[target], data.draw(st.integers(0, 255)))
        leaf, *proof, root = hashes
        with pytest.raises(TamperedError):
            merkle.verify_inclusion(leaf, index, size, proof, root)

    @given(st.data(), st.integers(2, 300))
    def test_another_index_is_refused(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, size - 1))
        other = data.draw(st.integers(0, size - 1).filter(lambda value: value != index))
        leaves = leaves_of(size)
        proof = merkle.inclusion_proof(leaves, index)
        with pytest.raises(TamperedError):
            merkle.verify_inclusion(leaves[index], other, size, proof, merkle.root(leaves))

    @given(st.data(), st.integers(1, 300))
    def test_a_tree_that_is_kept_gives_the_same_proofs(self, data: st.DataObject, size: int) -> None:
        leaves, tree = leaves_of(size), merkle.Tree(leaves_of(size))
        index = data.draw(st.integers(0, size - 1))
        assert (tree.inclusion_proof(index), tree.root) == (merkle.inclusion_proof(leaves, index), merkle.root(leaves))

    def test_the_size_of_the_proof_is_checked(self) -> None:
        leaves = leaves_of(5)
        proof = merkle.inclusion_proof(leaves, 0)
        with pytest.raises(TamperedError, match="inclusion proof has wrong size: expected 3, got 2"):
            merkle.verify_inclusion(leaves[0], 0, 5, proof[:-1], merkle.root(leaves))

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (6, 5), (-1, 5), (0, -1), (0, 2**63)])
    def test_an_impossible_place_is_malformed(self, index: int, size: int) -> None:
        with pytest.raises(FormatError):
            merkle.verify_inclusion(merkle.EMPTY_ROOT, index, size, [], merkle.EMPTY_ROOT)

    def test_a_hash_of_another_length_is_malformed(self) -> None:
        leaf = merkle.leaf_hash(b"")
        for good, bad in ((leaf, leaf[:-1]), (leaf[:-1], leaf)):
            with pytest.raises(FormatError):
                merkle.verify_inclusion(good, 0, 1, [], bad)

    def test_there_is_no_proof_for_a_leaf_that_is_not_there(self) -> None:
        with pytest.raises(FormatError):
            merkle.inclusion_proof(leaves_of(3), 3)


class TestConsistency:
    @given(st.data(), st.integers(1, 600))
    def test_every_earlier_size_is_proved(self, data: st.DataObject, size2: int) -> None:
        size1 = data.draw(st.integers(1, size2))
        leaves = leaves_of(size2)
        proof = merkle.consistency_proof(leaves, size1, size2)
        merkle.verify_consistency(size1, size2, proof, merkle.root(leaves[:size1]), merkle.root(leaves))

    @given(st.data(), st.integers(2, 600))
    def test_any_flipped_bit_is_refused(self, data: st.DataObject, size2: int) -> None:
        size1 = data.draw(st.integers(1, size2))
        leaves = leaves_of(size2)
        hashes = [merkle.root(leaves[:size1]), *merkle.consistency_proof(leaves, size1, size2), merkle.root(leaves)]
        target = data.draw(st.integers(0, len(hashes) - 1))
        hashes[target] = flipped(hashes[target], data.draw(st.integers(0, 255)))
        root1, *proof, root2 = hashes
        with pytest.raises(TamperedError):
            merkle.verify_consistency(size1, size2, proof, root1, root2)

    @given(st.data(), st.integers(2, 300))
    def test_a_rewritten_history_has_no_proof(self, data: st.DataObject, size2: int) -> None:
        """Of a log that changed an entry below the old size, neither tree's own proof is accepted."""
        size1 = data.draw(st.integers(1, size2 - 1))
        changed = data.draw(st.integers(0, size1 - 1))
        old = leaves_of(size2)
        new = [*old[:changed], merkle.leaf_hash(b"rewritten"), *old[changed + 1 :]]
        for leaves in (old, new):
            proof = merkle.consistency_proof(leaves, size1, size2)
            with pytest.raises(TamperedError):
                merkle.verify_consistency(size1, size2, proof, merkle.root(old[:size1]), merkle.root(new))

    @pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 1), (0, 8), (2, 1), (-1, 1), (1, 2**63)])
    def test_a_size_of_zero_or_backwards_is_refused(self, size1: int, size2: int) -> None:
        with pytest.raises(FormatError):
            merkle.verify_consistency(size1, size2, [], merkle.EMPTY_ROOT, merkle.EMPTY_ROOT)
        with pytest.raises(FormatError):
            merkle.consistency_proof(leaves_of(8), size1, size2)

    def test_there_is_no_proof_to_a_size_that_is_not_there(self) -> None:
        with pytest.raises(FormatError):
            merkle.consistency_proof(leaves_of(3), 1, 4)

    def test_the_size_of_the_proof_is_checked(self) -> None:
        leaves = leaves_of(7)
        proof = merkle.consistency_proof(leaves, 3, 7)
        with pytest.raises(TamperedError, match="consistency proof has wrong size: expected 4, got 5"):
            merkle.verify_consistency(3, 7, [*proof, proof[0]], merkle.root(leaves[:3]), merkle.root(leaves))


@st.composite
def subsets(draw: st.DrawFn) -> tuple[list[bytes], list[int]]:
    size = draw(st.integers(0, 300))
    indices = draw(st.sets(st.integers(0, size - 1), max_size=size)) if size else set()
    return leaves_of(size), sorted(indices)


class TestSubset:
    @given(subsets())
    def test_any_subset_leads_to_the_root(self, case: tuple[list[bytes], list[int]]) -> None:
        leaves, indices = case
        proof = merkle.subset_proof(leaves, indices)
        included = [(index, leaves[index]) for index in indices]
        assert merkle.root_from_subset(len(leaves), included, proof) == merkle.root(leaves)

    @given(st.data(), st.integers(1, 300))
    def test_a_range_needs_few_hashes(self, data: st.DataObject, size: int) -> None:
        """One contiguous range takes at most one subtree a level at either side."""
        low = data.draw(st.integers(0, size - 1))
        high = data.draw(st.integers(low + 1, size))
        proof = merkle.subset_proof(leaves_of(size), range(low, high))
        assert len(proof) <= 2 * (size - 1).bit_length()

    @given(st.data(), st.integers(1, 300))
    def test_one_index_needs_the_hashes_of_its_inclusion_proof(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, size - 1))
        leaves = leaves_of(size)
        assert sorted(merkle.subset_proof(leaves, [index])) == sorted(merkle.inclusion_proof(leaves, index))

    @given(subsets().filter(lambda case: bool(case[0])), st.data())
    def test_any_flipped_bit_leads_elsewhere(self, case: tuple[list[bytes], list[int]], data: st.DataObject) -> None:
        leaves, indices = case
        hashes = [*(leaves[index] for index in indices), *merkle.subset_proof(leaves, indices)]
        target = data.draw(st.integers(0, len(hashes) - 1))
        hashes[target] = flipped(hashes[target], data.draw(st.integers(0, 255)))
        included = list(zip(indices, hashes, strict=False))
        got = merkle.root_from_subset(len(leaves), included, hashes[len(indices) :])
        assert got != merkle.root(leaves)

    @given(subsets())
    def test_too_many_or_too_few_hashes_are_malformed(self, case: tuple[list[bytes], list[int]]) -> None:
        leaves, indices = case
        proof = merkle.subset_proof(leaves, indices)
        included = [(index, leaves[index]) for index in indices]
        with pytest.raises(FormatError, match="too many"):
            merkle.root_from_subset(len(leaves), included, [*proof, merkle.EMPTY_ROOT])
        if proof:
            with pytest.raises(FormatError, match="too few"):
                merkle.root_from_subset(len(leaves), included, proof[:-1])

    @pytest.mark.parametrize("indices", [[1, 0], [1, 1], [-1], [4], [0, 1, 2, 3, 4]])
    def test_unsorted_or_foreign_indices_are_malformed(self, indices: list[int]) -> None:
        with pytest.raises(FormatError):
            merkle.subset_proof(leaves_of(4), indices)
        with pytest.raises(FormatError):
            merkle.root_from_subset(4, [(index, merkle.EMPTY_ROOT) for index in indices], [])

    def test_a_claimed_size_costs_no_more_than_its_path(self) -> None:
        with pytest.raises(FormatError, match="too few"):
            merkle.root_from_subset(2**63 - 1, [(2**62, merkle.EMPTY_ROOT)], [])
        with pytest.raises(FormatError):
            merkle.root_from_subset(2**63, [], [])
