"""cosignature/v1: the recomputed vector, and what a cosignature does and does not vouch for."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoints import open_checkpoint
from ledger.cosignatures import MAX_TIME, CosignatureVerifier, Cosigner
from ledger.errors import FormatError, TamperedError, UnverifiableError
from ledger.notes import Signer, Verifier, assemble_note, open_note, parse_note

NAME, SEED, TIME = "witness.example/w1", b"\x01" * 32, 1679315147
COSIGNER = Cosigner(NAME, SEED)
TEXT = b"example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
# Origin: recomputed from C2SP tlog-cosignature over the text of the published Tessera checkpoint of size 3.
VKEY = "witness.example/w1+0ad7d35e+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
LINE = (
    "\N{EM DASH} witness.example/w1 "
    "CtfTXgAAAABkGFDL20da2CMD1Gjn3YfrNK8mAxmfEEb3YQ8dhWqeoyTKED/EiXoGpxTHLiPE4f3tBnfjAaVYL/XJtknP99sBoxzSDg==\n"
)


def blob(line: bytes) -> bytes:
    """What follows the key ID in a signature line."""
    return base64.b64decode(line.split()[-1])[4:]


def test_the_vector_is_made_and_verified(tessera: Any) -> None:
    text = parse_note(tessera.checkpoint).text
    assert COSIGNER.vkey == VKEY
    assert COSIGNER.cosign(text, TIME).decode() == LINE
    verifier = CosignatureVerifier.from_vkey(VKEY)
    assert verifier.cosigned_at(text, blob(LINE.encode())) == TIME


def test_a_cosigned_checkpoint_opens_with_both_keys(tessera: Any) -> None:
    text = parse_note(tessera.checkpoint).text
    log, witness = Verifier.from_vkey(tessera.vkey), CosignatureVerifier.from_vkey(VKEY)
    note = assemble_note(text, Signer.from_skey(tessera.skey).sign(text), COSIGNER.cosign(text, TIME))
    assert open_note(note, [witness, log]).verified == (log, witness)
    assert open_checkpoint(note, [witness, log]).size == 3


def test_a_cosigner_alone_does_not_speak_for_the_log(tessera: Any) -> None:
    text = parse_note(tessera.checkpoint).text
    note = assemble_note(text, COSIGNER.cosign(text, TIME))
    with pytest.raises(UnverifiableError, match="no known key of that log"):
        open_checkpoint(note, [COSIGNER.verifier])


def test_a_cosigner_with_the_name_of_the_log_is_still_a_cosigner() -> None:
    cosigner = Cosigner("example.com/log", SEED)
    with pytest.raises(UnverifiableError, match="no known key of that log"):
        open_checkpoint(assemble_note(TEXT, cosigner.cosign(TEXT, TIME)), [cosigner.verifier])


def test_the_same_key_as_signer_and_as_cosigner_has_two_ids() -> None:
    assert Signer(NAME, SEED).key_id != COSIGNER.verifier.key_id
    assert Signer(NAME, SEED).verifier != COSIGNER.verifier


@given(st.integers(0, 72 * 8 - 1))
def test_any_flipped_bit_of_time_or_signature_is_refused(bit: int) -> None:
    signature = blob(COSIGNER.cosign(TEXT, TIME))
    mangled = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(len(signature), "big")
    with pytest.raises((TamperedError, FormatError)):
        COSIGNER.verifier.verify(TEXT, mangled)


@given(st.binary(max_size=100))
def test_any_other_bytes_are_refused(signature: bytes) -> None:
    with pytest.raises((TamperedError, FormatError)):
        COSIGNER.verifier.verify(TEXT, signature)


@pytest.mark.parametrize("time", [0, MAX_TIME])
def test_the_bounds_of_time(time: int) -> None:
    assert COSIGNER.verifier.cosigned_at(TEXT, blob(COSIGNER.cosign(TEXT, time))) == time


@pytest.mark.parametrize("time", [-1, MAX_TIME + 1])
def test_times_out_of_bounds(time: int) -> None:
    with pytest.raises(FormatError):
        COSIGNER.cosign(TEXT, time)


def test_a_plain_verifier_key_is_no_cosigner(tessera: Any) -> None:
    with pytest.raises(FormatError, match="type 0x01"):
        CosignatureVerifier.from_vkey(tessera.vkey)
