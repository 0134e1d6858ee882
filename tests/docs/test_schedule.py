"""The examples of what should run by itself: every command line is run on a store, every unit is checked by systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures_stores import SAMPLE_LOGS, Installation, make_installation

SCHEDULE = Path(__file__).parents[2] / "docs" / "schedule"
UNITS = sorted(SCHEDULE.glob("*.service")) + sorted(SCHEDULE.glob("*.timer"))
ANALYZE = shutil.which("systemd-analyze")
BIN = Path(sys.executable).parent
REPORTS = {"controls", "lineage", "activity", "health", "requests", "changes"}
FIELD = r"(?:\*|\d+)"
POLICY = """
format = "evidence/retention-policy/1"

[[rule]]
name = "all"
basis = "own-policy"
words = "Six months at least, ten years at most."
erasable = true
content.minimum = "P6M"
content.maximum = "P10Y"
"""


def cron() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The settings of the crontab, and user and command of each line."""
    settings, commands = {}, []
    for line in (SCHEDULE / "crontab").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if assigned := re.fullmatch(r"([A-Z_]+)=(.*)", line):
            settings[assigned[1]] = assigned[2]
            continue
        found = re.fullmatch(rf"\s*{FIELD}(?:\s+{FIELD}){{4}}\s+([a-z]+)\s+(.+)", line)
        assert found, line
        commands.append((found[1], found[2]))
    return settings, commands


def unit(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and line[0] != "#")


COMMANDS = [command for _, command in cron()[1]]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A store with records, a policy and a pin, as docs/SCHEDULE.md asks for."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "retention.toml").write_text(POLICY)
    installation = make_installation(folder, retention_policy="retention.toml")
    installation.ingest(SAMPLE_LOGS / "mlflow", SAMPLE_LOGS / "changes")
    assert run(installation, "evidence verify").returncode == 0
    return installation


def run(office: Installation, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as cron does: with sh, and nothing in the environment but what is set there."""
    surroundings = {
        "PATH": os.pathsep.join((str(SCHEDULE), str(BIN), "/usr/bin", "/bin")),
        "EVIDENCE_CONFIG": str(office.config),
        "HOME": str(office.config.parent),
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        **environment,
    }
    return subprocess.run(["/bin/sh", "-c", command], env=surroundings, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if "reports" not in command])
def test_every_command_line_works_and_says_nothing(office: Installation, command: str) -> None:
    done = run(office, command)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_the_monthly_reports_land_in_the_store_and_say_nothing(office: Installation) -> None:
    (command,) = (command for command in COMMANDS if "reports" in command)

    done = run(office, command, MONTH="2026-10")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with office.open() as store:
        filed = [entry.value for entry in store.history.entries if entry.value["type"] == "report"]
        assert store.checkpoint()[0] == len(store.history.entries)
    objects = [item for entry in filed for item in entry["objects"]]
    assert len(filed) == len(REPORTS)
    assert all((office.folder / item["path"]).stat().st_size == item["size"] for item in objects)
    assert not [finding for finding in office.verify("fast").findings if finding.path != "ledger/checkpoint"]


def test_a_failure_is_told_with_its_exit_code(office: Installation) -> None:
    done = run(office, "quietly evidence verify --store nowhere --no-update-pin")

    assert done.returncode != 0
    assert f"ended with exit code {done.returncode}" in done.stdout
    assert run(office, "quietly sh -c 'echo much; exit 0'").stdout == ""
    assert run(office, "quietly sh -c 'echo lost >&2; exit 5'").stdout.startswith("lost\nended with exit code 5")


@pytest.mark.parametrize(
    ("today", "month"), [("2026-11-01", "2026-10"), ("2026-03-31", "2026-02"), ("2026-01-01", "2025-12")]
)
def test_the_month_before_is_found(tmp_path: Path, today: str, month: str) -> None:
    """With a `date` that takes another day for today, and an `evidence` that says what it was asked."""
    (tmp_path / "date").write_text(
        f'#!/bin/sh\n[ "$*" = "-u +%Y-%m-01" ] && exec /bin/date -u -d {today} +%Y-%m-01\nexec /bin/date "$@"\n'
    )
    (tmp_path / "evidence").write_text('#!/bin/sh\necho "$@"\n')
    for path in tmp_path.iterdir():
        path.chmod(0o755)

    said = subprocess.run(
        [SCHEDULE / "monthly-reports"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    year, number = map(int, month.split("-"))
    after = f"{year + number // 12}-{number % 12 + 1:02d}-01"
    assert said.splitlines()[0] == f"report controls --from {month}-01 --to {after} --file"
    assert {line.split()[1] for line in said.splitlines()} == REPORTS


def test_cron_and_systemd_run_the_same() -> None:
    settings, lines = cron()
    by_cron = {command.removeprefix("quietly ") for _, command in lines}
    by_systemd = {
        re.sub("/usr/local/(bin|lib/evidence)/", "", unit(path)["ExecStart"])
        for path in UNITS
        if path.suffix == ".service" and "alert" not in path.name
    }

    assert by_cron == by_systemd
    assert {user for user, _ in lines} == {"evidence"}
    assert "%" not in "".join(command for _, command in lines)  # cron takes it for the end of the line
    assert {"EVIDENCE_CONFIG", "MAILTO", "PATH"} <= set(settings)


def test_every_timer_has_its_service_and_every_service_tells_of_its_failure() -> None:
    services = {path.stem: unit(path) for path in UNITS if path.suffix == ".service" and "@" not in path.name}

    assert {path.stem for path in UNITS if path.suffix == ".timer"} == set(services)
    assert {found["OnFailure"] for found in services.values()} == {"evidence-alert@%n.service"}
    assert (SCHEDULE / "evidence-alert@.service").exists()


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """What they call stands where they say on the machine that they are for; here it is this installation's."""
    for path in UNITS:
        text = path.read_text().replace("/usr/local/bin/evidence", str(BIN / "evidence"))
        text = text.replace("/usr/local/lib/evidence", str(SCHEDULE)).replace("User=evidence\n", "")
        (tmp_path / path.name).write_text(text.replace("/usr/bin/logger", shutil.which("true") or "/bin/true"))

    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *(path.name.replace("@.", "@x.") for path in UNITS)],
        cwd=tmp_path,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )

    named = [line for line in done.stderr.splitlines() if "evidence-" in line]
    assert (done.returncode, named) == (0, [])


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".timer"], ids=lambda path: path.stem)
@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")
def test_systemd_understands_when_a_timer_is_due(path: Path) -> None:
    subprocess.run([str(ANALYZE), "calendar", unit(path)["OnCalendar"]], capture_output=True, check=True)


def test_the_guide_names_every_file() -> None:
    guide = (SCHEDULE.parent / "SCHEDULE.md").read_text()

    for path in SCHEDULE.iterdir():
        assert path.name in guide or (path.name.startswith("evidence-") and f"evidence-*{path.suffix}" in guide)
    assert os.access(SCHEDULE / "quietly", os.X_OK)
    assert os.access(SCHEDULE / "monthly-reports", os.X_OK)
