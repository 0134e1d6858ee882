"""``evidence keys`` and ``evidence breach`` as people and scripts use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PERSON = "HV-102949"


@pytest.fixture
def evidence(installation: Any, sample_logs: Path, tmp_path: Path) -> Any:
    """Runs the command on a filled store; gives exit code, stdout and stderr."""
    logs = tmp_path / "some.jsonl"
    logs.write_bytes(b"".join((sample_logs / "mira" / "2026-W41.jsonl").read_bytes().splitlines(keepends=True)[:12]))
    installation.ingest(logs)

    def run(*arguments: str | Path, code: int = 0) -> str:
        command = [sys.executable, "-m", "cli.main", *map(str, arguments), "--config", str(installation.config)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EVIDENCE")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return run


def test_the_life_of_a_keyring(evidence: Any, installation: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    assert "Opened again and compared" in evidence("keys", "backup", "-o", old)
    assert "Nothing was changed" in evidence("keys", "restore", old, "--drill")
    installation.erase(PERSON)
    assert "ended keys since" in evidence("keys", "restore", old, "--drill")
    assert "--replace" in evidence("keys", "restore", old, code=2)
    assert "reconcile" in evidence("keys", "restore", old, "--replace")
    assert "reconcile" in evidence("keys", "list")
    assert "1 data key" in evidence("keys", "reconcile")
    assert "Nothing of theirs" in evidence("keys", "reconcile")
    said = json.loads(evidence("keys", "rotate", "-o", new, "--json"))
    assert (said["ended"], said["begun"], said["backup"]["path"]) == ([1], 2, str(new))
    assert "does not open" in evidence("keys", "restore", old, "--replace", code=15)
    listed = json.loads(evidence("keys", "list", "--json"))
    assert [(epoch["number"], epoch["state"]) for epoch in listed["epochs"]] == [(2, "current")]
    assert not listed["behind"]
    assert json.loads(evidence("keys", "restore", new, "--drill", "--json"))["content"]["verified"] > 0
    assert "INTACT" in evidence("verify", "--level", "deep")


def test_an_approver_from_key_to_retirement(evidence: Any, installation: Any, tmp_path: Path) -> None:
    admin = installation.config.parent / "evidence-private" / "admin.key"
    vkey = evidence_new(tmp_path)
    enrol = ("keys", "enrol", "--role", "approver", "--key", vkey, "--admin-key")
    assert "role admin" in evidence(*enrol, admin.with_name("writer.key"), code=11)
    assert "Enrolled logs.example.com/approver/p2" in evidence(*enrol, admin)
    assert "approver" in evidence("keys", "list")
    assert "Retired" in evidence("keys", "retire", "logs.example.com/approver/p2", "--admin-key", admin)
    assert "retired" in evidence("keys", "list")
    assert "not overwritten" in new_key(tmp_path).stderr


def new_key(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "keys", "new", "logs.example.com/approver/p2", "-o", str(folder / "p2.key")],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def evidence_new(folder: Path) -> str:
    done = new_key(folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_breach_in_numbers_leaves_an_access_record(evidence: Any, installation: Any) -> None:
    said = json.loads(evidence("breach", "--partitions", "all", "--purpose", "incident 12", "--json"))
    assert said["reached"]["records"] == 12
    assert said["reached"]["people"] > 0
    with installation.open() as store:
        assert store.waiting() == 1
    assert "person" in evidence("breach", "--key-epoch", "1") or "people" in evidence("breach", "--key-epoch", "1")
    for wrong in ((), ("--partitions", "all", "--key-epoch", "1")):
        evidence("breach", *wrong, code=2)
    evidence("breach", "--partitions", "1999", code=20)
