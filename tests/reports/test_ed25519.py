"""The verifier's own Ed25519: the published vectors, OpenSSL's judgement, and what strictness refuses.

Vectors: RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3 and TEST SHA(abc).
"""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from reports.standalone.verify import _L, _P, ed25519_verifies

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
            "454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
            "3dca179c138ac17ad9bef1177331a704"
        ),
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_published_signatures_verify(public: str, message: str, signature: str) -> None:
    key, text, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)

    assert ed25519_verifies(key, text, signed)
    assert not ed25519_verifies(key, text + b"x", signed)


def openssl_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_what_openssl_signs_verifies(seed: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)

    assert ed25519_verifies(key.public_key().public_bytes_raw(), message, key.sign(message))


@given(
    seed=st.binary(min_size=32, max_size=32),
    message=st.binary(min_size=1, max_size=64),
    part=st.sampled_from(["key", "message", "signature"]),
    bit=st.integers(min_value=0, max_value=511),
)
def test_a_flipped_bit_is_refused_as_openssl_refuses_it(seed: bytes, message: bytes, part: str, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    parts = {"key": key.public_key().public_bytes_raw(), "message": message, "signature": key.sign(message)}
    changed = bytearray(parts[part])
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    parts[part] = bytes(changed)

    assert openssl_verifies(parts["key"], parts["message"], parts["signature"]) is False
    assert not ed25519_verifies(parts["key"], parts["message"], parts["signature"])


def signed() -> tuple[bytes, bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return key.public_key().public_bytes_raw(), b"text", key.sign(b"text")


def test_a_second_spelling_of_s_is_refused() -> None:
    """S + L satisfies the equation too; accepting it would give every signature a twin (RFC 8032, section 8.4)."""
    public, message, signature = signed()
    twin = signature[:32] + (int.from_bytes(signature[32:], "little") + _L).to_bytes(32, "little")

    assert ed25519_verifies(public, message, signature)
    assert not ed25519_verifies(public, message, twin)


# The encodings of all points of small order: orders 1, 2, 4, 4, 8, 8, 8, 8 (Chalkias, Garillot, Nikolaenko, "Taming
# the many EdDSAs", 2020, table 1 lists them), and the neutral point spelled with y = p + 1 and with the sign bit.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    (_P + 1).to_bytes(32, "little").hex(),
    (1 | 1 << 255).to_bytes(32, "little").hex(),
]


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_a_key_that_anyone_can_sign_for_is_refused(public: str) -> None:
    """Under a key of small order, R = the neutral point and S = 0 verify for one message in eight, or for all."""
    signature = (1).to_bytes(32, "little") + bytes(32)

    assert not any(ed25519_verifies(bytes.fromhex(public), bytes([n]), signature) for n in range(64))


def test_openssl_would_accept_such_a_key() -> None:
    """Which is why the check above is not an idle one."""
    signature = (1).to_bytes(32, "little") + bytes(32)

    assert openssl_verifies(bytes.fromhex(SMALL_ORDER[0]), b"any text", signature)


@pytest.mark.parametrize("length", [0, 31, 33, 63, 65])
def test_wrong_lengths_are_refused(length: int) -> None:
    public, message, signature = signed()

    assert not ed25519_verifies(public, message, bytes(length))
    assert not ed25519_verifies(bytes(length), message, signature)
