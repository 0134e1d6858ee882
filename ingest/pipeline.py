"""Ingest: inputs in, committed partitions out. Workers build, this process commits, in the order of the inputs.

Order of writes: keyring rows (references, keys, key trees, bookmarks) and partition objects, then the commit.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np

from ingest.fence import ENDED, Fence
from ingest.inputs import Own, Source, expand
from ingest.job import Done, Failed, Go, Held, Job, Keys, Partition, Place, Planned, Portion, Reply, Wanted
from ingest.portions import Cut, Cutter, Skipped, jobs
from ingest.worker import InProcess, Workers, open_workers
from ledger import errors
from ledger.admission import AdmissionIndex
from ledger.admission import Keys as SourceKeys
from ledger.clock import utc_now
from ledger.comparison import existing_rows, row_inputs
from ledger.errors import ContentionError, ErasedError, EvidenceError, StorageError
from ledger.kdf import DataKey
from ledger.keyring.bookmarks import Borrowed, Step
from ledger.keyring.bookmarks import Portion as Bytes
from ledger.keyring.identifiers import Identifier
from ledger.revealed import Revealed
from ledger.store import Store

ENTRIES_A_COMMIT: Final = 90
"""Partitions that one commit lists at most: a commit is a note of at most 1 MiB, an entry has at most 8 KiB."""
_ATTEMPTS: Final = 5
"""How often references are asked for again because somebody was erased before they had their keys."""


@dataclass
class Summary:
    """What one ingest did. ``known`` counts records that the store had already, ``fenced`` those of them whose
    content was erased, expired or redacted; ``rejected`` is by reason.

    ``not_understood`` counts those unchanged inputs of which the store has the bytes alone. ``unreadable`` says by
    location why an input could not be read, or not to its end; it is not among the ``inputs`` if none of it was.
    ``ended`` counts those unchanged inputs that were recognised by what is left of them after an erasure or expiry.
    ``own_files`` counts files of the store itself (keys, keyring, objects) that were left out.
    """

    inputs: int = 0
    unchanged: int = 0
    not_understood: int = 0
    ended: int = 0
    bytes: int = 0
    records: int = 0
    partitions: int = 0
    known: int = 0
    fenced: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    refs: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    own_files: int = 0


@dataclass
class _Pending:
    """A job under way: its portions, how many partitions its rows were compared with, whose keys it was given.

    ``known`` counts the entries of the log that had been read when it was given them. ``ended``: portions that hold
    bytes which the ledger has ended. ``borrowed``: whose records they hold besides their own.
    """

    number: int
    cuts: list[Cut]
    observed_at: str
    compared: int = 0
    owners: set[str] = field(default_factory=set)
    known: int = 0
    ended: set[Bytes] = field(default_factory=set)
    borrowed: set[Borrowed] = field(default_factory=set)


class _OvertakenError(Exception):
    """Another process committed some of these portions first."""


class _ErasedMeanwhileError(_OvertakenError):
    """A key that these portions were built with was destroyed meanwhile."""


class Pipeline:
    """One ingest run into an open store. ``progress`` is called with bytes and records committed so far."""

    def __init__(self, store: Store, progress: Callable[[int, int], None] = lambda _size, _records: None) -> None:
        self._store = store
        self._progress = progress
        self._index = AdmissionIndex(store.settings.cache / "admission")
        self._fence = Fence(store, self._committed)
        self._foreign = False
        self._uris: dict[str, str] = {}
        """Where the inputs are whose first portion of this run is not committed yet."""
        self._listed: tuple[int, set[str]] = (-1, set())
        self.summary = Summary()

    def run(self, paths: Iterable[str], format_name: str | None = None) -> Summary:
        """Take in everything the paths name; what it returns has been committed.

        Raises KeyringError while the keyring is older than the ledger's erasures: it would seal for who was erased.
        """
        self._store.refuse_behind()
        settings = self._store.settings
        sources, self.summary.own_files = expand(paths, Own(settings))
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
        bookmarks = self._store.bookmarks
        cutter = Cutter(bookmarks, self._fence, self._committed, settings.seal_bytes, settings.seal_rows)
        for source in sources:
            try:
                for item in cutter.cut(source, format_name):
                    self._note(source, item)
                    if isinstance(item, Cut):
                        yield item
            except StorageError as error:
                if error.where.get("input") != source.uri:
                    raise
                self.summary.unreadable[source.uri] = error.message

    def _note(self, source: Source, item: Cut | Skipped) -> None:
        summary = self.summary
        if source.uri not in summary.refs:
            summary.inputs += 1
        if isinstance(item, Skipped):
            summary.unchanged += 1
            summary.not_understood += not item.understood
            summary.ended += item.ended
            summary.refs[source.uri] = item.input
            self._hold(source.uri, item.input)
        else:
            summary.refs[source.uri] = item.portion.input
            self._uris[item.portion.input] = source.uri

    def _hold(self, uri: str, ref: str) -> None:
        """Remember which input a location holds now, where that is not plain: the newest that was begun there."""
        bookmarks = self._store.bookmarks
        alias = bookmarks.alias(uri)
        if alias == ref:
            return
        known = bookmarks.inputs_at(uri)
        if alias is not None or not known or known[0].ref != ref:
            bookmarks.add_alias(uri, ref)

    def _run(self, workers: Workers, batches: Iterator[list[Cut]]) -> None:
        """Keep the workers busy; commit results in the order in which their inputs were read.

        While they build, the next batch is read and earlier results are committed: a worker that is done finds its
        next job ready.
        """
        under_way: dict[int, _Pending] = {}
        results: dict[int, tuple[_Pending, Done]] = {}
        number = committed = 0
        ahead = next(batches, None)
        while ahead is not None or under_way or results:
            for worker in workers.idle:
                if ahead is None:
                    break
                under_way[worker] = pending = _Pending(number, ahead, utc_now())
                number += 1
                workers.start(worker, self._job(pending))
                ahead = next(batches, None)
            while committed in results:
                self._commit(*results.pop(committed))
                committed += 1
            if under_way:
                self._handle(workers, under_way, results)

    def _handle(
        self, workers: Workers, under_way: dict[int, _Pending], results: dict[int, tuple[_Pending, Done]]
    ) -> None:
        """Wait for one answer, and reply to it or take the result."""
        worker, answer = workers.next()
        pending = under_way[worker]
        if isinstance(answer, Failed):
            raise _error(answer)
        if isinstance(answer, Done):
            results[pending.number] = (under_way.pop(worker), answer)
        else:
            workers.reply(worker, self._reply(pending, answer))

    def _job(self, pending: _Pending) -> Job:
        settings = self._store.settings
        return Job(
            pending.observed_at,
            settings.retention_class,
            settings.seal_rows,
            self._store.history.store,
            [cut.portion for cut in pending.cuts],
            self._store.endings.last >= 0,
        )

    # -- answering the workers

    def _reply(self, pending: _Pending, answer: Wanted | Planned) -> Reply:
        return self._keys(pending, answer) if isinstance(answer, Wanted) else self._places(pending, answer)

    def _keys(self, pending: _Pending, wanted: Wanted) -> Keys:
        identifiers = [Identifier(*item) for item in wanted.identifiers]
        owners = [Identifier(*item) for item in wanted.owners]
        store_owned = {cut.portion.owner for cut in pending.cuts}
        pending.known = len(self._store.history.entries)
        references, keys = self._references(identifiers, owners, store_owned)
        pending.owners.update(keys)
        return Keys(
            [references[identifier] for identifier in identifiers],
            [(references[owner], *keys[references[owner]]) for owner in owners],
            {reference: (keys[reference].version, keys[reference].key) for reference in store_owned},
        )

    def _references(
        self, identifiers: list[Identifier], owners: list[Identifier], store_owned: set[str]
    ) -> tuple[dict[Identifier, str], dict[str, DataKey]]:
        """References, and the keys of those that own content: who is erased in between has a new one the next time.

        Raises ErasedError where the reference that owns an input's own bytes was erased.
        """
        keyring = self._store.keyring
        own_keys = keyring.data_keys(store_owned)
        for _ in range(_ATTEMPTS):
            references = keyring.resolve([*identifiers, *owners])
            with contextlib.suppress(ErasedError):
                return references, keyring.data_keys(references[owner] for owner in owners) | own_keys
        raise ContentionError("people are being erased faster than their records can be sealed")

    def _places(self, pending: _Pending, planned: Planned) -> Go:
        places = []
        for day in planned.days:
            place, tree = self._store.new_partition(day)
            places.append(Place(place.events, place.content, tree.nodes[(0, 0)]))
        return Go(places, self._held(pending, planned))

    def _held(self, pending: _Pending, planned: Planned) -> dict[int, list[Held]]:
        """What the ledger already has of these rows: from other inputs, under a destroyed key, or half committed."""
        pending.compared = self._index.covered
        keys = np.frombuffer(planned.source_keys, "<u8").astype(np.uint64)
        hits: dict[int, dict[int, list[int]]] = {}
        for hit in self._index.find(keys):
            hits.setdefault(hit.partition, {}).setdefault(hit.row, []).append(hit.position)
        held: dict[int, list[Held]] = {}
        for partition, rows in hits.items():
            for found, positions in zip(existing_rows(self._store, partition, list(rows)), rows.values(), strict=True):
                for position in positions:
                    number, part = planned.places[position]
                    portion = pending.cuts[number].portion
                    item = _compare(found, portion, part)
                    _note_origin(pending, Bytes(portion.input, portion.step), found)
                    if item is not None:
                        held.setdefault(position, []).append(item)
        return held

    # -- committing

    def _commit(self, pending: _Pending, done: Done) -> None:
        """Commit a finished job, or what is left of it after another process committed some of the same input."""
        attempt = secrets.token_hex(8)
        self._store.bookmarks.add_steps(_steps(pending, done, attempt), pending.borrowed)
        bodies = [("partition", partition.body) for partition in done.partitions]

        def recheck(_: object) -> None:
            self._foreign = True
            self._recheck(pending, done, attempt)

        try:
            if self._foreign or self._index.covered > pending.compared:
                self._recheck(pending, done, attempt)
            for start in range(0, len(bodies), ENTRIES_A_COMMIT):
                self._store.append(bodies[start : start + ENTRIES_A_COMMIT], recheck)
        except _OvertakenError as overtaken:
            if isinstance(overtaken, _ErasedMeanwhileError):
                self._store.bookmarks.forget_attempt(attempt)
            self._commit_rest(pending)
            return
        self._sync_index({item.body["events"]["path"]: _keys_of(item) for item in done.partitions})
        self._count(pending, done)

    def _commit_rest(self, pending: _Pending) -> None:
        """Build a job again, without what others committed meanwhile."""
        self._sync_index()
        committed = self._committed()
        left = []
        for cut in pending.cuts:
            step = self._store.bookmarks.committed_step(cut.portion.input, cut.portion.step, committed)
            if step is None:
                left.append(cut)
            elif step.to_byte != cut.to_byte or not self._same_bytes(step, cut):
                raise ContentionError("another process takes in the same input with other settings")
        if left:
            rest = _Pending(pending.number, left, utc_now())
            self._commit(rest, self._build_here(rest))

    def _same_bytes(self, step: Step, cut: Cut) -> bool:
        """Whether another process has committed a portion from the same bytes."""
        if step.mac is None:
            return self._fence.has(Bytes(step.input, step.step), cut.portion.data)
        return step.mac == cut.mac

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

    def _recheck(self, pending: _Pending, done: Done, attempt: str) -> None:
        """After other commits: none of them may hold a portion, or a record, that this commit would add.

        Nor may one have ended a key that it was built with: what is sealed after an erasure is not covered by it.
        """
        self._sync_index()
        # An identifier is deleted before the entry that erases its reference: older entries name none of these owners.
        newer = self._store.history.entries[pending.known :]
        erased = (entry.value["subjects"] for entry in newer if entry.value["type"] == "erasure")
        if any(not pending.owners.isdisjoint(subjects) for subjects in erased):
            raise _ErasedMeanwhileError
        partitions = self._store.history.partitions()
        others = {entry.value["content"]["path"] for entry in partitions[pending.compared :]}
        for cut in pending.cuts:
            place = (cut.portion.input, cut.portion.step)
            there = self._store.bookmarks.committed_step(*place, self._committed())
            if there or self._store.bookmarks.begun_elsewhere(*place, others, attempt):
                raise _OvertakenError
        own = {cut.portion.input for cut in pending.cuts}
        hits = [h for item in done.partitions for h in self._index.find(_keys_of(item), since=pending.compared)]
        for number in {hit.partition for hit in hits}:
            inputs = row_inputs(self._store, number, [hit.row for hit in hits if hit.partition == number])
            if not own.issuperset(inputs):
                raise _OvertakenError

    def _committed(self) -> set[str]:
        """The content paths that the ledger lists."""
        if self._listed[0] != self._store.history.seq:
            self._listed = (self._store.history.seq, self._store.committed_paths())
        return self._listed[1]

    def _sync_index(self, built: Mapping[str, SourceKeys] | None = None) -> None:
        if self._store.refresh():
            self._foreign = True
        self._index.sync(self._store.objects, self._store.history.partitions(), built)

    def _count(self, pending: _Pending, done: Done) -> None:
        for cut in pending.cuts:
            if cut.portion.input in self._uris:
                self._hold(self._uris.pop(cut.portion.input), cut.portion.input)
        summary = self.summary
        summary.bytes += sum(len(cut.portion.data) for cut in pending.cuts)
        summary.partitions += len(done.partitions)
        summary.known += done.known
        summary.fenced += done.fenced
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
                mac = None if Bytes(portion.input, portion.step) in pending.ended else cut.mac
                yield Step(portion.input, path, attempt, cut.from_byte, cut.to_byte, portion.step, mac)


def _note_origin(pending: _Pending, portion: Bytes, found: Revealed) -> None:
    """Note what a portion's digest is over besides its own records: it must go with those of others, or never stay."""
    if found.state in ENDED:
        pending.ended.add(portion)
    place = found.line.get("input")
    if place is not None and place["ref"] != portion.input:
        pending.borrowed.add(Borrowed(portion, Bytes(place["ref"], place["step"])))


def _compare(found: Revealed, portion: Portion, part: int) -> Held | None:
    """What a row with the same (source, source_id) means for a piece of a portion; None if it is sealed all the same.

    An input that repeats an id is kept as it is, and so is a row whose content cannot be compared.
    """
    line = found.line
    place = line.get("input", {})
    same_input = place.get("ref") == portion.input
    if same_input and (place.get("step"), place.get("part", -1)) == (portion.step, part):
        return Held(line["source"], line["source_id"], found.record, None, here=True)
    if found.state in ENDED:
        return Held(line["source"], line["source_id"], found.record, None, here=False)
    if same_input or found.bytes is None:
        return None
    return Held(line["source"], line["source_id"], found.record, hashlib.sha256(found.bytes).digest(), here=False)


def _keys_of(partition: Partition) -> SourceKeys:
    """The source keys of a partition's rows, in their order."""
    return np.frombuffer(partition.source_keys, "<u8").astype(np.uint64)


def _error(failed: Failed) -> EvidenceError:
    kind = getattr(errors, failed.error, EvidenceError)
    return kind(failed.message) if issubclass(kind, EvidenceError) else EvidenceError(failed.message)
