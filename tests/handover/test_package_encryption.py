"""A package that only its recipient opens: the age format, as other programs read it too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ledger.errors import UsageError
from reports.access_package.encryption import encryptor
from tests.handover.conftest import ANA, Office, ask, hand_over

PASSPHRASE = "correct horse battery"


def sealed(passphrase_file: Path | None, *recipients: str, data: bytes = b"PK package") -> bytes:
    made = encryptor(passphrase_file, recipients)
    assert made is not None
    return made.encrypt(data)


def ssh_key() -> tuple[str, bytes]:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return public, private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def test_without_an_option_nothing_is_encrypted() -> None:
    assert encryptor(None, ()) is None


def test_a_passphrase_opens_it_and_another_does_not(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text(f"{PASSPHRASE}\n")
    data = sealed(path)
    assert data.startswith(b"age-encryption.org/v1")
    assert pyrage.passphrase.decrypt(data, PASSPHRASE) == b"PK package"
    with pytest.raises(pyrage.DecryptError):
        pyrage.passphrase.decrypt(data, PASSPHRASE + "\n")


def test_each_of_several_recipients_opens_it(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    public, private = ssh_key()
    path = tmp_path / "key.pub"
    path.write_text(f"{public} somebody@desk\n")
    data = sealed(None, str(identity.to_public()), str(path))
    assert pyrage.decrypt(data, [identity]) == b"PK package"
    assert pyrage.decrypt(data, [pyrage.ssh.Identity.from_buffer(private)]) == b"PK package"
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(data, [pyrage.x25519.Identity.generate()])


@pytest.mark.parametrize(
    "key", ["", "age1", "age1qqqq", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3Nza", "/no/such/file", "\x00"]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError):
        encryptor(None, [key])


@pytest.mark.parametrize("text", ["", "short", "two lines of\npassphrase text", "\n" * 20])
def test_a_weak_or_unclear_passphrase_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "passphrase"
    path.write_text(text)
    with pytest.raises(UsageError):
        encryptor(path, ())


def test_a_passphrase_and_a_key_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE)
    with pytest.raises(UsageError):
        encryptor(path, [str(pyrage.x25519.Identity.generate().to_public())])


def test_the_program_age_opens_it(tmp_path: Path) -> None:
    program = shutil.which("age")
    if program is None:
        pytest.skip("Debian's package age is not installed")
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key").write_text(f"{identity}\n")
    (tmp_path / "sealed").write_bytes(sealed(None, str(identity.to_public()), data=b"x" * 200_000))
    opened = subprocess.run(
        [program, "-d", "-i", str(tmp_path / "key"), str(tmp_path / "sealed")], capture_output=True, check=True
    )
    assert opened.stdout == b"x" * 200_000


def test_the_ledger_states_the_digest_of_what_was_handed_over(office: Office) -> None:
    identity = pyrage.x25519.Identity.generate()
    package = hand_over(office, ask(office, ANA), encryptor=encryptor(None, [str(identity.to_public())]))
    assert package.made.encrypted == "recipients"
    assert b"500 a month" not in package.data
    assert pyrage.decrypt(package.data, [identity]).startswith(b"PK")
    with office.installation.open() as store:
        details = store.history.entries[package.made.entry].value["details"]
    assert (details["package"], details["encrypted"]) == (package.made.sha256, "recipients")
