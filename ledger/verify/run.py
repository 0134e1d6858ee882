"""One verification run: levels in order, partitions in parallel, one report with what it covered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Final, Literal

from ledger import notes
from ledger.entries import UNDERSTOOD
from ledger.history import Entry, History
from ledger.objects import open_objects
from ledger.objects.base import ReadObjects
from ledger.verify import deep, derived, fast
from ledger.verify.checked import Checked
from ledger.verify.contents import Decryptor
from ledger.verify.head import Head, check_head
from ledger.verify.pin import Pin
from ledger.verify.report import Report, Verdict

Level = Literal["head", "fast", "deep"]
_PARALLEL_ABOVE: Final = 32 * 1024 * 1024
"""Bytes of partitions above which processes pay for their start."""


@dataclass(frozen=True)
class Options:
    """What to check, and what is trusted.

    ``trusted``: keys that may have signed the checkpoint, held outside the store. ``open_decryptor`` gives deep
    verification the keys of the content (called once in each process). ``fraction`` N re-reads, besides what is newer
    than the pin, one Nth of the older partitions, in turn; 1 reads all. ``progress`` is told partitions done and all.
    """

    level: Level = "fast"
    trusted: Sequence[notes.Verifier] = ()
    pin: Pin | None = None
    strict: bool = False
    max_age: timedelta = timedelta(hours=48)
    fraction: int = 1
    workers: int = 2
    open_decryptor: Callable[[], Decryptor] | None = None
    endpoint: str | None = None
    progress: Callable[[int, int], None] = field(default=lambda _done, _total: None)


def verify(objects: ReadObjects, options: Options) -> tuple[Report, Pin | None]:
    """Check a store. The second value is the pin to keep: None unless the run found nothing wrong."""
    report = Report(options.level, options.strict)
    trusted = [*options.trusted, *([options.pin.verifier] if options.pin else [])]
    trusted = list({verifier.vkey: verifier for verifier in trusted}.values())
    head = check_head(objects, report, trusted, options.pin, options.max_age)
    if Verdict.NOTHING_THERE in report.verdicts:
        return report, None
    if options.level == "head":
        report.notes.append("only the head was checked: no commit, tile, partition or content")
        return report, None
    present = derived.list_derived(objects)
    log = fast.read_commits(objects, report)
    history = log.history
    derived.check_published(objects, report, log, head, present)
    fast.check_listed_once(report, history)
    if not history.partitions():
        report.add(Verdict.NOTHING_THERE, "events/", "the ledger lists no partition")
    chosen, cursor = _choose(history, options)
    if options.level == "deep":
        _deep(objects, report, history, chosen, options)
    else:
        fast.check_objects(objects, report, list(fast.listed_objects(chosen)))
        report.notes.append("fast: objects were compared with their entries; lines and content were not opened")
    report.count("partitions", len(chosen))
    report.count("partitions in the ledger", len(history.partitions()))
    derived.report_unlisted(objects, report, history)
    _note_unknown(report, history)
    return report, _next_pin(report, history, head, trusted, cursor)


def _choose(history: History, options: Options) -> tuple[list[Entry], int]:
    """The partitions to read: all, or those since the pin and the next Nth of the rest. And where to go on."""
    partitions = history.partitions()
    if options.fraction <= 1 or options.pin is None:
        return partitions, 0
    pinned = options.pin.checkpoint.size
    old = [entry for entry in partitions if entry.index < pinned]
    new = partitions[len(old) :]
    if not old:
        return new, 0
    count = -(-len(old) // options.fraction)
    start = options.pin.cursor % len(old)
    turn = [old[(start + offset) % len(old)] for offset in range(count)]
    return [*turn, *new], (start + count) % len(old)


def _deep(objects: ReadObjects, report: Report, history: History, chosen: Sequence[Entry], options: Options) -> None:
    accesses: dict[str, set[int]] = {}
    for done, (entry, checked) in enumerate(_check_all(objects, chosen, options)):
        _take(report, history, entry, checked)
        for spool, number in checked.accesses:
            accesses.setdefault(spool, set()).add(number)
        options.progress(done + 1, len(chosen))
    fast.check_objects(objects, report, [item for item in fast.listed_objects(chosen) if "ledger/blob/" in item.path])
    _check_access_numbers(report, history, chosen, accesses)
    _note_unrecorded(report, history)
    if options.open_decryptor is None:
        report.notes.append("content was not opened: no keyring was given")


def _check_all(objects: ReadObjects, chosen: Sequence[Entry], options: Options) -> Iterator[tuple[Entry, Checked]]:
    size = sum(entry.value["events"]["size"] + entry.value["content"]["size"] for entry in chosen)
    if options.workers < 2 or size < _PARALLEL_ABOVE or objects.url.startswith("memory:"):
        decryptor = options.open_decryptor() if options.open_decryptor else None
        for entry in chosen:
            yield entry, deep.check_partition(objects, entry.value, decryptor)
        return
    with ProcessPoolExecutor(
        options.workers,
        get_context("spawn"),
        initializer=_start_worker,
        initargs=(objects.url, options.endpoint, options.open_decryptor),
    ) as pool:
        results = pool.map(_check_here, [entry.value for entry in chosen])
        yield from zip(chosen, results, strict=True)


_here: list[tuple[ReadObjects, Decryptor | None]] = []


def _start_worker(url: str, endpoint: str | None, open_decryptor: Callable[[], Decryptor] | None) -> None:
    _here.append((open_objects(url, endpoint=endpoint), open_decryptor() if open_decryptor else None))


def _check_here(entry: dict[str, object]) -> Checked:
    objects, decryptor = _here[0]
    return deep.check_partition(objects, entry, decryptor)


def _take(report: Report, history: History, entry: Entry, checked: Checked) -> None:
    """Put one partition's result into the report; missing content is lawful only if a later entry says so."""
    for problem in checked.problems:
        report.add(Verdict(problem.verdict), problem.path, problem.reason, problem.row, problem.record)
    report.count("records", checked.rows)
    report.count("bytes", checked.bytes)
    report.count("contents opened", checked.content_rows)
    report.count("content bytes", checked.content_bytes)
    path = entry.value["content"]["path"]
    for owner, rows in checked.closed.get("erased", {}).items():
        if _erased_by(history, entry, owner):
            report.explain("erased", rows)
        else:
            report.add(Verdict.LOST, path, f"{rows} contents of owner {owner} are erased and no entry says why")
    unverifiable = sum(checked.closed.get("unverifiable", {}).values())
    if unverifiable:
        report.add(Verdict.UNVERIFIABLE, path, f"{unverifiable} contents do not open with the keys that are held")


def _erased_by(history: History, entry: Entry, owner: str) -> bool:
    """Whether an erasure that follows this partition's commit names the owner."""
    return any(
        later.seq > entry.seq and later.value["type"] == "erasure" and owner in later.value.get("subjects", ())
        for later in history.entries
    )


def _numbers(ranges: Iterable[Sequence[int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


def _check_access_numbers(
    report: Report, history: History, chosen: Sequence[Entry], found: dict[str, set[int]]
) -> None:
    """Every access number that a commit states must have its record in the commit's partition."""
    paths = {entry.seq: entry.value["events"]["path"] for entry in chosen if "spools" in entry.value}
    for entry in history.entries:
        for spool in entry.value.get("spools", ()) if entry.seq in paths else ():
            stated = set(range(spool["first"], spool["last"] + 1)) - _numbers(spool.get("missing", ()))
            for number in sorted(stated - found.get(spool["spool"], set())):
                reason = f"access {number} of spool {spool['spool']} has no record"
                report.add(Verdict.TAMPERED, paths[entry.seq], reason)


def _note_unrecorded(report: Report, history: History) -> None:
    for entry in history.entries:
        for spool in entry.value.get("spools", ()):
            for first, last in spool.get("missing", ()):
                numbers = str(first) if first == last else f"{first} to {last}"
                report.notes.append(f"access {numbers} of spool {spool['spool']} was taken and never recorded")


def _note_unknown(report: Report, history: History) -> None:
    unknown = [entry for entry in history.entries if entry.value["type"] not in UNDERSTOOD]
    for entry in unknown:
        report.add(
            Verdict.UNVERIFIABLE,
            f"ledger entry {entry.index}",
            f"its type {entry.value['type']!a} is unknown: it is included, its meaning cannot be checked",
        )


def _next_pin(
    report: Report,
    history: History,
    head: Head,
    trusted: Sequence[notes.Verifier],
    cursor: int,
) -> Pin | None:
    """The pin that remembers this run, if all that it found is a lack of pin or freshness."""
    note, checkpoint = head
    if note is None or checkpoint is None or report.verdicts - {Verdict.UNPINNED, Verdict.STALE}:
        return None
    signer = notes.open_note(note, trusted).verified[0]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    seq = next((e.seq for e in reversed(history.entries) if e.index < checkpoint.size), 0)
    return Pin(signer.vkey, note.decode(), seq, now, cursor, report.level)
