"""The contents of a bundle's records: one file a partition, and a line for each record that says what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import TamperedError
from ledger.revealed import Revealed
from replay.catalog import Catalog
from reports.archive import Hashed
from reports.bundle.records import Lines
from reports.bundle.writer import BundleWriter
from reports.exports import sealed_content
from reports.selection.choosing import Part, batches


@dataclass(frozen=True)
class ContentGrant:
    """Leave to put content into a bundle: the receipt of an access record that was made durable first.

    ``export``: seal what is put in, under this reference (32 hex) of the export, so that it takes a grant to open it.
    """

    receipt: Receipt
    export: str | None = None


@dataclass
class Contents:
    """Opens the content of records and writes it. ``explain`` is told of each entry that says why some is not there.

    ``parts``: how each record is arranged for replay, by its id: sealed beside its content.
    """

    catalog: Catalog
    grant: ContentGrant
    explain: Callable[[int], None]
    parts: Mapping[bytes, bytes] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)

    def write(self, writer: BundleWriter, lines: Lines, part: Part, leaves: Sequence[bytes]) -> None:
        """The contents of a partition's selected rows, one after the other.

        Where none of them can be opened, there is no file of contents.
        """
        listed, offset = [], 0
        with ExitStack() as stack:
            out: Hashed | None = None
            for row, item in self._opened(part):
                if item.record != leaves[row]:
                    path = part.entry.value["events"]["path"]
                    raise TamperedError(f"row {row} of {path} changed while it was exported", path=path)
                stated = {"partition": part.entry.index, "record": item.record.hex(), "row": row, "state": item.state}
                if item.bytes is not None and item.row_key is not None:
                    data, key = self._shown(item, item.bytes, item.row_key)
                    out = out or stack.enter_context(writer.open(f"content/{part.entry.index}.bin"))
                    stated |= {"offset": offset, "size": len(data), **key}
                    offset += out.write(data)
                if item.entry is not None:
                    self.explain(item.entry)
                self.states[item.state] += 1
                listed.append(canonical.encode(stated) + b"\n")
        lines.write("content.jsonl", listed)

    def _shown(self, item: Revealed, content: bytes, row_key: bytes) -> tuple[bytes, dict[str, Any]]:
        """What stands in the file, and what its line says of a key."""
        if self.grant.export is None:
            return content, {"row_key": row_key.hex()}
        parts = self.parts.get(item.record, b"[]")
        return sealed_content.seal(bytes.fromhex(self.grant.export), item.record, row_key, parts, content), {}

    def _opened(self, part: Part) -> Iterator[tuple[int, Revealed]]:
        store, entry = self.catalog.store, part.entry.value
        path = self.catalog.mirror.path(entry)
        for rows in batches(part.lined):
            yield from zip(rows, store.reveal(self.grant.receipt, entry, rows, path), strict=True)
