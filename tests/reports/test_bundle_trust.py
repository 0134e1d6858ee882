"""Whom a bundle convinces: keys and pins, wrong calls, empty bundles, and streams that cannot be written."""

from __future__ import annotations

import base64
import io
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import notes
from ledger.checkpoints import parse_checkpoint, sign_checkpoint
from ledger.verify.pin import Pin
from reports.selection.predicates import SessionSelection
from reports.standalone import verify
from tests.fixtures_stores import SAMPLE_LOGS
from tests.reports.bundles import Bank, Files, Verdict, another_key, fix_up, new_bank, rezip, unzip

Audit = Callable[..., Verdict]


# -- keys


def test_a_key_inside_the_bundle_alone_proves_nothing(session_bundle: bytes, audit: Audit) -> None:
    result = audit(session_bundle)

    assert (result.code, result.output["verdict"]) == (3, "unverifiable")
    assert "a key inside a bundle proves nothing" in result.reasons
    assert result.output["checked"]["records"] > 0, "everything is checked all the same"


def test_a_wrong_key_is_unverifiable_not_tampered(session_bundle: bytes, audit: Audit) -> None:
    result = audit(session_bundle, "--key", another_key("example.com/other").vkey)

    assert (result.code, result.verdicts) == (3, {"unverifiable"})
    assert "no key that you gave has signed it" in result.reasons


def forge(files: Files, tmp_path: Path) -> tuple[Files, str, Path]:
    """A bundle signed by a forger in the log's name, the forger's key, and a pin by it: all handed over together.

    Whoever forges a log can enrol keys in it: the attestation is not what stands in the way.
    """
    stated = parse_checkpoint(notes.parse_note(files["data/checkpoint"]).text)
    forger = another_key(stated.origin)
    note = sign_checkpoint(stated, forger)
    pin = tmp_path / "their-pin.json"
    pin.write_bytes(Pin(forger.vkey, note.decode(), 0, "2026-11-01T00:00:00Z").to_bytes())
    hint = {"data/log.vkey": f"{forger.vkey}\n".encode(), "data/policy": f"log {forger.vkey}\nquorum none\n".encode()}
    for name in files:
        if name.startswith("data/proofs/"):
            hint[name] = files[name].replace(files["data/checkpoint"], note)
    return {**files, **hint, "data/checkpoint": note}, forger.vkey, pin


def test_a_forger_who_signs_with_a_key_of_the_same_name_is_not_believed(
    bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path
) -> None:
    files, theirs, _ = forge(unzip(session_bundle), tmp_path)
    forged = rezip(fix_up(files, bank.bundle_key))

    assert audit(forged).code == 3
    assert audit(forged, "--key", bank.log_vkey).code == 3
    assert audit(forged, "--key", theirs).code == 0, "only who trusts the forger's key believes the forger"


def test_a_pin_of_another_key_does_not_stand_in_for_the_key_that_is_held(
    bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path
) -> None:
    files, _, pin = forge(unzip(session_bundle), tmp_path)

    result = audit(rezip(fix_up(files, bank.bundle_key)), "--key", bank.log_vkey, "--pin", str(pin))

    assert (result.code, result.output["grade"]) == (3, "untrusted")
    assert "pin: is not signed by the key that you gave" in result.reasons
    assert "no key that you gave has signed it" in result.reasons


def test_a_pin_of_another_key_says_nothing_of_the_rightful_bundle(
    bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path
) -> None:
    _, _, pin = forge(unzip(session_bundle), tmp_path)

    result = audit(session_bundle, "--key", bank.log_vkey, "--pin", str(pin))

    assert (result.code, result.verdicts) == (3, {"unverifiable"})
    assert result.output["grade"] == "signed by the key that you gave", "and not: pinned"


def test_a_signature_in_the_name_of_the_key_that_is_held_must_verify(
    bank: Bank, session_bundle: bytes, audit: Audit
) -> None:
    files = unzip(session_bundle)
    text, signature = files["data/checkpoint"].rsplit(b" ", 1)
    blob = bytearray(base64.b64decode(signature))
    blob[-1] ^= 1
    forged = rezip(fix_up({**files, "data/checkpoint": text + b" " + base64.b64encode(blob) + b"\n"}, bank.bundle_key))

    for arguments in ((), ("--key", bank.log_vkey)):
        result = audit(forged, *arguments)
        assert (result.code, "does not verify" in result.reasons) == (1, True)


def test_entries_of_another_log_are_found(bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path) -> None:
    other = new_bank(tmp_path / "other", SAMPLE_LOGS / "mira" / "2026-W40.jsonl")
    foreign = unzip(other.export(SessionSelection(other.session))[0])
    files = {**unzip(session_bundle), "data/checkpoint": foreign["data/checkpoint"]}

    assert audit(rezip(fix_up(files, bank.bundle_key)), "--key", bank.log_vkey).code == 1
    assert audit(rezip(foreign), "--key", bank.log_vkey).code == 3
    assert audit(rezip(foreign), "--key", other.log_vkey).code == 0


# -- nothing there, and wrong calls


def test_nothing_there(audit: Audit, tmp_path: Path) -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    folder = tmp_path / "folder"
    folder.mkdir()

    assert [audit(b"").code, audit(empty.getvalue()).code, audit(folder).code] == [4, 4, 4]


@pytest.mark.parametrize(
    "arguments",
    [
        ["absent.zip"],
        [],
        ["bundle.zip", "--key", "absent.vkey"],
        ["bundle.zip", "--key", "name+00000000+AAAA"],
        ["bundle.zip", "--pin", "bundle.zip"],
        ["bundle.zip", "--frobnicate"],
        ["x" * 5000],
        ["bundle.zip", "--key", "name+" + "0" * 300 + "+AAAA"],
        ["bundle.zip", "--key", "x" * 300],
        ["bundle.zip", "--pin", "x" * 300],
    ],
)
def test_a_wrong_call_is_usage(
    session_bundle: bytes, tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.zip").write_bytes(session_bundle)
    monkeypatch.chdir(tmp_path)
    try:
        code = verify.main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))

    assert code == 2


def in_a_shell(bundle: Path, redirect: str, *options: str) -> tuple[int, str]:
    """The exit code of verify.py with its streams redirected, and what it printed to those left."""
    command = shlex.join([sys.executable, "-I", "-S", str(verify.__file__), str(bundle), *options])
    done = subprocess.run(["/bin/sh", "-c", f"{command} {redirect}"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize(
    ("redirect", "code"),
    [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 74), (">/dev/full 2>&1", 74)],
)
def test_a_stream_that_cannot_be_written_is_no_verdict(
    bank: Bank, session_bundle: bytes, tmp_path: Path, redirect: str, code: int, form: list[str]
) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(session_bundle)

    found, printed = in_a_shell(bundle, redirect, "--key", bank.log_vkey, *form)

    assert (found, "Traceback" in printed) == (code, False)


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_a_wrong_call_stays_one_without_a_place_for_words(tmp_path: Path, redirect: str) -> None:
    assert in_a_shell(tmp_path / "absent.zip", redirect) == (2, "")
    assert in_a_shell(tmp_path / "absent.zip", redirect, "--frobnicate") == (2, "")


def test_a_reader_that_left_is_no_verdict(bank: Bank, session_bundle: bytes, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(session_bundle)
    command = [sys.executable, str(verify.__file__), str(bundle), "--key", bank.log_vkey]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        errors = running.stderr.read()

    assert (running.returncode, errors) == (141, b"")


def test_text_from_a_bundle_cannot_steer_a_terminal() -> None:
    assert verify.printable("\x1b[2J\u202e\x9b\x7f") == "\\x1b[2J\\u202e\\x9b\\x7f"
