"""The report of a bundle: what was selected, what is proven and what not, and what the records are, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from ledger import entry_shapes
from ledger.history import Entry
from replay.accesses import Access
from reports.bundle.plan import Plan
from reports.document import AsOf, Block, Cell, Chart, Column, Facts, Report, Section, Table, Text
from reports.sampling.drawing import Sample
from reports.tie_out.counting import TieOut

NAME: Final = "bundle"
_SHOWN: Final = 500
"""Rows of a table that can be long: all are counted, and the bundle's files have them."""


def report(
    plan: Plan, stated: Mapping[str, Any], as_of: AsOf, tied: TieOut, controls: Report | None, *, in_full: bool
) -> Report:
    """A report on a bundle. ``stated``: its bundle.json. ``in_full``: content is in it, so who looked may be named."""
    sections = [
        Section("What this bundle holds", _holds(plan, stated)),
        Section("What it shows", (Text(tuple(stated["proven"])),)),
        Section("Tie-out", (tied.table(), tied.by_partition())),
        Section("Records", _records(plan)),
        Section("Sessions", _sessions(plan)),
        *([Section("Sample", _sample(plan.sample))] if plan.sample is not None else []),
        Section("Who looked at these records", _accesses(plan, in_full=in_full)),
        Section("Erasures, redactions, expiry, restrictions", _endings(plan.endings)),
        Section("Legal holds", _held(plan.holds)),
        *(_controls(controls) if controls is not None else ()),
    ]
    limits = (*stated["not_proven"], *(controls.not_proven if controls is not None else ()))
    parameters: tuple[tuple[str, Cell], ...] = (
        ("Selection", plan.selection.in_words()),
        ("Completeness", _COMPLETENESS[stated["completeness"]]),
        ("Content", _CONTENT[stated["content"]]),
    )
    return Report(NAME, _title(plan), as_of, tuple(sections), parameters, tuple(dict.fromkeys(limits)))


def _title(plan: Plan) -> str:
    """What tells one bundle from another in a row of browser tabs, as long as it fits one line."""
    named = f"Evidence: {plan.selection.in_words()}"
    return named if len(named) <= _MAX_TITLE else "Evidence bundle"


_MAX_TITLE: Final = 90


_COMPLETENESS: Final = {
    "whole": "shown: no record of the selection is missing",
    "shown": "not shown: these records are proven, others may belong to the selection",
}
_CONTENT: Final = {
    "none": "not in the bundle",
    "disclosed": "in the bundle",
    "sealed": "in the bundle, sealed until a grant opens it",
}


def _holds(plan: Plan, stated: Mapping[str, Any]) -> tuple[Block, ...]:
    scope, counts = plan.scope, stated["counts"]
    facts: list[tuple[str, Cell]] = [
        ("Selection", plan.selection.in_words()),
        ("Records of the selection", counts["population"]),
        ("Records whose lines are here", counts["records"]),
        ("Records shown beside them", counts["context"]),
        ("From", f"{scope.first}Z"),
        ("To", f"{scope.last}Z"),
        ("Sessions", len(scope.sessions)),
        ("Partitions", counts["partitions"]),
        ("Partitions shown whole", counts["complete_partitions"]),
        ("Entries of the log", counts["entries"]),
        ("Completeness", _COMPLETENESS[stated["completeness"]]),
        ("Content", _CONTENT[stated["content"]]),
    ]
    blocks: list[Block] = [Facts(tuple(facts))]
    if counts["contents"]:
        rows = sorted(counts["contents"].items())
        note = "State as of the export. Verified: the bytes fit the record's commitment."
        blocks.append(_table("contents", "Contents", ("State", "Records"), rows, note=note))
    return tuple(blocks)


def _records(plan: Plan) -> tuple[Block, ...]:
    scope = plan.scope
    days = tuple((f"{day}T00:00:00Z", number, kind) for (day, kind), number in sorted(scope.days.items()))
    chart = Chart(
        "records-by-day", "Records by day", "line", days, "Day (UTC)", "Records",
        f"Records of each kind on {len({day for day, _ in scope.days})} days, {len(plan.population)} in all.",
    )  # fmt: skip
    models = [(name, version or None, number) for (name, version), number in _most(scope.models)]
    return (
        chart,
        _counted("kinds", "By kind", "Kind", scope.kinds),
        _counted("sources", "By source", "Source", scope.sources),
        _table("models", "By model and version, as the records state them", ("Model", "Version", "Records"), models),
        _counted("decisions", "By decision", "Decision", scope.decisions),
        _counted("statuses", "By status", "Status", scope.statuses),
    )


def _sessions(plan: Plan) -> tuple[Block, ...]:
    rows = sorted(plan.scope.sessions.items())
    note = "Without a session: " + str(len(plan.population) - sum(plan.scope.sessions.values()))
    return (
        _table("sessions", "Records by session", ("Session", "Records"), rows, note=note, kinds={"Session": "code"}),
    )


def _controls(controls: Report) -> tuple[Section, ...]:
    """The sections of a report on controls, within this one."""
    first, *others = controls.sections
    return (msgspec.structs.replace(first, title="How to read the controls"), *others)


def _sample(sample: Sample) -> tuple[Block, ...]:
    seed = "given as text" if sample.seed.kind == "given" else "the auditor's own nonce, with the checkpoint"
    rows = [(item.stratum or "all", item.population, item.drawn) for item in sample.strata]
    facts: list[tuple[str, Cell]] = [
        ("Size asked for", sample.size),
        ("Stratified by", sample.field),
        ("Seed", f"{seed}: {sample.seed.text}"),
        ("Replacements", len(sample.replacements)),
    ]
    return (Facts(tuple(facts)), _table("strata", "Strata", ("Stratum", "Population", "Drawn"), rows))


def _accesses(plan: Plan, *, in_full: bool) -> tuple[Block, ...]:
    words = ["Access records of this store that say that they opened records of the selection."]
    if plan.unread:
        words.append(f"{plan.unread:,} access records could not be read: whether they are about these is not known.")
    rows = [_access(item, in_full=in_full) for item in plan.accesses]
    titles = ("Record", "Time", *(("Command", "By", "Purpose") if in_full else ()))
    kinds = {"Record": "id", "Time": "time", "Command": "code"}
    return (Text(tuple(words)), _table("accesses", "Accesses", titles, rows, kinds=kinds))


def _access(item: Access, *, in_full: bool) -> tuple[Cell, ...]:
    named = (item.command, f"{item.operator}@{item.host}", item.purpose) if in_full else ()
    return (item.record_id, item.at, *named)


def _endings(entries: Sequence[Entry]) -> tuple[Block, ...]:
    rows = [(entry.index, entry.time, entry.value["type"], _ended(entry)) for entry in entries]
    kinds = {"Entry": "number", "Time": "time", "Type": "code"}
    words = "Content that they ended was rendered unreadable by key destruction; the lines, and every proof, stay."
    titles = ("Entry", "Time", "Type", "What")
    return (Text((words,)), _table("endings", "Entries that may be about these records", titles, rows, kinds=kinds))


def _ended(entry: Entry) -> str:
    match entry_shapes.read(entry.value):
        case entry_shapes.Erasure() as found:
            return f"{len(found.subjects)} people, segments of {len(found.segments)} partitions"
        case entry_shapes.Reseal() as found:
            return f"{len(found.redacted)} records redacted in the partition of entry {found.partition}"
        case entry_shapes.Retention() as found:
            return f"{found.what} of {len(found.partitions)} partitions expired"
        case entry_shapes.Restriction() as found:
            return f"{found.action}: {len(found.subjects)} people"
    return ""


def _held(entries: Sequence[Entry]) -> tuple[Block, ...]:
    rows = [
        (entry.index, entry.time, entry.value["action"], entry.value["hold"], entry.value.get("basis"))
        for entry in entries
    ]
    kinds = {"Entry": "number", "Time": "time", "Hold": "id", "Basis": "code"}
    titles = ("Entry", "Time", "Action", "Hold", "Basis")
    return (_table("holds", "Holds that may cover these records", titles, rows, kinds=kinds),)


def _counted(name: str, title: str, label: str, counts: Counter[str]) -> Table:
    return _table(name, title, (label, "Records"), _most(counts), kinds={label: "code"})


def _most(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _table(
    name: str,
    title: str,
    titles: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    note: str | None = None,
    kinds: Mapping[str, Any] | None = None,
) -> Table:
    """A table, cut where it is long. What has no kind is text, but for the columns of numbers by their titles."""
    known = {"Records": "number", "Population": "number", "Drawn": "number"} | dict(kinds or {})
    listed = [tuple(row) for row in rows]
    columns = tuple(Column(each, known.get(each, "text")) for each in titles)
    total = len(listed) if len(listed) > _SHOWN else None
    return Table(name, title, columns, tuple(listed[:_SHOWN]), note=note, total=total)
