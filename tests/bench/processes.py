"""Running a command as a user does: its time, what it printed, and the peak memory of it and its children."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.05
_HERE = Path(__file__).resolve().parent


class FailedError(Exception):
    """A measured command failed; the message is what it said."""


def seconds(command: Sequence[str]) -> float:
    """Wall-clock seconds of a command that must succeed, from its start to its end."""
    start = time.perf_counter()
    _output(command)
    return time.perf_counter() - start


def best_of(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of some calls in this process, without the cyclic collector."""
    found = []
    gc.disable()
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    gc.enable()
    return min(found)


def script(name: str, *arguments: str) -> Any:
    """What one of this folder's measuring scripts printed, as JSON: each runs in a fresh process."""
    return json.loads(_output([sys.executable, str(_HERE / name), *arguments]))


def text(name: str, *arguments: str) -> str:
    """What one of this folder's scripts printed."""
    return _output([sys.executable, str(_HERE / name), *arguments])


def text_of(command: Sequence[str]) -> str:
    """What a command that must succeed printed."""
    return _output(command)


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    _check(command, done.returncode, done.stderr)
    return done.stdout


def _check(command: Sequence[str], code: int, said: str) -> None:
    if code:
        raise FailedError(f"{' '.join(command)}: exit code {code}\n{said.strip()}")


def peak_memory(command: Sequence[str]) -> int:
    """Peak bytes of memory of a command and all its children, sampled every 50 ms.

    The sum of PSS (Linux): a page that several processes share counts once.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(_pss(pid) for pid in _tree(process.pid)))
            time.sleep(SAMPLE_SECONDS)
        said.seek(0)
        _check(command, process.returncode, said.read())
    return peak


def _tree(pid: int) -> Iterator[int]:
    """A process and everything below it."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _tree(int(child))


def _pss(pid: int) -> int:
    """Proportional set size in bytes; 0 for a process that has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
