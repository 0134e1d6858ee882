"""An attestation: an in-toto statement about a bundle's manifest, in a DSSE envelope, signed by the key of role bundle.

in-toto attestation framework, Statement v1; DSSE v1.0: what is signed is the pre-authentication encoding of type and
payload, so that an envelope is never taken for anything else that the key signs, and no JSON has to be canonical.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ledger import notes
from ledger.errors import FormatError, TamperedError, UnverifiableError

FILE: Final = "attestation.dsse.json"
SUBJECT: Final = "manifest-sha256.txt"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:evidence:bundle:2"
MAX_ENVELOPE: Final = 1 << 20
_MAX_SIGNATURES: Final = 16


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class _Envelope(msgspec.Struct, rename={"payload_type": "payloadType"}):
    payload: str
    payload_type: str
    signatures: list[_Signature]


def statement(manifest: bytes, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that a bundle with this manifest is what the predicate says."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": SUBJECT, "digest": {"sha256": hashlib.sha256(manifest).hexdigest()}}],
        "predicateType": PREDICATE,
        "predicate": dict(predicate),
    }


def envelope(stated: Mapping[str, Any], signer: notes.Signer) -> bytes:
    """The signed envelope of a statement; the same statement and key make the same bytes."""
    payload = _json(stated)
    signature = signer.sign_message(pae(PAYLOAD_TYPE, payload))
    signatures = [{"keyid": signer.key_id.hex(), "sig": base64.b64encode(signature).decode()}]
    body = {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    return _json(body)


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def open_envelope(data: bytes, keys: Sequence[notes.Verifier]) -> dict[str, Any]:
    """The statement of an envelope that one of the keys has signed; signatures by other keys are ignored.

    Raises FormatError for what is no envelope of a statement, TamperedError where a known key's signature is wrong,
    UnverifiableError where no known key has signed.
    """
    found = _parse(data)
    payload = notes.decode_base64(found.payload, "the payload")
    signed = pae(found.payload_type, payload)
    known = {key.key_id.hex(): key for key in keys}
    verified = False
    for signature in found.signatures:
        signer = known.get(signature.keyid)
        if signer is not None:
            signer.verify(signed, notes.decode_base64(signature.sig, "a signature"))
            verified = True
    if not verified:
        raise UnverifiableError("no key that is known has signed the attestation")
    return _statement(payload)


def check_manifest(stated: Mapping[str, Any], manifest: bytes) -> None:
    """Raise TamperedError unless the statement is about this manifest."""
    digest = hashlib.sha256(manifest).hexdigest()
    if stated["subject"] != [{"name": SUBJECT, "digest": {"sha256": digest}}]:
        raise TamperedError("the attestation is about another manifest", path=SUBJECT)


def _parse(data: bytes) -> _Envelope:
    if len(data) > MAX_ENVELOPE:
        raise FormatError(f"an attestation has at most {MAX_ENVELOPE} bytes")
    try:
        found = msgspec.json.decode(data, type=_Envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise FormatError("the attestation is no DSSE envelope") from None
    if found.payload_type != PAYLOAD_TYPE or not 1 <= len(found.signatures) <= _MAX_SIGNATURES:
        raise FormatError("the attestation is no signed in-toto statement")
    return found


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        stated = json.loads(payload)
    except (ValueError, RecursionError):
        raise FormatError("the attestation's statement is not JSON") from None
    if not isinstance(stated, dict) or (stated.get("_type"), stated.get("predicateType")) != (STATEMENT, PREDICATE):
        raise FormatError("the attestation states nothing about a bundle")
    if not isinstance(stated.get("predicate"), dict) or not isinstance(stated.get("subject"), list):
        raise FormatError("the attestation's statement has no subject or no predicate")
    return stated


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
