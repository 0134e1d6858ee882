"""Level ``deep``: every line to its leaf, the roots, the typed columns, and, where keys are held, the content.

Works on one partition at a time, so that partitions can be checked in parallel. This is verification's hot loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
import pyarrow as pa

from ledger import merkle, records, segments
from ledger.errors import (
    ErasedError,
    EvidenceError,
    FormatError,
    KeyringError,
    MissingObjectError,
    TamperedError,
    UnverifiableError,
)
from ledger.objects.base import ReadObjects
from ledger.partition_reader import events_schema, iterate_segments, open_parquet, read_table

_COLUMNS: Final = [field.name for field in records.DERIVED]


class Keys(Protocol):
    """Opens the segments of one partition (ledger.decryption.PartitionKeys)."""

    def prepare(self, owners: set[tuple[str, int]], segment_count: int) -> None:
        """Read all keys at once."""

    def unseal(self, number: int, owner: str, version: int, sealed: segments.Sealed) -> segments.Opened:
        """One segment; raises EvidenceError."""


class Decryptor(Protocol):
    """Hands out the keys of partitions (ledger.decryption.Decryptor)."""

    def partition(self, path: str) -> Keys:
        """The keys of the content object at ``path``."""


class Problem(msgspec.Struct):
    """One thing wrong in a partition: ``verdict`` is a Verdict's text."""

    verdict: str
    path: str
    reason: str
    row: int | None = None
    record: str | None = None


class Checked(msgspec.Struct):
    """What was checked in one partition. ``closed`` counts rows by the state and owner of content that did not open."""

    rows: int = 0
    bytes: int = 0
    content_rows: int = 0
    content_bytes: int = 0
    closed: dict[str, dict[str, int]] = {}
    problems: list[Problem] = []
    accesses: list[tuple[str, int]] = []


class _Rows(NamedTuple):
    lines: list[bytes]
    parsed: list[Mapping[str, Any]]
    location: tuple[list[int], list[int], list[int]]


def check_partition(objects: ReadObjects, entry: Mapping[str, Any], decryptor: Decryptor | None) -> Checked:
    """Everything that can be said of one partition. Raises nothing but StorageError."""
    checked = Checked(closed={}, problems=[], accesses=[])
    events = _read(objects, entry["events"], checked)
    content = _read(objects, entry["content"], checked)
    rows = _guard(checked, entry["events"]["path"], lambda: _check_events(entry, events, checked)) if events else None
    if rows is not None and content and decryptor is not None:
        keys = decryptor.partition(entry["content"]["path"])
        altered = hashlib.sha256(content).hexdigest() != entry["content"]["sha256"]
        check = _ContentCheck(entry, rows, keys, altered, checked)
        _guard(checked, entry["content"]["path"], lambda: check.run(content))
    return checked


_T = TypeVar("_T")


def _guard(checked: Checked, path: str, check: Callable[[], _T]) -> _T | None:
    try:
        return check()
    except EvidenceError as error:
        checked.problems.append(Problem(_verdict(error), str(error.where.get("path", path)), error.message))
        return None


def _verdict(error: EvidenceError) -> str:
    """What is of a later version than this program cannot be judged by it."""
    return "unverifiable" if isinstance(error, UnverifiableError) else "tampered"


def _read(objects: ReadObjects, item: Mapping[str, Any], checked: Checked) -> bytes | None:
    """An object whole, its size and SHA-256 compared with the entry; read on even if they differ, to name rows."""
    path = item["path"]
    try:
        data = objects.get(path)
    except MissingObjectError:
        checked.problems.append(Problem("lost", path, "the object is missing"))
        return None
    checked.bytes += len(data)
    if len(data) != item["size"]:
        checked.problems.append(Problem("tampered", path, f"it has {len(data)} bytes, its entry says {item['size']}"))
    elif hashlib.sha256(data).hexdigest() != item["sha256"]:
        checked.problems.append(Problem("tampered", path, "its SHA-256 is not the one in its entry"))
    return data


# -- lines and typed columns


def _check_events(entry: Mapping[str, Any], data: bytes, checked: Checked) -> _Rows | None:
    path = entry["events"]["path"]
    if entry["schema"] != records.SCHEMA_SHA256:
        raise UnverifiableError("its entry names a schema that this program does not know")
    table = read_table(open_parquet(data, path), path)
    if not table.schema.equals(events_schema()):
        raise FormatError("an events file with another schema than its entry states")
    lines: list[bytes] = table.column("line").to_pylist()
    parsed = _parse(lines, path, checked)
    checked.rows = len(lines)
    if len(lines) != entry["rows"]:
        raise FormatError(f"it has {len(lines)} rows, its entry says {entry['rows']}")
    if merkle.root(merkle.leaf_hashes(lines)).hex() != entry["root"]:
        checked.problems.append(Problem("tampered", path, "the lines have another root than the entry states"))
    if len(parsed) != len(lines):
        return None
    if not _check_columns(table, parsed, path, checked):
        return None
    _check_summary(entry, parsed, path, checked)
    checked.accesses = [_access_number(line) for line in parsed if line["kind"] == "access"]
    # A missing number becomes one that points outside the segments.
    location = [table.column(name).fill_null(-1).to_pylist() for name in ("segment", "slot", "chunks")]
    return _Rows(lines, parsed, (location[0], location[1], location[2]))


def _parse(lines: Sequence[bytes], path: str, checked: Checked) -> list[Mapping[str, Any]]:
    parsed: list[Mapping[str, Any]] = []
    parse = records.parse_line
    for row, line in enumerate(lines):
        try:
            parsed.append(parse(line))
        except (FormatError, UnverifiableError) as error:
            record = merkle.leaf_hash(line).hex()
            checked.problems.append(Problem(_verdict(error), path, error.message, row, record))
    return parsed


def _check_columns(table: pa.Table, parsed: Sequence[Mapping[str, Any]], path: str, checked: Checked) -> bool:
    """The typed columns must be the ones that follow from the lines. False if a line has not even its fields."""
    try:
        columns = records.derive(parsed)
    except _NOT_A_RECORD:
        for row in [row for row, line in enumerate(parsed) if not _has_columns(line)][:_NAMED_ROWS]:
            reason = "the line lacks fields of a record, or has them in another form"
            checked.problems.append(Problem("tampered", path, reason, row, _record(table, row)))
        return False
    for name, derived in zip(_COLUMNS, columns, strict=True):
        stored = table.column(name).combine_chunks()
        expected = derived.cast(stored.type) if pa.types.is_dictionary(derived.type) else derived
        if stored.equals(expected):
            continue
        pairs = zip(_plain(stored), _plain(expected), strict=True)
        for row in [number for number, (left, right) in enumerate(pairs) if left != right][:_NAMED_ROWS]:
            checked.problems.append(
                Problem("tampered", path, f"column {name} differs from the line", row, _record(table, row))
            )
    return True


_NAMED_ROWS: Final = 100
_NOT_A_RECORD: Final = (KeyError, TypeError, AttributeError, ValueError, OverflowError, pa.ArrowException)


def _plain(column: pa.Array) -> list[Any]:
    """Values to compare one by one; a time stays a number, since Python has no year 300,000."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def _has_columns(line: Mapping[str, Any]) -> bool:
    try:
        records.derive([line])
    except _NOT_A_RECORD:
        return False
    return True


def _record(table: pa.Table, row: int) -> str:
    return merkle.leaf_hash(table.column("line")[row].as_py()).hex()


def _check_summary(entry: Mapping[str, Any], parsed: Sequence[Mapping[str, Any]], path: str, checked: Checked) -> None:
    for name, expected in records.summary(parsed).items():
        if entry.get(name) != expected:
            checked.problems.append(Problem("tampered", path, f"the rows have another {name} than the entry states"))
    if any(line.get("retention_class") != entry.get("retention_class") for line in parsed):
        checked.problems.append(Problem("tampered", path, "a row has another retention class than the entry states"))


def _access_number(line: Mapping[str, Any]) -> tuple[str, int]:
    spool, _, number = str(line["source_id"]).partition("/")
    return spool, int(number) if number.isdigit() else -1


# -- content


class _ContentCheck:
    """Opens every segment of one partition and recomputes the commitment of every row.

    ``altered``: the content file is not the one that its entry states, so what does not open was changed.
    """

    def __init__(self, entry: Mapping[str, Any], rows: _Rows, keys: Keys, altered: bool, checked: Checked) -> None:
        self._entry = entry
        self._path = entry["content"]["path"]
        self._rows = rows
        self._keys = keys
        self._altered = altered
        self._checked = checked
        self._row_keys: dict[int, bytes] = {}
        self._chunks: dict[int, bytes] = {}
        """Segments that hold one chunk of an oversized slice: hashed when all of its chunks are there."""

    def run(self, data: bytes) -> None:
        """Raises FormatError or TamperedError where the file as a whole is wrong."""
        sealed = list(iterate_segments(read_table(open_parquet(data, self._path), self._path)))
        if [item[0] for item in sealed] != list(range(self._entry["segments"])):
            raise FormatError("its segments are not the ones that its entry states")
        wanted = self._rows_of_segments(len(sealed))
        prepared: EvidenceError | None = None
        try:
            self._keys.prepare({(owner, version) for _, owner, version, _ in sealed}, len(sealed))
        except EvidenceError as error:
            prepared = error
        for number, owner, version, segment in sealed:
            try:
                if prepared is not None:
                    raise prepared
                opened = self._keys.unseal(number, owner, version, segment)
            except EvidenceError as error:
                self._closed(wanted[number], owner, error)
                continue
            if wanted[number]:
                self._check_slices(opened, wanted[number], owner)
            else:
                self._chunks[number] = opened.slices[0] if opened.slices else b""
        self._check_chunked()

    def _rows_of_segments(self, count: int) -> list[list[int]]:
        """Per segment the rows whose content begins in it; a row that points outside is named."""
        wanted: list[list[int]] = [[] for _ in range(count)]
        for row, (segment, slot, chunks) in enumerate(zip(*self._rows.location, strict=True)):
            if segment >= 0 and chunks >= 1 and segment + chunks <= count and slot >= 0:
                wanted[segment].append(row)
            else:
                self._wrong(row, "the row points outside the segments")
        return wanted

    def _check_slices(self, opened: segments.Opened, wanted: Sequence[int], owner: str) -> None:
        """Recompute the commitment of every row that begins in an opened segment."""
        salt, slices = opened
        (first, slots, lengths), checked = self._rows.location, self._checked
        commitment, parsed = segments.commitment, self._rows.parsed
        for row in wanted:
            slot = slots[row]
            if slot >= len(slices):
                self._wrong(row, "the row points outside its segment")
                continue
            content = parsed[row]["content"]
            if content["owner"] != owner:
                self._wrong(row, "the content is sealed for another owner than the record names")
            if lengths[row] > 1:
                self._row_keys[row] = segments.row_key(salt, slot)
                self._chunks[first[row]] = slices[slot]
                continue
            data = slices[slot]
            checked.content_rows += 1
            checked.content_bytes += len(data)
            if commitment(salt, slot, data).hex() != content.get("commitment"):
                self._wrong(row, "the content is not the one that the record commits to")

    def _check_chunked(self) -> None:
        """Slices that were cut into several segments: one commitment over all of them."""
        for row, key in self._row_keys.items():
            first, length = self._rows.location[0][row], self._rows.location[2][row]
            parts = [self._chunks.get(number) for number in range(first, first + length)]
            if None in parts:
                continue
            data = b"".join(part for part in parts if part is not None)
            self._checked.content_rows += 1
            self._checked.content_bytes += len(data)
            if segments.commitment_of(key, data).hex() != self._rows.parsed[row]["content"].get("commitment"):
                self._wrong(row, "the content is not the one that the record commits to")

    def _wrong(self, row: int, reason: str) -> None:
        record = merkle.leaf_hash(self._rows.lines[row]).hex()
        self._checked.problems.append(Problem("tampered", self._path, reason, row, record))

    def _closed(self, wanted: Sequence[int], owner: str, error: EvidenceError) -> None:
        """Count the rows of a segment that did not open.

        Ciphertext that does not open in a file with the SHA-256 that its entry states means a wrong key, not altered
        content: that is unverifiable. In a file that was altered it was changed, and so was one that is no segment.
        """
        if isinstance(error, FormatError) or (self._altered and isinstance(error, TamperedError | KeyringError)):
            for row in wanted[:_NAMED_ROWS]:
                self._wrong(row, error.message)
            return
        state = "erased" if isinstance(error, ErasedError) else "unverifiable"
        counts = self._checked.closed.setdefault(state, {})
        counts[owner] = counts.get(owner, 0) + len(wanted)
