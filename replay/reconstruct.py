"""The ingested file, byte for byte: its pieces in order, each opened and checked against its commitment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ingest.formats.sealed import REFERENCE, pieces_of
from ledger.access import Receipt
from ledger.entry_shapes import runs
from ledger.errors import (
    ErasedError,
    EvidenceError,
    LostError,
    NotFoundError,
    RestrictedError,
    UnverifiableError,
)
from ledger.revealed import Revealed
from replay.catalog import Catalog, parameter
from replay.records import find_records


def resolve_input(catalog: Catalog, uri: str, text: str) -> str:
    """An input by its location ``uri``, or its reference or a unique beginning of it. Raises NotFoundError."""
    bookmarks = catalog.store.bookmarks
    committed = catalog.store.committed_paths()
    current = bookmarks.alias(uri)
    here = [] if current is None else [current]
    for ref in (*here, *(known.ref for known in bookmarks.inputs_at(uri))):
        if bookmarks.last_step(ref, committed) is not None:
            return ref
    rows = catalog.connection.execute(
        "SELECT DISTINCT input FROM input_parts WHERE starts_with(input, ?) LIMIT 2", [parameter(text)]
    ).fetchall()
    if len(rows) != 1 or not text:
        raise NotFoundError(
            f"no input {text!a} in this store", hint="List them: evidence query 'SELECT * FROM inputs'."
        )
    return str(rows[0][0])


def reconstruct(catalog: Catalog, input_ref: str, receipt: Receipt) -> Iterator[bytes]:
    """The bytes of an input, portion by portion.

    Raises ErasedError where content was rendered unreadable by key destruction, RestrictedError where it is withheld,
    LostError for a missing piece.
    """
    steps = catalog.connection.execute(
        "SELECT step, list_sort(list(DISTINCT partition)) FROM input_parts WHERE input = ? GROUP BY step ORDER BY step",
        [input_ref],
    ).fetchall()
    if not steps:
        raise NotFoundError(f"no input {input_ref!a} in this store")
    for expected, (step, partitions) in enumerate(steps):
        if step != expected:
            raise LostError(f"portion {expected} of input {input_ref} is missing")
        yield from _portion(catalog, input_ref, step, partitions, receipt)


def _portion(
    catalog: Catalog, input_ref: str, step: int, partitions: Sequence[int], receipt: Receipt
) -> Iterator[bytes]:
    """The pieces of one portion, in order."""
    pieces: dict[int, bytes] = {}
    references: dict[int, str] = {}
    for number in partitions:
        for row in _rows_of(catalog, number, input_ref, step, receipt):
            _sort_out(row, pieces, references)
    pieces.update(_referenced(catalog, references, receipt))
    if sorted(pieces) != list(range(len(pieces))):
        raise LostError(f"a piece of portion {step} of input {input_ref} is missing")
    for part in range(len(pieces)):
        yield pieces[part]


def _rows_of(catalog: Catalog, number: int, input_ref: str, step: int, receipt: Receipt) -> Iterator[Revealed]:
    """The rows that an input's portion has in one partition, opened in runs."""
    entry = catalog.partitions()[number].value
    events = catalog.mirror.path(entry)
    found = catalog.connection.execute(
        "SELECT file_row_number FROM read_parquet(?, file_row_number = true) WHERE input = ? AND step = ? ORDER BY 1",
        [str(events), input_ref, step],
    ).fetchall()
    for first, last in runs(row[0] for row in found):
        for row in catalog.store.reveal(receipt, entry, range(first, last + 1), events):
            _content(row)
            yield row


def _sort_out(row: Revealed, pieces: dict[int, bytes], references: dict[int, str]) -> None:
    """What a row holds: bytes of pieces, or the names of records that hold them."""
    for piece in pieces_of(row.line, row.bytes or b""):
        if piece.type == REFERENCE:
            references[piece.part] = piece.payload.hex()
        else:
            pieces[piece.part] = piece.payload


def _referenced(catalog: Catalog, references: Mapping[int, str], receipt: Receipt) -> Iterator[tuple[int, bytes]]:
    """The contents of records that other inputs brought first."""
    places = find_records(catalog, set(references.values())) if references else {}
    by_partition: dict[int, list[tuple[int, int]]] = {}
    for part, record in references.items():
        if record not in places:
            raise LostError(f"record {record} is missing")
        by_partition.setdefault(places[record].partition, []).append((places[record].row, part))
    for number, wanted in by_partition.items():
        entry = catalog.partitions()[number].value
        rows = catalog.store.reveal(receipt, entry, [row for row, _ in wanted], catalog.mirror.path(entry))
        for (_, part), row in zip(wanted, rows, strict=True):
            yield part, _content(row)


def _content(row: Revealed) -> bytes:
    if row.bytes is None or row.state != "verified":
        kind = _GONE.get(row.state, UnverifiableError)
        raise kind(f"record {row.record.hex()} cannot be opened: {row.state}")
    return row.bytes


_GONE: Final[Mapping[str, type[EvidenceError]]] = {
    "erased": ErasedError,
    "expired": ErasedError,
    "lost": LostError,
    "redacted": ErasedError,
    "restricted": RestrictedError,
}
