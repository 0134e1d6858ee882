"""Deciding what a bundle shows, before any of it is written: the population, what stands beside it, the sample."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.access import Receipt
from ledger.errors import NotFoundError, UnverifiableError, UsageError
from ledger.history import Entry
from replay.accesses import Access
from replay.catalog import Catalog
from reports.bundle.scope import Scope, access_rows, endings, holds, looked
from reports.published import Published
from reports.sampling import drawing as sampling
from reports.sampling.drawing import PopulationRow, Sample, SamplingRequest
from reports.selection.choosing import ACCESS, COMPLETE, Part, choose
from reports.selection.predicates import PeriodSelection, Selection


@dataclass
class Plan:
    """What a bundle is made of. ``parts``: partitions of which rows are shown, in the order of the log.

    ``population``: every row of the selection. ``sample``: where only a part of their lines is shown. ``accesses``:
    who looked at these records, as far as known; ``unread``: access records that could not be read. ``endings``,
    ``holds``: entries about the records.
    """

    published: Published
    selection: Selection
    whole: bool
    parts: list[Part]
    scope: Scope
    population: list[PopulationRow]
    sample: Sample | None
    accesses: list[Access] = field(default_factory=list)
    unread: int = 0
    endings: list[Entry] = field(default_factory=list)
    holds: list[Entry] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many lines of the population are shown."""
        return sum(len(part.lined) for part in self.parts)


def plan_bundle(
    catalog: Catalog,
    published: Published,
    selection: Selection,
    *,
    complete: bool | None,
    wanted: SamplingRequest | None,
    receipt: Receipt | None,
) -> Plan:
    """What a bundle of a selection shows. ``catalog``: as of the checkpoint. ``receipt``: leave to read who looked.

    Raises NotFoundError where nothing is selected, UsageError where completeness cannot be shown, and what reading
    partitions raises.
    """
    whole = is_whole(selection, complete)
    scope, parts = Scope(), list[Part]()
    population: list[PopulationRow] = []
    for entry, found in choose(catalog, selection, complete=whole):
        part = Part(entry)
        for item in found:
            part.rows.append(item.row)
            part.ids.append(item.record)
            scope.add(item.line)
            stratum = sampling.stratum_of(item.line, wanted.field) if wanted is not None else ""
            population.append(PopulationRow(entry.index, item.row, item.record, stratum))
        if not (part.rows or whole):
            continue
        if part.rows:
            scope.partitions.add(entry.index)
        if whole:
            selected = set(part.rows)
            part.context = {row: COMPLETE for row in range(entry.value["rows"]) if row not in selected}
        parts.append(part)
    if not population:
        raise NotFoundError("no record is in this selection", hint="List sessions: `evidence sessions`.")
    sample = None
    if wanted is not None:
        sample = wanted.draw(population, sampling.checkpoint_text(published.note))
        for part in parts:
            part.drawn = {row for row, record in zip(part.rows, part.ids, strict=True) if record in sample.records}
    plan = Plan(published, selection, whole, parts, scope, population, sample)
    log = catalog.store.history.entries[: published.checkpoint.size]
    plan.endings, plan.holds = endings(log, scope), holds(log, scope)
    if receipt is not None:
        _add_accesses(catalog, receipt, plan)
    return plan


def _add_accesses(catalog: Catalog, receipt: Receipt, plan: Plan) -> None:
    """Show the access records that looked at the scope, in context where they are not selected themselves."""
    seen = looked(catalog, receipt, plan.scope)
    shown: set[str] = set()
    parts = {part.entry.index: part for part in plan.parts}
    for entry, rows in access_rows(catalog, seen.accesses):
        part = parts.setdefault(entry.index, Part(entry))
        selected = set(part.rows)
        part.context |= {row: ACCESS for row in rows if row not in selected and row not in part.context}
        # One of a sampled population that was not drawn has no line here, and is not shown.
        shown.update(record for row, record in rows.items() if row in part.context or row in part.lined)
    plan.parts = [parts[index] for index in sorted(parts)]
    plan.accesses = [access for access in seen.accesses if access.record_id in shown]
    plan.unread = seen.unread


def is_whole(selection: Selection, complete: bool | None) -> bool:
    """Whether a bundle shows that nothing of the selection is missing. Raises UsageError where it cannot."""
    if complete is None:
        return isinstance(selection, PeriodSelection)
    if complete and not selection.evaluated:
        raise UsageError(f"that nothing is missing cannot be shown of a {selection.kind}: lines do not say it")
    return complete


def check_published(catalog: Catalog, selection: Selection, size: int) -> None:
    """Raise UnverifiableError where records of a selection stand in the log, but not under its checkpoint yet."""
    if any(True for _, found in choose(catalog, selection, complete=False, since=size) for _ in found):
        raise UnverifiableError("records of this selection are not published yet", hint="Run the publisher first.")
