"""Builds a partition: rows in; the bytes of its two files and the body of its ledger entry out. Pure but for chance.

This is ingest's hot loop. Rows of one owner and one session go into one segment, because that is what compresses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ledger import merkle, parquet, record_line, records, segments
from ledger.errors import FormatError, StorageError
from ledger.kdf import DataKey, input_digest
from ledger.keytree import KeyTree
from ledger.objects.base import AppendObjects
from ledger.record_line import Content, RecordLine

SEGMENT_TARGET: Final = 8 * 1024 * 1024
"""Bytes after which a segment is closed and the owner's next slice opens another."""


class Row(NamedTuple):
    """One record to be: its line, in which ``build`` sets what says of the content; its exact content and its owner."""

    line: RecordLine
    content: bytes
    owner: str

    @classmethod
    def of(cls, fields: dict[str, Any], content: bytes, owner: str) -> Row:
        """From all fields of a line but ``_`` and ``content``. Raises FormatError."""
        return cls(record_line.from_fields(fields), content, owner)


class Place(NamedTuple):
    """Where a partition will stand: the store's id and the paths of its two files."""

    store: str
    events: str
    content: str


class Built(NamedTuple):
    """A partition's files, the body of its entry (without day, class and spools, which the caller adds), and the
    source keys in row order (little-endian u64).
    """

    events: bytes
    content: bytes
    body: dict[str, Any]
    source_keys: bytes


@dataclass(slots=True)
class _Segment:
    owner: str
    salt: bytes
    commitments: segments.Commitments
    slices: list[bytes] = field(default_factory=list)
    size: int = 0


class _Segments:
    """Assigns slices to segments and seals them."""

    def __init__(self, place: Place, tree: KeyTree, keys: Mapping[str, DataKey]) -> None:
        self._place = place
        self._tree = tree
        self._keys = keys
        self._open: dict[tuple[str | None, str], int] = {}
        self._all: list[_Segment] = []

    def add(self, session: str | None, owner: str, content: bytes) -> tuple[int, int, int, bytes]:
        """(segment, slot, chunks, commitment) of one slice."""
        if len(content) > segments.CHUNK:
            return self._add_chunks(owner, content)
        number = self._open.get((session, owner), -1)
        if number < 0 or self._all[number].size + len(content) > SEGMENT_TARGET:
            number = self._open[(session, owner)] = self._new(owner)
        segment = self._all[number]
        slot = len(segment.slices)
        segment.slices.append(content)
        segment.size += len(content) + 4
        return number, slot, 1, segment.commitments.of(slot, content)

    def _add_chunks(self, owner: str, content: bytes) -> tuple[int, int, int, bytes]:
        first = len(self._all)
        for start in range(0, len(content), segments.CHUNK):
            number = self._new(owner)
            self._all[number].slices.append(content[start : start + segments.CHUNK])
        return first, 0, len(self._all) - first, self._all[first].commitments.of(0, content)

    def _new(self, owner: str) -> int:
        salt = segments.new_salt()
        self._all.append(_Segment(owner, salt, segments.Commitments(salt)))
        return len(self._all) - 1

    def seal(self) -> list[tuple[str, int, bytes, bytes]]:
        """(owner, key version, nonce, ciphertext) per segment; the slices are let go as they are sealed."""
        sealed = []
        for (number, leaf), segment in zip(self._tree.walk(len(self._all)), self._all, strict=True):
            version, owner_key = self._keys[segment.owner]
            context = segments.SegmentId(
                self._place.store, self._place.content, number, segment.owner, version
            ).context()
            key = segments.segment_key(owner_key, leaf, context)
            nonce, ciphertext = segments.seal(key, context, segment.salt, segment.slices)
            segment.slices = []
            sealed.append((segment.owner, version, nonce, ciphertext))
        return sealed


def _order(row: Row) -> tuple[str, str, int, int]:
    """Session, time, then the order of the input. Without the Z, RFC 3339 UTC texts sort at any precision."""
    line = row.line
    step, part = (line.input.step, line.input.part or 0) if line.input else (0, 0)
    return line.session or "", (line.occurred_at or line.observed_at)[:-1], step, part


def build(rows: Iterable[Row], place: Place, tree: KeyTree, keys: Mapping[str, DataKey]) -> Built:
    """One partition of at least one row. Raises FormatError for a line that is too long."""
    waiting = sorted(rows, key=_order)
    if not waiting:
        raise FormatError("a partition has at least one row")
    kept = _Segments(place, tree, keys)
    lines = _Lines(kept)
    for start in range(0, len(waiting), records.BLOCK):
        lines.add(waiting[start : start + records.BLOCK])
    waiting.clear()
    events = parquet.write_events(lines.columns)
    sealed = kept.seal()
    content_file = parquet.write_content(sealed)
    body = {
        "events": _object(place.events, events),
        "content": _object(place.content, content_file),
        "rows": len(lines.leaves),
        "segments": len(sealed),
        "root": merkle.root(lines.leaves).hex(),
        "schema": records.SCHEMA_SHA256,
        "inputs": lines.inputs(tree),
        **lines.summary.as_entry(),
    }
    return Built(events, content_file, body, lines.source_keys())


class _Lines:
    """Record lines, leaves and typed columns, block by block."""

    def __init__(self, kept: _Segments) -> None:
        self._kept = kept
        self.leaves: list[bytes] = []
        self.columns: list[list[pa.Array]] = []
        self.summary = records.Summary()
        self._pieces: dict[tuple[str, int], list[tuple[int, str]]] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Commit to the contents of some rows, in the order of the partition, and encode their lines."""
        location: tuple[list[int], list[int], list[int]] = ([], [], [])
        for line, content, owner in rows:
            segment, slot, chunks, commitment = self._kept.add(line.session, owner, content)
            location[0].append(segment)
            location[1].append(slot)
            location[2].append(chunks)
            line.content = Content(commitment.hex(), records.length_class(len(content)), owner)
        kept = [row.line for row in rows]
        lines = record_line.write_block(kept)
        if max(map(len, lines)) > records.MAX_LINE:
            raise FormatError(f"a record line has at most {records.MAX_LINE} bytes")
        self.leaves += merkle.leaf_hashes(lines)
        places = [pa.array(numbers, pa.int32()) for numbers in location]
        self.columns.append([pa.array(lines, pa.binary()), *records.derive(kept), *places])
        self.summary.add(kept)
        for portion, pieces in records.portions(kept).items():
            self._pieces.setdefault(portion, []).extend(pieces)

    def inputs(self, tree: KeyTree) -> list[dict[str, Any]]:
        """What each portion of an input has here: how many rows, and their digest under the partition's key."""
        root = tree.nodes[(0, 0)]
        return [
            {
                "ref": ref,
                "step": step,
                "rows": len(found),
                "digest": input_digest(root, [commitment for _, commitment in sorted(found)]),
            }
            for (ref, step), found in sorted(self._pieces.items())
        ]

    def source_keys(self) -> bytes:
        """The source keys in row order (little-endian u64)."""
        at = records.SCHEMA.get_field_index("source_key")
        return b"".join(block[at].to_numpy().astype("<u8").tobytes() for block in self.columns)


def write(objects: AppendObjects, place: Place, built: Built) -> None:
    """Make a partition's two objects durable. Raises StorageError if a name is taken by other bytes."""
    for path, data in ((place.events, built.events), (place.content, built.content)):
        if not objects.put_if_absent(path, data):
            raise StorageError(f"other bytes stand at {path}", path=path)


def _object(path: str, data: bytes) -> dict[str, Any]:
    return {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
