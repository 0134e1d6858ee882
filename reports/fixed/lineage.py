"""Model lineage: which version was in force when, on whose approval, tested and trained on what, and what it served.

Versions in force follow from the changes (replay/lineage.py); what a record asserts of itself stands beside it, and
where the two differ it is said. Nothing is joined by resemblance: what no record links is "not recorded here".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ledger.access import Receipt
from replay.catalog import Catalog
from replay.lineage import Change, Span, changes, spans
from reports.document import Chart, Column, Facts, Report, Section, Table, Text
from reports.fixed import asking
from reports.fixed.asking import ALWAYS, Asking, Period, at, many, seconds, short, shorts
from reports.fixed.datasets import UNLINKED, datasets_table
from reports.fixed.results import results
from reports.fixed.served import (
    ASSERTED_OTHERWISE,
    BASES,
    NO_CHANGE,
    FirstUse,
    Served,
    first_uses,
    served,
    served_table,
)
from reports.published import Published

NAME: Final = "lineage"
OTHER: Final = ("dataset", "prompt", "policy")
TAKEN_BACK: Final = "rolled back"
EARLIER: Final = "an earlier version again"

DETAILS: Final = """
    WITH commits AS (SELECT DISTINCT seq, committed_at FROM partitions)
    SELECT c.record_id, concat(c.source, '/', c.source_id), c.digest_to, c.approval, {approved_at},
        coalesce(c.approvers, []), c.actors, c.requesters, {recorded_at}, c.seq, c.approval_seq, c.rolls_back
    FROM changes c LEFT JOIN commits k USING (seq) ORDER BY c.occurred_at, c.seq, c.record_id
"""
EVALUATIONS: Final = """
    SELECT record_id, {at}, source, source_id, model_ref->>'$.name', model_ref->>'$.version'
    FROM records WHERE kind = 'evaluation' AND model_ref->>'$.version' IS NOT NULL
    ORDER BY occurred_at, record_id
"""
NAMELESS: Final = """
    SELECT count(*) FROM records
    WHERE kind = 'evaluation' AND (model_ref->>'$.version') IS NULL AND {within}
"""


class Detail(NamedTuple):
    """What is known of one change besides what replay/lineage.py reads."""

    record_id: str
    own: str
    digest: str | None
    approval: str
    approved_at: str | None
    approvers: Sequence[str]
    actors: Sequence[str]
    requesters: Sequence[str]
    recorded_at: str
    seq: int
    approval_seq: int | None
    rolls_back: Sequence[str]


class Known(NamedTuple):
    """What the sections are made of. ``spans``: of models and the rest, those that overlap with the period."""

    spans: list[Span]
    other: list[Span]
    details: dict[str, Detail]
    details_sql: str
    served: list[Served]
    served_sql: str
    changes: list[Change]


def model_lineage(
    catalog: Catalog, published: Published, period: Period = ALWAYS, receipt: Receipt | None = None
) -> Report:
    """The report. ``receipt``: of an access record, where evaluations are to be opened for what they found.

    Raises what reading the catalog raises, and what opening content raises.
    """
    with asking.asked(catalog, published, period) as ask:
        known = _known(ask)
        sections = (
            Section("Summary", (_facts(ask, known), *_warnings(known))),
            Section("In force", (_chart(ask, known.spans, "models", "Model versions"), _in_force(ask, known))),
            Section("Approved", (_approvals(ask, known),)),
            Section("Evaluated", (_evaluations(ask, known, receipt),)),
            Section("Trained on", (datasets_table(ask, known.spans, known.changes), UNLINKED)),
            Section("Rolled back", (_rollbacks(ask, known),)),
            Section("Served", (served_table(ask, known.served, known.served_sql),)),
            Section(
                "Datasets, prompts and policies",
                (_chart(ask, known.other, "others", "Datasets, prompts and policies"), _others(ask, known)),
            ),
            Section("The changes in full", (_records(ask, known),)),
        )
        unopened = () if receipt is not None else (UNOPENED,)
        return ask.report(NAME, "Model lineage", sections, (*NOT_PROVEN, *unopened))


NOT_PROVEN: Final = (
    (
        "Versions in force follow from the changes that are recorded here, and hold until the next one: a change that "
        "nobody recorded does not show."
    ),
    (
        "A version that a record asserts is the word of its source. That the weights of that version answered is not "
        "shown by any record."
    ),
)
UNOPENED: Final = "Results of evaluations are content: this report names their records and opens none."


def _known(ask: Asking) -> Known:
    every = changes(ask.catalog)
    sql = DETAILS.format(approved_at=at("c.approved_at"), recorded_at=at("k.committed_at"))
    details = {row[0]: Detail(*row) for row in ask.rows(sql)}
    calls, calls_sql = served(ask)
    return Known(
        _own_spans(ask, every, "model"),
        [span for kind in OTHER for span in _own_spans(ask, every, kind)],
        details,
        sql,
        calls,
        calls_sql,
        every,
    )


def _own_spans(ask: Asking, every: Iterable[Change], kind: str) -> list[Span]:
    """The spans of each name for the systems that its own changes name, where they overlap with the period."""
    systems: dict[str, set[str | None]] = {}
    for change in every:
        if change.type == kind:
            systems.setdefault(change.name, set()).add(change.system)
    since, until = ask.period
    return [
        span
        for span in spans(ask.catalog, kind, set().union(*systems.values()))
        if span.system in systems.get(span.name, set())
        and (until is None or span.begin[:-1] < until[:-1])
        and (since is None or span.end is None or span.end[:-1] > since[:-1])
    ]


def _facts(ask: Asking, known: Known) -> Facts:
    calls = {basis: sum(item.calls for item in known.served if item.basis == basis) for basis in BASES}
    versions = {(span.name, version) for span in known.spans for version in span.versions}
    return Facts(
        (
            ("Names under which models were in force", len({span.name for span in known.spans})),
            ("Versions", len(versions)),
            ("Calls of models in the period", sum(calls.values())),
            *((f"of these: version {basis}", number) for basis, number in calls.items()),
            ("Records left out because they name restricted people", ask.left_out),
        )
    )


def _warnings(known: Known) -> tuple[Text, ...]:
    words = []
    unknown = sorted({item.model or "(not named)" for item in known.served if item.agrees == NO_CHANGE})
    if unknown:
        named = ", ".join(unknown[:10]) + (" and others" if len(unknown) > 10 else "")
        words.append(f"Called, while no change recorded here says what was in force under that name: {named}.")
    differing = sum(item.calls for item in known.served if item.agrees == ASSERTED_OTHERWISE)
    if differing:
        words.append(f"{many(differing, 'call')} assert a version other than the one that the changes put in force.")
    contending = [span for span in known.spans if len(span.versions) > 1]
    if contending:
        words.append(
            f"In {many(len(contending), 'period')} changes at one instant contend: see the versions with 'or'."
        )
    hidden = len({change.record_id for change in known.changes} - known.details.keys())
    if hidden:
        words.append(f"{many(hidden, 'change')} name restricted people: what is in force by them is shown, not who.")
    return (Text(tuple(words), "alert"),) if words else ()


def _chart(ask: Asking, found: Sequence[Span], name: str, title: str) -> Chart:
    """Bars within the period, up to the checkpoint's time."""
    since, until = ask.period
    last = ask.as_of.time if until is None else min(until, ask.as_of.time)
    rows = []
    for span in found:
        begin = span.begin if since is None else max(span.begin, since)
        end = last if span.end is None else min(span.end, last)
        if begin[:-1] < end[:-1]:
            rows.append((seconds(begin), seconds(end), versions_of(span), _label(span)))
    words = "; ".join(f"{label} {version} from {begin} to {end}" for begin, end, version, label in rows[:20])
    return Chart(f"{name}-in-force", title, "span", tuple(rows), "Time", "Version", words or "There is none.")


def versions_of(span: Span) -> str:
    """The version, or those that contend."""
    return " or ".join(span.versions)


def _label(span: Span) -> str:
    return span.name if span.system is None else f"{span.name} ({span.system})"


def ended_by(span: Span, known: Known) -> str | None:
    """What ended a span, as the changes at that moment say; None where nothing did."""
    if span.end is None:
        return None
    ending = [change for change in known.changes if change.at == span.end and change.name == span.name]
    details = [known.details[change.record_id] for change in ending if change.record_id in known.details]
    if {_own(change) for change in span.changes} & {name for detail in details for name in detail.rolls_back}:
        return TAKEN_BACK
    new = {change.version_to for change in ending} - {None}
    earlier = [other for other in known.spans if other.name == span.name and other.begin < span.begin]
    if any(new & set(other.versions) for other in earlier):
        return EARLIER
    return "replaced" if new else "ended"


def _own(change: Change) -> str:
    """How other records name a change."""
    return f"{change.source}/{change.source_id}"


def _in_force(ask: Asking, known: Known) -> Table:
    rows = [
        (
            *(short(change.record_id), _label(span), versions_of(span), seconds(span.begin), seconds(span.end)),
            *(ended_by(span, known), detail.recorded_at if detail else None),
        )
        for span in known.spans
        for change in span.changes
        for detail in (known.details.get(change.record_id),)
    ]
    columns = (
        *(Column("Change", "id"), Column("Model", "code"), Column("Version", "code"), Column("From", "time")),
        *(Column("Until", "time"), Column("Ended by being"), Column("Recorded", "time")),
    )
    note = "Without an end: nothing recorded here ended it. An alias (model@alias) stands apart from its model."
    return ask.table("in-force", "Versions in force", columns, rows, query=known.details_sql, note=note)


def _approvals(ask: Asking, known: Known) -> Table:
    uses = first_uses(ask, known.spans)
    rows = [
        _approval(span, change, known.details[change.record_id], uses.get(number))
        for number, span in enumerate(known.spans)
        for change in span.changes
        if change.record_id in known.details
    ]
    columns = (
        *(Column("Change", "id"), Column("Model", "code"), Column("Version", "code"), Column("Approval")),
        *(Column("Approved by", "id"), Column("Approved", "time"), Column("First use", "time")),
        *(Column("Approved before use"), Column("Approval in the log")),
    )
    note = (
        "First use: the earliest call from then on whose record asserts the version. In the log: whether the approval "
        "was committed before the first such call was, by the same commit, or later."
    )
    return ask.table("approvals", "Approvals of the versions", columns, rows, query=known.details_sql, note=note)


def _approval(span: Span, change: Change, detail: Detail, use: FirstUse | None) -> tuple[Any, ...]:
    before = order = None
    if use is not None:
        known = detail.approved_at is not None
        before = ("yes" if str(detail.approved_at) <= use.at else "no") if known else detail.approval
    if use is not None and detail.approval_seq is not None:
        order = "before" if detail.approval_seq < use.seq else "later"
        order = "same commit" if detail.approval_seq == use.seq else order
    return (
        *(short(change.record_id), span.name, change.version_to, detail.approval, shorts(detail.approvers)),
        *(detail.approved_at, None if use is None else use.at, before, order),
    )


def _evaluations(ask: Asking, known: Known, receipt: Receipt | None) -> Table:
    """Of the versions that were in force in the period, whenever they were evaluated."""
    sql = EVALUATIONS.format(at=at("occurred_at"))
    begins: dict[tuple[str, str], str] = {}
    for span in known.spans:
        for version in span.versions:
            begins.setdefault((span.name, version), span.begin)
    rows: list[tuple[Any, ...]] = []
    seen = set()
    for record_id, time, source, source_id, name, version in ask.rows(sql):
        begin = begins.get((name, version))
        if begin is not None:
            seen.add((name, version))
            before = None if time is None else "before" if time <= str(seconds(begin)) else "after"
            rows.append((record_id, time, name, version, f"{source}/{source_id}", before))
    if receipt is not None:
        said = results(ask.catalog, receipt, [row[0] for row in rows])
        rows = [(*row, said.get(row[0])) for row in rows]
    missing = [f"{name} {version}" for name, version in sorted(begins.keys() - seen)]
    columns = (
        *(Column("Record", "id"), Column("Evaluated", "time"), Column("Model", "code"), Column("Version", "code")),
        *(Column("Source", "code"), Column("Taking effect")),
        *((Column("Result"),) if receipt is not None else ()),
    )
    note = f"No evaluation is recorded under these names and versions: {', '.join(missing)}. " if missing else ""
    ((nameless,),) = ask.rows(NAMELESS.format(within=ask.within("coalesce(occurred_at, observed_at)")))
    note += f"Evaluations of the period that name no version, such as ratings of answers: {nameless:,}."
    return ask.table("evaluations", "Evaluations of the versions", columns, rows, query=sql, note=note)


def _rollbacks(ask: Asking, known: Known) -> Table:
    """Changes that say what they take back, and those to a version that was in force before."""
    ends = {}
    for span in known.spans:
        if span.end is not None:
            ends[span.name, span.end] = span
    rows = []
    for span in known.spans:
        ended = ends.get((span.name, span.begin))
        for change in span.changes:
            detail = known.details.get(change.record_id)
            if ended is None or detail is None or ended_by(ended, known) not in (TAKEN_BACK, EARLIER):
                continue
            rows.append(
                (
                    *(short(change.record_id), seconds(span.begin), span.name, versions_of(ended), versions_of(span)),
                    *(asking.length(ended.begin, span.begin), detail.rolls_back, detail.approval),
                    *(shorts(detail.approvers), detail.approved_at),
                )
            )
    columns = (
        *(Column("Change", "id"), Column("Took effect", "time"), Column("Model", "code"), Column("From", "code")),
        *(Column("Back to", "code"), Column("Was in force for"), Column("Takes back", "code"), Column("Approval")),
        *(Column("Approved by", "id"), Column("Approved", "time")),
    )
    note = "Takes back: the change that the record itself names. Without it: a version that was in force before."
    return ask.table("roll-backs", "Roll-backs", columns, rows, query=known.details_sql, note=note)


def _records(ask: Asking, known: Known) -> Table:
    """The records that tables above show by their first digits, with the digest of what they put in force."""
    named = {change.record_id: None for span in (*known.spans, *known.other) for change in span.changes}
    rows = [
        (short(record_id), record_id, known.details[record_id].own, known.details[record_id].digest)
        for record_id in named
        if record_id in known.details
    ]
    columns = (Column("Change", "id"), Column("Record", "id"), Column("Source", "code"), Column("Digest", "code"))
    note = "Change: the first digits of the record's id, as the tables above have them."
    return ask.table("records", "Changes", columns, rows, query=known.details_sql, note=note)


def _others(ask: Asking, known: Known) -> Table:
    rows = [
        (
            *(short(change.record_id), span.type, _label(span), versions_of(span), seconds(span.begin)),
            *(seconds(span.end), detail.approval if detail else None, detail.approved_at if detail else None),
            shorts(detail.approvers) if detail else None,
        )
        for span in known.other
        for change in span.changes
        for detail in (known.details.get(change.record_id),)
    ]
    columns = (
        *(Column("Change", "id"), Column("Type", "code"), Column("Name", "code"), Column("Version", "code")),
        *(Column("From", "time"), Column("Until", "time"), Column("Approval"), Column("Approved", "time")),
        Column("Approved by", "id"),
    )
    return ask.table("others", "What else was in force", columns, rows, query=known.details_sql)
