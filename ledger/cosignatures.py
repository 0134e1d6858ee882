"""C2SP tlog-cosignature, the Ed25519 form ``cosignature/v1`` (note signature type 0x04).

A cosigner states that, as of a time, the checkpoint is the largest consistent one it has seen of that log. The signed
message holds no cosigner name, so one key must never serve two cosigners.
"""

from __future__ import annotations

from typing import ClassVar

from ledger.errors import FormatError
from ledger.notes import COSIGNATURE_ED25519, Signature, Verifier, private_key

MAX_TIME = 2**63 - 1

_TIME_SIZE = 8


class CosignatureVerifier(Verifier):
    """The public key of a cosigner; may stand among the verifiers of ``open_note`` and ``open_checkpoint``."""

    algorithm: ClassVar[int] = COSIGNATURE_ED25519
    __slots__ = ()

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a cosignature over a checkpoint's text. Raises TamperedError, or FormatError where it is malformed."""
        self.cosigned_at(text, signature)

    def cosigned_at(self, text: bytes, signature: bytes) -> int:
        """The time (POSIX seconds) that the cosigner vouches for, after verifying. Raises as ``verify``."""
        if len(signature) <= _TIME_SIZE:
            raise FormatError(f"a cosignature of {len(signature)} bytes holds no time and signature")
        time = int.from_bytes(signature[:_TIME_SIZE], "big")
        self._verify_message(_message(text, time), signature[_TIME_SIZE:])
        return time


class Cosigner:
    """The private key of a cosigner, such as a witness. ``seed``: the 32 bytes of RFC 8032, used for nothing else."""

    __slots__ = ("_key", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = private_key(seed)
        self.verifier = CosignatureVerifier(name, self._key.public_key().public_bytes_raw())

    @property
    def vkey(self) -> str:
        """The public key as text."""
        return self.verifier.vkey

    def cosign(self, text: bytes, time: int) -> bytes:
        """The signature line over a checkpoint's text at ``time`` (POSIX seconds). Raises FormatError."""
        message = _message(text, time)
        signature = time.to_bytes(_TIME_SIZE, "big") + self._key.sign(message)
        return Signature(self.verifier.name, self.verifier.key_id, signature).line()


def _message(text: bytes, time: int) -> bytes:
    if not 0 <= time <= MAX_TIME:
        raise FormatError(f"cosignature time {time} is not within 0..{MAX_TIME}")
    return b"cosignature/v1\ntime %d\n%b" % (time, text)
