"""Imports run one way. The contracts stand in pyproject.toml under ``[tool.importlinter]``.

They hold for the code as it is, and each is shown to break when a module imports what it may not.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"

# Every module that a contract names must be there for the linter to check it.
CLEAN = {
    "ingest/formats/tau2.py": "import ledger.errors",
    "ingest/pipeline.py": "import ingest.formats.tau2, ledger.partition_writer",
    "ledger/errors.py": "",
    "ledger/log.py": "import sqlalchemy",
    "ledger/partition_writer.py": "",
    "ledger/verify.py": "import ledger.errors",
    "replay/sessions.py": "import ingest.formats.tau2, ledger",
    "reports/bundle.py": "import replay.sessions",
    "app/main.py": "import reports.bundle, streamlit",
    "cli/main.py": "import reports.bundle, typer",
}

VIOLATIONS = [
    ("Imports run one way", "ledger/errors.py", "import replay.sessions"),
    ("Imports run one way", "app/main.py", "import cli.main"),
    ("Reports know nothing of ingest", "reports/bundle.py", "import ingest.formats.tau2"),
    ("Of ingest, replay uses the formats and nothing else", "replay/sessions.py", "import ingest.pipeline"),
    ("Only the command line and the app know a user interface", "replay/sessions.py", "import rich"),
    ("Formats do no I/O", "ingest/formats/tau2.py", "import pathlib"),
    ("Formats do no I/O", "ingest/formats/tau2.py", "import ingest.pipeline"),
    ("The ledger has one door", "reports/bundle.py", "import ledger.log"),
    ("Verifying stands below all that writes or holds keys", "ledger/verify.py", "import ledger.log"),
    ("Verifying needs no database and no storage service", "ledger/verify.py", "import duckdb"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--no-cache",
        "--no-logo",
        "--config",
        str(PYPROJECT),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def plant(folder: Path, files: dict[str, str]) -> Path:
    """Six packages in which only ``files`` have content."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in (path.parent, *path.parent.relative_to(folder).parents):
            (folder / package / "__init__.py").touch()
        path.write_text(text)
    return folder


def test_the_contracts_hold() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_clean_example_keeps_them(tmp_path: Path) -> None:
    result = lint_imports(plant(tmp_path, CLEAN))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("contract", "name", "line"), VIOLATIONS)
def test_a_contract_breaks_on_a_planted_violation(tmp_path: Path, contract: str, name: str, line: str) -> None:
    result = lint_imports(plant(tmp_path, CLEAN | {name: f"{CLEAN[name]}\n{line}"}))

    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout


def test_every_contract_is_shown_to_break() -> None:
    contracts = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"]

    assert {contract["name"] for contract in contracts} == {contract for contract, _, _ in VIOLATIONS}
