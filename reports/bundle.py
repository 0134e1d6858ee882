"""Exporting evidence: records of a selection, with every proof up to the signed checkpoint, for an auditor.

A bundle is a bag in a zip. docs/FORMAT.md, "Export bundle", says what each file is; ``reports/standalone/verify.py``,
of which it holds a copy, checks it. First it is decided which rows are shown, then partitions are written one by one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from ledger import canonical, merkle
from ledger.access import Receipt
from ledger.checkpoints import Checkpoint
from ledger.errors import NotFoundError, TamperedError, UnverifiableError, UsageError
from ledger.history import Entry
from ledger.store import Store
from replay.catalog import Catalog
from reports import bundle_words
from reports.bundle_content import Contents
from reports.bundle_log import add_checkpoint, add_entries, add_pinned
from reports.bundle_records import Lines, population_csv
from reports.bundle_rows import store_rows
from reports.bundle_writer import BundleWriter, add_tools
from reports.published import Proofs, Published, as_of, in_hex, proof_name, publish_all, read_published, role_entries
from reports.selecting import COMPLETE, Part, choose, ranges, read
from reports.selection import PeriodSelection, Selection, SessionSelection

TYPE: Final = "evidence/bundle/2"
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class ContentGrant:
    """Leave to put content into a bundle: the receipt of an access record that was made durable first."""

    receipt: Receipt


@dataclass(frozen=True)
class Order:
    """What a bundle is to hold beside the records of the selection.

    ``complete``: show that no record of the selection is missing; None: where that is the selection's habit (a period).
    ``at``: as of an earlier published checkpoint of this size.
    """

    complete: bool | None = None
    at: int | None = None


PLAIN: Final = Order()


@dataclass
class ExportSummary:
    """What was exported. ``contents`` counts by state (verified, erased, ...); ``entry`` is the export's own index."""

    sha256: str = ""
    size: int = 0
    checkpoint_size: int = 0
    partitions: int = 0
    complete_partitions: int = 0
    population: int = 0
    records: int = 0
    context: int = 0
    whole: bool = False
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
    order: Order = PLAIN,
) -> ExportSummary:
    """Write a bundle to ``out`` and record the export in the ledger; what returns has been recorded.

    Write to a scratch file and give it its name only after this returned: no record, no bundle. ``pinned``: a
    checkpoint that the auditor holds; the bundle then proves that it continues it. ``recipient``: the reference of
    whoever it is for (reports.recipients), which the ledger's entry alone states.
    Raises NotFoundError for an empty selection, TamperedError or LostError where the store is not what its ledger
    says, UnverifiableError for records that are not published yet, UsageError for what is too large for one bundle,
    AccessNotRecordedError for content without a receipt.
    """
    published = publish_all(store) if order.at is None else read_published(store, order.at)
    with BundleWriter(out) as writer:
        export = _Export(store, catalog, writer, published, content, selection, order)
        summary = export.write(pinned)
    summary.sha256, summary.size = writer.sha256, writer.size
    body = _entry(selection, content, summary, recipient)
    if not isinstance(selection, (PeriodSelection, SessionSelection)):
        body["rows"] = store_rows(store, export.parts)
    summary.entry = store.append([("export", body)])[0].index
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
    """One export under way: decides what is shown, then writes partitions one by one, then what they have in common."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        writer: BundleWriter,
        published: Published,
        content: ContentGrant | None,
        selection: Selection,
        order: Order,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._writer = writer
        self._published = published
        self._content = content
        self._selection = selection
        self._size = published.checkpoint.size
        self._proofs = Proofs(store.history, published)
        self._entries: dict[int, Entry] = {}
        self.parts: list[Part] = []
        self._summary = ExportSummary(checkpoint_size=self._size, whole=_is_whole(selection, order))

    def write(self, pinned: Checkpoint | None) -> ExportSummary:
        """Every file of the bundle."""
        self.parts = self._parts()
        add_checkpoint(self._writer, self._published)
        add_pinned(self._writer, self._store.history, pinned, self._published.checkpoint)
        self._writer.add("population.csv", population_csv(self.parts))
        with Lines() as lines:
            for part in self.parts:
                self._write_part(part, lines)
            lines.add_to(self._writer)
        self._write_entries()
        self._writer.add("bundle.json", canonical.encode(self._statement()))
        self._writer.seal(as_of(self._store, self._published))
        add_tools(self._writer, (_HERE / "bundle_readme.txt").read_bytes())
        self._writer.finish()
        return self._summary

    def _parts(self) -> list[Part]:
        whole, parts = self._summary.whole, []
        for entry, found in choose(self._catalog, self._selection, self._size, complete=whole):
            part = Part(entry, [item.row for item in found], [item.record for item in found])
            if whole:
                selected = set(part.rows)
                others = (row for row in range(entry.value["rows"]) if row not in selected)
                part.context = dict.fromkeys(others, COMPLETE)
            parts.append(part)
        self._summary.population = sum(len(part.rows) for part in parts)
        if not self._summary.population:
            raise NotFoundError("no record is in this selection", hint="List sessions: `evidence sessions`.")
        return parts

    def _write_part(self, part: Part, lines: Lines) -> None:
        entry, rows = part.entry, part.entry.value["rows"]
        texts, leaves = read(self._catalog, entry)
        if [leaves[row] for row in part.rows] != part.ids:
            path = entry.value["events"]["path"]
            raise TamperedError(f"{path} changed while it was exported", path=path)
        shown = part.shown
        extra = {
            "_": "evidence/subset-proof/1",
            "entry": entry.index,
            "hashes": in_hex(merkle.subset_proof(leaves, shown)),
            "ranges": ranges(shown),
            "rows": rows,
        }
        self._entries[entry.index] = entry
        self._writer.add(proof_name(entry.index), self._proofs.of(entry.index, canonical.encode(extra)))
        lines.take(part, texts, leaves)
        self._summary.partitions += 1
        self._summary.complete_partitions += len(shown) == rows
        self._summary.records += len(part.rows)
        self._summary.context += len(part.context)
        if self._content is not None and part.rows:
            contents = Contents(self._store, self._content.receipt, self._explain)
            self._summary.contents += contents.write(self._writer, lines, part, leaves)

    def _explain(self, index: int) -> None:
        """The entry that says why content is gone, altered or withheld: else the bundle would show it as lost."""
        if index >= self._size:
            raise UnverifiableError(
                "what explains missing content came after the checkpoint", hint="Export as of the newest checkpoint."
            )
        self._entries[index] = self._store.history.entries[index]

    def _write_entries(self) -> None:
        history = self._store.history
        with_rows = set(self._entries)
        self._entries |= {entry.index: entry for entry in role_entries(history, self._size)}
        proven = self._entries.keys() - with_rows
        if self._summary.whole:
            # The root over all of them is the proof.
            self._entries, proven = dict(enumerate(history.entries[: self._size])), set()
        add_entries(self._writer, self._proofs, self._entries.values(), proven)

    def _statement(self) -> dict[str, Any]:
        checkpoint, summary = self._published.checkpoint, self._summary
        sort = {
            "whole": summary.whole,
            "evaluated": self._selection.evaluated,
            "content": self._content is not None,
            "sampled": False,
        }
        return {
            "_": TYPE,
            "checkpoint": {"origin": checkpoint.origin, "root": checkpoint.root.hex(), "size": checkpoint.size},
            "completeness": "whole" if summary.whole else "shown",
            "content": "none" if self._content is None else "disclosed",
            "counts": {
                "complete_partitions": summary.complete_partitions,
                "contents": dict(summary.contents),
                "context": summary.context,
                "entries": len(self._entries),
                "partitions": summary.partitions,
                "population": summary.population,
                "records": summary.records,
            },
            "not_proven": bundle_words.not_proven(**sort, ended=bool(summary.contents.keys() - {"verified"})),
            "origin": checkpoint.origin,
            "proven": bundle_words.proven(**sort),
            "sampled": False,
            "selection": self._selection.as_json(),
            "store": self._store.history.store,
        }


def _is_whole(selection: Selection, order: Order) -> bool:
    """Whether the bundle shows that nothing of the selection is missing. Raises UsageError where it cannot."""
    if order.complete is None:
        return isinstance(selection, PeriodSelection)
    if order.complete and not selection.evaluated:
        raise UsageError(
            f"that nothing of a {selection.kind} is missing cannot be shown: lines do not say that they belong to it"
        )
    return order.complete
