"""`make bench`: this product and a plain alternative on the same seeded workload, in one run, as a Markdown table.

Usage: python tests/bench/bench.py [--events N[,N]] [--shapes single,history] [--quick] [--runs N] [--keep FOLDER]

Plain is what one would do without evidence: DuckDB copies the same file to one Parquet file (zstd) with two threads
and default settings, hashlib hashes the same objects, DuckDB reads a session from that Parquet file; zipfile packs the
same lines with their SHA-256, hashlib and json read them again. Runs of both sides take turns; ratios are medians over
pairs of runs. Everything measured runs in processes of its own.

By default 100,000 and 1,000,000 events: half an hour, and 16 GB of disk for the largest log. ``--quick``: a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import orjson

from ledger.create import create
from ledger.errors import EvidenceError

if TYPE_CHECKING:
    from tests.bench import bundles, figures, processes
    from tests.bench.figures import Row
else:  # run as a script, Python looks for modules in this folder; "tests" is no package
    import bundles
    import figures
    import processes
    from figures import Row

SESSION_COLUMN = {"single": "session", "history": "session_id"}
USER_COLUMN = {"single": "subjects.end_user[1].id", "history": "end_user"}
SMALL = 10_000
"""Events of the store that an erasure in a larger one is compared with."""
HELP_RUNS = 10
QUICK_EVENTS = 20_000
RUNS = 3
MANY = 200_000


@dataclass
class Bench:
    """One shape at one size: where its files are, and what was found."""

    shape: str
    events: int
    runs: int
    sessions: int
    folder: Path
    evidence: Sequence[str]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Shape and size, as the table names them."""
        return f"{self.shape}, {self.events:,} events"

    @property
    def log(self) -> Path:
        """The workload: both sides read this file."""
        return self.folder / f"{self.shape}-{self.events}.ndjson"

    @property
    def parquet(self) -> Path:
        """What DuckDB made of it."""
        return self.log.with_suffix(".parquet")

    @property
    def config(self) -> Path:
        """The configuration of the store that the last ingest made."""
        return self.log.with_suffix(".store") / "evidence.toml"

    def run(self) -> None:
        """Measure everything, in the order of the table."""
        goal = figures.goals(self.shape)
        self._note(processes.text("workload.py", self.shape, str(self.events), str(self.log), "--malformed", "0"))
        self._ingest(goal["ingest"], goal["ingest, peak memory"])
        self._stored(goal["stored bytes an event"])
        self._fast(goal["verify fast"])
        for kind, what in (("lines", "verify deep, lines"), ("content", "verify deep, with content")):
            self._deep(kind, what, goal)
        self._open(goal["open a session, faster"], goal["open a session, p50"])
        self._find(goal["find a person, faster"], goal["find a person, p50"])
        self._erase(goal["erase a person, p50"], goal["erase a person, against 10,000 events"])

    def _note(self, printed: str) -> None:
        """What the workload is like, from the words of the program that wrote it."""
        facts = ", ".join(re.sub(r":\s+", " ", line) for line in printed.splitlines())
        self.notes.append(f"{self.name}: {facts}")

    def _ingest(self, goal: figures.Goal, memory: figures.Goal) -> None:
        plain = self._plain_command()
        ours, theirs = [], []
        for _ in range(self.runs):
            ours.append(self.events / processes.seconds(self._ingest_command()))
            theirs.append(self.events / processes.seconds(plain))
        row = figures.compared(self.name, "ingest", goal, ours, theirs, "events/s")
        own, other = (processes.peak_memory(command) / figures.GIB for command in (self._ingest_command(), plain))
        self.rows += [
            row,
            figures.alone(self.name, "ingest, peak memory", memory, own, figures.amount(other, memory.unit)),
        ]

    def _ingest_command(self) -> list[str]:
        """Ingest into a new store."""
        shutil.rmtree(self.config.parent, ignore_errors=True)
        self.config.parent.mkdir()
        create(str(self.config.parent / "store"), self.config)
        return [*self.evidence, "ingest", str(self.log), "--config", str(self.config)]

    def _plain_command(self) -> list[str]:
        """DuckDB's COPY as it works on this file, tried once: that warms up the page cache for both sides too."""
        command = [sys.executable, str(Path(__file__).with_name("plain.py")), str(self.log), str(self.parquet)]
        try:
            processes.seconds(command)
        except processes.FailedError as failed:
            reason = next((line for line in str(failed).splitlines() if "Error:" in line), "it failed")
            reason = reason.replace(str(self.log), self.log.name)[:150]
            self.notes.append(f"{self.name}: read_json runs with ignore_errors, since by default: {reason} ...")
            command.append("--ignore-errors")
            processes.seconds(command)
        return command

    def _stored(self, goal: figures.Goal) -> None:
        """The store, its configuration, keyring and keys: all but the cache, which can be deleted at any time."""
        files = [path for path in self.config.parent.rglob("*") if path.is_file() and "cache" not in path.parts]
        ours = sum(path.stat().st_size for path in files) / self.events
        plain = self.parquet.stat().st_size / self.events
        self.rows.append(figures.compared(self.name, "stored bytes an event", goal, [ours], [plain], "B"))

    def _fast(self, goal: figures.Goal) -> None:
        measured = processes.script("verifying.py", str(self.config), "fast", "--runs", str(max(self.runs, 5)))
        ours, plain = ([measured["bytes"] / seconds / 1e6 for seconds in measured[side]] for side in ("ours", "plain"))
        self.rows.append(figures.compared(self.name, "verify fast", goal, ours, plain, "MB/s"))

    def _deep(self, kind: str, what: str, goal: dict[str, figures.Goal]) -> None:
        measured = processes.script("verifying.py", str(self.config), kind, "--runs", str(self.runs))
        seconds, covered = median(measured["ours"]), measured["covered"]
        self.rows.append(figures.alone(self.name, what, goal[what], covered["records"] / seconds))
        if kind == "content":
            what += ", bytes"
            megabytes = covered["content bytes"] / seconds / 1e6
            self.rows.append(figures.alone(self.name, what, goal[what], megabytes))

    def _open(self, faster: figures.Goal, goal: figures.Goal) -> None:
        where = (str(self.config), str(self.parquet), SESSION_COLUMN[self.shape])
        measured = processes.script("opening.py", *where, "--sessions", str(self.sessions))
        ours, plain = ([1000 * seconds for seconds in measured[side]] for side in ("ours", "plain"))
        own, other = median(ours), median(plain)
        here, there = figures.amount(own, "ms"), figures.amount(other, "ms")
        ratio = figures.amount(other / own, figures.TIMES)
        self.rows += [
            Row(self.name, "open a session, faster", here, there, ratio, other / own, faster),
            figures.alone(self.name, "open a session, p50", goal, own, there),
        ]
        mean = measured["rows"]
        self.notes.append(f"{self.name}: the sessions opened have {mean:.0f} events on average")

    def _find(self, faster: figures.Goal, goal: figures.Goal) -> None:
        measured = processes.script("finding.py", str(self.config), str(self.parquet), USER_COLUMN[self.shape])
        own, other = (1000 * median(measured[side]) for side in ("ours", "plain"))
        here, there = figures.amount(own, "ms"), figures.amount(other, "ms")
        ratio = figures.amount(other / own, figures.TIMES)
        self.rows += [
            Row(self.name, "find a person, faster", here, there, ratio, other / own, faster),
            figures.alone(self.name, "find a person, p50", goal, own, there),
        ]
        self.notes.append(f"{self.name}: the people found have {measured['rows']:.0f} events on average")

    def _erase(self, goal: figures.Goal, same: figures.Goal) -> None:
        """Last, since the store is another one after it."""
        small = Bench(self.shape, min(SMALL, self.events), 1, 0, self.folder / "small", self.evidence)
        small.folder.mkdir(exist_ok=True)
        processes.text("workload.py", self.shape, str(small.events), str(small.log), "--malformed", "0")
        processes.text_of(small._ingest_command())
        own, other = (median(processes.script("erasing.py", str(bench.config))["seconds"]) for bench in (self, small))
        shutil.rmtree(small.folder)
        here, there = figures.amount(own, "s"), figures.amount(other, "s")
        ratio = figures.amount(own / other, figures.TIMES)
        self.rows += [
            figures.alone(self.name, "erase a person, p50", goal, own),
            Row(self.name, "erase a person, against 10,000 events", here, there, ratio, own / other, same),
        ]


def help_row(evidence: Sequence[str]) -> Row:
    """What `evidence --help` costs over starting Python."""
    ours, plain = [], []
    for _ in range(HELP_RUNS):
        ours.append(processes.seconds([*evidence, "--help"]))
        plain.append(processes.seconds([sys.executable, "-c", "pass"]))
    extra = median(own - other for own, other in zip(ours, plain, strict=True))
    python = figures.amount(median(plain), "s")
    return figures.alone("", "evidence --help, more than Python", figures.HELP, extra, python)


def speed() -> str:
    """How fast this machine's Python hashes and parses: figures in records a second mean little without it."""
    leaves = [os.urandom(300) for _ in range(50_000)]
    line = json.dumps({"role": "user", "parts": [{"content": "x" * 1400, "type": "text"}], "n": list(range(40))})
    hashed = processes.best_of(lambda: [sha256(b"\x00" + leaf).digest() for leaf in leaves])
    parsed = processes.best_of(lambda: [orjson.loads(line) for _ in range(10_000)])
    return (
        f"{50_000 / hashed / 1e6:.1f} M leaves of 300 bytes and {10_000 / parsed / 1e3:.0f} k lines of 1.6 kB a second"
    )


def machine() -> list[str]:
    """What the figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "cryptography", "zstandard"))
    cores = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, {platform.system()}"
    return [
        f"{cores}, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, {packages}",
        speed(),
        "ours and plain: medians; ratio: median of the ratios of pairs of runs, which take turns",
        "peak memory: sum of PSS of all processes, sampled every 50 ms in a run that is not timed",
        "stored bytes: store, keyring, keys and configuration, without the cache; plain is the Parquet file",
        "verify deep: in one process, warm; open a session, find a person: p50, warm, access record included",
        "erase a person: until the keys are gone; plain is the same in a store of 10,000 events",
    ]


def measured(given: argparse.Namespace, folder: Path) -> Iterator[Bench]:
    """Every shape at every size, each when it is done; its files go at once unless they are to be kept."""
    for events in given.events:
        for shape in given.shapes:
            runs = given.runs or (RUNS if events <= MANY else 1)
            bench = Bench(shape, events, runs, given.sessions, folder, given.evidence.split())
            bench.run()
            if given.keep is None:
                bench.log.unlink()
                bench.parquet.unlink()
                shutil.rmtree(bench.config.parent)
            yield bench


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="The benchmark table.")
    parser.add_argument("--events", type=lambda text: [int(n) for n in text.split(",")], default=[100_000, 1_000_000])
    parser.add_argument("--shapes", type=lambda text: text.split(","), default=list(SESSION_COLUMN))
    parser.add_argument("--quick", action="store_const", dest="events", const=[QUICK_EVENTS], help="20,000 events")
    parser.add_argument("--runs", type=int, help=f"pairs of runs (default {RUNS}, and 1 above {MANY:,} events)")
    parser.add_argument("--sessions", type=int, default=100, help="sessions to open (default 100)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep workloads and stores here")
    parser.add_argument("--json", action="store_true")
    installed = str(Path(sys.executable).with_name("evidence"))
    parser.add_argument("--evidence", default=installed, metavar="COMMAND", help="the command under test")
    given = parser.parse_args()
    unknown = set(given.shapes) - set(SESSION_COLUMN)
    if unknown:
        parser.error(f"no such shape: {', '.join(sorted(unknown))}")
    return given


def main() -> None:
    """Measure and print. Exit code 1 if a measured command failed; a figure that is not met changes nothing."""
    given = arguments()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            benches = list(measured(given, (given.keep or Path(scratch)).resolve()))
            audited, said = bundles.measure(
                min(bundles.RECORDS, max(given.events)), given.runs or RUNS, Path(scratch), given.evidence.split()
            )
            rows = [*(row for bench in benches for row in bench.rows), *audited, help_row(given.evidence.split())]
        except (processes.FailedError, EvidenceError) as error:
            sys.exit(f"bench: {error}")
    notes = [*machine(), *(note for bench in benches for note in bench.notes), *said]
    if given.json:
        print(json.dumps({"rows": [row.as_json() for row in rows], "notes": notes}, indent=1))
        return
    print(figures.table(rows))
    print()
    print("\n".join(f"- {note}" for note in notes))


if __name__ == "__main__":
    main()
