"""The figures of bundles: exporting one, checking it with verify.py and in a browser, and a report as PDF."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ledger.create import create
from reports.standalone import verify

if TYPE_CHECKING:
    from tests.bench import auditing, figures, processes
    from tests.bench.figures import Row
else:  # "tests" is no package
    import auditing
    import figures
    import processes
    from figures import Row

RECORDS = 100_000
IN_PAGE = 10_000
"""Records that a page holds itself."""
PAGES = 30
_SCRIPT = str(Path(auditing.__file__).resolve())


def measure(events: int, runs: int, folder: Path, evidence: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The rows of bundles of so many records at most, and notes on them."""
    name = f"bundle, {events:,} records"
    config = _store(events, folder / f"bundles-{events}", evidence)
    bundle, lines = config.with_name("bundle.zip"), config.with_name("records.jsonl")
    ours, plain = [], []
    for _ in range(runs):
        ours.append(processes.seconds(_export(config, bundle, evidence)))
        with zipfile.ZipFile(bundle) as archive:
            lines.write_bytes(archive.read("data/records.jsonl"))
        plain.append(processes.seconds(_zipped(lines)))
    own, other = median(ours), median(plain)
    peak = processes.peak_memory(_export(config, bundle, evidence)) / figures.GIB
    memory = figures.amount(processes.peak_memory(_zipped(lines)) / figures.GIB, "GiB")
    rows = [
        figures.alone(name, "export, with proofs", figures.EXPORT, own, figures.amount(other, "s")),
        figures.alone(name, "export, peak memory", figures.EXPORT_MEMORY, peak, memory),
        _checked(name, events, config, bundle, runs),
    ]
    made = processes.script("auditing.py", "pdf", str(config))
    rows.append(figures.alone(name, f"PDF, {PAGES} pages", figures.PDF, made["seconds"] * PAGES / made["pages"]))
    notes = [f"{name}: metadata of a period, every framework's controls; plain is a zip of the same lines, with sums"]
    notes.append(f"PDF: {made['pages']} pages in {made['seconds']:.1f} s, the report on all controls of this store")
    page_rows, page_notes = _in_page(min(events, IN_PAGE), runs, folder, evidence)
    return rows + page_rows, notes + page_notes


def _checked(name: str, events: int, config: Path, bundle: Path, runs: int) -> Row:
    """verify.py as an auditor starts it, against hashing every file and parsing every line."""
    key = config.with_name(f"{config.stem}-private").joinpath("log.vkey").read_text().strip()
    command = [sys.executable, "-I", str(verify.__file__), str(bundle), "--key", key, "--json"]
    ours, plain = [], []
    for _ in range(max(runs, 3)):
        ours.append(events / processes.seconds(command))
        plain.append(events / processes.seconds([sys.executable, _SCRIPT, "reread", str(bundle)]))
    ratio = median(own / other for own, other in zip(ours, plain, strict=True))
    there, times = figures.amount(median(plain), "records/s"), figures.amount(ratio, figures.TIMES)
    own = median(ours)
    return Row(name, "verify.py", figures.amount(own, "records/s"), there, times, own, figures.VERIFY)


def _in_page(events: int, runs: int, folder: Path, evidence: Sequence[str]) -> tuple[list[Row], list[str]]:
    if auditing.CHROMIUM is None:
        return [], ["report.html: not measured, since there is no Chromium"]
    name = f"bundle, {events:,} records"
    config = _store(events, folder / f"page-{events}", evidence)
    bundle, page = config.with_name("bundle.zip"), config.with_name("report.html")
    processes.text_of(_export(config, bundle, evidence))
    with zipfile.ZipFile(bundle) as archive:
        page.write_bytes(archive.read("report.html"))
    shown = [processes.script("auditing.py", "browser", str(page)) for _ in range(runs)]
    seconds, longest = (median(each[what] for each in shown) for what in ("seconds", "longest"))
    rows = [
        figures.alone(name, "report.html, verdict", figures.PAGE, seconds),
        figures.alone(name, "report.html, longest block", figures.BLOCK, longest),
    ]
    return rows, [
        f"report.html: {shown[0]['records']:,} records, from opening the file to the verdict, headless Chromium"
    ]


def _store(events: int, folder: Path, evidence: Sequence[str]) -> Path:
    """The configuration of a new store of so many records."""
    folder.mkdir()
    log, config = folder / "log.ndjson", folder / "evidence.toml"
    processes.text("workload.py", "single", str(events), str(log), "--malformed", "0")
    create(str(folder / "store"), config)
    processes.text_of([*evidence, "ingest", str(log), "--config", str(config)])
    return config


def _export(config: Path, bundle: Path, evidence: Sequence[str]) -> list[str]:
    """Everything of the workload: it lies in the past, so that no record of this run is in it."""
    bundle.unlink(missing_ok=True)
    return [*evidence, "export", "--from", "2000-01-01T00:00:00Z", "-o", str(bundle), "--config", str(config)]


def _zipped(lines: Path) -> list[str]:
    return [sys.executable, _SCRIPT, "zipped", str(lines), str(lines.with_suffix(".zip"))]
