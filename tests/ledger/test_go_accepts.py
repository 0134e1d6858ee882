"""What this project writes, judged by golang.org/x/mod/sumdb and transparency-dev/formats.

Needs the program of vectors/tlog_go/main.go.txt, whose header says how to build it, in ``EVIDENCE_TLOG_GO``.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import Any

import pytest

from ledger import merkle
from ledger.checkpoints import Checkpoint, sign_checkpoint
from ledger.cosignatures import Cosigner
from ledger.notes import Signer, assemble_note, sign_note
from ledger.proofs import TlogProof

PROGRAM = os.environ.get("EVIDENCE_TLOG_GO", "")

pytestmark = pytest.mark.skipif(not PROGRAM, reason="EVIDENCE_TLOG_GO does not name the program")

ENTRIES = [os.urandom(length) for length in range(70)]
LEAVES = merkle.leaf_hashes(ENTRIES)


def judged(**asked: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, "check"], input=json.dumps(asked), capture_output=True, text=True, check=False)


def tree(size: int) -> dict[str, Any]:
    leaves = LEAVES[:size]
    return {
        "entries": [base64.b64encode(entry).decode() for entry in ENTRIES[:size]],
        "roots": [merkle.root(leaves[:count]).hex() for count in range(1, size + 1)],
        "inclusion": [[h.hex() for h in merkle.inclusion_proof(leaves, i)] for i in range(size)],
        "consistency": [[h.hex() for h in merkle.consistency_proof(leaves, old, size)] for old in range(1, size + 1)],
    }


def test_every_proof_of_every_tree_up_to_70() -> None:
    answer = judged(trees=[tree(size) for size in range(1, 71)])
    print(answer.stdout)
    assert answer.stdout == f"accepted 0 notes, {70 * 71} tree proofs, 0 tlog-proofs\n", answer.stderr


def test_notes_and_cosignatures() -> None:
    log, other = Signer.generate("example.com/log"), Signer.generate("example.com/\u00e9\u4e16")
    cosigner = Cosigner("witness.example/w1", os.urandom(32))
    text = Checkpoint(log.name, 70, merkle.root(LEAVES)).text()
    cosigned = assemble_note(text, log.sign(text), cosigner.cosign(text, 1_800_000_000))
    answer = judged(
        notes=[
            {"note": sign_note("text\n\n\nmore\n", log, other).decode(), "vkeys": [log.vkey, other.vkey]},
            {"note": cosigned.decode(), "vkeys": [log.vkey], "cosigns": [cosigner.vkey]},
        ]
    )
    assert answer.stdout == "accepted 2 notes, 0 tree proofs, 0 tlog-proofs\n", answer.stderr


def test_tlog_proofs() -> None:
    log = Signer.generate("example.com/log")
    leaves = merkle.leaf_hashes(f"entry {i}".encode() for i in range(37))
    note = sign_checkpoint(Checkpoint(log.name, 37, merkle.root(leaves)), log)
    proofs = [
        TlogProof(index, tuple(merkle.inclusion_proof(leaves, index)), note, extra)
        for index, extra in ((0, None), (17, b"beside"), (36, None))
    ]
    asked = [{"proof": p.text().decode(), "vkey": log.vkey, "entry": f"entry {p.index}"} for p in proofs]
    answer = judged(proofs=asked)
    assert answer.stdout == "accepted 0 notes, 0 tree proofs, 3 tlog-proofs\n", answer.stderr


def test_it_does_refuse() -> None:
    log, other = Signer.generate("example.com/log"), Signer.generate("example.com/log")
    answer = judged(notes=[{"note": sign_note("text\n", log).decode(), "vkeys": [other.vkey]}])
    assert answer.returncode == 1
    wrong = tree(9)
    wrong["inclusion"][3][0] = merkle.EMPTY_ROOT.hex()
    assert judged(trees=[wrong]).returncode == 1
