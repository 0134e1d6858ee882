"""C2SP tlog-proof/v1: one file that proves an entry's place in a log, offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ledger import merkle, notes
from ledger.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, parse_decimal
from ledger.errors import FormatError
from ledger.notes import Verifier

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF = 1 << 26
"""Bytes of one file: a proof of every other row of the largest partition. The checkpoint in it is bounded as a note."""
MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Leaf ``index``, its audit path from the leaf's sibling up, and the whole signed note of the checkpoint.

    ``extra`` is not authenticated by anything: what it says must be checked against the entry. The constructor raises
    FormatError for what the format cannot hold; an absent ``extra`` is None, never empty.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index <= merkle.MAX_SIZE:
            raise FormatError(f"tlog-proof index {self.index} is out of range")
        if len(self.hashes) > MAX_HASHES:
            raise FormatError(f"tlog-proof has {len(self.hashes)} hashes, more than {MAX_HASHES}")
        if any(len(value) != merkle.HASH_SIZE for value in self.hashes):
            raise FormatError(f"tlog-proof has a hash that is not {merkle.HASH_SIZE} bytes long")
        if self.extra == b"":
            raise FormatError("tlog-proof has an empty extra line")
        parse_checkpoint(notes.parse_note(self.checkpoint).text)
        if len(self.text()) > MAX_PROOF:
            raise FormatError(f"tlog-proof is longer than {MAX_PROOF} bytes")

    def text(self) -> bytes:
        """The file's bytes."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += (base64.b64encode(value).decode() for value in self.hashes)
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def parse_proof(data: bytes) -> TlogProof:
    """Read a file, verifying nothing. Raises FormatError unless it is the one spelling of a proof."""
    if len(data) > MAX_PROOF:
        raise FormatError(f"tlog-proof is longer than {MAX_PROOF} bytes")
    head, empty_line, checkpoint = data.partition(b"\n\n")
    if not empty_line or not head.isascii():
        raise FormatError("tlog-proof has no empty line before its checkpoint, or is not ASCII before it")
    lines = head.decode().split("\n")
    if lines.pop(0) != HEADER:
        raise FormatError(f"tlog-proof does not begin with {HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = notes.decode_base64(lines.pop(0).removeprefix("extra "), "tlog-proof extra")
    if not lines or not lines[0].startswith("index "):
        raise FormatError("tlog-proof has no index line")
    index = parse_decimal(lines.pop(0).removeprefix("index "), "tlog-proof index")
    if len(lines) > MAX_HASHES:
        raise FormatError(f"tlog-proof has {len(lines)} hashes, more than {MAX_HASHES}")
    hashes = tuple(notes.decode_base64(line, "tlog-proof hash") for line in lines)
    return TlogProof(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)


def verify_proof(proof: TlogProof, entry: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    """Check that ``entry`` stands in the log at the proof's index, and return the checkpoint that says so.

    Raises as ``checkpoints.open_checkpoint`` and ``merkle.verify_inclusion``. Size and root come from the verified
    checkpoint only.
    """
    checkpoint = open_checkpoint(proof.checkpoint, verifiers)
    merkle.verify_inclusion(merkle.leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint
