"""What a bundle holds beside records and proofs: counts that tie, the queries that gave them, controls, and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from replay.catalog import Catalog
from reports import controls
from reports.bundle import report as bundle_report
from reports.bundle.plan import Plan
from reports.bundle.writer import BundleWriter
from reports.document import Report
from reports.documents import outline, render
from reports.documents.html import fragment
from reports.page import page
from reports.published import as_of
from reports.selection.predicates import ControlSelection, PeriodSelection, QuerySelection, Selection
from reports.tie_out import counting as tie_out
from reports.tie_out.counting import Count, TieOut

PAGE: Final = "report.html"
MAX_RECORDS: Final = 10_000
"""Records that the page carries itself; above that it asks for the bundle."""


def frameworks_for(selection: Selection) -> tuple[str, ...]:
    """The frameworks of a bundle for which none were named: all for a period, the one of a control, else none."""
    if isinstance(selection, ControlSelection):
        return (selection.framework,)
    return tuple(controls.names()) if isinstance(selection, PeriodSelection) else ()


class Views:
    """The views of one bundle: made from its plan, written as payload, then as tag files."""

    def __init__(self, catalog: Catalog, plan: Plan, frameworks: Sequence[str], *, in_full: bool) -> None:
        self._catalog = catalog
        self._plan = plan
        self._in_full = in_full
        self._controls = _judged(catalog, plan, frameworks) if frameworks else None
        self._tied = self._tie_out()

    def add_payload(self, writer: BundleWriter) -> None:
        """Counts, queries and controls, which the manifest that is signed lists."""
        lines = Count("records", self._plan.records, "lines of records.jsonl")
        writer.add("tie-out.csv", self._tied.csv(lines))
        writer.add("queries.sql", self._queries())
        if self._controls is not None:
            for name, form in _CONTROLS.items():
                writer.add(name, render(self._controls, form))

    def add_reports(self, writer: BundleWriter, stated: dict[str, Any]) -> None:
        """The report as a page that checks the bundle itself, and to print. ``stated``: what bundle.json says."""
        point = as_of(self._catalog.store, self._plan.published)
        made = bundle_report.report(self._plan, stated, point, self._tied, self._controls, in_full=self._in_full)
        core = writer.core() if self._plan.records <= MAX_RECORDS else None
        writer.tag(PAGE, page(fragment(made), core, made.title), core=False)
        writer.tag("report.pdf", render(made, "pdf"), core=False)

    def _tie_out(self) -> TieOut:
        plan = self._plan
        scope = tie_out.scope_of(plan.selection.as_json(), {row.record.hex() for row in plan.population})
        by_entry = Counter(row.partition for row in plan.population)
        return tie_out.tie_out(self._catalog, plan.published, scope, len(plan.population), None, by_entry)

    def _queries(self) -> bytes:
        """Every statement that was asked for this bundle, as ``evidence query`` takes it, with its number of rows."""
        plan = self._plan
        parts = [_HEADER]
        if isinstance(plan.selection, QuerySelection):
            parts.append(_stated("the selection", plan.selection.sql, len(plan.selection.records)))
        parts += [f"-- tie-out, {item.name}: {item.number}, by {_one_line(item.query)}" for item in self._tied.counts]
        if self._controls is not None:
            parts += [_stated(*each) for each in _tests(self._controls)]
        return "\n".join([*parts, ""]).encode("utf-8", "replace")


_HEADER: Final = "-- What was asked for this bundle, of the views that docs/QUERY.md describes, as of its checkpoint.\n"
_CONTROLS: Final = {
    "controls.json": "json",
    "controls.xlsx": "xlsx",
    "oscal-assessment-results.json": "oscal",
}


def _judged(catalog: Catalog, plan: Plan, frameworks: Sequence[str]) -> Report:
    """The controls of frameworks, as of the bundle's checkpoint and for its period; of a control, that one."""
    selection = plan.selection
    only = (selection.control,) if isinstance(selection, ControlSelection) else ()
    return controls.evaluate(catalog, frameworks, plan.published, (selection.start, selection.end), only)


def _tests(report: Report) -> list[tuple[str, str, int]]:
    """Each test of the controls once: its question, its query, and how many rows that gives."""
    found = {
        test.query: (test.question, test.query, test.exceptions.total or len(test.exceptions.rows))
        for control in outline.controls(report)
        for test in control.tests
    }
    return list(found.values())


def _stated(what: str, sql: str, rows: int) -> str:
    return f"\n-- {_one_line(what)}: {rows} rows\n{sql.rstrip().rstrip(';')};"


def _one_line(text: str) -> str:
    return " ".join(text.split())
