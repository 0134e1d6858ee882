"""tlog-proof files: round trips, refusal of every altered byte, and what is not authenticated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.checkpoints import Checkpoint, sign_checkpoint
from ledger.errors import FormatError, TamperedError, UnverifiableError
from ledger.notes import Signer
from ledger.proofs import MAX_PROOF, TlogProof, parse_proof, verify_proof

SIGNER = Signer("example.com/log", bytes(range(32)))
ENTRIES = [f"entry {i}".encode() for i in range(70)]


def proof_of(index: int, size: int, extra: bytes | None = None) -> TlogProof:
    leaves = merkle.leaf_hashes(ENTRIES[:size])
    note = sign_checkpoint(Checkpoint(SIGNER.name, size, merkle.root(leaves)), SIGNER)
    return TlogProof(index, tuple(merkle.inclusion_proof(leaves, index)), note, extra)


PROOF = proof_of(5, 11, extra=b"beside")


@given(st.data(), st.integers(1, len(ENTRIES)), st.none() | st.binary(min_size=1))
def test_every_entry_is_proved(data: st.DataObject, size: int, extra: bytes | None) -> None:
    proof = proof_of(data.draw(st.integers(0, size - 1)), size, extra)
    assert parse_proof(proof.text()) == proof
    assert verify_proof(proof, ENTRIES[proof.index], [SIGNER.verifier]).size == size


def test_the_form() -> None:
    head, checkpoint = PROOF.text().split(b"\n\n", 1)
    lines = head.decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra YmVzaWRl", "index 5"]
    assert len(lines) == 3 + len(PROOF.hashes)
    assert checkpoint == PROOF.checkpoint
    assert b"extra" not in replace(PROOF, extra=None).text()


@pytest.mark.parametrize("position", range(len(PROOF.text())))
def test_every_byte_mangled(position: int) -> None:
    """Each is refused, but for ``extra``, which nothing authenticates."""
    for change in (0x01, 0x04, 0x20, 0x80):
        data = bytearray(PROOF.text())
        data[position] ^= change
        try:
            mangled = parse_proof(bytes(data))
            verify_proof(mangled, ENTRIES[5], [SIGNER.verifier])
        except (FormatError, TamperedError, UnverifiableError):
            continue
        assert mangled.text() == bytes(data)
        assert replace(mangled, extra=PROOF.extra) == PROOF


@given(st.data())
def test_every_line_removed_or_doubled(data: st.DataObject) -> None:
    lines = PROOF.text().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at : at + 1] = lines[at : at + 1] * data.draw(st.sampled_from([0, 2]))
    try:
        changed = parse_proof(b"".join(lines))
        verify_proof(changed, ENTRIES[5], [SIGNER.verifier])
    except (FormatError, TamperedError, UnverifiableError):
        return
    # A doubled signature is the same signature, and the extra line may be left out.
    assert (changed.index, changed.hashes) == (PROOF.index, PROOF.hashes)
    assert changed.extra in (None, PROOF.extra)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_proof(data)


def test_another_entry_is_refused() -> None:
    with pytest.raises(TamperedError):
        verify_proof(PROOF, ENTRIES[6], [SIGNER.verifier])


def test_a_proof_under_an_unknown_key_is_unverifiable() -> None:
    with pytest.raises(UnverifiableError):
        verify_proof(PROOF, ENTRIES[5], [Signer(SIGNER.name, bytes(32)).verifier])


def test_an_index_beyond_the_checkpoint_is_refused() -> None:
    with pytest.raises(FormatError):
        verify_proof(replace(PROOF, index=11), ENTRIES[5], [SIGNER.verifier])


@pytest.mark.parametrize(
    "change",
    [
        {"index": -1},
        {"index": 2**63},
        {"hashes": (b"short",)},
        {"hashes": (merkle.EMPTY_ROOT,) * 64},
        {"extra": b""},
        {"checkpoint": b""},
        {"checkpoint": b"no checkpoint\n\n\xe2\x80\x94 name AAAAAAA=\n"},
        {"extra": bytes(MAX_PROOF)},
    ],
)
def test_values_that_no_proof_can_have(change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        replace(PROOF, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1", b"@v2"),
        (b"index 5\n", b""),
        (b"index 5", b"index 05"),
        (b"index 5", b"index +5"),
        (b"index 5", b"index  5"),
        (b"extra YmVzaWRl", b"extra "),
        (b"extra YmVzaWRl", b"extra YmVzaWR"),
        (b"extra YmVzaWRl\n", b"extra YmVzaWRl\nextra YmVzaWRl\n"),
        (b"extra YmVzaWRl\nindex 5", b"index 5\nextra YmVzaWRl"),
        (b"\n\n", b"\n"),
        (b"\n", b"\r\n"),
    ],
)
def test_other_spellings(old: bytes, new: bytes) -> None:
    data = PROOF.text()
    assert old in data
    with pytest.raises(FormatError):
        parse_proof(data.replace(old, new, 1))


def test_the_size_is_bounded() -> None:
    with pytest.raises(FormatError, match="longer"):
        parse_proof(bytes(MAX_PROOF + 1))
