"""The puncturable key tree (Goldreich, Goldwasser, Micali): every leaf can be destroyed alone, for good."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import keytree
from ledger.errors import ErasedError, FormatError
from ledger.keytree import SPACE, KeyTree, depth_of

ROOT = bytes(range(32))

sizes = st.integers(1, 70)


def leaves(tree: KeyTree) -> dict[int, bytes]:
    return dict(tree.walk())


def test_a_child_is_the_hash_of_its_parent_and_its_side() -> None:
    assert keytree.child(ROOT, 0) == hashlib.sha256(b"evidence/v1/ggm\x00" + ROOT).digest()
    assert keytree.child(ROOT, 1) == hashlib.sha256(b"evidence/v1/ggm\x01" + ROOT).digest()


def test_a_leaf_is_reached_by_the_bits_of_its_number() -> None:
    tree = KeyTree.from_root(ROOT, 8)
    key = ROOT
    for bit in (1, 0, 1):
        key = keytree.child(key, bit)
    assert tree.leaf(5) == key


@pytest.mark.parametrize(("count", "depth"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9)])
def test_depth(count: int, depth: int) -> None:
    assert depth_of(count) == depth


@given(sizes, st.data())
def test_walking_gives_the_same_keys_as_asking_for_each(size: int, data: st.DataObject) -> None:
    tree = KeyTree.from_root(ROOT, size)
    count = data.draw(st.integers(0, size + 3))
    assert list(tree.walk(count)) == [(index, tree.leaf(index)) for index in range(min(count, size))]


@given(sizes, st.data())
def test_a_puncture_destroys_one_leaf_and_nothing_else(size: int, data: st.DataObject) -> None:
    whole = KeyTree.from_root(ROOT, size)
    expected = leaves(whole)
    assert len(set(expected.values())) == size, "every leaf has a key of its own"
    tree = whole
    for index in data.draw(st.lists(st.integers(0, size - 1), unique=True, max_size=6)):
        before = tree.to_bytes()
        tree = tree.puncture(index)
        assert before != tree.to_bytes()
        del expected[index]
        assert leaves(tree) == expected
        with pytest.raises(ErasedError):
            tree.leaf(index)
        with pytest.raises(ErasedError):
            tree.puncture(index)
    assert leaves(whole).keys() == set(range(size)), "the tree that was punctured is another one"


@given(sizes, st.data())
def test_what_is_left_derives_no_destroyed_leaf(size: int, data: st.DataObject) -> None:
    """No node on the way from the root to the leaf is kept: only those beside it."""
    index = data.draw(st.integers(0, size - 1))
    tree = KeyTree.from_root(ROOT, size).puncture(index)
    path, node = {ROOT}, ROOT
    for shift in reversed(range(depth_of(size))):
        node = keytree.child(node, index >> shift & 1)
        path.add(node)
    assert path.isdisjoint(tree.nodes.values())


@given(sizes, st.data())
def test_bytes_give_the_tree_back(size: int, data: st.DataObject) -> None:
    tree = KeyTree.from_root(ROOT, size)
    for index in data.draw(st.lists(st.integers(0, size - 1), unique=True, max_size=4)):
        tree = tree.puncture(index)
    assert KeyTree.from_bytes(tree.to_bytes()) == tree


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_a_tree(data: bytes) -> None:
    try:
        tree = KeyTree.from_bytes(data)
    except FormatError:
        return
    assert KeyTree.from_bytes(tree.to_bytes()) == tree


def test_a_tree_for_a_partition_is_larger_than_any_and_small_on_disk() -> None:
    tree = KeyTree.generate()
    assert tree.leaves == SPACE
    assert len(tree.to_bytes()) == 4 + 37
    assert len(tree.puncture(12345).to_bytes()) == 4 + 37 * depth_of(SPACE)
    assert KeyTree.generate().leaf(0) != tree.leaf(0)


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_such_leaf(index: int) -> None:
    with pytest.raises(FormatError):
        KeyTree.from_root(ROOT, 8).leaf(index)


@pytest.mark.parametrize(("root", "size"), [(ROOT, 0), (ROOT, keytree.MAX_LEAVES + 1), (ROOT[1:], 8)])
def test_there_is_no_such_tree(root: bytes, size: int) -> None:
    with pytest.raises(FormatError):
        KeyTree.from_root(root, size)


def test_a_key_is_not_shown() -> None:
    assert ROOT.hex() not in repr(KeyTree.from_root(ROOT, 8))
    assert repr(ROOT) not in repr(KeyTree.from_root(ROOT, 8))
