"""Finding one record by its id, and proving it up to the signed checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ledger import canonical, entries, merkle, records
from ledger.errors import FormatError, NotFoundError, TamperedError, UsageError
from ledger.notes import Verifier
from ledger.partition_reader import PartitionReader
from ledger.proofs import TlogProof, parse_proof, verify_proof
from replay.catalog import Catalog

EXTRA_TYPE: Final = "evidence/record-proof/1"
_ID: Final = re.compile(r"[0-9a-f]{6,64}\Z")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


class _Extra(msgspec.Struct, forbid_unknown_fields=True, rename={"type": "_"}):
    """What a proof's ``extra`` holds: the steps from a record's line to the partition's root."""

    type: str
    entry: str
    line: str
    path: list[str]
    row: int
    rows: int


class Place(NamedTuple):
    """Where a record is: its full id, partition number and row."""

    record_id: str
    partition: int
    row: int


class RecordProof(NamedTuple):
    """A record's proof: to the partition's root by ``path``, from the entry to the checkpoint by ``tlog_proof``."""

    record_id: str
    line: bytes
    row: int
    rows: int
    path: list[bytes]
    partition_root: bytes
    entry_index: int
    entry: bytes
    checkpoint_size: int
    tlog_proof: bytes


def find_record(catalog: Catalog, record_id: str) -> Place:
    """A record by its id or a unique beginning of it (at least 6 hex digits). Raises NotFoundError."""
    if not _ID.match(record_id):
        raise UsageError("a record id is 64 hex digits, or the first 6 or more of them")
    found = _places(catalog, "starts_with(id, ?) LIMIT 2", record_id)
    if len(found) != 1:
        problem = "several records begin with" if found else "no record"
        raise NotFoundError(f"{problem} {record_id} in this store")
    return found[0]


def find_records(catalog: Catalog, record_ids: Iterable[str]) -> dict[str, Place]:
    """The places of those of the given full ids that are there, in one pass over the lines."""
    found = _places(catalog, "list_contains(?::VARCHAR[], id)", list(record_ids))
    return {place.record_id: place for place in found}


def line_of(catalog: Catalog, place: Place) -> dict[str, Any]:
    """The record line at a place, which holds no content."""
    entry = catalog.partitions()[place.partition].value
    reader = PartitionReader(catalog.store.objects, entry, catalog.mirror.path(entry))
    (line,) = reader.rows(place.row, 1, ("line",)).column("line").to_pylist()
    return records.parse_line(line)


def _places(catalog: Catalog, condition: str, value: object) -> list[Place]:
    paths = catalog.events_paths()
    if not paths:
        return []
    numbers = {path: number for number, path in enumerate(paths)}
    rows = catalog.connection.execute(
        "SELECT id, filename, file_row_number FROM (SELECT filename, file_row_number, "
        "lower(sha256('\\x00'::BLOB || line)) AS id "
        f"FROM read_parquet(?, filename = true, file_row_number = true)) WHERE {condition}",
        [paths, value],
    ).fetchall()
    return [Place(record, numbers[path], row) for record, path, row in rows]


def prove(catalog: Catalog, place: Place, checkpoint: tuple[int, bytes]) -> RecordProof:
    """The proof of one record under a signed checkpoint, given as (size, note).

    Raises TamperedError if the partition's lines have not the root that its entry states.
    """
    entry = catalog.partitions()[place.partition]
    size, note = checkpoint
    if size > len(catalog.store.history.leaves):
        catalog.store.refresh()
    if entry.index >= size:
        raise NotFoundError("the record is committed but not published yet", hint="Run `evidence seal` to publish.")
    lines: list[bytes] = (
        PartitionReader(catalog.store.objects, entry.value).all_rows(["line"]).column("line").to_pylist()
    )
    leaves = merkle.leaf_hashes(lines)
    root = merkle.root(leaves)
    if root.hex() != entry.value["root"]:
        raise TamperedError("the lines have another root than the entry", path=entry.value["events"]["path"])
    path = merkle.inclusion_proof(leaves, place.row)
    hashes = merkle.inclusion_proof(catalog.store.history.leaves[:size], entry.index)
    extra = canonical.encode(
        {
            "_": EXTRA_TYPE,
            "entry": entry.data.decode(),
            "line": lines[place.row].decode(),
            "path": [item.hex() for item in path],
            "row": place.row,
            "rows": len(lines),
        }
    )
    proof = TlogProof(entry.index, tuple(hashes), note, extra)
    return RecordProof(
        place.record_id,
        lines[place.row],
        place.row,
        len(lines),
        path,
        root,
        entry.index,
        entry.data,
        size,
        proof.text(),
    )


def check(tlog_proof: bytes, verifiers: Sequence[Verifier]) -> None:
    """Verify a record's proof from its bytes alone, as anyone with the log's key can. Raises on any mismatch."""
    proof = parse_proof(tlog_proof)
    extra = _extra(proof)
    entry = entries.decode(extra.entry.encode())
    verify_proof(proof, extra.entry.encode(), verifiers)
    line = extra.line.encode()
    records.parse_line(line)
    if entry["type"] != "partition" or entry["rows"] != extra.rows:
        raise TamperedError("the proof's entry is no partition of the stated number of rows")
    path = [bytes.fromhex(item) for item in extra.path]
    merkle.verify_inclusion(merkle.leaf_hash(line), extra.row, extra.rows, path, bytes.fromhex(entry["root"]))


def _extra(proof: TlogProof) -> _Extra:
    try:
        extra = msgspec.convert(canonical.decode(proof.extra or b""), _Extra)
    except msgspec.ValidationError as error:
        raise FormatError(f"not a record's proof: {error}") from None
    if extra.type != EXTRA_TYPE or not all(map(_SHA256.match, extra.path)):
        raise FormatError("not a record's proof of a known version")
    return extra


def as_json(proof: RecordProof) -> dict[str, Any]:
    """For ``--json``: every step that a verifier repeats."""
    return {
        "record_id": proof.record_id,
        "line": proof.line.decode(),
        "row": proof.row,
        "rows": proof.rows,
        "path": [item.hex() for item in proof.path],
        "partition_root": proof.partition_root.hex(),
        "entry_index": proof.entry_index,
        "entry": proof.entry.decode(),
        "checkpoint_size": proof.checkpoint_size,
        "tlog_proof": proof.tlog_proof.decode(),
    }
