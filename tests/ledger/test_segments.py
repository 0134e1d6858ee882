"""Content segments: what binds a key, a commitment and a ciphertext to the one place where they belong."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from ledger import segments
from ledger.errors import EvidenceError, FormatError, TamperedError
from ledger.kdf import derive
from ledger.segments import MAX_PLAINTEXT, SegmentId, seal, segment_key, unseal

OWNER_KEY, LEAF_KEY, SALT = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
PLACE = SegmentId("store", "content/date=2026-10-01/x.parquet", 7, "owner", 1)
KEY = segment_key(OWNER_KEY, LEAF_KEY, PLACE.context())

keys = st.binary(min_size=32, max_size=32)


@given(keys, keys, st.binary(max_size=100))
def test_the_segment_key_is_hkdf_sha256(owner_key: bytes, leaf_key: bytes, context: bytes) -> None:
    """RFC 5869, by the implementation in `cryptography`."""
    expected = HKDF(SHA256(), 32, salt=leaf_key, info=context).derive(owner_key)
    assert segment_key(owner_key, leaf_key, context) == expected


@given(keys, st.binary(max_size=100))
def test_derived_keys_are_hkdf_sha256_without_a_salt(key: bytes, info: bytes) -> None:
    assert derive(key, info) == HKDF(SHA256(), 32, salt=None, info=info).derive(key)


def test_the_context_is_length_prefixed() -> None:
    parts = [b"evidence/v1/segment", b"store", PLACE.path.encode(), b"\0\0\0\7", b"owner", b"\0\0\0\1"]
    assert PLACE.context() == b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert PLACE._replace(store="sto", path="re").context() != PLACE._replace(store="st", path="ore").context()


@given(keys, st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_a_commitment_is_by_the_hmac_of_the_standard_library(salt: bytes, index: int, data: bytes) -> None:
    """It is written out where many are made."""
    key = hmac.digest(salt, index.to_bytes(4, "big"), "sha256")

    assert segments.row_key(salt, index) == key
    assert segments.Commitments(salt).of(index, data) == hashlib.sha256(key + data).digest()


def test_a_commitment_is_to_the_salt_the_place_and_the_bytes() -> None:
    expected = hashlib.sha256(hmac.digest(SALT, (5).to_bytes(4, "big"), "sha256") + b"slice").digest()
    assert segments.Commitments(SALT).of(5, b"slice") == expected
    assert segments.commitment_of(segments.row_key(SALT, 5), b"slice") == expected


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_slices_come_back(slices: list[bytes]) -> None:
    opened = unseal(KEY, PLACE.context(), seal(KEY, PLACE.context(), SALT, slices))
    assert (opened.salt, opened.slices) == (SALT, slices)


def test_two_seals_of_the_same_are_different() -> None:
    first, second = (seal(KEY, PLACE.context(), SALT, [b"same"]) for _ in range(2))
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext


@pytest.mark.parametrize(
    "change",
    [{"store": "x"}, {"path": "x"}, {"segment": 8}, {"owner": "x"}, {"version": 2}],
    ids=lambda c: next(iter(c)),
)
def test_a_segment_opens_only_in_its_place(change: dict[str, Any]) -> None:
    """Moved to another store, file, number, owner or version, it does not open under its own key, nor under theirs."""
    sealed = seal(KEY, PLACE.context(), SALT, [b"x"])
    elsewhere = PLACE._replace(**change).context()
    for key in (KEY, segment_key(OWNER_KEY, LEAF_KEY, elsewhere)):
        with pytest.raises(TamperedError):
            unseal(key, elsewhere, sealed)


def test_both_keys_are_needed() -> None:
    sealed = seal(KEY, PLACE.context(), SALT, [b"x"])
    for wrong in (
        segment_key(bytes(32), LEAF_KEY, PLACE.context()),
        segment_key(OWNER_KEY, bytes(32), PLACE.context()),
    ):
        with pytest.raises(TamperedError):
            unseal(wrong, PLACE.context(), sealed)


@given(st.data())
def test_a_flipped_bit_is_refused(data: st.DataObject) -> None:
    sealed = seal(KEY, PLACE.context(), SALT, [b"one", b"two"])
    field = data.draw(st.sampled_from(["nonce", "ciphertext"]))
    changed = bytearray(getattr(sealed, field))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TamperedError):
        unseal(KEY, PLACE.context(), sealed._replace(**{field: bytes(changed)}))


def forged(frame: bytes) -> segments.Sealed:
    """What a holder of the key could put into a segment."""
    return segments.Sealed(bytes(12), AESGCM(KEY).encrypt(bytes(12), frame, PLACE.context()))


def compressed(plain: bytes, *, say: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=say).compress(plain)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"no zstd frame",
        compressed(SALT)[:-1],
        compressed(b"shorter than a salt"),
        compressed(SALT + b"\0\0\0\5four"),
        compressed(SALT + b"\0\0"),
        compressed(SALT + b"\xff\xff\xff\xff"),
        compressed(SALT + bytes(MAX_PLAINTEXT)),
        compressed(SALT, say=False),
    ],
    ids=["nothing", "no frame", "cut", "no salt", "slice cut", "length cut", "endless slice", "bomb", "unstated size"],
)
def test_a_hostile_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(EvidenceError):
        unseal(KEY, PLACE.context(), forged(frame))


def test_a_frame_that_understates_its_size_is_refused() -> None:
    """The header says 40 bytes and the blocks hold more: what is allocated is bounded before anything is decoded."""
    large = bytearray(compressed(SALT + b"\0\0\0\xc8" + bytes(200)))
    small = compressed(SALT + b"\0\0\0\4four")
    at = 5  # RFC 8878: magic number, frame header descriptor, then one byte of content size below 256
    assert zstandard.frame_content_size(bytes(large)) == large[at] == 236
    large[at] = small[at]
    with pytest.raises(FormatError):
        unseal(KEY, PLACE.context(), forged(bytes(large)))


@given(st.binary(max_size=300))
def test_any_frame_is_refused_or_read(frame: bytes) -> None:
    for data in (frame, compressed(SALT + frame)):
        try:
            opened = unseal(KEY, PLACE.context(), forged(data))
        except EvidenceError:
            continue
        assert sum(len(part) + 4 for part in opened.slices) == len(frame)
