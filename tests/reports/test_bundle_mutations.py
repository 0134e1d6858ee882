"""Whatever is changed in a bundle is found, also by a forger who brings manifest and sums into line.

And where it is not found, because no signature can cover it, the verifier says so: that is tested too.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import canonical, merkle, notes
from ledger.checkpoints import parse_checkpoint, sign_checkpoint
from ledger.verify.pin import Pin
from reports.selection import SessionSelection
from reports.standalone import verify
from tests.fixtures_stores import SAMPLE_LOGS
from tests.reports.bundles import Bank, Files, Verdict, another_key, check, fix_up, new_bank, rezip, unzip

Audit = Callable[..., Verdict]

UNSIGNED = ("README.txt", "verify.py", "log.vkey")
"""Files that no signature covers: the verifier says so each time."""


def name_ending(files: Files, end: str) -> str:
    return next(name for name in sorted(files) if name.endswith(end))


def flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def proof_of(files: Files, folder: str) -> dict[str, Any]:
    proof: dict[str, Any] = json.loads(files[f"{folder}/proof.json"])
    return proof


def partitions(files: Files) -> list[str]:
    return sorted({name.rsplit("/", 1)[0] for name in files if name.startswith("partitions/")})


# -- bits


def test_a_flipped_bit_in_any_file_is_found_and_the_file_named(
    bank: Bank, content_bundle: bytes, tmp_path: Path
) -> None:
    files = unzip(content_bundle)
    for name, data in files.items():
        changed = rezip({**files, name: flip(data, len(data) // 2)})
        result = check(changed, tmp_path, bank.log_vkey)

        assert result.exit_code == 1, name
        assert any(name in f"{f['object']} {f['reason']}" for f in result.findings), (name, result.findings)


def signed_parts(files: Files) -> list[tuple[str, int]]:
    """Positions to flip in every file that leads to the signature: some ten of each."""
    found = []
    for name, data in files.items():
        if name in (*UNSIGNED, "manifest.json", "SHA256SUMS"):
            continue
        step = max(len(data) // 10, 1)
        numbers = {at for match in re.finditer(rb'"seq":\d+', data) for at in range(*match.span())}
        found += [(name, at) for at in range(0, len(data), step) if name != "entries.jsonl" or at not in numbers]
    return found


def test_a_flipped_bit_is_found_though_manifest_and_sums_agree(
    bank: Bank, content_bundle: bytes, tmp_path: Path
) -> None:
    files = unzip(content_bundle)
    unnoticed = [
        (name, at)
        for name, at in signed_parts(files)
        if check(rezip(fix_up({**files, name: flip(files[name], at)})), tmp_path, bank.log_vkey).exit_code == 0
    ]

    assert unnoticed == []


@pytest.mark.parametrize("name", UNSIGNED)
def test_what_no_signature_covers_is_said_to_be_uncovered(
    bank: Bank, session_bundle: bytes, audit: Audit, name: str
) -> None:
    files = unzip(session_bundle)
    result = audit(rezip(fix_up({**files, name: flip(files[name], 3)})), "--key", bank.log_vkey)

    assert result.code == 0
    assert any(name in words and "no signature covers" in words for words in result.output["not_proven"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_of_the_archive_is_found_or_changes_no_file(
    bank: Bank, session_bundle: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(session_bundle) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(session_bundle)
    changed[at] ^= 1 << bit

    result = check(bytes(changed), tmp_path, bank.log_vkey)

    assert result.exit_code in (0, 1, 5)
    if result.exit_code == 0:
        assert unzip(bytes(changed)) == unzip(session_bundle)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_archive_is_found(bank: Bank, session_bundle: bytes, tmp_path: Path, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(session_bundle) - 1))

    assert check(session_bundle[:end], tmp_path, bank.log_vkey).exit_code == (1 if end else 4)


# -- rows


def change_lines(files: Files, change: Callable[[list[bytes]], list[bytes]], folder: str) -> Files:
    """Change a partition's lines; row ranges and counts say what is there then."""
    lines = change(files[f"{folder}/lines.ndjson"].splitlines(keepends=True))
    proof = proof_of(files, folder)
    if proof["ranges"] == [[0, proof["rows"]]] or len(proof["ranges"]) == 1:
        proof["ranges"] = [[proof["ranges"][0][0], len(lines)]]
    counts = json.loads(files["manifest.json"])["counts"]
    counts["records"] += len(lines) - len(files[f"{folder}/lines.ndjson"].splitlines())
    changed = {f"{folder}/lines.ndjson": b"".join(lines), f"{folder}/proof.json": canonical.encode(proof)}
    return fix_up({**files, **changed}, counts=counts)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lines: [lines[1], lines[0], *lines[2:]], id="swapped"),
        pytest.param(lambda lines: lines[1:], id="first dropped"),
        pytest.param(lambda lines: lines[:-1], id="last dropped"),
        pytest.param(lambda lines: [*lines, lines[-1]], id="duplicated"),
        pytest.param(lambda lines: [lines[0], *lines[:-1]], id="replaced by a neighbour"),
        pytest.param(lambda lines: [line.replace(b'"ok"', b'"no"') for line in lines], id="altered"),
        pytest.param(lambda lines: [line.replace(b":", b": ", 1) for line in lines], id="other white space"),
        pytest.param(lambda lines: [line.replace(b"\n", b"\r\n") for line in lines], id="other line ends"),
        pytest.param(lambda lines: [b"".join(lines).rstrip(b"\n")], id="last newline gone"),
        pytest.param(lambda lines: [], id="all dropped"),
    ],
)
def test_changed_rows_are_found(
    bank: Bank, session_bundle: bytes, audit: Audit, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    files = unzip(session_bundle)
    result = audit(rezip(change_lines(files, change, partitions(files)[0])), "--key", bank.log_vkey)

    assert result.code == 1
    assert "lines.ndjson" in result.reasons or "partitions/" in result.reasons


def test_rows_of_another_partition_do_not_fit(bank: Bank, period_bundle: bytes, audit: Audit) -> None:
    files = unzip(period_bundle)
    first, second = partitions(files)[:2]
    swapped = dict(files)
    for end in ("lines.ndjson", "proof.json"):
        swapped[f"{first}/{end}"], swapped[f"{second}/{end}"] = files[f"{second}/{end}"], files[f"{first}/{end}"]

    assert audit(rezip(fix_up(swapped)), "--key", bank.log_vkey).code == 1


@pytest.mark.parametrize(
    "ranges",
    [
        [[0, 1 << 52]],
        [[-1, 3]],
        [[0, 0]],
        [[0, 1], [0, 1]],
        [[0, 1], [1, 1]],
        [["0", 1]],
        [[0]],
        [],
        {},
        None,
        [[0, True]],
    ],
)
def test_impossible_row_ranges_are_refused(bank: Bank, session_bundle: bytes, audit: Audit, ranges: object) -> None:
    files = unzip(session_bundle)
    folder = partitions(files)[0]
    proof = canonical.encode({**proof_of(files, folder), "ranges": ranges})

    assert audit(rezip(fix_up({**files, f"{folder}/proof.json": proof})), "--key", bank.log_vkey).code == 1


def test_a_bundle_with_fewer_rows_and_a_proof_of_those_verifies_and_says_what_it_leaves_open(
    bank: Bank, period_bundle: bytes, audit: Audit
) -> None:
    """A bundle shows its own rows. Whoever holds a whole partition can leave out some: then it is whole no more."""
    files = unzip(period_bundle)
    manifest = json.loads(files["manifest.json"])
    folder = next(f for f in partitions(files) if proof_of(files, f)["ranges"] == [[0, proof_of(files, f)["rows"]]])
    lines = files[f"{folder}/lines.ndjson"].splitlines(keepends=True)
    rows = range(len(lines) - 1)
    leaves = merkle.leaf_hashes([line[:-1] for line in lines])
    hashes = [item.hex() for item in merkle.subset_proof(leaves, rows)]
    proof = {**proof_of(files, folder), "ranges": [[0, len(rows)]], "hashes": hashes}
    changed = {f"{folder}/lines.ndjson": b"".join(lines[:-1]), f"{folder}/proof.json": canonical.encode(proof)}
    counts = manifest["counts"]
    counts |= {"records": counts["records"] - 1, "complete_partitions": counts["complete_partitions"] - 1}

    result = audit(rezip(fix_up({**files, **changed}, counts=counts)), "--key", bank.log_vkey)

    assert result.code == 0
    assert result.output["checked"]["complete partitions"] == counts["complete_partitions"]
    missing = counts["partitions"] - counts["complete_partitions"]
    assert f"Other rows of {missing} partitions" in " ".join(result.output["not_proven"])


# -- content


def test_contents_cannot_be_exchanged(bank: Bank, content_bundle: bytes, audit: Audit) -> None:
    files = unzip(content_bundle)
    first, second = sorted(name for name in files if name.startswith("content/"))[:2]
    changed = fix_up({**files, first: files[second], second: files[first]})
    result = audit(rezip(changed), "--key", bank.log_vkey)

    assert result.code == 1
    assert first in result.reasons
    assert second in result.reasons


@pytest.mark.parametrize(
    ("state", "code"), [("erased", 5), ("lost", 5), ("tampered", 1), ("unverifiable", 3), ("unheard_of", 3)]
)
def test_content_that_is_not_disclosed_is_not_called_intact(
    bank: Bank, content_bundle: bytes, audit: Audit, state: str, code: int
) -> None:
    files = unzip(content_bundle)
    where = name_ending(files, "content.jsonl")
    items = [json.loads(line) for line in files[where].splitlines()]
    gone = f"content/{items[0]['record']}.bin"
    items[0] = {"record": items[0]["record"], "row": items[0]["row"], "state": state}
    kept = {name: data for name, data in files.items() if name != gone}
    kept[where] = b"".join(canonical.encode(item) + b"\n" for item in items)
    counts = json.loads(files["manifest.json"])["counts"]
    counts["contents"] = {"verified": len(items) - 1, state: 1}

    assert audit(rezip(fix_up(kept, counts=counts)), "--key", bank.log_vkey).code == code


def test_content_that_is_listed_must_be_there(bank: Bank, content_bundle: bytes, audit: Audit) -> None:
    files = unzip(content_bundle)
    gone = next(name for name in files if name.startswith("content/"))
    kept = {name: data for name, data in files.items() if name != gone}

    for bundle in (rezip(kept), rezip(fix_up(kept))):
        result = audit(bundle, "--key", bank.log_vkey)
        assert (result.code, gone in result.reasons) == (5, True)


def test_content_of_no_record_is_found(bank: Bank, content_bundle: bytes, audit: Audit) -> None:
    files = unzip(content_bundle)
    added = fix_up({**files, f"content/{'0' * 64}.bin": b"planted"})

    assert audit(rezip(added), "--key", bank.log_vkey).code == 1


def test_a_row_left_out_of_the_list_of_contents_is_found(bank: Bank, content_bundle: bytes, audit: Audit) -> None:
    files = unzip(content_bundle)
    where = name_ending(files, "content.jsonl")
    fewer = {**files, where: b"".join(files[where].splitlines(keepends=True)[1:])}

    assert audit(rezip(fix_up(fewer)), "--key", bank.log_vkey).code == 1


# -- files


def test_content_cannot_be_dropped_from_a_bundle_that_is_said_to_have_it(
    bank: Bank, content_bundle: bytes, audit: Audit
) -> None:
    files = unzip(content_bundle)
    kept = {name: data for name, data in files.items() if "content" not in name}
    counts = json.loads(files["manifest.json"])["counts"] | {"contents": {}}

    result = audit(rezip(fix_up(kept, counts=counts)), "--key", bank.log_vkey)

    assert (result.code, result.verdicts) == (5, {"lost", "unpinned"})
    assert "content.jsonl: is missing" in result.reasons


def test_content_cannot_be_in_a_bundle_that_is_said_to_have_none(
    bank: Bank, content_bundle: bytes, audit: Audit
) -> None:
    result = audit(rezip(fix_up(unzip(content_bundle), with_content=False)), "--key", bank.log_vkey)

    assert (result.code, "said to be without content" in result.reasons) == (1, True)


def test_how_many_records_have_content_is_said(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    """The manifest is not signed: whoever drops all content, and says so, leaves a bundle without content."""
    result = audit(session_bundle, "--key", bank.log_vkey)

    assert f"Content: 0 of {result.output['checked']['records']} records have theirs" in str(
        result.output["not_proven"]
    )


def test_every_file_that_is_listed_must_be_there(bank: Bank, period_bundle: bytes, tmp_path: Path) -> None:
    files = unzip(period_bundle)
    for gone in files:
        result = check(rezip({name: data for name, data in files.items() if name != gone}), tmp_path, bank.log_vkey)

        assert result.exit_code == 5, gone
        assert any(finding["object"] == gone for finding in result.findings), gone


def test_a_file_that_is_not_listed_is_found(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    files = {**unzip(session_bundle), "consistency.json": b"{}"}
    result = audit(rezip(files), "--key", bank.log_vkey)

    assert (result.code, "consistency.json: is not listed" in result.reasons) == (1, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"selection": {"type": "session", "session": "another"}},
        {"selection": {"type": "time", "from": "2030-01-01T00:00:00Z"}},
        {"selection": {"type": "everything"}},
        {"selection": None},
        {"counts": {"records": 1}},
        {"counts": None},
        {"checkpoint": {"origin": "example.com", "root": "00", "size": 1}},
        {"origin": "example.com/another"},
        {"with_content": 0},
        {"_": "evidence/bundle/0"},
    ],
)
def test_a_manifest_that_does_not_fit_is_found(
    bank: Bank, session_bundle: bytes, audit: Audit, changes: dict[str, Any]
) -> None:
    result = audit(rezip(fix_up(unzip(session_bundle), **changes)), "--key", bank.log_vkey)

    assert result.code == (3 if "_" in changes else 1)


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


def test_a_forger_who_signs_with_a_key_of_the_same_name_is_not_believed(
    bank: Bank, session_bundle: bytes, audit: Audit
) -> None:
    files = unzip(session_bundle)
    stated = parse_checkpoint(notes.parse_note(files["checkpoint"]).text)
    forger = another_key(stated.origin)
    forged = rezip(
        fix_up({**files, "checkpoint": sign_checkpoint(stated, forger), "log.vkey": forger.vkey.encode() + b"\n"})
    )

    assert audit(forged).code == 3
    assert audit(forged, "--key", bank.log_vkey).code == 3
    assert audit(forged, "--key", forger.vkey).code == 0, "only who trusts the forger's key believes the forger"


def forge(files: Files, tmp_path: Path) -> tuple[bytes, str, Path]:
    """A bundle signed by a forger in the log's name, the forger's key, and a pin by it: all handed over together."""
    stated = parse_checkpoint(notes.parse_note(files["checkpoint"]).text)
    forger = another_key(stated.origin)
    note = sign_checkpoint(stated, forger)
    pin = tmp_path / "their-pin.json"
    pin.write_bytes(Pin(forger.vkey, note.decode(), 0, "2026-11-01T00:00:00Z").to_bytes())
    return rezip(fix_up({**files, "checkpoint": note})), forger.vkey, pin


def test_a_pin_of_another_key_does_not_stand_in_for_the_key_that_is_held(
    bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path
) -> None:
    forged, _, pin = forge(unzip(session_bundle), tmp_path)

    result = audit(forged, "--key", bank.log_vkey, "--pin", str(pin))

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
    text, signature = files["checkpoint"].rsplit(b" ", 1)
    blob = bytearray(base64.b64decode(signature))
    blob[-1] ^= 1
    forged = rezip(fix_up({**files, "checkpoint": text + b" " + base64.b64encode(blob) + b"\n"}))

    for arguments in ((), ("--key", bank.log_vkey)):
        result = audit(forged, *arguments)
        assert (result.code, "does not verify" in result.reasons) == (1, True)


def test_entries_of_another_log_are_found(bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path) -> None:
    other = new_bank(tmp_path / "other", SAMPLE_LOGS / "mira" / "2026-W40.jsonl")
    foreign = unzip(other.export(SessionSelection(other.session))[0])
    files = {**unzip(session_bundle), "checkpoint": foreign["checkpoint"]}

    assert audit(rezip(fix_up(files)), "--key", bank.log_vkey).code == 1
    assert audit(rezip(fix_up(foreign)), "--key", bank.log_vkey).code == 3
    assert audit(rezip(fix_up(foreign)), "--key", other.log_vkey).code == 0


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
