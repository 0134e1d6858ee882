"""The records of a bundle: lines byte for byte, and the same records typed, as a view for tools that want a table."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ledger import records
from reports.bundle.writer import BundleWriter
from reports.sampling.drawing import POPULATION
from reports.selection.choosing import Part

_HEADER: Final = ",".join(POPULATION).encode() + b"\n"
_PLACE: Final = pa.schema([("partition", pa.int64()), ("row", pa.int64()), ("record", pa.string())])
_SCHEMA: Final = pa.schema([*_PLACE, *records.DERIVED])


class Lines:
    """Files that grow together, partition by partition, until an archive takes them one by one.

    Packed, in memory: nothing of a bundle is on a disk but in the bundle itself.
    """

    NAMES: Final = ("records.jsonl", "content.jsonl", "context.csv", "context.jsonl")

    def __init__(self) -> None:
        self._files: dict[str, _Packed] = {}

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Append to one of the files."""
        self._files.setdefault(name, _Packed()).write(b"".join(pieces))

    def take(self, part: Part, lines: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """The shown lines of a partition."""
        if part.lined:
            self.write("records.jsonl", (lines[row] + b"\n" for row in part.lined))
        if part.context:
            rows, index = sorted(part.context), part.entry.index
            self.write("context.jsonl", (lines[row] + b"\n" for row in rows))
            header = () if "context.csv" in self._files else (_HEADER,)
            stated = (f"{index},{row},{leaves[row].hex()},{part.context[row]}\n".encode() for row in rows)
            self.write("context.csv", (*header, *stated))

    def add_to(self, writer: BundleWriter) -> None:
        """All files as payload of a bundle."""
        for name in self.NAMES:
            if name in self._files:
                with writer.open(name) as out:
                    for piece in self._files[name].pieces():
                        out.write(piece)


class _Packed:
    """Bytes that are kept deflated until they are read, once."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(1)
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._kept.append(self._packer.compress(data))

    def pieces(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj()
        for packed in (*self._kept, self._packer.flush()):
            yield unpacker.decompress(packed)
        yield unpacker.flush()


class Table:
    """``records.parquet``: where each record stands, and the typed columns that follow from its line."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._writer = pq.ParquetWriter(self._out, _SCHEMA, compression="zstd", version="2.6")

    def take(self, part: Part, lines: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """The shown records of a partition."""
        rows = part.lined
        blocks = [
            _block(part.entry.index, rows[start : start + records.BLOCK], lines, leaves)
            for start in range(0, len(rows), records.BLOCK)
        ]
        if blocks:
            self._writer.write_table(pa.Table.from_batches(blocks))

    def bytes(self) -> bytes:
        """The whole file."""
        self._writer.close()
        return self._out.getvalue()


def _block(partition: int, rows: Sequence[int], lines: Sequence[bytes], leaves: Sequence[bytes]) -> pa.RecordBatch:
    place = [
        pa.array([partition] * len(rows), pa.int64()),
        pa.array(rows, pa.int64()),
        pa.array([leaves[row].hex() for row in rows], pa.string()),
    ]
    typed = records.derive(records.read_lines([lines[row] for row in rows]))
    return pa.record_batch([*place, *typed], schema=_SCHEMA)
