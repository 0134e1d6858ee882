"""`evidence report controls` and `frameworks`, and `evidence verify --record`, on the sample data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.wheel

ONE = ("report", "controls", "--framework", "soc2", "--control", "CC8.1")


def test_the_frameworks_are_listed_without_a_store(shell: Any) -> None:
    done = shell("report", "frameworks")
    assert "eu-ai-act" in done.out
    listed = shell("report", "frameworks", "--json").json["frameworks"]
    assert [item["name"] for item in listed][:2] == ["eu-ai-act", "gdpr"]
    assert listed[0]["controls"][0]["applies_from"] == "2027-12-02"


def test_a_control_is_judged_and_its_exceptions_can_be_proved(filled: Any) -> None:
    done = filled(*ONE)
    assert "EXCEPTIONS FOUND  CC8.1  Change management" in done.out
    assert "Not proven: That an organisation complies" in done.err
    (control,) = filled(*ONE, "--json").json["report"]["sections"][1]["blocks"][1:]
    rows = control["tests"][0]["exceptions"]["rows"]
    assert sorted(row[6] for row in rows) == [
        *("approved after it took effect", "approved, time unknown"),
        *("approved, time unknown", "approved, time unknown", "no approval evidenced here"),
    ]
    assert filled("prove", rows[0][0]).code == 0


def test_exceptions_end_a_command_with_an_error_where_one_asks_for_it(filled: Any) -> None:
    done = filled(*ONE, "--fail-on-exceptions", ends_with=35)
    assert "exceptions were found: soc2 CC8.1" in done.err
    assert "EXCEPTIONS FOUND" in done.out
    filled("report", "controls", "--framework", "soc2", "--control", "CC7.3", "--fail-on-exceptions")


def test_a_report_is_written_by_the_ending_of_its_file_and_never_over_one(filled: Any, tmp_path: Path) -> None:
    out = tmp_path / "controls.json"
    assert str(out) in filled(*ONE, "-o", out).out
    assert b'"evidence/report/1"' in out.read_bytes()
    filled(*ONE, "-o", out, ends_with=2)
    assert "names no format" in filled(*ONE, "-o", tmp_path / "controls.doc", ends_with=2).err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--framework", "iso-9001"), 2, "no framework 'iso-9001'"),
        (("--framework", "soc2", "--control", "CC99"), 2, "soc2 has no control 'CC99'"),
        (("--control", "CC8.1"), 2, "--control names a control of a --framework"),
        (("--format", "pdf"), 2, "--format is that of a file"),
        (("--from", "yesterday"), 2, "is no time"),
        (("--frameworks-dir", "nowhere"), 11, "no folder of frameworks nowhere"),
    ],
)
def test_what_makes_no_report(filled: Any, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in filled("report", "controls", *arguments, ends_with=code).err


def test_a_recorded_verification_shows_in_the_next_report(damaged: Any) -> None:
    asked = ("report", "controls", "--framework", "sec-17a-4", "--control", "17a-4(f), audit trail")
    before = damaged(*asked).out
    assert "Not there: verifications on record" in before
    done = damaged("verify", "--record", "--json").json
    assert done["verdict"] == "intact"
    (row,) = damaged("query", "SELECT entry, level, verdict, exit_code FROM verifications", "--json").json["rows"]
    assert row == {"entry": done["entry"], "level": "fast", "verdict": "intact", "exit_code": 0}
    assert "recorded    ledger entry" in damaged("verify", "--record").out
    after = damaged(*asked).out
    assert "Verifications, and the time since the last: 3 looked at, no exception" in after
    assert damaged("verify", "--strict").code == 0


def test_a_verification_that_finds_something_is_recorded_all_the_same(damaged: Any) -> None:
    victim = max((damaged.store / "content").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    victim.write_bytes(b"x" + victim.read_bytes()[1:])
    assert damaged("verify", "--record", ends_with=1).out.startswith("TAMPERED")
    (row,) = damaged("query", "SELECT verdict, exit_code FROM verifications", "--json").json["rows"]
    assert row == {"verdict": "tampered", "exit_code": 1}


def test_a_run_that_cannot_be_recorded_is_no_success(damaged: Any) -> None:
    (damaged.private / "writer.key").unlink()
    assert damaged("verify", "--record", ends_with=11).code == 11


def test_recording_needs_the_settings_of_the_store(filled: Any, shell: Any) -> None:
    away = shell.folder / "store"
    shutil.copytree(filled.store, away)
    key = str(filled.private / "log.vkey")
    assert shell("verify", "--store", str(away), "--key", key).code == 0
    done = shell("verify", "--store", str(away), "--key", key, "--record", ends_with=2)
    assert "--record writes into the store, and needs its settings" in done.err
