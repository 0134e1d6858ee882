"""``evidence sample`` and ``evidence tie-out``, as an auditor and the one who is audited use them."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

INFERENCES = "SELECT record_id FROM records WHERE kind = 'inference'"


def rows(path: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(zipfile.ZipFile(path).read(f"data/{name}").decode())))


def test_freeze_name_a_nonce_draw_replace_and_judge(damaged: Shell) -> None:
    shell, key = damaged, str(damaged.private / "log.vkey")
    population = ("--from", "2026-10-01", "--to", "2026-11-01", "--stratify", "kind")
    frozen = shell("sample", "freeze", *population, "-o", "population.csv", "--json").json
    size = str(frozen["checkpoint"]["size"])
    draw = ("sample", *population, "--size", "20", "--at", size, "--nonce", "11 to 4")

    shell(*draw, "-o", "one.zip")
    one = shell.folder / "one.zip"
    assert zipfile.ZipFile(one).read("data/population.csv") == (shell.folder / "population.csv").read_bytes()
    assert b'"completeness":"whole"' in zipfile.ZipFile(one).read("data/bundle.json")
    assert sum(frozen["partitions"].values()) == sum(frozen["strata"].values()) == frozen["population"]

    first, *_, last = rows(one, "sample.csv")
    said = shell(
        "sample", "evaluate", "one.zip", "--key", key, "--replace", f"{last['record'][:12]}=not_available", "--json"
    )
    (replaced,) = said.json["replacements"]
    assert replaced["record"] == last["record"]

    shell(*draw, "--replace", f"{last['record']}=not_available", "-o", "two.zip")
    taken = rows(shell.folder / "two.zip", "sample.csv")
    assert [row["record"] for row in taken if row["replaces"]] == [replaced["with"]]

    exception = f"{first['record'][:12]}=no_approval"
    judged = shell("sample", "evaluate", "two.zip", "--exception", exception, "--record", "--why", "Ines saw it").out
    assert "20 records looked at of" in judged
    assert "exceptions  1 of 20: 5 %" in judged
    assert "at most     21.6107 % of the population, at 95 % confidence (one-sided)" in judged

    listed = shell("sample", "results", "--purpose", "test").out
    assert f"{first['record'][:12]} no_approval" in listed
    assert "Ines saw it" in listed
    shell("seal")
    assert "sample results" in shell("accesses").out


@pytest.fixture(scope="module")
def dice(filled: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of three by dice, drawn by the short spelling."""
    out = tmp_path_factory.mktemp("dice") / "sample.zip"
    drawn = filled("sample", "--population", INFERENCES, "--size", "3", "--seed", "6 2 5", "-o", out, "--json").json
    assert (drawn["records"], drawn["later"]) == (3, 0)
    return out


def test_the_same_dice_draw_the_same_records(filled: Shell, dice: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    filled("sample", "draw", "--population", INFERENCES, "--size", "5", "--seed", "6 2 5", "-o", again)

    assert len(rows(dice, "sample.csv")) == 3
    assert rows(again, "sample.csv")[:3] == rows(dice, "sample.csv")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--from", "2026-10-01", "--size", "5"), "either by --seed or by --nonce"),
        (("--from", "2026-10-01", "--size", "5", "--seed", "a", "--nonce", "b"), "either by --seed or by --nonce"),
        (("--from", "2026-10-01", "--size", "5", "--nonce", "b"), "the checkpoint was known before it"),
        (("--from", "2026-10-01", "--size", "5", "--seed", ""), "a seed is text"),
        (("--size", "5", "--seed", "a"), "selected by one of"),
        (("--from", "2026-10-01", "--size", "0", "--seed", "a"), "--size"),
        (("--from", "2026-10-01", "--size", "5", "--seed", "a", "--stratify", "content.owner"), "stratified by"),
        (("--from", "2026-10-01", "--size", "5", "--seed", "a", "--replace", "8d54e3784c5d=void"), "names no record"),
    ],
)
def test_a_sample_that_cannot_be_drawn(filled: Shell, tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    done = filled("sample", *arguments, "-o", tmp_path / "sample.zip", ends_with=2)

    assert problem in done.err
    assert not (tmp_path / "sample.zip").exists()


def test_what_does_not_verify_is_not_judged(filled: Shell, dice: Path, tmp_path: Path) -> None:
    key = filled.private / "log.vkey"
    flipped = tmp_path / "flipped.zip"
    data = bytearray(dice.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)

    assert "0 of 3" in filled("sample", "evaluate", dice, "--key", key).out
    assert "UNVERIFIABLE" in filled("sample", "evaluate", dice, ends_with=3).err
    assert "TAMPERED" in filled("sample", "evaluate", flipped, "--key", key, ends_with=1).err


@pytest.mark.parametrize(
    ("option", "code", "problem"),
    [
        (("--exception", "0" * 64), 20, "no record"),
        (("--replace", "0" * 64), 2, "lacks the reason"),
        (("--confidence", "nan"), 2, "no confidence"),
        (("--confidence", "100"), 2, "no confidence"),
    ],
)
def test_what_is_no_judgement(filled: Shell, dice: Path, option: tuple[str, str], code: int, problem: str) -> None:
    done = filled("sample", "evaluate", dice, "--key", filled.private / "log.vkey", *option, ends_with=code)

    assert problem in done.err


def test_counts_tie_and_a_source_that_had_more_is_named(filled: Shell, tmp_path: Path) -> None:
    tied = filled("tie-out", "--from", "2026-10-13T09:30:00Z", "--to", "2026-10-15", "--partitions")
    counts = tmp_path / "counts.csv"
    counts.write_text("source,day,count\nlitellm,2026-10-13,7\n=cmd(),2026-10-13,1\n")
    differing = filled("tie-out", "--source", counts, "--json", ends_with=28).json

    assert "All counts tie." in tied.out
    assert [item["difference"] for item in differing["source"]] == [0, -1]
    assert differing["differences"] == ["=cmd() 2026-10-13: 1 fewer here than the source states (1)"]
    assert len({item["number"] for item in differing["counts"]}) == 1
