"""The workloads of `make bench`: the same bytes for the same seed, and the faults that they promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

WORKLOAD = Path(__file__).resolve().parents[1] / "bench" / "workload.py"
SHAPES = ("single", "history")


def write(out: Path, shape: str, count: int, *options: str) -> str:
    """Write a workload from the sample's conversations; returns what the command printed."""
    command = [sys.executable, str(WORKLOAD), shape, str(count), str(out), "--shared", str(out.parent / "nothing")]
    return subprocess.run([*command, *options], check=True, capture_output=True, encoding="utf-8").stdout


def parsed(out: Path) -> list[Any]:
    """The lines that are whole."""
    good = []
    for line in out.read_bytes().split(b"\n"):
        try:
            good.append(json.loads(line))
        except ValueError:
            continue
    return good


@pytest.mark.parametrize("shape", SHAPES)
def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path, shape: str) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        write(file, shape, 1500, "--seed", seed)
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 39, 2000])
def test_exactly_as_many_lines_as_asked_for(tmp_path: Path, shape: str, count: int) -> None:
    write(tmp_path / "out", shape, count)
    content = (tmp_path / "out").read_bytes()
    assert content.count(b"\n") == count
    assert content.endswith(b"\n")


@pytest.mark.parametrize("shape", SHAPES)
def test_summary_states_size_and_share_of_distinct_content(tmp_path: Path, shape: str) -> None:
    printed = write(tmp_path / "out", shape, 3000)
    size = (tmp_path / "out").stat().st_size
    assert "sample_data, because ../shared/data is not there" in printed
    assert f"{size:,} bytes" in printed
    share = re.search(r"distinct content:\s+([\d.]+)%", printed)
    assert share is not None
    assert 0 < float(share[1]) < 100


def test_share_of_distinct_content_counts_a_repeated_history_once(tmp_path: Path) -> None:
    shares = [
        float(re.findall(r"([\d.]+)% of", write(tmp_path / shape, shape, 3000, "--malformed", "0"))[0])
        for shape in SHAPES
    ]
    assert shares[1] < shares[0] / 2


def test_single_lines_hold_one_message_each_and_promised_shares_of_faults(tmp_path: Path) -> None:
    count = 20_000
    write(tmp_path / "out", "single", count)
    lines = parsed(tmp_path / "out")
    assert 0.003 < (count - len(lines)) / count < 0.008
    ids = Counter(line["id"] for line in lines)
    assert 0.0003 < sum(times - 1 for times in ids.values()) / count < 0.002
    inferences = [line for line in lines if line["kind"] == "inference"]
    failed = [line for line in inferences if line["status"] == "error"]
    assert 0.015 < len(failed) / len(inferences) < 0.025
    assert not any("output" in line for line in failed)
    times = [line["time"] for line in lines]
    late = sum(time < before for before, time in pairwise(times))
    assert 0.007 < late / count < 0.014


def test_sessions_interleave_and_users_come_back(tmp_path: Path) -> None:
    write(tmp_path / "out", "single", 6000)
    lines = parsed(tmp_path / "out")
    window = {line["session"] for line in lines[1000:1100]}
    assert 25 <= len(window) <= 60
    sessions_of = Counter(
        user for user, _ in {(line["subjects"]["end_user"][0]["id"], line["session"]) for line in lines}
    )
    assert sessions_of.most_common(1)[0][1] >= 3


def test_history_requests_repeat_what_went_before(tmp_path: Path) -> None:
    write(tmp_path / "out", "history", 2000, "--malformed", "0")
    sessions: dict[str, list[Any]] = {}
    for line in parsed(tmp_path / "out"):
        sessions.setdefault(line["session_id"], []).append((line["startTime"], line["messages"]))
    long = max(sessions.values(), key=len)
    requests = [messages for _, messages in sorted(long, key=lambda entry: entry[0])]
    for earlier, later in pairwise(requests):
        assert later[: len(earlier)] == earlier


def test_model_changes_about_every_twenty_thousand_calls(tmp_path: Path) -> None:
    write(tmp_path / "single", "single", 45_000, "--malformed", "0")
    changes = [line["change"] for line in parsed(tmp_path / "single") if line["kind"] == "change"]
    assert [(change["from"], change["to"]) for change in changes] == [("1.0.0", "1.1.0")]
    write(tmp_path / "history", "history", 21_000)
    assert len(parsed(tmp_path / "history.changes.jsonl")) == 1


def test_identities_are_exchanged_consistently_in_a_session(shared_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(WORKLOAD), "single", "4000", str(tmp_path / "out"), "--shared", str(shared_data)]
    assert "shared data" in subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    users: dict[str, set[str]] = {}
    for line in parsed(tmp_path / "out"):
        tool = line.get("tool")
        if tool and isinstance(tool["arguments"], dict) and "user_id" in tool["arguments"]:
            users.setdefault(line["session"], set()).add(tool["arguments"]["user_id"])
    own = {line["session"]: line["subjects"]["end_user"][0]["id"] for line in parsed(tmp_path / "out")}
    kept = [own[session] in named for session, named in users.items()]
    assert len(kept) > 20
    assert sum(kept) / len(kept) > 0.8
