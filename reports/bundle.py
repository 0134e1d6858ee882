"""Exporting evidence: records of a session or a period, with every proof up to the signed checkpoint, for an auditor.

A bundle is a zip; ``reports/standalone/verify.py``, which it holds a copy of, says what each file is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from ledger import canonical, merkle
from ledger.access import Receipt
from ledger.checkpoints import Checkpoint
from ledger.errors import NotFoundError, TamperedError, UnverifiableError
from ledger.history import Entry
from ledger.store import Store
from replay.catalog import Catalog
from reports.bundle_writer import BundleWriter
from reports.published import Published, consistency, entry_lines, in_hex, publish_all, role_entries
from reports.selection import Selected, Selection, select
from reports.standalone import verify

TYPE: Final = "evidence/bundle/1"
_HERE: Final = Path(__file__).parent
_ROWS_AT_ONCE: Final = 4096
"""Rows whose content is opened together, about a row group: bounds what is decrypted at a time."""


@dataclass(frozen=True)
class ContentGrant:
    """Leave to put content into a bundle: the receipt of an access record that was made durable first."""

    receipt: Receipt


@dataclass
class ExportSummary:
    """What was exported. ``contents`` counts by state (verified, erased, ...); ``entry`` is the export's own index."""

    sha256: str = ""
    size: int = 0
    checkpoint_size: int = 0
    partitions: int = 0
    complete_partitions: int = 0
    records: int = 0
    contents: Counter[str] = field(default_factory=Counter)
    entry: int = -1


def export_bundle(
    store: Store,
    catalog: Catalog,
    selection: Selection,
    *,
    content: ContentGrant | None,
    out: BinaryIO,
    pinned: Checkpoint | None = None,
    recipient: str | None = None,
) -> ExportSummary:
    """Write a bundle to ``out`` and record the export in the ledger; what returns has been recorded.

    Write to a scratch file and give it its name only after this returned: no record, no bundle. ``pinned``: a
    checkpoint that the auditor holds; the bundle then proves that it continues it. ``recipient``: the reference of
    whoever it is for (reports.recipients), which the ledger's entry alone states.
    Raises NotFoundError for an empty selection, TamperedError or LostError where the store is not what its ledger
    says, UnverifiableError for records that are not published yet, UsageError for what is too large for one bundle,
    AccessNotRecordedError for content without a receipt.
    """
    published = publish_all(store)
    summary = ExportSummary(checkpoint_size=published.checkpoint.size)
    with BundleWriter(out) as writer:
        _Export(store, writer, published, content, summary).write(select(catalog, selection), selection, pinned)
    summary.sha256, summary.size = writer.sha256, writer.size
    summary.entry = store.append([("export", _entry(selection, content, summary, recipient))])[0].index
    return summary


def _entry(
    selection: Selection, content: ContentGrant | None, summary: ExportSummary, recipient: str | None
) -> dict[str, Any]:
    """The export's ledger entry. The bundle's digest says nothing of its content: row keys, random, are hashed too."""
    return {
        "bundle": {"sha256": summary.sha256, "size": summary.size},
        "checkpoint_size": summary.checkpoint_size,
        "contents": dict(summary.contents),
        "partitions": summary.partitions,
        "records": summary.records,
        "selection": selection.as_json(),
        "with_content": content is not None,
        **({} if recipient is None else {"recipient": recipient}),
    }


class _Export:
    """One export under way: writes partitions as they come, then what they have in common."""

    def __init__(
        self,
        store: Store,
        writer: BundleWriter,
        published: Published,
        content: ContentGrant | None,
        summary: ExportSummary,
    ) -> None:
        self._store = store
        self._writer = writer
        self._published = published
        self._content = content
        self._summary = summary
        self._entries: dict[int, Entry] = {}

    def write(self, parts: Iterator[Selected], selection: Selection, pinned: Checkpoint | None) -> None:
        """Every file of the bundle."""
        self._writer.add("README.txt", (_HERE / "bundle_readme.txt").read_bytes())
        self._writer.add("verify.py", Path(verify.__file__).read_bytes())
        self._writer.add("checkpoint", self._published.note)
        self._writer.add("log.vkey", f"{self._published.vkey}\n".encode())
        if pinned is not None:
            self._writer.add("consistency.json", consistency(self._store.history, pinned, self._published.checkpoint))
        for part in parts:
            self._write_partition(part)
        if not self._summary.records:
            raise NotFoundError("no record is in this selection", hint="List sessions: `evidence sessions`.")
        self._write_entries()
        self._writer.finish(self._manifest(selection))

    def _write_partition(self, part: Selected) -> None:
        entry = part.entry
        if entry.index >= self._published.checkpoint.size:
            raise UnverifiableError("records of this selection are not published yet", hint="Run the publisher first.")
        folder, rows = f"partitions/{entry.index}", entry.value["rows"]
        self._entries[entry.index] = entry
        self._writer.add(f"{folder}/lines.ndjson", b"".join(line + b"\n" for line in part.lines))
        proof = {
            "_": "evidence/subset-proof/1",
            "entry": entry.index,
            "hashes": in_hex(merkle.subset_proof(part.leaves, part.rows)),
            "ranges": part.ranges,
            "rows": rows,
        }
        self._writer.add(f"{folder}/proof.json", canonical.encode(proof))
        self._summary.partitions += 1
        self._summary.complete_partitions += len(part.rows) == rows
        self._summary.records += len(part.rows)
        if self._content is not None:
            self._writer.add(f"{folder}/content.jsonl", b"".join(self._write_contents(part, self._content.receipt)))

    def _write_contents(self, part: Selected, receipt: Receipt) -> Iterator[bytes]:
        """A file for each content that could be opened; yields the lines that list all of them."""
        for first, number in part.ranges:
            for start in range(first, first + number, _ROWS_AT_ONCE):
                count = min(_ROWS_AT_ONCE, first + number - start)
                revealed = self._store.reveal(receipt, part.entry.value, range(start, start + count))
                for row, item in enumerate(revealed, start):
                    if item.record != part.leaves[row]:
                        path = part.entry.value["events"]["path"]
                        raise TamperedError(f"row {row} of {path} changed while it was exported", path=path)
                    listed: dict[str, Any] = {"record": item.record.hex(), "row": row, "state": item.state}
                    if item.bytes is not None and item.row_key is not None:
                        self._writer.add(f"content/{item.record.hex()}.bin", item.bytes)
                        listed["row_key"] = item.row_key.hex()
                    if item.entry is not None:
                        self._explain(item.entry)
                    self._summary.contents[item.state] += 1
                    yield canonical.encode(listed) + b"\n"

    def _explain(self, index: int) -> None:
        """The entry that says why content is gone, altered or withheld: else the bundle would show it as lost."""
        if index >= self._published.checkpoint.size:
            raise UnverifiableError("what explains missing content is not published", hint="Run the publisher first.")
        self._entries[index] = self._store.history.entries[index]

    def _write_entries(self) -> None:
        history, size = self._store.history, self._published.checkpoint.size
        self._entries |= {entry.index: entry for entry in role_entries(history, size)}
        self._writer.add("entries.jsonl", entry_lines(history, size, self._entries.values()))

    def _manifest(self, selection: Selection) -> dict[str, Any]:
        checkpoint, summary = self._published.checkpoint, self._summary
        return {
            "_": TYPE,
            "checkpoint": {"origin": checkpoint.origin, "root": checkpoint.root.hex(), "size": checkpoint.size},
            "counts": {
                "complete_partitions": summary.complete_partitions,
                "contents": dict(summary.contents),
                "entries": len(self._entries),
                "partitions": summary.partitions,
                "records": summary.records,
            },
            "not_proven": list(verify.NEVER_PROVEN),
            "origin": checkpoint.origin,
            "selection": selection.as_json(),
            "store": self._store.history.store,
            "with_content": self._content is not None,
        }
