"""Several processes write one store at once: no fork, no gap, nothing lost, no record twice.

The same suite runs on a folder, on S3 over HTTP, and on an S3 that often answers "exists" to one's own success.
With EVIDENCE_TEST_S3_ENDPOINT set, S3 is that service.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.verify import Verdict

WRITER = Path(__file__).with_name("writer.py")
FILES = 4
LINES_A_FILE = 6


def at_once(*commands: Sequence[str]) -> None:
    """Start a process for each command, let them all begin together, and wait for them to succeed."""
    started = [
        subprocess.Popen(
            [sys.executable, str(WRITER), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


@pytest.fixture(params=["local", *(pytest.param(name, marks=pytest.mark.s3) for name in ("s3", "s3_fickle"))])
def shared(request: pytest.FixtureRequest, tmp_path: Path, new_installation: Callable[..., Any]) -> Any:
    """A new store of each kind."""
    if request.param == "local":
        return new_installation(tmp_path / "installation")
    endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    return new_installation(tmp_path / "installation", request.getfixturevalue("s3_store_url"), endpoint)


@pytest.fixture
def files(tmp_path: Path, sample_logs: Path) -> list[Path]:
    """Files with different records of two days."""
    lines = (sample_logs / "mira" / "2026-W41.jsonl").read_bytes().splitlines(keepends=True)
    found = []
    for number in range(FILES):
        path = tmp_path / f"part-{number}.jsonl"
        path.write_bytes(b"".join(lines[number * LINES_A_FILE :][:LINES_A_FILE]))
        found.append(path)
    return found


def assert_whole(installation: Any, files: list[Path]) -> list[dict[str, Any]]:
    with installation.open() as store:
        store.publish()
        assert [entry.seq for entry in store.history.entries][-1] == store.history.seq
        for entry in store.history.entries:
            assert entry.index == store.history.entries.index(entry)
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    lines: list[dict[str, Any]] = installation.lines()
    twice = [name for name, count in Counter((x["source"], x["source_id"]) for x in lines).items() if count > 1]
    assert twice == []
    assert installation.reconstruct(*files) == [path.read_bytes() for path in files]
    return lines


def test_different_files_at_once(shared: Any, files: list[Path]) -> None:
    config = str(shared.config)
    at_once(*(["ingest", config, str(path)] for path in files))
    lines = assert_whole(shared, files)
    assert sum(line["kind"] != "envelope" for line in lines) >= FILES * LINES_A_FILE


def test_the_same_files_at_once(shared: Any, files: list[Path]) -> None:
    config = str(shared.config)
    at_once(*(["ingest", config, *map(str, files)] for _ in range(3)))
    lines = assert_whole(shared, files)
    alone = {(line["source"], line["source_id"]) for line in lines if line["kind"] != "envelope"}
    assert len(alone) >= FILES * LINES_A_FILE


def test_files_that_share_records_at_once(shared: Any, files: list[Path], tmp_path: Path) -> None:
    """Each record is sealed by one of them, and referred to by the others."""
    mixed = []
    for number, path in enumerate(files[:3]):
        mixed.append(tmp_path / f"mixed-{number}.jsonl")
        mixed[-1].write_bytes(files[3].read_bytes() + path.read_bytes())
    config = str(shared.config)
    at_once(*(["ingest", config, str(path)] for path in mixed))
    assert_whole(shared, mixed)


def test_many_small_commits_at_once(installation: Any) -> None:
    """Eight processes, 160 commits: every claim has one winner, and every entry is there once."""
    config = str(installation.config)
    at_once(*(["beat", config, "20", f"process {number}"] for number in range(8)))
    with installation.open() as store:
        store.publish()
        beats = [entry for entry in store.history.entries if entry.value["type"] == "heartbeat"]
        assert store.history.seq == len(beats) == 160
        assert [entry.seq for entry in beats] == list(range(1, 161))
    said = Counter((entry.value["from"], entry.value["number"]) for entry in beats)
    assert said == Counter({(f"process {name}", number): 1 for name in range(8) for number in range(20)})
    for name in range(8):
        own = [entry.value["number"] for entry in beats if entry.value["from"] == f"process {name}"]
        assert own == sorted(own), "a process's own commits keep their order"
    assert installation.verify("fast").covered["commits"] == 161
