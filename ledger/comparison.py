"""Rows that the ledger has, for ingest to compare with what comes in: shown to nobody, so no access is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ledger.content import ContentReader
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
