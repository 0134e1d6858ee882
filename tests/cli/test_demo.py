"""The demo behind `make demo` runs from beginning to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wheel, pytest.mark.slow]

DEMO = Path(__file__).resolve().parents[2] / "sample_data" / "demo.py"


def test_all_steps_end_as_they_should(tmp_path: Path) -> None:
    command = [sys.executable, str(DEMO), str(tmp_path / "demo")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "All steps ended as they should." in done.stdout
    assert "TAMPERED" in done.stdout
    assert done.stderr == ""


def test_it_leaves_a_folder_of_others_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    done = subprocess.run([sys.executable, DEMO, tmp_path], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
