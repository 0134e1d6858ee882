"""Reads a partition's files: whole for verification, a few row groups for one session."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ledger import records
from ledger.errors import FormatError, TamperedError
from ledger.objects.base import ReadObjects
from ledger.segments import Sealed

_BROKEN: Final = (pa.ArrowException, ArithmeticError, LookupError, MemoryError, OSError, TypeError, ValueError)
"""What the Parquet reader raises for bytes that are no Parquet, or that were altered: far from only its own errors."""


class RangeFile(io.RawIOBase):
    """An object as a seekable file that reads only the ranges it is asked for."""

    def __init__(self, objects: ReadObjects, path: str, size: int) -> None:
        self._objects = objects
        self._path = path
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; the new position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        length = max(self._size - self._at, 0) if size < 0 else size
        data = self._objects.get_range(self._path, self._at, length) if length else b""
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        """The rest."""
        return self.read(-1)


def open_parquet(source: bytes | RangeFile | Path, path: str) -> pq.ParquetFile:
    """A Parquet file. Raises TamperedError where the bytes are none."""
    try:
        if isinstance(source, Path):
            return pq.ParquetFile(pa.memory_map(str(source)))
        return pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else pa.PythonFile(source, mode="r"))
    except _BROKEN:
        raise TamperedError(f"{path} is no Parquet file", path=path) from None


def read_table(
    file: pq.ParquetFile, path: str, groups: Sequence[int] | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """All or some row groups and columns. Raises TamperedError where they cannot be decoded."""
    try:
        wanted = range(file.metadata.num_row_groups) if groups is None else groups
        names = None if columns is None else list(columns)
        table = file.read_row_groups(list(wanted), columns=names, use_threads=False)
        # Bytes that were altered can decode to text that is not UTF-8, which would fail only where it is read.
        table.validate(full=True)
        return table
    except _BROKEN:
        raise TamperedError(f"{path} cannot be decoded", path=path) from None


class PartitionReader:
    """Reads rows and sealed segments of one partition by ranges."""

    def __init__(self, objects: ReadObjects, entry: Mapping[str, Any], events: Path | None = None) -> None:
        """``events``: a local copy of the events file that the caller has checked; else it is read from the store."""
        self.entry = entry
        path = entry["events"]["path"]
        self._events = self._open(objects, entry["events"]) if events is None else open_parquet(events, path)
        self._objects = objects
        self._content: pq.ParquetFile | None = None

    @staticmethod
    def _open(objects: ReadObjects, item: Mapping[str, Any]) -> pq.ParquetFile:
        return open_parquet(RangeFile(objects, item["path"], item["size"]), item["path"])

    def rows(self, first: int, count: int, columns: Sequence[str] = ("line", "segment", "slot", "chunks")) -> pa.Table:
        """``count`` rows from row ``first``, reading only the row groups that hold them."""
        groups: list[int] = []
        skip = at = 0
        for group in range(self._events.metadata.num_row_groups):
            size = self._events.metadata.row_group(group).num_rows
            if at < first + count and at + size > first:
                if not groups:
                    skip = first - at
                groups.append(group)
            at += size
        table = read_table(self._events, self.entry["events"]["path"], groups, columns)
        return table.slice(skip, count)

    def all_rows(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Every row of the partition."""
        return read_table(self._events, self.entry["events"]["path"], None, columns)

    def segments(self, numbers: Sequence[int]) -> Iterator[tuple[int, str, int, Sealed]]:
        """(number, owner, key version, sealed bytes) of the given segments, reading only their row groups."""
        path = self.entry["content"]["path"]
        if self._content is None:
            self._content = self._open(self._objects, self.entry["content"])
        wanted = set(numbers)
        groups, at = [], 0
        for group in range(self._content.metadata.num_row_groups):
            size = self._content.metadata.row_group(group).num_rows
            if any(at <= number < at + size for number in wanted):
                groups.append(group)
            at += size
        if not groups:
            raise FormatError(f"{path} has no such segment", path=path)
        for row in iterate_segments(read_table(self._content, path, groups)):
            if row[0] in wanted:
                yield row


def iterate_segments(table: pa.Table) -> Iterator[tuple[int, str, int, Sealed]]:
    """The rows of a content file. Raises FormatError for another schema, or numbers that no segment has."""
    if not table.schema.equals(records.CONTENT_SCHEMA):
        raise FormatError("a content file with another schema")
    columns = [table.column(name).to_pylist() for name in ("segment", "owner", "version", "nonce", "ciphertext")]
    for number, owner, version, nonce, ciphertext in zip(*columns, strict=True):
        if number < 0 or version < 1:
            raise FormatError("a content file with an impossible segment number or key version")
        yield number, owner, version, Sealed(nonce, ciphertext)
