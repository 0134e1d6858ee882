"""An ingest that dies at any write is taken up by the next one: all of it once, nothing twice, verified.

Every write of an ingest and of its publication fails in every way in which a write can. Then a new process runs the
same ingest again, against a store that works.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest.pipeline import Pipeline
from ledger.errors import EvidenceError
from ledger.settings import load
from ledger.verify import Verdict

if TYPE_CHECKING:
    from tests.simulator.faulty_objects import Fault, FaultyObjects, Killed

LINES = {"mira/2026-W40.jsonl": 6, "gateway/2026-W40.jsonl": 4, "changes/2026-10.jsonl": 5}
KINDS = ("KILLED_BEFORE", "KILLED_AFTER", "FAILS_BEFORE", "FAILS_AFTER", "ARRIVES_LATE")


class Case:
    """A template of an empty store, the inputs, and what a store must hold after them."""

    def __init__(self, template: Any, inputs: list[Path]) -> None:
        self.template = template
        self.inputs = inputs
        self.points = 0

    def copy(self, folder: Path) -> Any:
        """A new installation, with the keys of the template."""
        shutil.copytree(self.template.config.parent, folder)
        config = folder / self.template.config.name
        return type(self.template)(load(str(config)), config)

    def assert_whole(self, installation: Any, expected: Counter[tuple[str, str]]) -> None:
        """Ingest again to the end; then nothing is lost, nothing is twice, and every third time all is put together."""
        self.points += 1
        installation.ingest(*self.inputs)
        report = installation.verify("deep")
        assert report.verdict is Verdict.INTACT, report.findings
        assert report.covered["contents opened"] == report.covered["records"]
        assert identities(installation) == expected
        if self.points % 3 == 0:
            assert installation.reconstruct(*self.inputs) == [path.read_bytes() for path in self.inputs]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: processes die here, machines do not."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def identities(installation: Any) -> Counter[tuple[str, str]]:
    """How often each record is there. A record of the product's own is known by its place in its input."""
    return Counter(
        (line["source"], line["source_id"].partition("/")[2] or line["source_id"]) for line in installation.lines()
    )


@pytest.fixture(scope="module", params=["first"])
def case(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    new_installation: Callable[..., Any],
    sample_logs: Path,
) -> Iterator[Case]:
    """``first``: an ingest into an empty store; ``grown``: the same files, each half of it taken in before."""
    folder = tmp_path_factory.mktemp("killed")
    case = Case(new_installation(folder / "template"), [])
    for name, count in LINES.items():
        path = folder / name.replace("/", "-")
        lines = (sample_logs / name).read_bytes().splitlines(keepends=True)[:count]
        path.write_bytes(b"".join(lines[: count // 2]))
        if request.param == "grown":
            case.template.ingest(path)
        path.write_bytes(b"".join(lines))
        case.inputs.append(path)
    case.inputs.append(folder / "broken.txt")
    case.inputs[-1].write_bytes(b"no log at all\n")
    yield case
    print(f"\n{case.points} distinct points of failure")


@pytest.fixture(scope="module")
def expected(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, str]]:
    """The records of an ingest that nothing disturbed."""
    installation = case.copy(tmp_path_factory.mktemp("whole") / "installation")
    summary = installation.ingest(*case.inputs)
    found = identities(installation)
    assert summary.partitions >= 4
    assert max(found.values()) == 1
    return found


def run(installation: Any, case: Case, objects: FaultyObjects) -> None:
    store = installation.open_on(objects)
    try:
        Pipeline(store).run([str(path) for path in case.inputs])
        store.publish()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("case", "name"),
    [*(("first", kind) for kind in KINDS), *(("grown", kind) for kind in KINDS if kind != "FAILS_BEFORE")],
    indirect=["case"],
)
def test_an_ingest_that_dies_at_any_write_is_taken_up(
    case: Case,
    expected: Counter[tuple[str, str]],
    scratch: Path,
    faulty: type[FaultyObjects],
    fault: type[Fault],
    killed: type[Killed],
    name: str,
) -> None:
    for only in ("put_if_absent", "replace"):
        at = 0
        while True:
            installation = case.copy(scratch / f"{only}-{at}")
            objects = faulty(installation.objects(), fault=fault[name], at=at, only=only)
            with contextlib.suppress(killed, EvidenceError):
                run(installation, case, objects)
            if not objects.hit:
                break
            case.assert_whole(installation, expected)
            # What was under way when the process died may reach the store after everybody has gone on.
            objects.settle()
            assert installation.verify("deep").verdict is Verdict.INTACT
            at += 1
            shutil.rmtree(installation.config.parent)
        assert at >= (12 if only == "put_if_absent" else 1)


@pytest.mark.parametrize("name", ["FAILS_BEFORE"])
@pytest.mark.parametrize("only", ["get", "head"])
def test_an_ingest_that_dies_at_any_read_is_taken_up(
    case: Case,
    expected: Counter[tuple[str, str]],
    scratch: Path,
    faulty: type[FaultyObjects],
    fault: type[Fault],
    killed: type[Killed],
    name: str,
    only: str,
) -> None:
    at = 0
    while True:
        installation = case.copy(scratch / str(at))
        objects = faulty(installation.objects(), fault=fault[name], at=at, only=only)
        with contextlib.suppress(killed, EvidenceError):
            run(installation, case, objects)
        if not objects.hit:
            break
        case.assert_whole(installation, expected)
        at += 1
        shutil.rmtree(installation.config.parent)
    assert at > 0


def test_a_job_of_many_days_that_dies_between_its_commits_is_taken_up(
    case: Case,
    expected: Counter[tuple[str, str]],
    scratch: Path,
    faulty: type[FaultyObjects],
    fault: type[Fault],
    killed: type[Killed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A commit lists so many partitions at most; what one has committed, the next attempt finds."""
    monkeypatch.setattr("ingest.pipeline.ENTRIES_A_COMMIT", 2)
    dead = at = 0
    while dead == at:
        installation = case.copy(scratch / str(at))
        objects = faulty(installation.objects(), fault=fault.KILLED_AFTER, at=at, only="put_if_absent")
        try:
            run(installation, case, objects)
        except killed:
            dead += 1
        case.assert_whole(installation, expected)
        shutil.rmtree(installation.config.parent)
        at += 1
    assert dead >= 15


def test_a_process_that_is_killed_at_a_random_moment(
    case: Case, expected: Counter[tuple[str, str]], scratch: Path
) -> None:
    """SIGKILL, also between the writes to the keyring's database and those to the store."""
    chance = random.Random(20261120)
    code = "import sys, ingest.pipeline as p, ledger.settings as s, ledger.store as t\n"
    code += "print('ready', flush=True)\n"
    code += "store = t.Store.open(s.load(sys.argv[1]))\np.Pipeline(store).run(sys.argv[2:])\nstore.publish()\n"
    killed = 0
    for number in range(12):
        installation = case.copy(scratch / str(number))
        command = [sys.executable, "-c", code, str(installation.config), *map(str, case.inputs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.25))
            os.kill(process.pid, signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        case.assert_whole(installation, expected)
    assert killed > 0
