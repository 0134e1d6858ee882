"""Roots and inclusion proofs are equal to those of two independent implementations, for every leaf of every size."""

from __future__ import annotations

import importlib
import warnings
from hashlib import sha256
from typing import Any

from ledger import merkle

ENTRIES = [f"leaf-{i}".encode() for i in range(259)]
LEAVES = merkle.leaf_hashes(ENTRIES)


def merkletools_tree() -> Any:
    """merkletools, given RFC 9162's node hash: on its own it does not tell a node from a leaf."""
    with warnings.catch_warnings():
        # It warns that SHA-3 needs a package which it then does not use.
        warnings.simplefilter("ignore")
        tree = importlib.import_module("merkletools").MerkleTools()
    tree.hash_function = lambda pair: sha256(b"\x01" + bytes(pair))
    return tree


def test_merkletools_agrees_up_to_259_leaves() -> None:
    proofs = 0
    for size in range(1, 260):
        leaves, tree = LEAVES[:size], merkletools_tree()
        tree.add_leaf([leaf.hex() for leaf in leaves])
        tree.make_tree()
        root = merkle.root(leaves)
        assert tree.get_merkle_root() == root.hex()
        for index in range(size):
            proof = merkle.inclusion_proof(leaves, index)
            assert [sibling for step in tree.get_proof(index) for sibling in step.values()] == [h.hex() for h in proof]
            merkle.verify_inclusion(leaves[index], index, size, proof, root)
            proofs += 1
    print(f"merkletools: 259 roots, {proofs} inclusion proofs equal")


def test_pymerkle_agrees_up_to_129_leaves() -> None:
    tree = importlib.import_module("pymerkle").InmemoryTree(algorithm="sha256")
    proofs = 0
    for size in range(1, 130):
        tree.append_entry(ENTRIES[size - 1])
        leaves = LEAVES[:size]
        assert tree.get_root(size) == merkle.root(leaves)
        for index in range(size):
            # It counts leaves from 1, and puts the leaf itself at the head of the path.
            leaf, *path = tree.prove_inclusion(index + 1, size).path
            assert (leaf, path) == (leaves[index], merkle.inclusion_proof(leaves, index))
            proofs += 1
    print(f"pymerkle: 129 roots, {proofs} inclusion proofs equal")
