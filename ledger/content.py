"""Opening content: from rows of a partition to their exact bytes, each checked against its commitment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ledger import merkle, records, segments
from ledger.decryption import PartitionKeys, reason
from ledger.endings import Endings, Moved
from ledger.errors import ErasedError, EvidenceError, FormatError, TamperedError
from ledger.keyring.keyring import Keyring
from ledger.objects.base import ReadObjects
from ledger.partition_reader import PartitionReader, iterate_segments, open_parquet, read_table
from ledger.revealed import Revealed as Revealed

_KEPT_SEGMENTS: Final = 64


class Ledger(NamedTuple):
    """What opening content needs to know of the log: the store's id, what was ended, whose processing is restricted."""

    store: str
    endings: Endings
    restricted: Mapping[str, int] = {}
    """The index of the entry that restricts it, by subject."""


class _Withheld(NamedTuple):
    state: str
    entry: int


class ContentReader:
    """Opens the content of rows of one partition, but for what the ledger has ended, whatever keys are here."""

    def __init__(
        self,
        objects: ReadObjects,
        keyring: Keyring,
        ledger: Ledger,
        entry: Mapping[str, Any],
        events: Path | None = None,
    ) -> None:
        self._reader = PartitionReader(objects, entry, events)
        self._path: str = entry["content"]["path"]
        self._ledger = ledger
        self._keys = PartitionKeys(keyring, ledger.store, self._path)
        self._moved = _MovedSegments(objects, keyring, ledger.store)
        self._segments: int = entry["segments"]
        self._open: dict[int, segments.Opened] = {}
        self._failed: dict[int, EvidenceError] = {}

    def rows(self, first: int, count: int) -> Iterator[Revealed]:
        """The rows from ``first``, in the order of the partition, each with its content or the reason for none."""
        yield from self.open_rows(self._reader.rows(first, count), range(first, first + count))

    def all_rows(self) -> Iterator[Revealed]:
        """Every row."""
        table = self._reader.all_rows(["line", "segment", "slot", "chunks"])
        yield from self.open_rows(table, range(len(table)))

    def chosen(self, rows: Sequence[int]) -> Iterator[Revealed]:
        """The given rows, in the order given. Raises FormatError for a row that is not there."""
        table = self._reader.all_rows(["line", "segment", "slot", "chunks"])
        if any(not 0 <= row < len(table) for row in rows):
            raise FormatError(f"a partition of {len(table)} rows does not have the row that was asked for")
        yield from self.open_rows(table.take(list(rows)), rows)

    def open_rows(self, table: pa.Table, numbers: Iterable[int]) -> Iterator[Revealed]:
        """The content of the rows of a table with columns line, segment, slot, chunks; ``numbers`` are the rows'."""
        lines = table.column("line").to_pylist()
        # A number that is missing points nowhere, like one that is outside.
        location = [table.column(name).fill_null(-1).to_pylist() for name in ("segment", "slot", "chunks")]
        parsed = [records.parse_line(line) for line in lines]
        places = zip(parsed, location[0], location[2], strict=True)
        self._load(
            [
                (segment, chunks)
                for line, segment, chunks in places
                if self._is_inside(segment, chunks) and self._withheld(line, segment, chunks) is None
            ]
        )
        for number, line, fields, segment, slot, chunks in zip(numbers, lines, parsed, *location, strict=False):
            yield self._reveal(merkle.leaf_hash(line), number, fields, segment, slot, chunks)

    def _reveal(
        self, record: bytes, number: int, line: dict[str, Any], segment: int, slot: int, chunks: int
    ) -> Revealed:
        withheld = self._withheld(line, segment, chunks)
        if withheld is not None:
            return Revealed(record, line, None, withheld.state, None, withheld.entry)
        commitment, state, explained = line["content"]["commitment"], "verified", None
        try:
            place = self._ledger.endings.moved.get(self._path, {}).get(segment)
            if place is None:
                content, row_key = self._content(segment, slot, chunks)
            else:
                content, row_key = self._moved.content(place, slot)
                redacted = self._ledger.endings.redacted.get(self._path, {}).get(number)
                if redacted is not None:
                    commitment, state, explained = redacted.item.commitment, "redacted", redacted.entry.index
            if segments.commitment_of(row_key, content).hex() != commitment:
                raise TamperedError("the content is not the one that the record commits to")
        except ErasedError:
            # No entry says that it was, or it would have been withheld.
            return Revealed(record, line, None, "lost", None)
        except EvidenceError as error:
            return Revealed(record, line, None, reason(error), None)
        return Revealed(record, line, content, state, row_key, explained)

    def _withheld(self, line: Mapping[str, Any], segment: int, chunks: int) -> _Withheld | None:
        """Why the ledger does not let a row be opened; None where it does."""
        owner = line["content"]["owner"]
        for number in range(segment, segment + max(chunks, 1)):
            ended = self._ledger.endings.ended(self._path, number, owner)
            if ended is not None:
                return _Withheld(ended.state, ended.entry.index)
        restricted = self._ledger.restricted.keys() & _subjects(line) if self._ledger.restricted else ()
        return (
            _Withheld("restricted", max(self._ledger.restricted[name] for name in restricted)) if restricted else None
        )

    def _content(self, segment: int, slot: int, chunks: int) -> tuple[bytes, bytes]:
        if not self._is_inside(segment, chunks):
            raise TamperedError("a row points outside the segments")
        first = self._segment(segment)
        if not 0 <= slot < len(first.slices):
            raise TamperedError("a row points outside its segment")
        row_key = segments.row_key(first.salt, slot)
        if chunks == 1:
            return first.slices[slot], row_key
        parts = [self._segment(number).slices for number in range(segment, segment + chunks)]
        if not all(parts):
            raise TamperedError("a chunk of a row is empty")
        return b"".join(part[0] for part in parts), row_key

    def _is_inside(self, segment: int, chunks: int) -> bool:
        return segment >= 0 and chunks >= 1 and segment + chunks <= self._segments

    def _segment(self, number: int) -> segments.Opened:
        opened = self._open.get(number)
        if opened is None:
            self._load([(number, 1)])
            opened = self._open.get(number)
        if opened is None:
            raise self._failed.get(number, FormatError(f"no segment {number}"))
        return opened

    def _load(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Decrypt the segments that are asked for and not open yet."""
        numbers = {number for first, chunks in wanted for number in range(first, first + chunks)} - self._open.keys()
        numbers -= self._ledger.endings.moved.get(self._path, {}).keys()
        self._failed = {}
        if len(self._open) > _KEPT_SEGMENTS:
            self._open.clear()
        try:
            for number, owner, version, sealed in self._reader.segments(sorted(numbers)) if numbers else ():
                try:
                    self._open[number] = self._keys.unseal(number, owner, version, sealed)
                except EvidenceError as error:
                    self._failed[number] = error
        except EvidenceError as error:
            self._failed = dict.fromkeys(numbers, error)


class _MovedSegments:
    """Segments that a redaction has sealed again, in objects of their own."""

    def __init__(self, objects: ReadObjects, keyring: Keyring, store: str) -> None:
        self._objects = objects
        self._keyring = keyring
        self._store = store
        self._open: dict[str, dict[int, dict[int, segments.Kept]]] = {}

    def content(self, place: Moved, slot: int) -> tuple[bytes, bytes]:
        """Content and row key of one row."""
        kept = self._object(place).get(place.number, {}).get(slot)
        if kept is None:
            raise TamperedError("a resealed segment lacks a row", path=place.content.path)
        return kept.slice, kept.row_key

    def _object(self, place: Moved) -> dict[int, dict[int, segments.Kept]]:
        path = place.content.path
        if path not in self._open:
            keys = PartitionKeys(self._keyring, self._store, path)
            data = self._objects.get(path)
            self._open[path] = {
                number: keys.unseal_resealed(number, owner, version, sealed)
                for number, owner, version, sealed in iterate_segments(read_table(open_parquet(data, path), path))
                if keys.opens(number)
            }
        return self._open[path]


def _subjects(line: Mapping[str, Any]) -> set[str]:
    """Everybody whom a line names, the owner of its content included."""
    named = {reference for references in line.get("subjects", {}).values() for reference in references}
    return {*named, line["content"]["owner"]}
