"""`make bench` on a few events: every figure of the table is there. No time is ever judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.auditing import CHROMIUM

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench.py"
FIGURES = [
    "ingest",
    "ingest, peak memory",
    "stored bytes an event",
    "verify fast",
    "verify deep, lines",
    "verify deep, with content",
    "verify deep, with content, bytes",
    "open a session, faster",
    "open a session, p50",
    "find a person, faster",
    "find a person, p50",
    "erase a person, p50",
    "erase a person, against 10,000 events",
]
BUNDLE = ["export, with proofs", "export, peak memory", "verify.py", "PDF, 30 pages"]
PAGE = ["report.html, verdict", "report.html, longest block"] if CHROMIUM else []

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def bench(*options: str) -> str:
    command = [sys.executable, str(BENCH), "--events", "500", "--runs", "1", "--sessions", "5", *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_figure_of_both_shapes_is_in_the_table(tmp_path: Path) -> None:
    printed = bench("--keep", str(tmp_path))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line[:1] == "|"]
    assert rows[0] == ["workload", "what", "ours", "plain", "ratio", "reach", "try", "met?"]
    expected = [(f"{shape}, 500 events", what) for shape in ("single", "history") for what in FIGURES]
    expected += [("bundle, 500 records", what) for what in BUNDLE + PAGE]
    assert [(row[0], row[1]) for row in rows[2:]] == [*expected, ("", "evidence --help, more than Python")]
    assert {row[7] for row in rows[2:]} <= {"try", "reach", "no", "—"}
    assert "distinct content" in printed
    assert "mean line" in printed
    assert (tmp_path / "single-500.parquet").is_file()
    assert (tmp_path / "history-500.store" / "evidence.toml").is_file()


@pytest.mark.slow
def test_figures_are_measured_and_come_as_json_too() -> None:
    printed: dict[str, Any] = json.loads(bench("--shapes", "single", "--json"))
    rows = {row["what"]: row for row in printed["rows"]}
    assert list(rows)[:-1] == FIGURES + BUNDLE + PAGE
    assert all(row["judged"] > 0 for what, row in rows.items() if what in FIGURES)
    goal = rows["ingest"]["goal"]
    assert (goal["reach"], goal["attempt"], goal["at_least"]) == (0.3, 0.5, True)


def test_a_shape_that_is_not_there_is_refused() -> None:
    done = subprocess.run([sys.executable, str(BENCH), "--shapes", "triple"], capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    assert "no such shape: triple" in done.stderr
