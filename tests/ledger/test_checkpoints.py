"""Checkpoints: the published one to the byte, one spelling only, and whose signature counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle, tiles
from ledger.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from ledger.errors import FormatError, TamperedError, UnverifiableError, UsageError
from ledger.notes import Signer, Verifier, parse_note, sign_note

ORIGIN = "example.com/log"
SIGNER = Signer(ORIGIN, bytes(range(32)))
ROOT = merkle.leaf_hash(b"only")

CONTROLS = "".join(map(chr, range(32)))
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), min_size=1)
checkpoints = st.builds(
    Checkpoint,
    origin=lines,
    size=st.integers(1, merkle.MAX_SIZE),
    root=st.binary(min_size=32, max_size=32),
    extensions=st.lists(lines, max_size=3).map(tuple),
)


def test_the_published_checkpoint_is_written_to_the_byte(tessera: Any) -> None:
    """From the entries of the published log: bundle, tile, root, text, signature."""
    assert tiles.encode_bundle(tessera.entries) == tessera.bundle
    assert tuple(tiles.parse_bundle(tessera.bundle)) == tessera.entries
    [(tile, content)] = tiles.tile_contents(merkle.leaf_hashes(tiles.parse_bundle(tessera.bundle)))
    root = merkle.root(tiles.parse_tile(content, tile.width))
    signer = Signer.from_skey(tessera.skey)
    assert sign_checkpoint(Checkpoint("example.com/log/testdata", 3, root), signer) == tessera.checkpoint


def test_the_published_checkpoint_opens(tessera: Any) -> None:
    checkpoint = open_checkpoint(tessera.checkpoint, [Verifier.from_vkey(tessera.vkey)])
    assert checkpoint == Checkpoint("example.com/log/testdata", 3, merkle.root(merkle.leaf_hashes(tessera.entries)))


@given(checkpoints)
def test_round_trip(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(checkpoint.text()) == checkpoint


@given(st.binary(max_size=200) | checkpoints.map(Checkpoint.text), st.integers(0, 10**6), st.binary(max_size=2))
def test_any_bytes_are_refused_or_read_exactly(data: bytes, position: int, insertion: bytes) -> None:
    mutated = data[: position % (len(data) + 1)] + insertion + data[position % (len(data) + 1) + 1 :]
    try:
        checkpoint = parse_checkpoint(mutated)
    except FormatError:
        return
    assert checkpoint.text() == mutated


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"origin\n1\n",
        b"\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        b"origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
        b"origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        b"origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        b"origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n",
        b"origin\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"origin\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"origin\n1 \nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"origin\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"origin\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "origin\n\u0661\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".encode(),
        b"origin\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    ],
)
def test_malformed_texts(text: bytes) -> None:
    with pytest.raises(FormatError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 1, ROOT, ()),
        ("a\nb", 1, ROOT, ()),
        ("a\tb", 1, ROOT, ()),
        ("\ud800", 1, ROOT, ()),
        ("a", -1, ROOT, ()),
        ("a", 2**63, ROOT, ()),
        ("a", 1, ROOT[1:], ()),
        ("a", 0, ROOT, ()),
        ("a", 1, ROOT, ("",)),
    ],
)
def test_values_that_no_checkpoint_can_have(origin: str, size: int, root: bytes, extensions: tuple[str, ...]) -> None:
    with pytest.raises(FormatError):
        Checkpoint(origin, size, root, extensions)


def test_the_empty_log_has_a_checkpoint() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT), SIGNER)
    assert open_checkpoint(note, [SIGNER.verifier]).size == 0


def test_a_log_signs_under_its_own_name_only() -> None:
    with pytest.raises(UsageError):
        sign_checkpoint(Checkpoint("example.com/another", 1, ROOT), SIGNER)


def test_a_known_key_of_another_log_does_not_vouch() -> None:
    note = sign_note(Checkpoint("example.com/another", 1, ROOT).text(), SIGNER)
    with pytest.raises(UnverifiableError, match="no known key of that log"):
        open_checkpoint(note, [SIGNER.verifier])


def test_an_altered_size_or_root_is_tampering() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, ROOT), SIGNER)
    line = parse_note(note).signatures[0].line()
    for altered in (Checkpoint(ORIGIN, 2, ROOT), Checkpoint(ORIGIN, 1, merkle.leaf_hash(b"other"))):
        with pytest.raises(TamperedError):
            open_checkpoint(altered.text() + b"\n" + line, [SIGNER.verifier])


def test_another_key_is_unverifiable() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, ROOT), SIGNER)
    with pytest.raises(UnverifiableError):
        open_checkpoint(note, [Signer(ORIGIN, bytes(32)).verifier])
