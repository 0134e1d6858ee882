"""The installed command, run as people and scripts run it: in a process of its own, its output read from pipes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

EVIDENCE = Path(sys.executable).with_name("evidence")
LOGS = Path(__file__).resolve().parents[2] / "sample_data" / "logs"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("EVIDENCE_", "COV_"))}
TABLE_AND_TEXT = {"COLUMNS": "100"}


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """All of stdout as one JSON object."""
        value: dict[str, Any] = json.loads(self.out)
        return value


@dataclass(frozen=True)
class Shell:
    """A folder to run commands in. Whatever a command does, it prints no traceback and no code for a terminal."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: CLEAN | TABLE_AND_TEXT)

    def __call__(self, *arguments: str | Path, ends_with: int | None = 0, **environment: str | None) -> Done:
        """Run ``evidence`` with these arguments. A variable of the environment that is None is taken away."""
        given = {name: value for name, value in {**self.environment, **environment}.items() if value is not None}
        command: Sequence[str | Path] = [EVIDENCE, *arguments]
        ran = subprocess.run(command, cwd=self.folder, env=given, capture_output=True, check=False, timeout=120)
        done = Done(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
        everything = done.out + done.err
        assert "Traceback" not in everything, everything
        assert "\x1b" not in everything, everything
        assert done.code != 70, everything
        assert ends_with in (done.code, None), f"exit code {done.code}: {everything}"
        return done

    @property
    def store(self) -> Path:
        return self.folder / "evidence-store"

    @property
    def private(self) -> Path:
        return self.folder / "evidence-private"

    def copy(self, folder: Path) -> Shell:
        """The same installation in another folder, to be damaged."""
        shutil.copytree(self.folder, folder)
        return Shell(folder, self.environment)

    def one(self, sql: str) -> Any:
        """The one value that a query gives."""
        ((value,),) = (row.values() for row in self("query", sql, "--json").json["rows"])
        return value


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The sample data in a store that the commands made; commands that only look may use it."""
    shell = Shell(tmp_path_factory.mktemp("filled"))
    shell("init")
    shell("ingest", LOGS)
    return shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture
def damaged(filled: Shell, tmp_path: Path) -> Shell:
    """A copy of the filled store that a test may break."""
    return filled.copy(tmp_path / "copy")


@pytest.fixture(scope="session")
def logs() -> Path:
    """The sample logs, beside the tests."""
    return LOGS
