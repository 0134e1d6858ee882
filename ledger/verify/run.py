"""One verification run: levels in order, partitions in parallel, one report with what it covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Final, Literal

from ledger import notes
from ledger.endings import Endings, PartitionEnds
from ledger.entries import UNDERSTOOD
from ledger.errors import ConfigError, KeyringError
from ledger.history import Entry, History
from ledger.lean import without_pandas
from ledger.objects import open_objects
from ledger.objects.base import ReadObjects
from ledger.verify import deep, derived, fast, spools
from ledger.verify.checked import Checked
from ledger.verify.contents import Decryptor
from ledger.verify.head import Head, check_age, check_head, check_newest
from ledger.verify.pin import DEPTHS, Pin, Reach
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
    head = check_head(objects, report, trusted, options.pin)
    if Verdict.NOTHING_THERE in report.verdicts:
        return report, None
    if options.level == "head":
        check_newest(objects, report, options.pin, options.max_age)
        report.notes.append("only the head was checked: no commit, tile, partition or content")
        return report, None
    present = derived.list_derived(objects)
    log = fast.read_commits(objects, report)
    history = log.history
    if history.time:
        check_age(report, history.seq, history.time, options.max_age)
    derived.check_published(objects, report, log, head, present)
    fast.check_listed_once(report, history)
    spools.check_statements(report, history)
    if not history.partitions():
        report.add(Verdict.NOTHING_THERE, "events/", "the ledger lists no partition")
    options = _with_keys(options, report)
    depth = _depth(options)
    chosen, cursor = _choose(history, options, depth)
    if options.level == "deep":
        _deep(objects, report, history, chosen, options)
    else:
        listed = [*fast.listed_objects(chosen), *_beside(history)]
        fast.check_objects(objects, report, listed, Endings(history.entries).deleted)
        report.notes.append("fast: objects were compared with their entries; lines and content were not opened")
    report.count("partitions", len(chosen))
    report.count("partitions in the ledger", len(history.partitions()))
    derived.report_unlisted(objects, report, history)
    _note_unknown(report, history)
    return report, _next_pin(report, history, head, trusted, _reached(options.pin, depth, head, cursor))


def _with_keys(options: Options, report: Report) -> Options:
    """The options without a decryptor where there is none to be had: what needs no key is checked all the same."""
    if options.level != "deep" or options.open_decryptor is None:
        return options
    try:
        options.open_decryptor()
    except (ConfigError, KeyringError) as error:
        report.add(Verdict.UNVERIFIABLE, "keyring", f"no content can be opened: {error.message}")
        return replace(options, open_decryptor=None)
    return options


def _depth(options: Options) -> str:
    if options.level != "deep":
        return "fast"
    return "content" if options.open_decryptor else "deep"


def _choose(history: History, options: Options, depth: str) -> tuple[list[Entry], int]:
    """The partitions to read: all; or those that no run of this depth has read, and the next Nth of the rest.

    And where to go on. What was read fast only still waits for its first deep reading.
    """
    partitions = history.partitions()
    reach = options.pin.reach_of(depth) if options.pin else Reach()
    if options.fraction <= 1:
        return partitions, reach.cursor
    old = [entry for entry in partitions if entry.index < reach.size]
    new = partitions[len(old) :]
    if not old:
        return new, 0
    count = -(-len(old) // options.fraction)
    start = reach.cursor % len(old)
    turn = [old[(start + offset) % len(old)] for offset in range(count)]
    return [*turn, *new], (start + count) % len(old)


def _reached(pin: Pin | None, depth: str, head: Head, cursor: int) -> dict[str, Reach]:
    """How far each depth has come after this run, which includes all shallower ones."""
    size = head.checkpoint.size if head.checkpoint else 0
    reach = {name: pin.reach_of(name) if pin else Reach() for name in DEPTHS}
    for name in DEPTHS[: DEPTHS.index(depth) + 1]:
        own = cursor if name == depth else reach[name].cursor
        reach[name] = Reach(size, own, _now())
    return reach


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _deep(objects: ReadObjects, report: Report, history: History, chosen: Sequence[Entry], options: Options) -> None:
    accesses: dict[str, set[int]] = {}
    endings = Endings(history.entries)
    for done, (entry, checked) in enumerate(_check_all(objects, chosen, endings, options)):
        _take(report, entry, checked)
        _say_why(report, entry, checked, endings)
        for spool, number in checked.accesses:
            accesses.setdefault(spool, set()).add(number)
        options.progress(done + 1, len(chosen))
    rest = [item for item in fast.listed_objects(chosen) if "ledger/blob/" in item.path]
    fast.check_objects(objects, report, [*rest, *_beside(history)], endings.deleted)
    spools.check_records(report, history, chosen, accesses)
    if options.open_decryptor is None:
        report.notes.append("content was not opened: no keyring was given")
    else:
        _check_survivors(report, endings, options.open_decryptor())


def _beside(history: History) -> list[fast.Listed]:
    """What entries of other types vouch for: resealed segments, plans, policies."""
    return list(fast.listed_objects([entry for entry in history.entries if entry.value["type"] != "partition"]))


def _check_all(
    objects: ReadObjects, chosen: Sequence[Entry], endings: Endings, options: Options
) -> Iterator[tuple[Entry, Checked]]:
    size = sum(entry.value["events"]["size"] + entry.value["content"]["size"] for entry in chosen)
    if options.workers < 2 or size < _PARALLEL_ABOVE or objects.url.startswith("memory:"):
        decryptor = options.open_decryptor() if options.open_decryptor else None
        for entry in chosen:
            yield entry, deep.check_partition(objects, entry.value, decryptor, endings.of(entry))
        return
    with ProcessPoolExecutor(
        options.workers,
        get_context("spawn"),
        initializer=_start_worker,
        initargs=(objects.url, options.endpoint, options.open_decryptor),
    ) as pool:
        results = pool.map(_check_here, [entry.value for entry in chosen], map(endings.of, chosen))
        yield from zip(chosen, results, strict=True)


_here: list[tuple[ReadObjects, Decryptor | None]] = []


def _start_worker(url: str, endpoint: str | None, open_decryptor: Callable[[], Decryptor] | None) -> None:
    without_pandas()
    _here.append((open_objects(url, endpoint=endpoint), open_decryptor() if open_decryptor else None))


def _check_here(entry: dict[str, object], ends: PartitionEnds) -> Checked:
    objects, decryptor = _here[0]
    return deep.check_partition(objects, entry, decryptor, ends)


def _take(report: Report, entry: Entry, checked: Checked) -> None:
    """Put one partition's result into the report."""
    for problem in checked.problems:
        report.add(Verdict(problem.verdict), problem.path, problem.reason, problem.row, problem.record)
    report.count("records", checked.rows)
    report.count("bytes", checked.bytes)
    report.count("contents opened", checked.content_rows)
    report.count("content bytes", checked.content_bytes)
    path = entry.value["content"]["path"]
    for state, rows in checked.ended.items():
        report.explain(state, rows)
    if lost := checked.closed.get("lost"):
        report.add(Verdict.LOST, path, f"the keys of {lost} contents are destroyed and no entry says why")
    if unverifiable := checked.closed.get("unverifiable"):
        report.add(Verdict.UNVERIFIABLE, path, f"{unverifiable} contents do not open with the keys that are held")


def _say_why(report: Report, entry: Entry, checked: Checked, endings: Endings) -> None:
    """Name the entries that explain what is not there, or is not as it was."""
    path = entry.value["content"]["path"]
    for segment, owner in checked.because:
        ended = endings.ended(path, segment, owner)
        if ended is not None:
            report.say_why(ended.state, ended.entry.index)
    if checked.ended.get("redacted"):
        for redacted in endings.redacted[path].values():
            report.say_why("redacted", redacted.entry.index)
    gone = endings.deleted.get(path) or endings.deleted.get(entry.value["events"]["path"])
    if gone is not None and not checked.because and checked.ended:
        report.say_why(next(iter(checked.ended)), gone.index)


def _check_survivors(report: Report, endings: Endings, decryptor: Decryptor) -> None:
    """The ledger says whose keys were destroyed: a keyring that was restored from before has them again."""
    survivors = decryptor.survivors(sorted(endings.subjects))
    if survivors:
        report.add(
            Verdict.UNVERIFIABLE,
            "keyring",
            f"{len(survivors)} people have keys or identifiers again that the ledger says were destroyed: run "
            "`evidence keys reconcile`",
        )


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
    reach: Mapping[str, Reach],
) -> Pin | None:
    """The pin that remembers this run, if all that it found is a lack of pin or freshness."""
    note, checkpoint = head
    if note is None or checkpoint is None or report.verdicts - {Verdict.UNPINNED, Verdict.STALE}:
        return None
    signer = notes.open_note(note, trusted).verified[0]
    seq = next((e.seq for e in reversed(history.entries) if e.index < checkpoint.size), 0)
    writers = tuple(sorted(vkey for vkey, key in history.keys.items() if "log" not in key.roles))
    return Pin(signer.vkey, note.decode(), seq, _now(), reach, writers)
