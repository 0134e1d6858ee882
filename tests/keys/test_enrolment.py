"""Who may sign what: only the admin key enrols and retires, and one key counts once."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cli.keys import read_signing_key
from ledger import notes
from ledger.errors import ConfigError, FormatError, NotFoundError, UsageError
from ledger.key_management import enrolment, signing_keys
from ledger.store import load_signer
from ledger.verify import Verdict

SSH_KEYGEN = shutil.which("ssh-keygen")


@pytest.fixture
def admin(installation: Any) -> notes.Signer:
    return load_signer(installation.config.parent / "evidence-private" / "admin.key")


def ssh_line(comment: str = "ana.maria@laptop") -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


def roles(store: Any, vkey: str) -> tuple[str, ...]:
    return next(holder.roles for holder in enrolment.holders(store.history) if holder.vkey == vkey)


def test_an_approver_is_enrolled_by_the_admin_key_alone(
    installation: Any, admin: notes.Signer, tmp_path: Path, logs: list[Path]
) -> None:
    """Its key signs plans, with whatever signs SSH, and no commit."""
    file = tmp_path / "id_ed25519.pub"
    file.write_text(ssh_line() + "\n")
    installation.ingest(logs[0])
    with installation.open() as store:
        key = read_signing_key(str(file), store.history.origin, ["approver"], "dpo")
        entry = enrolment.enrol(store, key, ["approver"], admin)
        assert key.name == f"{store.history.origin}/approver/dpo"
        assert [holder.vkey for holder in store.history.holders("approver")] == [key.vkey]
        assert b"ana.maria" not in entry.data, "the comment of an SSH key names a person"
        store.publish()
    assert installation.verify("fast").verdict is Verdict.INTACT


@pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen is not installed")
def test_a_key_that_ssh_keygen_made(tmp_path: Path) -> None:
    assert SSH_KEYGEN is not None
    subprocess.run(
        [SSH_KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True, capture_output=True
    )
    line = (tmp_path / "key.pub").read_text()
    assert base64.b64decode(line.split()[1]).endswith(signing_keys.from_ssh(line, "x/approver/p2").public_key)


def test_a_key_that_commits_signs_its_own_enrolment(
    installation: Any, admin: notes.Signer, tmp_path: Path, logs: list[Path]
) -> None:
    installation.ingest(logs[0])
    with installation.open() as store:
        name = f"{store.history.origin}/writer-2"
        key = signing_keys.create(name, tmp_path / "writer-2.key")
        own = load_signer(tmp_path / "writer-2.key")
        for wrong in (None, admin):
            with pytest.raises(UsageError, match="must sign its own enrolment"):
                enrolment.enrol(store, key, ["append"], admin, wrong)
        enrolment.enrol(store, key, ["append"], admin, own)
        store.append([("heartbeat", {})], by=[own])
        store.publish()
    assert installation.verify("fast").verdict is Verdict.INTACT


def test_only_the_admin_key_enrols(installation: Any) -> None:
    with installation.open() as store:
        key = notes.Verifier("x/approver/y", notes.Signer.generate("x").verifier.public_key)
        with pytest.raises(ConfigError, match="role admin"):
            enrolment.enrol(store, key, ["approver"], store.signer("privacy"))
        with pytest.raises(ConfigError, match="role admin"):
            enrolment.retire(store, store.signer("privacy").name, store.signer("writer"))


def test_one_key_is_not_two_approvers(installation: Any, admin: notes.Signer) -> None:
    with installation.open() as store:
        line = ssh_line()
        for name, refused in (("one", False), ("two", True)):
            key = read_signing_key(line, store.history.origin, ["approver"], name)
            if refused:
                with pytest.raises(UsageError, match="under another name"):
                    enrolment.enrol(store, key, ["approver"], admin)
            else:
                enrolment.enrol(store, key, ["approver"], admin)


def test_who_carries_out_does_not_approve(installation: Any, admin: notes.Signer) -> None:
    with installation.open() as store:
        privacy = store.signer("privacy")
        with pytest.raises(UsageError, match="no other role"):
            enrolment.enrol(store, privacy.verifier, ["approver", "erasure"], admin, privacy)


@pytest.mark.parametrize("wanted", [[], ["root"], ["approver", "root"]])
def test_roles_that_there_are_not(installation: Any, admin: notes.Signer, wanted: list[str]) -> None:
    with installation.open() as store:
        key = notes.Signer.generate("x/y")
        with pytest.raises(UsageError, match="role"):
            enrolment.enrol(store, key.verifier, wanted, admin, key)


def test_a_retired_key_signs_nothing_more(installation: Any, admin: notes.Signer, tmp_path: Path) -> None:
    with installation.open() as store:
        own = notes.Signer.generate(f"{store.history.origin}/writer-2")
        enrolment.enrol(store, own.verifier, ["append"], admin, own)
        enrolment.retire(store, own.name, admin)
        assert roles(store, own.vkey) == ("append",)
        assert enrolment.holders(store.history)[-1].retired
        with pytest.raises(ConfigError, match="not committed"):
            store.append([("heartbeat", {})], by=[own])


@pytest.mark.parametrize("role", ["admin", "append", "log"])
def test_the_last_key_of_a_role_that_a_log_needs_stays(installation: Any, admin: notes.Signer, role: str) -> None:
    with installation.open() as store:
        (last,) = store.history.holders(role)
        with pytest.raises(UsageError, match=f"last key with the role {role}"):
            enrolment.retire(store, last.vkey, admin)


def test_what_is_not_enrolled_is_not_retired(installation: Any, admin: notes.Signer) -> None:
    with installation.open() as store, pytest.raises(NotFoundError):
        enrolment.retire(store, "nobody", admin)


@pytest.mark.parametrize(
    "line",
    [
        "ssh-ed25519 ",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC=",
        "ssh-ed25519 " + "A" * 10_000,
        "ssh-ed25519 \ud800",
        "",
    ],
)
def test_what_is_no_ssh_key(line: str) -> None:
    with pytest.raises(FormatError):
        signing_keys.from_ssh(line, "x/approver/y")


def test_an_ssh_key_needs_a_name(installation: Any) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        read_signing_key(ssh_line(), "x", ["approver"], None)
    for name in ("", "Ana Maria", "../x", "a" * 100, "x\n"):
        with pytest.raises(UsageError):
            read_signing_key(ssh_line(), "x", ["approver"], name)


def test_a_new_key_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new.key"
    verifier = signing_keys.create("logs.example.com/ai/approver/p2", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_signer(path).vkey == verifier.vkey
    with pytest.raises(ConfigError, match="not overwritten"):
        signing_keys.create("x/y", path)
    for name in ("", "a b", "a+b", "/", "a//b", "é"):
        with pytest.raises(UsageError):
            signing_keys.create(name, tmp_path / "other.key")
