"""A filled store whose keyring stands in each database in turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LINES = 12


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, new_installation: Callable[..., Any]) -> Any:
    """A new, empty store with its keyring in a SQLite file, and in PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return new_installation(tmp_path / "installation", keyring=url)


@pytest.fixture
def logs(tmp_path: Path, sample_logs: Path) -> list[Path]:
    """Two files with records of several people."""
    lines = (sample_logs / "mira" / "2026-W41.jsonl").read_bytes().splitlines(keepends=True)
    found = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for number, path in enumerate(found):
        path.write_bytes(b"".join(lines[number * LINES :][:LINES]))
    return found


@pytest.fixture
def filled(anywhere: Any, logs: list[Path]) -> Any:
    """The same with records in it, and one access that waits in the spool."""
    anywhere.ingest(*logs)
    with anywhere.open() as store:
        store.record_access(b"looked", {})
    return anywhere
