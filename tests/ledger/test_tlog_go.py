"""Vectors made by golang.org/x/mod/sumdb and transparency-dev/formats: see vectors/tlog_go/main.go.txt.

They cover what no published vector does: sizes up to 70000, tiles of level 1 and 2, paths with ``x``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger import merkle, tiles
from ledger.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.cosignatures import CosignatureVerifier, Cosigner
from ledger.notes import Signer, assemble_note, open_note, parse_note, sign_note
from ledger.proofs import TlogProof, parse_proof, verify_proof
from ledger.tiles import TILE_WIDTH, Tile

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "tlog-go.json").read_bytes())
LOG = Signer.from_skey(VECTORS["log_key"])
ENTRIES = [f"leaf-{i}".encode() for i in range(70_000)]
LEAVES = merkle.leaf_hashes(ENTRIES)

every_tree = pytest.mark.parametrize("tree", VECTORS["trees"], ids=lambda tree: str(tree["size"]))


def hashes(encoded: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in encoded]


def listing(contents: Iterable[tuple[Tile, bytes]]) -> dict[str, Any]:
    """How the vectors digest many files: the SHA-256 over a line ``<path> <SHA-256>`` for each."""
    lines = [f"{tile.path} {sha256(content).hexdigest()}\n" for tile, content in contents]
    return {"count": len(lines), "listing_sha256": sha256("".join(lines).encode()).hexdigest()}


def test_the_sizes_at_which_tiles_change() -> None:
    assert [tree["size"] for tree in VECTORS["trees"]] == [255, 256, 257, 65535, 65536, 65537, 70000]


@every_tree
def test_root(tree: dict[str, Any]) -> None:
    frontier = merkle.Frontier()
    frontier.extend(LEAVES[: tree["size"]])
    assert merkle.root(LEAVES[: tree["size"]]).hex() == frontier.root().hex() == tree["root"]


@every_tree
def test_inclusion_proofs(tree: dict[str, Any]) -> None:
    size, root = tree["size"], bytes.fromhex(tree["root"])
    for vector in tree["inclusion"]:
        index, proof = vector["index"], hashes(vector["proof"])
        assert merkle.inclusion_proof(LEAVES[:size], index) == proof
        merkle.verify_inclusion(LEAVES[index], index, size, proof, root)


@every_tree
def test_consistency_proofs(tree: dict[str, Any]) -> None:
    size, root = tree["size"], bytes.fromhex(tree["root"])
    for vector in tree["consistency"]:
        size1, proof = vector["size1"], hashes(vector["proof"])
        assert merkle.consistency_proof(LEAVES, size1, size) == proof
        merkle.verify_consistency(size1, size, proof, bytes.fromhex(vector["root1"]), root)


@every_tree
def test_tiles(tree: dict[str, Any]) -> None:
    contents = list(tiles.tile_contents(LEAVES[: tree["size"]]))
    assert listing(contents) == tree["tiles"]
    partial = [(tile, content) for tile, content in contents if tile.width < TILE_WIDTH]
    assert tree["partial_tiles"] == [{"path": t.path, "sha256": sha256(content).hexdigest()} for t, content in partial]
    assert tiles.edge_tiles(tree["size"]) == [tile for tile, _ in partial]


@every_tree
def test_bundles(tree: dict[str, Any]) -> None:
    needed = tiles.new_bundles(0, tree["size"])
    starts = [tile.index * TILE_WIDTH for tile in needed]
    contents = [tiles.encode_bundle(ENTRIES[at : at + tile.width]) for tile, at in zip(needed, starts, strict=True)]
    assert listing(zip(needed, contents, strict=True)) == tree["bundles"]


@every_tree
def test_checkpoint(tree: dict[str, Any]) -> None:
    checkpoint = Checkpoint(LOG.name, tree["size"], bytes.fromhex(tree["root"]))
    assert sign_checkpoint(checkpoint, LOG).decode() == tree["checkpoint"]
    assert open_checkpoint(tree["checkpoint"].encode(), [LOG.verifier]) == checkpoint


@pytest.mark.parametrize("vector", VECTORS["growth"], ids=lambda vector: f"{vector['before']}-{vector['after']}")
def test_tiles_to_write_when_a_tree_grows(vector: dict[str, Any]) -> None:
    assert [tile.path for tile in tiles.new_tiles(vector["before"], vector["after"])] == vector["paths"]


@pytest.mark.parametrize("vector", VECTORS["paths"], ids=lambda vector: vector["path"])
def test_paths(vector: dict[str, Any]) -> None:
    level = None if vector["level"] == -1 else vector["level"]
    tile = Tile(level, vector["index"], vector["width"])
    assert tile.path == vector["path"]
    assert tiles.parse_tile_path(vector["path"]) == tile


@pytest.mark.parametrize("vector", VECTORS["notes"], ids=lambda vector: vector["vkey"])
def test_notes(vector: dict[str, Any]) -> None:
    signer, note = Signer.from_skey(vector["skey"]), vector["note"].encode()
    assert signer.vkey == vector["vkey"]
    assert sign_note(vector["text"], signer, LOG) == note
    opened = open_note(note, [LOG.verifier, signer.verifier])
    assert (opened.text.decode(), opened.verified) == (vector["text"], (signer.verifier, LOG.verifier))


@pytest.mark.parametrize("vector", VECTORS["cosignatures"], ids=lambda vector: vector["name"])
def test_cosignatures(vector: dict[str, Any]) -> None:
    text, note, time = vector["text"].encode(), vector["note"].encode(), vector["time"]
    cosigner = Cosigner(vector["name"], bytes.fromhex(vector["seed"]))
    verifier = CosignatureVerifier.from_vkey(vector["vkey"])
    assert cosigner.verifier == verifier
    assert assemble_note(text, LOG.sign(text), cosigner.cosign(text, time)) == note
    assert open_note(note, [verifier]).verified == (verifier,)
    assert verifier.cosigned_at(text, parse_note(note).signatures[1].signature) == time


@pytest.mark.parametrize("vector", VECTORS["tlog_proofs"], ids=lambda vector: f"{vector['index']}-{vector['size']}")
def test_tlog_proofs(vector: dict[str, Any]) -> None:
    index, leaves = vector["index"], LEAVES[: vector["size"]]
    note = sign_checkpoint(Checkpoint(LOG.name, len(leaves), merkle.root(leaves)), LOG)
    extra = vector["extra"].encode() or None
    proof = TlogProof(index, tuple(merkle.inclusion_proof(leaves, index)), note, extra)
    assert proof.text().decode() == vector["proof"]
    assert parse_proof(vector["proof"].encode()) == proof
    assert verify_proof(proof, ENTRIES[index], [LOG.verifier]).size == len(leaves)
