"""Ingest: inputs in, committed partitions out. Workers build, this process commits, in the order of the inputs.

Order of writes: keyring rows (references, keys, key trees, bookmarks) and partition objects, then the commit.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np

from ingest.inputs import Source, expand
from ingest.job import Done, Failed, Go, Held, Job, Keys, Place, Planned, Reply, Wanted
from ingest.portions import Cut, Cutter, Skipped, jobs
from ingest.worker import InProcess, Workers, open_workers
from ledger import errors
from ledger.admission import AdmissionIndex
from ledger.errors import ContentionError, EvidenceError
from ledger.keyring.bookmarks import Step
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import utc_now
from ledger.store import Store

ENTRIES_A_COMMIT: Final = 100
"""Partitions that one commit lists at most: a commit is a note of at most 1 MiB."""


@dataclass
class Summary:
    """What one ingest did. ``known`` counts records that the store had already; ``rejected`` is by reason."""

    inputs: int = 0
    unchanged: int = 0
    bytes: int = 0
    records: int = 0
    partitions: int = 0
    known: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    refs: dict[str, str] = field(default_factory=dict)


@dataclass
class _Pending:
    """A job under way: its portions, what it was sent, and its result."""

    number: int
    cuts: list[Cut]
    observed_at: str
    done: Done | None = None


class _OvertakenError(Exception):
    """Another process committed some of these portions first."""


class Pipeline:
    """One ingest run into an open store. ``progress`` is called with bytes and records committed so far."""

    def __init__(self, store: Store, progress: Callable[[int, int], None] = lambda size, records: None) -> None:
        self._store = store
        self._progress = progress
        self._index = AdmissionIndex(store.settings.cache / "admission")
        self._foreign = False
        self.summary = Summary()

    def run(self, paths: Iterable[str], format_name: str | None = None) -> Summary:
        """Take in everything the paths name; what it returns has been committed."""
        sources = expand(paths)
        settings = self._store.settings
        self._sync_index()
        batches = jobs(self._cuts(sources, format_name), settings.seal_bytes, settings.seal_rows)
        first = next(batches, None)
        if first is None:
            return self.summary
        workers = open_workers(
            settings.workers, settings.store, settings.s3_endpoint, self._store.objects, [s.size for s in sources]
        )
        try:
            self._run(workers, chain([first], batches))
        finally:
            workers.close()
        return self.summary

    def _cuts(self, sources: list[Source], format_name: str | None) -> Iterator[Cut]:
        settings = self._store.settings
        cutter = Cutter(
            self._store.bookmarks, self._store.committed_paths, settings.seal_bytes, settings.seal_rows
        )
        for source in sources:
            self.summary.inputs += 1
            for item in cutter.cut(source, format_name):
                if isinstance(item, Skipped):
                    self.summary.unchanged += 1
                    self.summary.refs[source.uri] = item.input
                else:
                    self.summary.refs[source.uri] = item.portion.input
                    yield item

    def _run(self, workers: Workers, batches: Iterator[list[Cut]]) -> None:
        """Keep the workers busy; commit results in the order in which their inputs were read."""
        under_way: dict[int, _Pending] = {}
        results: dict[int, _Pending] = {}
        number = committed = 0
        exhausted = False
        while True:
            for worker in [] if exhausted else workers.idle:
                batch = next(batches, None)
                if batch is None:
                    exhausted = True
                    break
                under_way[worker] = pending = _Pending(number, batch, utc_now())
                number += 1
                workers.start(worker, self._job(pending))
            if not under_way:
                break
            worker, answer = workers.next()
            pending = under_way[worker]
            if isinstance(answer, Failed):
                raise _error(answer)
            if isinstance(answer, Done):
                pending.done = answer
                results[pending.number] = under_way.pop(worker)
            else:
                workers.reply(worker, self._reply(pending, answer))
            while committed in results:
                self._commit(results.pop(committed))
                committed += 1

    def _job(self, pending: _Pending) -> Job:
        settings = self._store.settings
        return Job(
            pending.observed_at,
            settings.retention_class,
            settings.seal_rows,
            self._store.history.store,
            [cut.portion for cut in pending.cuts],
        )

    # -- answering the workers

    def _reply(self, pending: _Pending, answer: Wanted | Planned) -> Reply:
        return self._keys(pending, answer) if isinstance(answer, Wanted) else self._places(answer)

    def _keys(self, pending: _Pending, wanted: Wanted) -> Keys:
        keyring = self._store.keyring
        identifiers = [Identifier(*item) for item in wanted.identifiers]
        owners = [Identifier(*item) for item in wanted.owners]
        references = keyring.resolve([*identifiers, *owners])
        store_owned = {cut.portion.owner for cut in pending.cuts}
        keys = keyring.data_keys([*(references[owner] for owner in owners), *store_owned])
        return Keys(
            [references[identifier] for identifier in identifiers],
            [(references[owner], *keys[references[owner]]) for owner in owners],
            {reference: tuple(keys[reference]) for reference in store_owned},
        )

    def _places(self, planned: Planned) -> Go:
        places = []
        for day in planned.days:
            place, tree = self._store.new_partition(day)
            places.append(Place(place.events, place.content, tree.nodes[(0, 0)]))
        return Go(places, self._held(planned))

    def _held(self, planned: Planned) -> dict[int, list[Held]]:
        """What the ledger already has of these rows, from other inputs or under a destroyed key."""
        keys = np.frombuffer(planned.source_keys, "<u8").astype(np.uint64)
        held: dict[int, list[Held]] = {}
        for hit in self._index.find(keys):
            found = self._store.existing(hit.partition, hit.row)
            same_input = found.line.get("input", {}).get("ref") == planned.inputs[hit.position]
            if (same_input and found.bytes is not None) or found.state not in ("verified", "erased"):
                continue
            digest = None if found.bytes is None else hashlib.sha256(found.bytes).digest()
            held.setdefault(hit.position, []).append(Held(found.record, digest))
        return held

    # -- committing

    def _commit(self, pending: _Pending) -> None:
        """Commit a finished job, or what is left of it after another process committed some of the same input."""
        done = pending.done
        assert done is not None
        self._store.bookmarks.add_steps(_steps(pending, done, secrets.token_hex(8)))
        bodies = [("partition", partition.body) for partition in done.partitions]
        try:
            if self._foreign:
                self._recheck(pending)
            for start in range(0, len(bodies), ENTRIES_A_COMMIT):
                self._store.append(bodies[start : start + ENTRIES_A_COMMIT], lambda _: self._recheck(pending))
        except _OvertakenError:
            self._commit_rest(pending)
            return
        self._sync_index()
        self._count(pending, done)

    def _commit_rest(self, pending: _Pending) -> None:
        """Build a job again without the portions that another process committed meanwhile."""
        committed = self._store.committed_paths()
        left = []
        for cut in pending.cuts:
            step = self._store.bookmarks.committed_step(cut.portion.input, cut.portion.step, committed)
            if step is None:
                left.append(cut)
            elif (step.to_byte, step.prefix_mac) != (cut.to_byte, cut.prefix_mac):
                raise ContentionError("another process takes in the same input with other settings")
        if left:
            rest = _Pending(pending.number, left, utc_now())
            rest.done = self._build_here(rest)
            self._commit(rest)

    def _build_here(self, pending: _Pending) -> Done:
        worker = InProcess(self._store.objects)
        worker.start(0, self._job(pending))
        while True:
            _, answer = worker.next()
            if isinstance(answer, Done):
                return answer
            if isinstance(answer, Failed):
                raise _error(answer)
            worker.reply(0, self._reply(pending, answer))

    def _recheck(self, pending: _Pending) -> None:
        """After another writer's commits: none of them may hold what this commit would add."""
        committed = self._store.committed_paths()
        for cut in pending.cuts:
            if self._store.bookmarks.committed_step(cut.portion.input, cut.portion.step, committed):
                raise _OvertakenError

    def _sync_index(self) -> None:
        if self._store.refresh():
            self._foreign = True
        self._index.sync(self._store.objects, self._store.history.partitions())

    def _count(self, pending: _Pending, done: Done) -> None:
        summary = self.summary
        summary.bytes += sum(len(cut.portion.data) for cut in pending.cuts)
        summary.partitions += len(done.partitions)
        summary.known += done.known
        summary.rejected.update(done.warnings)
        for partition in done.partitions:
            summary.records += partition.body["rows"]
            summary.kinds.update(partition.body["kinds"])
        self._progress(summary.bytes, summary.records)


def _steps(pending: _Pending, done: Done, attempt: str) -> Iterator[Step]:
    """The bookmarks of a job: one for each portion and each partition that holds some of it."""
    for cut in pending.cuts:
        portion = cut.portion
        for partition in done.partitions:
            if any((item["ref"], item["step"]) == (portion.input, portion.step) for item in partition.body["inputs"]):
                path = partition.body["content"]["path"]
                yield Step(
                    portion.input, path, attempt, cut.from_byte, cut.to_byte, portion.step, cut.prefix_mac
                )


def _error(failed: Failed) -> EvidenceError:
    kind = getattr(errors, failed.error, EvidenceError)
    return kind(failed.message) if issubclass(kind, EvidenceError) else EvidenceError(failed.message)
