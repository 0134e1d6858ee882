"""Level ``deep``: every line to its leaf, the roots, the typed columns, and, where keys are held, the content.

Works on one partition at a time, so that partitions can be checked in parallel. This is verification's hot loop.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
import pyarrow as pa

from ledger import merkle, records, segments
from ledger.errors import ErasedError, EvidenceError, FormatError, MissingObjectError
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
    content = _read(objects, entry["content"], checked) if decryptor is not None else None
    rows = _guard(checked, entry["events"]["path"], lambda: _check_events(entry, events, checked)) if events else None
    if rows is not None and content and decryptor is not None:
        keys = decryptor.partition(entry["content"]["path"])
        _guard(checked, entry["content"]["path"], lambda: _check_content(entry, content, rows, keys, checked))
    return checked


_T = TypeVar("_T")


def _guard(checked: Checked, path: str, check: Callable[[], _T]) -> _T | None:
    try:
        return check()
    except EvidenceError as error:
        checked.problems.append(Problem("tampered", str(error.where.get("path", path)), error.message))
        return None


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
    table = read_table(open_parquet(data, path), path)
    if not table.schema.equals(events_schema()):
        raise FormatError("an events file with another schema")
    lines: list[bytes] = table.column("line").to_pylist()
    parsed = _parse(lines, path, checked)
    checked.rows = len(lines)
    if len(lines) != entry["rows"]:
        raise FormatError(f"it has {len(lines)} rows, its entry says {entry['rows']}")
    if merkle.root(merkle.leaf_hashes(lines)).hex() != entry["root"]:
        checked.problems.append(Problem("tampered", path, "the lines have another root than the entry states"))
    if len(parsed) != len(lines):
        return None
    _check_columns(table, parsed, path, checked)
    _check_summary(entry, parsed, path, checked)
    location = tuple(table.column(name).to_pylist() for name in ("segment", "slot", "chunks"))
    checked.accesses = [_access_number(line) for line in parsed if line["kind"] == "access"]
    return _Rows(lines, parsed, (location[0], location[1], location[2]))


def _parse(lines: Sequence[bytes], path: str, checked: Checked) -> list[Mapping[str, Any]]:
    parsed: list[Mapping[str, Any]] = []
    parse = records.parse_line
    for row, line in enumerate(lines):
        try:
            parsed.append(parse(line))
        except FormatError as error:
            record = merkle.leaf_hash(line).hex()
            checked.problems.append(Problem("tampered", path, error.message, row, record))
    return parsed


def _check_columns(table: pa.Table, parsed: Sequence[Mapping[str, Any]], path: str, checked: Checked) -> None:
    """The typed columns must be the ones that follow from the lines."""
    for name, derived in zip(_COLUMNS, records.derive(parsed), strict=True):
        stored = table.column(name).combine_chunks()
        expected = derived.cast(stored.type) if pa.types.is_dictionary(derived.type) else derived
        if stored.equals(expected):
            continue
        pairs = zip(stored.to_pylist(), expected.to_pylist(), strict=True)
        for row in [number for number, (left, right) in enumerate(pairs) if left != right][:_NAMED_ROWS]:
            checked.problems.append(
                Problem("tampered", path, f"column {name} differs from the line", row, _record(table, row))
            )


_NAMED_ROWS: Final = 100


def _record(table: pa.Table, row: int) -> str:
    return merkle.leaf_hash(table.column("line")[row].as_py()).hex()


def _check_summary(entry: Mapping[str, Any], parsed: Sequence[Mapping[str, Any]], path: str, checked: Checked) -> None:
    kinds = dict(Counter(line["kind"] for line in parsed))
    if kinds != entry.get("kinds"):
        checked.problems.append(Problem("tampered", path, "the rows are of other kinds than the entry states"))
    if any(line["retention_class"] != entry.get("retention_class") for line in parsed):
        checked.problems.append(Problem("tampered", path, "a row has another retention class than the entry states"))


def _access_number(line: Mapping[str, Any]) -> tuple[str, int]:
    spool, _, number = line["source_id"].partition("/")
    return spool, int(number) if number.isdigit() else -1


# -- content


def _check_content(entry: Mapping[str, Any], data: bytes, rows: _Rows, keys: Keys, checked: Checked) -> None:
    path = entry["content"]["path"]
    sealed = list(iterate_segments(read_table(open_parquet(data, path), path)))
    if [item[0] for item in sealed] != list(range(entry["segments"])):
        raise FormatError("its segments are not the ones that its entry states")
    prepared: EvidenceError | None = None
    try:
        keys.prepare({(owner, version) for _, owner, version, _ in sealed}, len(sealed))
    except EvidenceError as error:
        prepared = error
    wanted = _rows_of_segments(rows, len(sealed))
    chunks: dict[int, bytes] = {}
    for number, owner, version, segment in sealed:
        try:
            if prepared is not None:
                raise prepared
            opened = keys.unseal(number, owner, version, segment)
        except EvidenceError as error:
            _closed(wanted[number], owner, error, path, rows, checked)
            continue
        if wanted[number]:
            _check_slices(opened, wanted[number], path, rows, chunks, checked)
        else:
            # A later chunk of an oversized slice: hashed when its last chunk is there.
            chunks[number] = opened.slices[0] if opened.slices else b""
    _check_chunked(rows, chunks, path, checked)


def _rows_of_segments(rows: _Rows, count: int) -> list[list[int]]:
    """Per segment the rows whose content begins in it. Raises FormatError for a row that points outside."""
    wanted: list[list[int]] = [[] for _ in range(count)]
    for row, (segment, chunks) in enumerate(zip(rows.location[0], rows.location[2], strict=True)):
        if not (0 <= segment and segment + chunks <= count and chunks >= 1):
            raise FormatError(f"row {row} points outside the segments")
        wanted[segment].append(row)
    return wanted


def _check_slices(
    opened: segments.Opened,
    wanted: Sequence[int],
    path: str,
    rows: _Rows,
    chunks: dict[int, bytes],
    checked: Checked,
) -> None:
    """Recompute the commitment of every row in an opened segment."""
    salt, slices = opened
    slots, lengths = rows.location[1], rows.location[2]
    commitment, parsed = segments.commitment, rows.parsed
    for row in wanted:
        slot = slots[row]
        if slot >= len(slices):
            checked.problems.append(_wrong(rows, row, path, "the row points outside its segment"))
            continue
        if lengths[row] > 1:
            chunks[-row - 1] = segments.row_key(salt, slot)
            chunks[rows.location[0][row]] = slices[slot]
            continue
        data = slices[slot]
        checked.content_rows += 1
        checked.content_bytes += len(data)
        if commitment(salt, slot, data).hex() != parsed[row]["content"]["commitment"]:
            checked.problems.append(_wrong(rows, row, path, "the content is not the one that the record commits to"))


def _check_chunked(rows: _Rows, chunks: Mapping[int, bytes], path: str, checked: Checked) -> None:
    """Slices that were cut into several segments: one commitment over all of them."""
    for row, length in enumerate(rows.location[2]):
        if length == 1 or -row - 1 not in chunks:
            continue
        first = rows.location[0][row]
        parts = [chunks.get(number) for number in range(first, first + length)]
        if any(part is None for part in parts):
            continue
        digest = hashlib.sha256(chunks[-row - 1])
        for part in parts:
            digest.update(part or b"")
        checked.content_rows += 1
        if digest.hexdigest() != rows.parsed[row]["content"]["commitment"]:
            checked.problems.append(_wrong(rows, row, path, "the content is not the one that the record commits to"))


def _wrong(rows: _Rows, row: int, path: str, reason: str) -> Problem:
    return Problem("tampered", path, reason, row, merkle.leaf_hash(rows.lines[row]).hex())


def _closed(
    wanted: Sequence[int], owner: str, error: EvidenceError, path: str, rows: _Rows, checked: Checked
) -> None:
    """Count the rows of a segment that did not open.

    Where the file has the SHA-256 that its entry states, ciphertext that does not open means a wrong key, not
    altered content: that is unverifiable. Where it has not, the file is named as tampered already.
    """
    state = "erased" if isinstance(error, ErasedError) else "unverifiable"
    if isinstance(error, FormatError):
        checked.problems += [_wrong(rows, row, path, error.message) for row in wanted[:_NAMED_ROWS]]
        return
    counts = checked.closed.setdefault(state, {})
    counts[owner] = counts.get(owner, 0) + len(wanted)
