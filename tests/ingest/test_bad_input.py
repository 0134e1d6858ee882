"""Real and hostile files of others: each is taken in, understood or rejected, and comes back byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.verify import Verdict

FOLDERS = ["json-bad-inputs/test_parsing", "bedrock-and-admin", "pii", "naughty-strings", "jcs/input"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_comes_back(installation: Any, shared_data: Path, folder: str) -> None:
    paths = sorted(path for path in (shared_data / folder).rglob("*") if path.is_file())
    summary = installation.ingest(*paths)
    assert summary.inputs == len(paths)
    assert summary.records > 0
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    distinct = {path.read_bytes(): path for path in paths}.values()
    assert installation.reconstruct(*distinct) == [path.read_bytes() for path in distinct]


def test_what_is_no_json_is_rejected_and_says_why(installation: Any, shared_data: Path) -> None:
    """The files whose names begin with n must be refused by a JSON parser (Seriot's test suite)."""
    paths = sorted((shared_data / "json-bad-inputs" / "test_parsing").glob("n_*.json"))
    summary = installation.ingest(*paths)
    assert set(summary.kinds) == {"rejected"}
    reasons = {line["error_type"] for line in installation.lines()}
    assert reasons <= {"not_json", "not_utf8", "unknown_format", "empty", "nested_too_deep"}, reasons
