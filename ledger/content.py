"""Opening content: from rows of a partition to their exact bytes, each checked against its commitment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ledger import merkle, records, segments
from ledger.decryption import PartitionKeys, reason
from ledger.errors import EvidenceError, FormatError, TamperedError
from ledger.keyring.keyring import Keyring
from ledger.objects.base import ReadObjects
from ledger.partition_reader import PartitionReader

_KEPT_SEGMENTS: Final = 64


class Revealed(NamedTuple):
    """One row's content. ``bytes`` is None where it cannot be shown; ``state`` is then why.

    ``state``: ``verified`` (commitment recomputed), ``erased``, ``unverifiable`` (no key here), ``tampered``, ``lost``.
    ``row_key`` is the salted prefix that lets another recompute the commitment of this row alone.
    """

    record: bytes
    line: dict[str, Any]
    bytes: bytes | None
    state: str
    row_key: bytes | None


class ContentReader:
    """Opens the content of rows of one partition."""

    def __init__(self, objects: ReadObjects, keyring: Keyring, store: str, entry: Mapping[str, Any]) -> None:
        self._reader = PartitionReader(objects, entry)
        self._keys = PartitionKeys(keyring, store, entry["content"]["path"])
        self._open: dict[int, segments.Opened] = {}
        self._failed: dict[int, EvidenceError] = {}

    def rows(self, first: int, count: int) -> Iterator[Revealed]:
        """The rows from ``first``, in the order of the partition, each with its content or the reason for none."""
        yield from self.open_rows(self._reader.rows(first, count))

    def all_rows(self) -> Iterator[Revealed]:
        """Every row."""
        yield from self.open_rows(self._reader.all_rows(["line", "segment", "slot", "chunks"]))

    def open_rows(self, table: pa.Table) -> Iterator[Revealed]:
        """The content of the rows of a table with columns line, segment, slot, chunks."""
        columns = [table.column(name).to_pylist() for name in ("line", "segment", "slot", "chunks")]
        self._load([(segment, chunks) for segment, chunks in zip(columns[1], columns[3], strict=True)])
        for line, segment, slot, chunks in zip(*columns, strict=True):
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
        first = self._segment(segment)
        if slot >= len(first.slices):
            raise TamperedError("a row points outside its segment")
        row_key = segments.row_key(first.salt, slot)
        if chunks == 1:
            return first.slices[slot], row_key
        return b"".join(self._segment(number).slices[0] for number in range(segment, segment + chunks)), row_key

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
