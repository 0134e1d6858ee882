"""`evidence verify` ends with a code that says what is wrong, and names the object."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.wheel


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("level", ["head", "fast", "deep"])
def test_a_good_store_is_intact_and_says_what_was_covered(filled: Any, level: str) -> None:
    done = filled("verify", "--level", level, "--no-update-pin", "--json").json

    assert (done["schema"], done["verdict"], done["level"]) == ("evidence/verify/1", "intact", level)
    assert done["covered"]["checkpoints"] >= 1
    assert ("records" in done["covered"]) == (level == "deep")
    if level == "deep":
        assert done["covered"]["contents opened"] == done["covered"]["records"] == 452


def test_the_pin_is_written_used_and_asked_for_under_strict(damaged: Any) -> None:
    (damaged.private / "pin.json").unlink(missing_ok=True)

    assert "unpinned" in damaged("verify", "--strict", "--no-update-pin", ends_with=6).out
    assert not (damaged.private / "pin.json").exists()
    first = damaged("verify")
    assert "INTACT (UNPINNED)" in first.out
    assert f"no pin at {damaged.private / 'pin.json'}: this run wrote one" in first.err
    pinned = damaged("verify", "--strict", "--json")
    assert (pinned.json["grade"], pinned.json["findings"], "no pin" in pinned.err) == ("pinned", [], False)


def test_a_pin_that_is_gone_does_not_come_back_under_strict(damaged: Any) -> None:
    """What took the pin away would else be covered up by the run that should find it missing."""
    damaged("verify")
    (damaged.private / "pin.json").unlink()

    for _ in range(2):
        done = damaged("verify", "--strict", "--json", ends_with=6)
        assert done.json["pin"] == {"path": str(damaged.private / "pin.json"), "found": False, "written": False}
        assert "a run under --strict makes none" in done.err
    made = damaged("verify", "--json").json["pin"]
    assert (made["found"], made["written"]) == (False, True)
    moved = damaged("verify", "--strict", "--json").json["pin"]
    assert (moved["found"], moved["written"]) == (True, True)


@pytest.mark.parametrize("gone", ["keyring.db", "kek.key"])
def test_without_the_keys_of_the_content_the_lines_are_verified_all_the_same(damaged: Any, gone: str) -> None:
    damaged("verify")
    before = (damaged.private / "pin.json").read_bytes()
    (damaged.private / gone).unlink()

    done = damaged("verify", "--level", "deep", "--json", ends_with=3).json

    assert (done["verdict"], done["covered"]["records"]) == ("unverifiable", 452)
    assert [(item["object"], item["verdict"]) for item in done["findings"]] == [("keyring", "unverifiable")]
    assert (damaged.private / "pin.json").read_bytes() == before, "a pin says what was verified"
    assert damaged("verify", "--level", "deep", "--no-content", "--json").json["verdict"] == "intact"


def test_what_was_covered_is_said_in_words_that_fit_its_number(damaged: Any, shell: Any) -> None:
    shell("init")

    done = shell("verify", "--level", "fast", ends_with=4)

    assert " 1 commit," in done.out
    assert " 29 partitions in the ledger" in damaged("verify").out


def test_a_pin_elsewhere_is_made_the_first_time(damaged: Any) -> None:
    pin = damaged.folder / "safe" / "pin.json"

    first = damaged("verify", "--pin", pin, "--json").json

    assert [finding["verdict"] for finding in first["findings"]] == ["unpinned"]
    assert json.loads(pin.read_text())["checkpoint"]
    assert damaged("verify", "--pin", pin, "--strict", "--json").json["grade"] == "pinned"
    (damaged.folder / "unmounted").symlink_to("nowhere")
    assert "cannot be written" in damaged("verify", "--pin", "unmounted/pin.json", ends_with=11).err
    pin.write_text("{}")
    assert "is no pin" in damaged("verify", "--pin", pin, ends_with=2).err


def test_the_key_is_the_auditor_s_and_another_one_verifies_nothing(damaged: Any, shell: Any) -> None:
    vkey = (damaged.private / "log.vkey").read_text().strip()
    shell("init", "another", "--origin", vkey.partition("+")[0])
    other = (shell.private / "log.vkey").read_text().strip()

    assert "not signed by the key" in damaged("verify", "--key", other, ends_with=3).out
    assert damaged("verify", "--key", vkey, "--json").json["verdict"] == "intact"
    assert "pin is not signed by the key" in damaged("verify", "--key", other, ends_with=3).err
    assert "not a verifier key" in damaged("verify", "--key", f"{vkey}x", ends_with=2).err
    assert "neither a key nor a file" in damaged("verify", "--key", "nothing", ends_with=2).err
    (damaged.folder / "evidence.toml").unlink()
    alone = damaged("verify", "--key", damaged.private / "log.vkey", "--store", damaged.store, "--level", "head")
    assert "INTACT" in alone.out
    damaged("verify", "--store", damaged.store, ends_with=11)


def test_an_empty_folder_is_nothing(filled: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    config = filled.folder / "evidence.toml"

    done = filled("verify", "--store", tmp_path / "empty", "--config", config, "--json", ends_with=4).json

    assert done["verdict"] == "nothing there"


@pytest.mark.parametrize(
    ("kind", "level"), [("events", "deep"), ("content", "fast"), ("content", "deep"), ("ledger/commit", "fast")]
)
def test_a_flipped_bit_is_tampering_and_the_object_is_named(damaged: Any, kind: str, level: str) -> None:
    victim = max((path for path in (damaged.store / kind).rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    flip(victim)

    done = damaged("verify", "--level", level, ends_with=1)

    assert done.out.startswith("TAMPERED")
    assert str(victim.relative_to(damaged.store)) in done.out


def test_a_deleted_object_is_lost_and_named(damaged: Any) -> None:
    victim = next((damaged.store / "content").rglob("*.parquet"))
    victim.unlink()

    done = damaged("verify", "--json", ends_with=5).json

    assert done["verdict"] == "lost"
    assert [item["object"] for item in done["findings"] if item["verdict"] == "lost"] == [
        str(victim.relative_to(damaged.store))
    ]


def test_a_store_that_was_rolled_back_is_found_out_by_the_pin_alone(damaged: Any, logs: Path, tmp_path: Path) -> None:
    shutil.copytree(damaged.store, tmp_path / "old")
    line = {"evidence": "event/1", "kind": "tool", "source": "x", "id": "new", "time": "2026-10-01T00:00:00Z"}
    (tmp_path / "new.jsonl").write_text(json.dumps(line) + "\n")
    damaged("ingest", tmp_path / "new.jsonl")
    damaged("verify")
    shutil.rmtree(damaged.store)
    shutil.copytree(tmp_path / "old", damaged.store)

    done = damaged("verify", ends_with=5)

    assert "rolled back" in done.out
    (damaged.private / "pin.json").unlink()
    assert "UNPINNED" in damaged("verify").out


def test_a_wrong_level_is_a_mistake_of_the_call(shell: Any) -> None:
    assert "--level" in shell("verify", "--level", "thorough", ends_with=2).err


def test_a_verification_that_opens_content_is_an_access(damaged: Any) -> None:
    """One record a run, before anything is opened; without one nothing is, and lines are verified all the same."""
    damaged("seal")
    before = damaged.one("SELECT count(*) FROM accesses")
    for level in ("head", "fast"):
        damaged("verify", "--level", level)
    damaged("verify", "--level", "deep", "--no-content")
    assert damaged("seal", "--json").json["records"] == 0
    damaged("verify", "--level", "deep")
    assert damaged("seal", "--json").json["records"] == 1
    assert damaged.one("SELECT count(*) FROM accesses") == before + 1

    spool = damaged.private / "spool"
    shutil.rmtree(spool)
    spool.write_text("no folder")
    done = damaged("verify", "--level", "deep", "--json", ends_with=3).json
    assert [(item["object"], item["verdict"]) for item in done["findings"]] == [("spool", "unverifiable")]
    assert done["covered"]["contents opened"] == 0
    assert done["covered"]["records"] > 0
