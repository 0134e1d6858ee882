"""The contents of a bundle's records: one file a partition, and a line for each record that says what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import TamperedError
from ledger.revealed import Revealed
from ledger.store import Store
from reports.archive import Hashed
from reports.bundle_records import Lines
from reports.bundle_writer import BundleWriter
from reports.selecting import Part, ranges

_ROWS_AT_ONCE: Final = 4096
"""Rows whose content is opened together, about a row group: bounds what is decrypted at a time."""


class Contents:
    """Opens the content of records and writes it. ``explain`` is told of each entry that says why some is not there."""

    def __init__(self, store: Store, receipt: Receipt, explain: Callable[[int], None]) -> None:
        self._store = store
        self._receipt = receipt
        self._explain = explain

    def write(self, writer: BundleWriter, lines: Lines, part: Part, leaves: Sequence[bytes]) -> Counter[str]:
        """The contents of a partition's selected rows, one after the other; how many are in which state.

        Where none of them can be opened, there is no file of contents.
        """
        states: Counter[str] = Counter()
        listed, offset = lines.file("content.jsonl"), 0
        with ExitStack() as stack:
            out: Hashed | None = None
            for row, item in self._opened(part):
                if item.record != leaves[row]:
                    path = part.entry.value["events"]["path"]
                    raise TamperedError(f"row {row} of {path} changed while it was exported", path=path)
                stated: dict[str, Any] = {"partition": part.entry.index, "record": item.record.hex(), "row": row}
                stated["state"] = item.state
                if item.bytes is not None and item.row_key is not None:
                    out = out or stack.enter_context(writer.open(f"content/{part.entry.index}.bin"))
                    stated |= {"offset": offset, "row_key": item.row_key.hex(), "size": len(item.bytes)}
                    offset += out.write(item.bytes)
                if item.entry is not None:
                    self._explain(item.entry)
                states[item.state] += 1
                listed.write(canonical.encode(stated) + b"\n")
        return states

    def _opened(self, part: Part) -> Iterator[tuple[int, Revealed]]:
        for first, number in ranges(part.rows):
            for start in range(first, first + number, _ROWS_AT_ONCE):
                rows = range(start, min(start + _ROWS_AT_ONCE, first + number))
                yield from zip(rows, self._store.reveal(self._receipt, part.entry.value, rows), strict=True)
