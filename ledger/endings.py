"""What the ledger says of content that is gone, or that stands elsewhere: erased, expired, redacted. Pure.

One reading of the entries that every reader shares: replay, exports, verification, and the keyring that follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ledger import entry_shapes
from ledger.history import Entry

TYPES: Final = frozenset(("erasure", "reseal", "retention"))
"""The entries that end keys."""


class Ended(NamedTuple):
    """Why content is not there: ``state`` is ``erased`` or ``expired``, ``entry`` what says so."""

    state: str
    entry: Entry


class Moved(NamedTuple):
    """Where a segment stands now: the object, its number there, and the entry that moved it."""

    content: entry_shapes.Object
    number: int
    entry: Entry


class Move(NamedTuple):
    """One segment that was sealed again: the object and leaf that opened it before, and those that do since."""

    old: tuple[str, int]
    new: tuple[str, int]
    entry: Entry


class RedactedRow(NamedTuple):
    """What holds of a redacted row now, and the entry that says so."""

    item: entry_shapes.Redacted
    entry: Entry


class Expiry(NamedTuple):
    """A partition that expired but for the ``kept`` segments."""

    entry: Entry
    kept: frozenset[int]


class PartitionEnds(NamedTuple):
    """The same for one partition, in plain values: what verification hands to its processes.

    ``owners``: erased after its commit. ``segments``: erased by number. ``kept``: what did not expire with the rest;
    None where the partition did not expire. ``moved``: segment to object (path, size, SHA-256) and number in it.
    ``redacted``: row to the commitment that holds now. ``deleted``: objects that may be gone.
    """

    owners: frozenset[str] = frozenset()
    segments: frozenset[int] = frozenset()
    kept: frozenset[int] | None = None
    moved: dict[int, tuple[str, int, str, int]] = {}  # noqa: RUF012 - never changed
    redacted: dict[int, str] = {}  # noqa: RUF012 - never changed
    deleted: frozenset[str] = frozenset()

    def state(self, segment: int, owner: str) -> str | None:
        """``erased`` or ``expired`` where a segment is not to be opened; None where it is."""
        if owner in self.owners or segment in self.segments:
            return "erased"
        return "expired" if self.kept is not None and segment not in self.kept else None


class Endings:
    """Everything that entries have ended, up to the last of those given.

    ``redacted`` maps, by the path of a partition's content file, rows to what replaces their commitment.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.last = -1
        self.subjects: dict[str, Entry] = {}
        self.sessions: dict[str, Entry] = {}
        self.segments: dict[str, dict[int, Entry]] = {}
        self.moved: dict[str, dict[int, Moved]] = {}
        self.moves: list[Move] = []
        self.left: dict[str, set[int]] = {}
        """Segments, by the object that they stood in, whose leaves go because they were moved."""
        self.redacted: dict[str, dict[int, RedactedRow]] = {}
        self.expired: dict[str, Expiry] = {}
        self.lines_expired: dict[str, Entry] = {}
        """By the path of the events file."""
        self.deleted: dict[str, Entry] = {}
        """Objects that may be gone: what deletes them says so first."""
        self.touched: dict[str, int] = {}
        """The last entry by which a key tree changes, by the path of its content object."""
        self._partitions: dict[int, Entry] = {}
        self._seqs: dict[str, int] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take the next entry of the log. What names no earlier partition is passed over: it ends nothing."""
        kind = entry.value["type"]
        if kind == "partition":
            self._partitions[entry.index] = entry
            self._seqs[entry.value["content"]["path"]] = entry.seq
        elif kind in TYPES and not (kind == "erasure" and _ends_only_an_epoch(entry)):
            self.last = entry.index
            self._end(entry, entry_shapes.read(entry.value))

    def _end(self, entry: Entry, read: object) -> None:
        if isinstance(read, entry_shapes.Erasure):
            self._erase(entry, read)
        elif isinstance(read, entry_shapes.Reseal):
            self._reseal(entry, read)
        elif isinstance(read, entry_shapes.Retention):
            self._expire(entry, read)

    def ended(self, path: str, segment: int, owner: str) -> Ended | None:
        """Why a segment of the content file at ``path`` is not to be opened; or None."""
        erased = self.subjects.get(owner)
        if erased is not None and erased.seq > self._seqs.get(path, -1):
            return Ended("erased", erased)
        gone = self.segments.get(path, {}).get(segment)
        if gone is not None:
            return Ended("erased", gone)
        expiry = self.expired.get(path)
        if expiry is not None and segment not in expiry.kept:
            return Ended("expired", expiry.entry)
        return None

    def of(self, partition: Entry) -> PartitionEnds:
        """What was ended of one partition."""
        path = partition.value["content"]["path"]
        expiry = self.expired.get(path)
        moved = self.moved.get(path, {})
        return PartitionEnds(
            frozenset(ref for ref, entry in self.subjects.items() if entry.seq > partition.seq),
            frozenset(self.segments.get(path, ())),
            None if expiry is None else expiry.kept,
            {
                number: (place.content.path, place.content.size, place.content.sha256, place.number)
                for number, place in moved.items()
            },
            {row: found.item.commitment for row, found in self.redacted.get(path, {}).items()},
            frozenset(self.deleted).intersection((path, partition.value["events"]["path"])),
        )

    def destroyed_leaves(self, path: str) -> set[int]:
        """The segments of one content object, also of one that holds moved segments, whose leaves are to be gone."""
        return set(self.left.get(path, ()))

    def objects_of(self, path: str) -> Iterator[str]:
        """The content file of a partition, and the objects into which segments of it were moved."""
        yield path
        yield from sorted({moved.content.path for moved in self.moved.get(path, {}).values()})

    def _content(self, index: int) -> str | None:
        entry = self._partitions.get(index)
        return None if entry is None else str(entry.value["content"]["path"])

    def _erase(self, entry: Entry, read: entry_shapes.Erasure) -> None:
        self.subjects.update(dict.fromkeys(read.subjects, entry))
        self.sessions.update(dict.fromkeys(read.sessions, entry))
        for item in read.segments:
            path = self._content(item.partition)
            if path is not None:
                ended = self.segments.setdefault(path, {})
                for first, last in item.segments:
                    for number in range(first, last + 1):
                        ended.setdefault(number, entry)
                        self._leave(path, number, entry)

    def _leave(self, path: str, number: int, entry: Entry) -> None:
        """Whatever opens a segment of a partition now is to go."""
        place = self.moved.get(path, {}).get(number)
        where, leaf = (path, number) if place is None else (place.content.path, place.number)
        self.left.setdefault(where, set()).add(leaf)
        self.touched[where] = entry.index

    def _reseal(self, entry: Entry, read: entry_shapes.Reseal) -> None:
        path = self._content(read.partition)
        if path is None:
            return
        places = self.moved.setdefault(path, {})
        for number, new in read.segments:
            known = places.get(number)
            if known is None or known.content.path != read.content.path:
                old = (path, number) if known is None else (known.content.path, known.number)
                self.moves.append(Move(old, (read.content.path, new), entry))
                self._leave(path, number, entry)
            places[number] = Moved(read.content, new, entry)
        self.redacted.setdefault(path, {}).update({item.row: RedactedRow(item, entry) for item in read.redacted})

    def _expire(self, entry: Entry, read: entry_shapes.Retention) -> None:
        for item in read.partitions:
            partition = self._partitions.get(item.partition)
            if partition is None:
                continue
            path = partition.value["content"]["path"]
            self.touched.update(dict.fromkeys(self.objects_of(path), entry.index))
            kept = frozenset(number for first, last in item.kept for number in range(first, last + 1))
            known = self.expired.get(path)
            self.expired[path] = Expiry(known.entry if known else entry, kept & known.kept if known else kept)
            gone = list(self.objects_of(path)) if read.deleted and not kept else []
            if read.what == "metadata":
                self.lines_expired.setdefault(partition.value["events"]["path"], entry)
                gone += [partition.value["events"]["path"]] if read.deleted else []
            for name in gone:
                self.deleted.setdefault(name, entry)


def _ends_only_an_epoch(entry: Entry) -> bool:
    """Whether an erasure leaves the keyring nothing to follow: what ended an epoch had done so before it said so."""
    return not any(entry.value.get(name) for name in ("subjects", "sessions", "segments"))
