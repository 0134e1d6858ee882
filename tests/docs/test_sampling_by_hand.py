"""docs/SAMPLING.md: its lines of Python draw what the program draws, and its example is what the program says."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from cli.sample_evaluate import in_percent
from reports.sampling.drawing import PopulationRow, Seed, checkpoint_text, draw, population_csv
from reports.sampling.evaluation import evaluate

DOCUMENT = (Path(__file__).parents[2] / "docs" / "SAMPLING.md").read_text(encoding="utf-8")
NOTE = b"example.org/log\n42\nnxAiU1ulV2BAAfEWyYS/Fj0eFFEZQ8qj7pM+4jYqdLQ=\n\n\xe2\x80\x94 example.org/log AAAAAAAA\n"


@pytest.mark.parametrize("seed", [Seed("nonce", "11 to 4"), Seed("given", "6 2 5 5 1")], ids=lambda seed: seed.kind)
def test_an_auditor_draws_the_same_with_the_documented_lines(seed: Seed, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    if seed.kind == "given":
        code = code.replace("# With a given seed: ", "")
    rows = [PopulationRow(5, number, hashlib.sha256(bytes([number])).digest()) for number in range(80)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "checkpoint").write_bytes(NOTE)
    (tmp_path / "data" / "population.csv").write_bytes(population_csv(rows))

    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.split() == [item.row.record.hex() for item in draw(rows, seed, checkpoint_text(NOTE), 25).items]


def test_the_bounds_of_the_example_are_those_of_the_program() -> None:
    rows = [PopulationRow(5, number, hashlib.sha256(bytes([number])).digest()) for number in range(80)]
    sample = draw(rows, Seed("given", "6 2 5 5 1"), checkpoint_text(NOTE), 25)
    judged = evaluate(sample, [(sample.items[0].row.record, "no_approval")], Decimal(95))

    for rate in (judged.rate, judged.upper, judged.low, judged.high):
        assert f" {in_percent(rate)} %" in DOCUMENT
