"""Building partitions from a job: the part of ingest that runs in worker processes.

A conversation as a generator: it yields what it needs from the keyring and the ledger and is sent the answers, so that
the keyring is opened by the parent alone and a worker holds only the data keys of its job. It has three turns, and one
more before them once the ledger has ended any content.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import Final, cast

from ingest.formats.base import Identifier
from ingest.job import Answer, Done, Go, Held, Job, Keys, Partition, Place, Planned, Reply, Wanted
from ingest.rows import Draft, PortionReader, Subjects
from ledger import partition_writer
from ledger.kdf import DataKey, derive
from ledger.keytree import SPACE, KeyTree
from ledger.objects.base import AppendObjects
from ledger.records import source_keys

SESSION_OWNER: Final = "session_owner"
"""Identifier type of the reference that owns a session in which no person is declared."""

Conversation = Generator[Answer, Reply, None]


def build(job: Job, objects: AppendObjects) -> Conversation:
    """Build the partitions of a job; their objects are durable before Done is yielded."""
    readers = [PortionReader(number, portion) for number, portion in enumerate(job.portions)]
    drafts = [draft for reader in readers for draft in reader.drafts()]
    for portion in job.portions:
        # The drafts have their own copies: two of a portion at a time are what bounds a worker's memory.
        portion.data = b""
    fenced = 0
    if job.fenced:
        drafts, fenced = yield from _fence(readers, drafts)
    naming = _Naming(job, readers, drafts)
    naming.take(cast(Keys, (yield naming.wanted())))
    for draft in drafts:
        naming.complete(draft)
    days, today = _days(job, drafts)
    names = sorted({today, *days})
    go = cast(Go, (yield _planned(drafts, [day for day, _ in names])))
    known, ended = _leave_out(readers, drafts, go.held)
    _leave_out_between(readers, drafts, ended)
    groups: dict[tuple[str, int], list[partition_writer.Row]] = {name: [] for name in names}
    for position, draft in enumerate(drafts):
        if position not in known:
            groups[days[position]].append(naming.row(draft))
    for reader in readers:
        groups[today] += [naming.row(naming.complete(draft)) for draft in reader.envelopes()]
    rejected: Counter[str] = Counter()
    for reader in readers:
        rejected.update(reader.rejected)
    drafts.clear()
    partitions = [
        _write(job, objects, place, group, naming)
        for place, group in zip(go.places, groups.values(), strict=True)
        if group
    ]
    yield Done(partitions, fenced + len(known), dict(rejected))


def _fence(
    readers: Sequence[PortionReader], drafts: Sequence[Draft]
) -> Generator[Answer, Reply, tuple[list[Draft], int]]:
    """The drafts but for those whose content the ledger has ended by their source's id, and how many those are.

    Before anything is asked of the keyring: what comes again must not enrol anew who was erased.
    """
    own = [draft for draft in drafts if draft.source_id is not None]
    for draft in own:
        draft.line.source_id = draft.source_id or ""
    go = cast(Go, (yield _planned(own, [])))
    some = {position: items for position, items in go.held.items() if any(item.ended for item in items)}
    known, ended = _leave_out(readers, own, some)
    _leave_out_between(readers, drafts, ended)
    out = {id(own[position]) for position in known}
    return [draft for draft in drafts if id(draft) not in out], len(out)


def _planned(drafts: Sequence[Draft], days: list[str]) -> Planned:
    keys = source_keys((draft.line.source, draft.line.source_id) for draft in drafts)
    pieces = [(draft.portion, -1 if draft.part is None else draft.part) for draft in drafts]
    return Planned(keys.astype("<u8").tobytes(), pieces, days)


class _Naming:
    """References and keys for the identifiers of a job."""

    def __init__(self, job: Job, readers: Sequence[PortionReader], drafts: Iterable[Draft]) -> None:
        self._job = job
        self._references: dict[Identifier, str] = {}
        self._owner_of: dict[Identifier, str] = {}
        self.keys: dict[str, DataKey] = {}
        self._id_keys: dict[str, bytes] = {}
        self._identifiers: dict[Identifier, None] = {}
        self._owners: dict[Identifier, None] = {}
        self._named: dict[Subjects, dict[str, list[str]] | None] = {}
        for draft in drafts:
            self._note(draft.portion, draft.session, draft.owner)
            if draft.subjects not in self._named:
                self._named[draft.subjects] = None
                self._identifiers.update(dict.fromkeys(person for _, people in draft.subjects for person in people))
        for number, reader in enumerate(readers):
            for session, owner in reader.gaps():
                self._note(number, session, owner)

    def _note(self, portion: int, session: str | Identifier | None, owner: Identifier | None) -> None:
        if isinstance(session, Identifier):
            self._identifiers[session] = None
        owned_by = owner or self._session_owner(portion, session)
        if owned_by is not None:
            self._owners[owned_by] = None

    def _session_owner(self, portion: int, session: str | Identifier | None) -> Identifier | None:
        if session is None:
            return None
        kind, value = session if isinstance(session, Identifier) else ("session", session)
        return Identifier(SESSION_OWNER, f"{self._job.portions[portion].adapter}\0{kind}\0{value}")

    def wanted(self) -> Wanted:
        """What the keyring is asked for."""
        return Wanted([(*item,) for item in self._identifiers], [(*item,) for item in self._owners])

    def take(self, keys: Keys) -> None:
        """The keyring's answer, in the order of ``wanted``."""
        self._references = dict(zip(self._identifiers, keys.references, strict=True))
        for identifier, (reference, version, key) in zip(self._owners, keys.owners, strict=True):
            self._owner_of[identifier] = reference
            self.keys[reference] = DataKey(version, key)
        for reference, (version, key) in keys.store_owned.items():
            self.keys[reference] = DataKey(version, key)
        self._named = {subjects: self._roles(subjects) for subjects in self._named}

    def _roles(self, subjects: Subjects) -> dict[str, list[str]] | None:
        """What a line says of the people of a record."""
        named = {role: sorted({self._references[person] for person in people}) for role, people in sorted(subjects)}
        return named or None

    def owner(self, draft: Draft) -> str:
        """The reference whose key protects a draft's content."""
        identifier = draft.owner or self._session_owner(draft.portion, draft.session)
        return self._job.portions[draft.portion].owner if identifier is None else self._owner_of[identifier]

    def complete(self, draft: Draft) -> Draft:
        """Fill in the line's fields that depend on references, in place."""
        line, session = draft.line, draft.session
        line.observed_at = self._job.observed_at
        line.retention_class = self._job.retention_class
        line.session = self._references[session] if isinstance(session, Identifier) else session
        line.subjects = self._named.get(draft.subjects)
        line.source_id = draft.source_id or self._keyed_id(draft)
        return draft

    def _keyed_id(self, draft: Draft) -> str:
        """The id of a record whose source has none: HMAC of position and bytes under the owner's key."""
        owner = self.owner(draft)
        key = self._id_keys.get(owner)
        if key is None:
            key = self._id_keys[owner] = derive(self.keys[owner].key, b"evidence/v1/source-id")
        return hmac.digest(key, draft.position.encode() + b"\0" + draft.content, "sha256")[:16].hex()

    def row(self, draft: Draft) -> partition_writer.Row:
        """The row that the ledger seals."""
        return partition_writer.Row(draft.line, draft.content, self.owner(draft))


def _days(job: Job, drafts: Sequence[Draft]) -> tuple[list[tuple[str, int]], tuple[str, int]]:
    """(UTC day, number) of the partition of each draft, and of the envelopes.

    The day is when it happened, or today where that is unknown or ahead.
    """
    now = job.observed_at[:10]
    counts: Counter[str] = Counter()
    days = []
    for draft in drafts:
        occurred = draft.line.occurred_at
        day = occurred[:10] if occurred and occurred[:10] <= now else now
        days.append((day, counts[day] // job.seal_rows))
        counts[day] += 1
    return days, (now, counts[now] // job.seal_rows)


def _leave_out(
    readers: Sequence[PortionReader], drafts: Sequence[Draft], held: dict[int, list[Held]]
) -> tuple[set[int], dict[int, bytes]]:
    """Drafts that the ledger has already with the same bytes, or had before their content was ended: noted, not sealed.

    Their positions; and of the ended ones, by the identity of the draft, the record that it was.
    """
    known = set()
    ended: dict[int, bytes] = {}
    for position, candidates in held.items():
        draft = drafts[position]
        digest = hashlib.sha256(draft.content).digest()
        own_id = (draft.line.source, draft.line.source_id)
        # The index is by a 64-bit digest, which a source could make collide: only equal ids are the same record.
        equal = [item for item in candidates if (item.source, item.source_id) == own_id]
        same = next((item for item in equal if item.here or item.sha256 in (None, digest)), None)
        if same is not None:
            known.add(position)
            if same.ended:
                ended[id(draft)] = same.record
            if draft.part is not None and not same.here:
                readers[draft.portion].reference(draft.part, same.record)
    return known, ended


def _leave_out_between(readers: Sequence[PortionReader], drafts: Sequence[Draft], ended: dict[int, bytes]) -> None:
    """Let what stands between records whose content was ended stay out with them, unless others share its session."""
    groups: dict[tuple[int, str | Identifier | None, Identifier | None], set[bytes | None]] = {}
    for draft in drafts if ended else ():
        groups.setdefault((draft.portion, draft.session, draft.owner), set()).add(ended.get(id(draft)))
    for (portion, session, owner), records in groups.items():
        if None not in records:
            readers[portion].leave_out(session, owner, min(record for record in records if record is not None))


def _write(
    job: Job, objects: AppendObjects, place: Place, rows: list[partition_writer.Row], naming: _Naming
) -> Partition:
    where = partition_writer.Place(job.store, place.events, place.content)
    built = partition_writer.build(rows, where, KeyTree.from_root(place.root, SPACE), naming.keys)
    day = place.events.split("/")[1].removeprefix("date=")
    body = {**built.body, "date": day, "retention_class": job.retention_class}
    partition_writer.write(objects, where, built)
    return Partition(body, built.source_keys)
