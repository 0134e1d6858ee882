"""What an approver signs: a short text that names one plan of one request of one log. And who may sign it.

Two ways to sign the same bytes: with a note key of this product, or with OpenSSH. Only the key counts, never a name.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger import notes
from ledger.errors import FormatError, TamperedError, UsageError
from ledger.history import History
from reports.dsar import sshsig

TYPE: Final = "evidence/approval/1"
NAMESPACE: Final = "evidence-approval"
"""Of OpenSSH signatures: ``ssh-keygen -Y sign -n evidence-approval``."""
NOTE: Final = "note"
SSH: Final = "sshsig"


class Signed(NamedTuple):
    """A signature over a statement: the public key (32 bytes), how it was made, and what is kept of it (base64)."""

    public_key: bytes
    scheme: str
    signature: str


def statement(origin: str, request: str, plan: str) -> bytes:
    """The canonical text, each line ended by a line feed. What is signed are exactly these bytes."""
    return f"{TYPE}\n{origin}\nrequest {request}\nplan {plan}\n".encode()


def sign(text: bytes, signer: notes.Signer) -> Signed:
    """Sign with a note key. What is kept is base64(key ID || signature), as in a signature line of a note."""
    line = signer.sign(text).decode()
    return Signed(signer.verifier.public_key, NOTE, line.rstrip("\n").rpartition(" ")[2])


def take_ssh(text: bytes, armoured: bytes) -> Signed:
    """A signature that OpenSSH made over the statement. Raises FormatError, TamperedError where it is over other bytes.

    What is kept is the signature without its armour.
    """
    found = sshsig.parse(armoured)
    sshsig.verify(found, text, NAMESPACE)
    return Signed(found.public_key, SSH, found.base64)


def verify(text: bytes, verifier: notes.Verifier, scheme: str, signature: str) -> None:
    """Check a kept signature. Raises FormatError for a malformed one, TamperedError for one that does not verify."""
    if scheme == NOTE:
        made = notes.parse_signature(f"\N{EM DASH} {verifier.name} {signature}")
        if made.key_id != verifier.key_id:
            raise TamperedError("the signature is by another key")
        verifier.verify(text, made.signature)
    elif scheme == SSH:
        found = sshsig.parse_base64(signature)
        if found.public_key != verifier.public_key:
            raise TamperedError("the signature is by another key")
        sshsig.verify(found, text, NAMESPACE)
    else:
        raise FormatError(f"no way to sign is called {scheme!a}")


def enrolled(history: History, public_key: bytes) -> notes.Verifier:
    """The approver's key as the log has enrolled it. Raises UsageError where it has not, or in another role."""
    for verifier in history.holders("approver"):
        if verifier.public_key == public_key:
            return verifier
    raise UsageError(
        "this key holds no role approver in the log", hint="Enrol it: `evidence keys enrol --role approver KEY`."
    )
