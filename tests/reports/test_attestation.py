"""The attestation of a bundle: ours to the byte where DSSE says how, checked by implementations that are not ours."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib import dsse
from securesystemslib.signer._key import Key
from sigstore.dsse import Statement as SigstoreStatement

from ledger import notes
from ledger.errors import EvidenceError, FormatError, TamperedError, UnverifiableError
from reports.bundle import attestation

MANIFEST = b"0f1e2d  data/bundle.json\n"
PREDICATE = {"origin": "ledger.example/bank", "content": "none", "selection": {"type": "session", "session": "s-1"}}
SIGNER = notes.Signer("ledger.example/bank/bundle", bytes(range(32)))
OTHER = notes.Signer("ledger.example/bank/bundle", bytes(32))


def attested() -> bytes:
    return attestation.envelope(attestation.statement(MANIFEST, PREDICATE), SIGNER)


def test_the_encoding_that_is_signed_is_that_of_the_dsse_specification() -> None:
    """The example of the DSSE protocol, whose payload and type are its own."""
    assert attestation.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(st.text(max_size=40), st.binary(max_size=200))
def test_the_encoding_is_that_of_securesystemslib(kind: str, payload: bytes) -> None:
    assert attestation.pae(kind, payload) == dsse.Envelope(payload, kind, {}).pae()


def test_securesystemslib_verifies_it_with_the_public_key_alone() -> None:
    theirs = dsse.Envelope.from_dict(json.loads(attested()))
    key = Key.from_dict(
        SIGNER.key_id.hex(),
        {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": SIGNER.verifier.public_key.hex()}},
    )

    assert list(theirs.verify([key], 1)) == [SIGNER.key_id.hex()]


def test_sigstore_reads_the_statement_as_one_of_in_toto() -> None:
    payload = base64.b64decode(json.loads(attested())["payload"])
    statement = SigstoreStatement(payload)

    assert statement._inner.subjects[0].digest.root == {"sha256": hashlib.sha256(MANIFEST).hexdigest()}
    assert statement._inner.predicate_type == "urn:evidence:bundle:2"


def test_the_same_statement_has_the_same_bytes() -> None:
    assert attested() == attested()


def test_what_was_signed_comes_back_and_names_the_manifest() -> None:
    stated = attestation.open_envelope(attested(), [OTHER.verifier, SIGNER.verifier])

    assert stated["predicate"] == PREDICATE
    attestation.check_manifest(stated, MANIFEST)
    with pytest.raises(TamperedError, match="another manifest"):
        attestation.check_manifest(stated, MANIFEST + b"x")


def test_a_key_that_is_not_known_counts_for_nothing() -> None:
    with pytest.raises(UnverifiableError, match="no key that is known"):
        attestation.open_envelope(attested(), [OTHER.verifier])


def test_a_statement_is_not_exchanged_under_its_signature() -> None:
    other = attestation.envelope(attestation.statement(b"another manifest", PREDICATE), OTHER)
    forged = {**json.loads(attested()), "payload": json.loads(other)["payload"]}

    with pytest.raises(TamperedError, match="does not verify"):
        attestation.open_envelope(json.dumps(forged).encode(), [SIGNER.verifier])


def test_a_note_signed_by_the_same_key_is_no_attestation() -> None:
    """Both are signed by the bundle key: their first bytes tell them apart."""
    note = notes.parse_note(notes.sign_note("DSSEv1 looks like it\n", SIGNER))
    forged = {
        "payload": base64.b64encode(note.text).decode(),
        "payloadType": attestation.PAYLOAD_TYPE,
        "signatures": [{"keyid": SIGNER.key_id.hex(), "sig": base64.b64encode(note.signatures[0].signature).decode()}],
    }

    with pytest.raises(TamperedError):
        attestation.open_envelope(json.dumps(forged).encode(), [SIGNER.verifier])


@pytest.mark.parametrize(
    "changes",
    [
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"signatures": [{"keyid": "00000000", "sig": "AA=="}] * 17},
        {"payload": "not base64"},
        {"payload": 7},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_an_envelope_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        attestation.open_envelope(json.dumps({**json.loads(attested()), **changes}).encode(), [SIGNER.verifier])


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"{", b'{"_type":"x"}', b"\xff", b"[" * 100_000, b'{"_type":"https://in-toto.io/Statement/v1"}'],
    ids=["a list", "cut short", "another type", "not UTF-8", "too deep", "no predicate"],
)
def test_a_signed_payload_that_is_no_such_statement_is_refused(payload: bytes) -> None:
    signed = SIGNER.sign_message(attestation.pae(attestation.PAYLOAD_TYPE, payload))
    made = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": attestation.PAYLOAD_TYPE,
        "signatures": [{"keyid": SIGNER.key_id.hex(), "sig": base64.b64encode(signed).decode()}],
    }

    with pytest.raises(FormatError):
        attestation.open_envelope(json.dumps(made).encode(), [SIGNER.verifier])


@given(st.integers(0, len(attested()) - 1), st.integers(1, 255))
def test_no_changed_byte_makes_another_statement(position: int, change: int) -> None:
    data = bytearray(attested())
    data[position] ^= change

    try:
        stated = attestation.open_envelope(bytes(data), [SIGNER.verifier])
    except EvidenceError:
        return
    assert stated == attestation.statement(MANIFEST, PREDICATE)
