"""Opening content: from rows of a partition to their exact bytes, each checked against its commitment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ledger import merkle, records, segments
from ledger.decryption import PartitionKeys, reason
from ledger.errors import EvidenceError, FormatError, TamperedError
from ledger.keyring.keyring import Keyring
from ledger.objects.base import ReadObjects
from ledger.partition_reader import PartitionReader
from ledger.revealed import Revealed as Revealed

_KEPT_SEGMENTS: Final = 64


class ContentReader:
    """Opens the content of rows of one partition."""

    def __init__(
        self,
        objects: ReadObjects,
        keyring: Keyring,
        store: str,
        entry: Mapping[str, Any],
        events: Path | None = None,
    ) -> None:
        self._reader = PartitionReader(objects, entry, events)
        self._keys = PartitionKeys(keyring, store, entry["content"]["path"])
        self._segments: int = entry["segments"]
        self._open: dict[int, segments.Opened] = {}
        self._failed: dict[int, EvidenceError] = {}

    def rows(self, first: int, count: int) -> Iterator[Revealed]:
        """The rows from ``first``, in the order of the partition, each with its content or the reason for none."""
        yield from self.open_rows(self._reader.rows(first, count))

    def all_rows(self) -> Iterator[Revealed]:
        """Every row."""
        yield from self.open_rows(self._reader.all_rows(["line", "segment", "slot", "chunks"]))

    def chosen(self, rows: Sequence[int]) -> Iterator[Revealed]:
        """The given rows, in the order given. Raises FormatError for a row that is not there."""
        table = self._reader.all_rows(["line", "segment", "slot", "chunks"])
        if any(not 0 <= row < len(table) for row in rows):
            raise FormatError(f"a partition of {len(table)} rows does not have the row that was asked for")
        yield from self.open_rows(table.take(list(rows)))

    def open_rows(self, table: pa.Table) -> Iterator[Revealed]:
        """The content of the rows of a table with columns line, segment, slot, chunks."""
        lines = table.column("line").to_pylist()
        # A number that is missing points nowhere, like one that is outside.
        location = [table.column(name).fill_null(-1).to_pylist() for name in ("segment", "slot", "chunks")]
        places = zip(location[0], location[2], strict=True)
        self._load([(segment, chunks) for segment, chunks in places if self._is_inside(segment, chunks)])
        for line, segment, slot, chunks in zip(lines, *location, strict=True):
            parsed = records.parse_line(line)
            yield self._reveal(merkle.leaf_hash(line), parsed, segment, slot, chunks)

    def _reveal(self, record: bytes, line: dict[str, Any], segment: int, slot: int, chunks: int) -> Revealed:
        try:
            content, row_key = self._content(segment, slot, chunks)
            if segments.commitment_of(row_key, content).hex() != line["content"]["commitment"]:
                raise TamperedError("the content is not the one that the record commits to")
        except EvidenceError as error:
            return Revealed(record, line, None, reason(error), None)
        return Revealed(record, line, content, "verified", row_key)

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
