"""Rows that the ledger has, for ingest to compare with what comes in: shown to nobody, so no access is recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from ledger import merkle
from ledger.content import ContentReader
from ledger.keyring.digests import Portion
from ledger.partition_reader import PartitionReader
from ledger.revealed import Revealed

if TYPE_CHECKING:
    from ledger.store import Store


def existing_rows(store: Store, partition: int, rows: Sequence[int]) -> Iterator[Revealed]:
    """Rows of one partition by its number in the log; their segments are opened once. Raises FormatError."""
    entry = store.history.partitions()[partition].value
    return ContentReader(store.objects, store.keyring, store.ledger(), entry).chosen(rows)


def row_inputs(store: Store, partition: int, rows: Sequence[int]) -> list[str | None]:
    """The inputs that rows of one partition came from, by its number in the log."""
    entry = store.history.partitions()[partition].value
    inputs: list[str | None] = PartitionReader(store.objects, entry).all_rows(["input"]).column("input").to_pylist()
    return [inputs[row] for row in rows]


def portion_rows(store: Store, portion: Portion, paths: Collection[str]) -> Iterator[Revealed]:
    """The rows of one portion of an input, from the partitions with these content paths."""
    for entry in store.history.partitions():
        if entry.value["content"]["path"] in paths:
            table = PartitionReader(store.objects, entry.value).all_rows(["input", "step"])
            same = pc.and_(pc.equal(table["input"], portion.input), pc.equal(table["step"], portion.step))
            rows = pc.indices_nonzero(same).to_pylist()
            if rows:
                yield from ContentReader(store.objects, store.keyring, store.ledger(), entry.value).chosen(rows)


def portion_records(
    store: Store, portion: Portion, paths: Collection[str], records: Collection[bytes]
) -> Iterator[Revealed]:
    """Those rows of a portion that have one of these record ids; no other is opened."""
    for entry in store.history.partitions():
        if entry.value["content"]["path"] in paths:
            table = PartitionReader(store.objects, entry.value).all_rows(["line", "input", "step"])
            same = pc.and_(pc.equal(table["input"], portion.input), pc.equal(table["step"], portion.step))
            numbers = pc.indices_nonzero(same)
            lines = zip(numbers.to_pylist(), table["line"].take(numbers).to_pylist(), strict=True)
            rows = [row for row, line in lines if merkle.leaf_hash(line) in records]
            if rows:
                yield from ContentReader(store.objects, store.keyring, store.ledger(), entry.value).chosen(rows)
