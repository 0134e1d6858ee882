"""OpenSSH signatures: what ssh-keygen writes is read, and nothing else passes for one."""

from __future__ import annotations

import base64
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import EvidenceError, FormatError, TamperedError
from reports.dsar import sshsig

TEXT = b"evidence/approval/1\nhost/store\nrequest 11\nplan 22\n"
NAMESPACE = "evidence-approval"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class Parts(NamedTuple):
    """A signature blob in its parts, each of which a test may replace."""

    magic: bytes = b"SSHSIG"
    version: bytes = struct.pack(">I", 1)
    key: bytes = string(b"ssh-ed25519") + string(PUBLIC)
    namespace: bytes = NAMESPACE.encode()
    reserved: bytes = b""
    hash_name: bytes = b"sha512"
    signature: bytes = b""
    behind: bytes = b""

    def blob(self) -> bytes:
        fields = (self.key, self.namespace, self.reserved, self.hash_name, self.signature)
        return self.magic + self.version + b"".join(map(string, fields)) + self.behind


def signed(text: bytes = TEXT, **changes: bytes) -> Parts:
    """A right signature, made as PROTOCOL.sshsig says, then changed."""
    parts = Parts()
    hash_name = changes.get("hash_name", parts.hash_name)
    hashed = sshsig.HASHES.get(hash_name, sshsig.HASHES[b"sha512"])(text).digest()
    fields = (changes.get("namespace", parts.namespace), b"", hash_name, hashed)
    raw = KEY.sign(b"SSHSIG" + b"".join(map(string, fields)))
    return parts._replace(signature=string(b"ssh-ed25519") + string(raw))._replace(**changes)


def armoured(parts: Parts) -> bytes:
    return sshsig.armour(base64.b64encode(parts.blob()).decode()).encode()


@pytest.fixture
def keygen(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("ssh-keygen is not installed")

    def run(*arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, *arguments], cwd=tmp_path, input=stdin, capture_output=True, check=True)

    return run


@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_is_read_and_verified(
    keygen: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path, hash_name: str
) -> None:
    keygen("-q", "-t", "ed25519", "-N", "", "-C", "olga", "-f", "key")
    (tmp_path / "s.txt").write_bytes(TEXT)
    keygen("-Y", "sign", "-f", "key", "-n", NAMESPACE, "-O", f"hashalg={hash_name}", "s.txt")
    found = sshsig.parse((tmp_path / "s.txt.sig").read_bytes())

    sshsig.verify(found, TEXT, NAMESPACE)
    assert sshsig.public_line(found.public_key) == " ".join((tmp_path / "key.pub").read_text().split()[:2])
    assert sshsig.armour(found.base64) == (tmp_path / "s.txt.sig").read_text()
    with pytest.raises(TamperedError):
        sshsig.verify(found, TEXT + b" ", NAMESPACE)


def test_ssh_keygen_verifies_what_is_kept(
    keygen: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """Whoever doubts this program takes the signature out of the entry and asks OpenSSH."""
    kept = sshsig.parse(armoured(signed())).base64
    (tmp_path / "s.sig").write_text(sshsig.armour(kept))
    (tmp_path / "allowed").write_text(f"approver {sshsig.public_line(PUBLIC)}\n")

    done = keygen("-Y", "verify", "-f", "allowed", "-I", "approver", "-n", NAMESPACE, "-s", "s.sig", stdin=TEXT)
    assert b"Good" in done.stdout


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_key_of_another_type_is_refused_in_words(
    keygen: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path, kind: str
) -> None:
    keygen("-q", "-t", kind, "-N", "", "-f", "key")
    (tmp_path / "s.txt").write_bytes(TEXT)
    keygen("-Y", "sign", "-f", "key", "-n", NAMESPACE, "s.txt")

    with pytest.raises(FormatError, match="not of type ssh-ed25519"):
        sshsig.parse((tmp_path / "s.txt.sig").read_bytes())


@pytest.mark.parametrize("hash_name", [b"sha256", b"sha512"])
def test_a_signature_made_by_the_document_verifies(hash_name: bytes) -> None:
    sshsig.verify(sshsig.parse(armoured(signed(hash_name=hash_name))), TEXT, NAMESPACE)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"magic": b"SSHSIH"}, "does not begin"),
        ({"version": struct.pack(">I", 2)}, "version 2"),
        ({"reserved": b"x"}, "reserved"),
        ({"hash_name": b"sha1"}, "another hash"),
        ({"hash_name": b""}, "another hash"),
        ({"behind": b"\0"}, "more than it should"),
        ({"behind": string(b"")}, "more than it should"),
        ({"key": string(b"ssh-rsa") + string(PUBLIC)}, "not of type"),
        ({"key": string(b"ssh-ed25519") + string(PUBLIC[:31])}, "32 bytes"),
        ({"key": string(b"ssh-ed25519") + string(PUBLIC) + string(b"")}, "more than"),
        ({"key": b""}, "not of type"),
        ({"key": string(b"sk-ssh-ed25519@openssh.com") + string(PUBLIC) + string(b"ssh:")}, "not of type"),
        ({"signature": string(b"ssh-ed25519") + string(bytes(63))}, "64 bytes"),
        ({"signature": string(b"rsa-sha2-512") + string(bytes(64))}, "not of type"),
        ({"signature": string(b"ssh-ed25519") + b"\xff\xff\xff\xff" + bytes(64)}, "too early"),
    ],
)
def test_what_is_no_such_signature_is_refused(changes: dict[str, bytes], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        sshsig.parse(armoured(signed(**changes)))


@pytest.mark.parametrize("namespace", [b"", b"file", b"git", b"evidence-approval\0", b"Evidence-approval"])
def test_a_signature_for_another_use_does_not_count(namespace: bytes) -> None:
    """Who signs commits and files with the same key has approved nothing."""
    with pytest.raises(TamperedError, match="another use"):
        sshsig.verify(sshsig.parse(armoured(signed(namespace=namespace))), TEXT, NAMESPACE)


def test_a_namespace_in_the_frame_alone_does_not_count() -> None:
    other = signed(namespace=b"file")
    with pytest.raises(TamperedError, match="not over"):
        sshsig.verify(sshsig.parse(armoured(other._replace(namespace=NAMESPACE.encode()))), TEXT, NAMESPACE)


def test_a_public_key_in_the_frame_that_did_not_sign_does_not_count() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    forged = signed()._replace(key=string(b"ssh-ed25519") + string(other))
    with pytest.raises(TamperedError):
        sshsig.verify(sshsig.parse(armoured(forged)), TEXT, NAMESPACE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("-----BEGIN", "----BEGIN"),
        lambda text: text.removesuffix("-----END SSH SIGNATURE-----\n"),
        lambda text: "x\n" + text,
        lambda text: text + "x\n",
        lambda text: text.replace("SSH SIGNATURE", "PGP SIGNATURE"),
        lambda text: text.replace("U1NIU0lH", "U1NIU0lH "),
        lambda text: text.replace("U1NIU0lH", "U1NIU0lH="),
        lambda text: text.replace("U1NIU0lH", "U1NIU0l\u0397"),
        lambda text: text * 20,
        lambda text: "",
        lambda text: "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
    ],
)
def test_armour_has_one_form(damage: Callable[[str], str]) -> None:
    text = armoured(signed()).decode()
    assert damage(text) != text
    with pytest.raises(FormatError):
        sshsig.parse(damage(text).encode())


def test_windows_line_ends_are_armour_too() -> None:
    sshsig.parse(armoured(signed()).replace(b"\n", b"\r\n"))


@given(st.binary(max_size=300))
def test_bytes_from_anywhere_are_refused_and_never_break_the_parser(data: bytes) -> None:
    for text in (data, sshsig.armour(base64.b64encode(b"SSHSIG\0\0\0\1" + data).decode()).encode()):
        with pytest.raises(FormatError):
            sshsig.parse(text)


@given(st.data())
def test_one_changed_byte_is_refused_or_does_not_verify(data: st.DataObject) -> None:
    blob = bytearray(signed().blob())
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EvidenceError):
        sshsig.verify(sshsig.parse_base64(base64.b64encode(bytes(blob)).decode()), TEXT, NAMESPACE)
