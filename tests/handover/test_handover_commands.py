"""The commands as privacy staff run them, from a request to the files that are handed over."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.handover.conftest import ANA, BEN, chat

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("EVIDENCE_", "COV_"))}


class Desk:
    """A folder with a store, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self("init")
        log = folder / "log.jsonl"
        lines = [
            chat("a-1", "s-ana", ANA, "What is my limit?", "It is 500 a month."),
            chat("a-2", "s-ana", ANA, "And ben@example.com?", "I may not say.", time="2026-10-04T08:01:00Z"),
            chat("b-1", "s-ben", BEN, "Hello", "Hello Ben."),
        ]
        log.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        self("ingest", log)

    def __call__(self, *arguments: str | Path, code: int = 0) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli.main", *map(str, arguments)],
            cwd=self.folder,
            env=CLEAN,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def json(self, *arguments: str | Path) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self(*arguments, "--json")[0])
        return value

    def request(self, kind: str, *identifiers: str) -> str:
        opened = self.json("dsar", "open", *identifiers, "--kind", kind, "--regime", "gdpr", "--received", "2026-11-20")
        reference = str(opened["request"]["request"] if isinstance(opened["request"], dict) else opened["request"])
        self("dsar", "identify", reference, "--method", "account")
        return reference


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_from_the_request_to_the_package(desk: Desk) -> None:
    request = desk.request("access", ANA)
    review = desk.folder / "spans.jsonl"
    made = desk.json("dsar", "spans", request, "-o", review, "--purpose", "request 17")
    assert (made["spans"], made["records"]) == (1, 1)
    assert stat.S_IMODE(review.stat().st_mode) == 0o600
    _, refused = desk("dsar", "export", request, "-o", "no.zip", "--review", review, code=2)
    assert "undecided" in refused
    assert not (desk.folder / "no.zip").exists()
    text = review.read_text().replace('"decision":null,"reason":null,"reviewer":null', DECIDED)
    review.write_text(text)
    context = desk.folder / "context.toml"
    context.write_text('controller = "Example Bank"\n')
    out, _ = desk("dsar", "export", request, "-o", "p.zip", "--review", review, "--context", context)
    assert "1 span withheld" in out
    package = desk.folder / "p.zip"
    assert stat.S_IMODE(package.stat().st_mode) == 0o600
    with zipfile.ZipFile(package) as archive:
        assert b"ben@example.com" not in b"".join(archive.read(name) for name in archive.namelist())
        assert b"Example Bank" in archive.read("index.html")
    accesses = desk.json("query", "SELECT count(*) AS n FROM accesses")["rows"][0]["n"]
    desk("seal")
    assert desk.json("query", "SELECT count(*) AS n FROM accesses")["rows"][0]["n"] > accesses
    desk("verify", "--level", "deep")
    _, again = desk("dsar", "export", request, "-o", "p.zip", "--redact-undecided", code=2)
    assert "not overwritten" in again


DECIDED = '"decision":"redact","reason":"third-party","reviewer":"lee@bank.example"'


def test_a_package_to_a_passphrase(desk: Desk) -> None:
    import pyrage

    request = desk.request("access", ANA)
    (desk.folder / "words").write_text("correct horse battery\n")
    made = desk.json(
        "dsar", "export", request, "-o", "p.age", "--redact-undecided", "--passphrase-file", desk.folder / "words"
    )
    assert made["encrypted"] == "passphrase"
    data = (desk.folder / "p.age").read_bytes()
    assert pyrage.passphrase.decrypt(data, "correct horse battery").startswith(b"PK")
    desk("dsar", "export", request, "-o", "q.age", "--redact-undecided", "--recipient", "nonsense", code=2)


def test_restricting_and_lifting(desk: Desk) -> None:
    out, _ = desk("dsar", "restrict", ANA, "--basis", "art18-1-a", "--until", "2027-01-31")
    assert "1 reference restricted" in out
    out, err = desk("sessions")
    assert "s-ana" not in out
    assert "1 session left out: processing is restricted" in err
    assert desk.json("sessions")["left_out"] == 1
    out, err = desk("query", "SELECT source_id FROM records WHERE source = 'chat'")
    assert "a-1" not in out
    assert "left out: processing is restricted" in err
    assert desk.json("query", "SELECT 1")["left_out"] >= 2
    out, _ = desk("replay", "s-ana")
    assert "2 restricted" in out
    assert "500 a month" not in out
    out, err = desk("export", "--session", "s-ana", "--with-content", "--purpose", "audit", "-o", "b.zip")
    assert "content restricted: 2" in out
    assert "withheld" in err
    desk("dsar", "restrict", ANA, "--basis", "Because!", code=2)
    desk("dsar", "lift", ANA, "--basis", "accuracy-verified")
    assert "500 a month" in desk("replay", "s-ana")[0]
    desk("dsar", "lift", ANA, "--basis", "accuracy-verified", code=20)


def test_correcting_by_a_request(desk: Desk) -> None:
    request = desk.request("rectification", ANA)
    record = desk.json("query", "SELECT record_id FROM records WHERE source_id = 'a-1'")["rows"][0]["record_id"]
    made = desk.json(
        "dsar", "correct", record, "--text", "It is 500 a year.", "--reason", "inaccurate", "--request", request
    )
    assert made["corrects"] == record
    assert "It is 500 a year." in desk("replay", "s-ana")[0]
    shown = desk("dsar", "show", request)[0]
    assert "executed" in shown
    desk("dsar", "correct", record, "--reason", "inaccurate", code=2)
    (desk.folder / "latin").write_bytes(b"\xff\xfe")
    desk("dsar", "correct", record, "--file", desk.folder / "latin", "--reason", "inaccurate", code=2)
    desk("verify", "--level", "deep")


def test_an_export_for_somebody(desk: Desk) -> None:
    made = desk.json("export", "--session", "s-ana", "-o", "b.zip", "--recipient", "Audit Ltd")
    assert len(made["recipient"]) == 32
    request = desk.request("access", ANA)
    desk("dsar", "export", request, "-o", "p.zip", "--redact-undecided")
    with zipfile.ZipFile(desk.folder / "p.zip") as archive:
        assert b"audit ltd" in archive.read("index.html")
