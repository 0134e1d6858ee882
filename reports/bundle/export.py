"""Exporting evidence: records of a selection, with every proof up to the signed checkpoint, for an auditor.

A bundle is a bag in a zip. docs/FORMAT.md, "Export bundle", says what each file is; ``reports/standalone/verify.py``,
of which it holds a copy, checks it. First it is decided which rows are shown, then partitions are written one by one.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from ledger import canonical
from ledger.access import Receipt
from ledger.checkpoints import Checkpoint
from ledger.store import Store
from replay.catalog import Catalog, as_of
from reports.bundle import attestation, timestamping
from reports.bundle.content import ContentGrant as ContentGrant
from reports.bundle.content import Contents
from reports.bundle.log import LogFiles
from reports.bundle.plan import Plan, check_published, plan_bundle
from reports.bundle.records import Lines, Table
from reports.bundle.replay import Replay
from reports.bundle.rows import store_rows
from reports.bundle.statement import accesses_jsonl, entries_jsonl, predicate, statement
from reports.bundle.views import MAX_RECORDS, Views, frameworks_for
from reports.bundle.writer import BundleWriter, add_tools
from reports.exports.register import Outgoing, Words, record_export
from reports.published import as_of as report_as_of
from reports.published import publish_all, read_published
from reports.sampling.drawing import SamplingRequest, population_csv
from reports.selection.choosing import read
from reports.selection.predicates import PeriodSelection, Selection, SessionSelection

_HERE: Final = Path(__file__).parent
_UNSAID: Final = Words("not stated", {})


@dataclass(frozen=True)
class Order:
    """What a bundle is to hold beside the records of the selection, and what is said of it.

    ``complete``: show that no record of the selection is missing; None: where that is the selection's habit (a period).
    ``at``: as of an earlier published checkpoint of this size. ``sampling``: show the lines of a sample alone.
    ``frameworks``: whose controls are judged; None: all for a period, the one of a control, else none.
    ``said``: why, for whom, and what was asked for: sealed beside the ledger's entry.
    """

    complete: bool | None = None
    at: int | None = None
    sampling: SamplingRequest | None = None
    frameworks: tuple[str, ...] | None = None
    said: Words = _UNSAID


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
    receipt: Receipt | None = None,
) -> ExportSummary:
    """Write a bundle to ``out`` and record the export in the ledger; what returns has been recorded.

    Write to a scratch file and give it its name only after this returned: no record, no bundle. ``pinned``: a
    checkpoint that the auditor holds; the bundle then proves that it continues it. ``recipient``: the reference of
    whoever it is for (reports.exports.recipients), which the ledger's entry alone states. ``receipt``: of an access
    record, where there is no ``content`` that has one: leave to read who looked at these records.
    Raises NotFoundError for an empty selection, TamperedError or LostError where the store is not what its ledger
    says, UnverifiableError for records that are not published yet, UsageError for what is too large for one bundle,
    AccessNotRecordedError for content without a receipt, ConfigError where no key signs bundles.
    """
    signer = store.signer("bundle")
    published = publish_all(store) if order.at is None else read_published(store, order.at)
    catalog.sync()
    if order.at is None:
        check_published(catalog, selection, published.checkpoint.size)
    receipt = content.receipt if content is not None else receipt
    with as_of(catalog, published.checkpoint.size) as bounded:
        plan = plan_bundle(
            bounded, published, selection, complete=order.complete, wanted=order.sampling, receipt=receipt
        )
        frameworks = frameworks_for(selection) if order.frameworks is None else order.frameworks
        in_full = content is not None and content.export is None
        views = Views(bounded, plan, frameworks, in_full=in_full)
        with BundleWriter(out, core=plan.records <= MAX_RECORDS) as writer:
            export = _Export(bounded, writer, plan, content, views)
            stated = export.write_payload(pinned)
            manifest = writer.seal(report_as_of(store, published))
            signed = attestation.envelope(attestation.statement(manifest, predicate(plan, content)), signer)
            writer.tag(attestation.FILE, signed)
            token = timestamping.timestamp(store.settings, signed)
            if token is not None:
                writer.tag(timestamping.FILE, token)
            views.add_reports(writer, stated)
            add_tools(writer, (_HERE / "readme.txt").read_bytes())
            writer.finish()
    summary = export.summary
    summary.sha256, summary.size = writer.sha256, writer.size
    outgoing = _outgoing(store, plan, content, summary, recipient)
    summary.entry = record_export(store, outgoing, order.said).index
    return summary


def _outgoing(
    store: Store, plan: Plan, content: ContentGrant | None, summary: ExportSummary, recipient: str | None
) -> Outgoing:
    """The export as its ledger entry states it.

    The bundle's digest says nothing of what is in it: what is random, and what takes a key to sign, is hashed too.
    """
    told = isinstance(plan.selection, (PeriodSelection, SessionSelection)) and plan.sample is None
    revocable = content is not None and content.export is not None
    return Outgoing(
        sha256=summary.sha256,
        size=summary.size,
        checkpoint_size=summary.checkpoint_size,
        selection=plan.selection.as_json(),
        partitions=summary.partitions,
        records=summary.records,
        contents=summary.contents,
        with_content=content is not None,
        revocable=revocable,
        export=content.export if content is not None else None,
        rows=None if told and not revocable else store_rows(store, plan.parts),
        recipient=recipient,
    )


class _Export:
    """The payload of one bundle under way."""

    def __init__(
        self, catalog: Catalog, writer: BundleWriter, plan: Plan, content: ContentGrant | None, views: Views
    ) -> None:
        self._catalog = catalog
        self._writer = writer
        self._plan = plan
        self._content = content
        self._views = views
        self._log = LogFiles(catalog.store.history, plan.published)
        self.summary = ExportSummary(
            checkpoint_size=plan.published.checkpoint.size,
            population=len(plan.population),
            records=plan.records,
            context=sum(len(part.context) for part in plan.parts),
            whole=plan.whole,
        )

    def write_payload(self, pinned: Checkpoint | None) -> dict[str, Any]:
        """Every file under ``data/``; what ``bundle.json`` among them says."""
        plan, writer = self._plan, self._writer
        self._log.add_checkpoint(writer, pinned)
        writer.add("population.csv", population_csv(plan.population))
        if plan.sample is not None:
            writer.add("sampling.json", plan.sample.sampling_json())
            writer.add("sample.csv", plan.sample.sample_csv())
        self._write_parts({} if self._content is None else self._write_replay(self._content))
        in_full = self._content is not None and self._content.export is None
        writer.add("accesses.jsonl", accesses_jsonl(plan.accesses, in_full=in_full))
        writer.add("erasures.jsonl", entries_jsonl(plan.endings))
        writer.add("holds.jsonl", entries_jsonl(plan.holds))
        for entry in (*plan.endings, *plan.holds):
            self._log.need(entry.index)
        self._views.add_payload(writer)
        entries = self._log.add_entries(writer, every=plan.whole)
        said = statement(plan, self._catalog.store.history.store, self._content, self.summary, entries)
        writer.add("bundle.json", canonical.encode(said))
        return said

    def _write_replay(self, content: ContentGrant) -> dict[bytes, bytes]:
        """``replay.jsonl``; for sealed content the parts of each record, which are not in it."""
        sealed: dict[bytes, bytes] = {}
        with self._writer.open("replay.jsonl") as out:
            for event in Replay(self._catalog, content.receipt, self._plan.parts).events():
                if content.export is not None:
                    sealed[bytes.fromhex(event["record"])] = canonical.encode(event["parts"])
                    event |= {"notes": [], "parts": None}
                out.write(canonical.encode(event) + b"\n")
        return sealed

    def _write_parts(self, replay_parts: dict[bytes, bytes]) -> None:
        lines, table = Lines(), Table()
        contents = None
        if self._content is not None:
            contents = Contents(self._catalog, self._content, self._log.explain, replay_parts)
        for part in self._plan.parts:
            texts, leaves = read(self._catalog, part.entry)
            self._log.add_shown(self._writer, part, leaves)
            lines.take(part, texts, leaves)
            table.take(part, texts, leaves)
            if contents is not None and part.lined:
                contents.write(self._writer, lines, part, leaves)
            self.summary.partitions += 1
            self.summary.complete_partitions += len(part.shown) == part.entry.value["rows"]
        lines.add_to(self._writer)
        self._writer.add("records.parquet", table.bytes())
        self.summary.contents = contents.states if contents is not None else Counter()


def new_reference() -> str:
    """A reference for an export whose content is sealed."""
    return secrets.token_hex(16)
