"""The change population: every change of the period, who made and approved it, and where those rules were not kept.

Segregation of duties is judged by what the records say: an approval has to name the change, to be given before it took
effect, and by somebody else. What the records do not say is listed apart: it is neither kept nor broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Final, NamedTuple

from replay.approvals import APPROVED_LATE, NOT_EVIDENCED, REJECTED, TIME_UNKNOWN
from replay.catalog import Catalog
from replay.lineage import alias_of, spans
from replay.views import HIDDEN
from reports.document import Chart, Column, Facts, Report, Section, Table, Text
from reports.fixed import asking
from reports.fixed.asking import ALWAYS, Asking, Period, at, in_words, many, seconds, short, shorts
from reports.published import Published

NAME: Final = "changes"

REJECTED_YET_MADE: Final = "rejected, and made all the same"
SELF_APPROVED: Final = "approved by who made or asked for it"
RECORDED_LATER: Final = "its approval was recorded later (commit order)"
NO_TARGET: Final = "no version to roll back to is evidenced"
EXCEPTIONS: Final = (NOT_EVIDENCED, REJECTED_YET_MADE, APPROVED_LATE, SELF_APPROVED, RECORDED_LATER, NO_TARGET)

NO_TIME: Final = "the record has no time of its own"
NO_AUTHOR: Final = "nobody is named who made or asked for it"
NO_APPROVER: Final = "nobody is named who approved it"
RESTRICTED: Final = "somebody of its approval may not be shown (restricted)"
NO_NAME: Final = "what was changed is not named"
UNDECIDED: Final = (TIME_UNKNOWN, NO_TIME, NO_AUTHOR, NO_APPROVER, RESTRICTED, NO_NAME)

IN_FORCE: Final = "puts a version in force"
ENDS: Final = "ends a version"
NO_EFFECT: Final = "none: registered, tagged or described"
UNKNOWN_EFFECT: Final = "not known"
STATE: Final = "a state of another change here"

CHANGES: Final = """
    WITH commits AS (SELECT DISTINCT seq, committed_at FROM partitions),
    evaluated AS (
        SELECT model_ref->>'$.name' AS name, model_ref->>'$.version' AS version, occurred_at
        FROM records WHERE kind = 'evaluation' AND model_ref->>'$.version' IS NOT NULL
    ),
    states AS (
        SELECT whole, max(occurred_at) AS at
        FROM (SELECT unnest(part_of) AS whole, occurred_at FROM changes WHERE status = 'ok') GROUP BY whole
    )
    SELECT c.record_id, {at}, c.time_known, concat(c.source, '/', c.source_id), c.change_type, c.change_name,
        c.change_from, c.change_to, c.system, c.environment, c.actors, c.requesters, coalesce(c.approvers, []),
        c.approval, {approved_at}, datediff('minute', c.approved_at, c.occurred_at), {recorded_at},
        CASE WHEN c.approval_seq < c.seq THEN 'before' WHEN c.approval_seq = c.seq THEN 'same commit'
            WHEN c.approval_seq > c.seq THEN 'later' END,
        (SELECT count(*) FROM evaluated e
         WHERE e.name = c.change_name AND e.version = c.change_to AND e.occurred_at <= c.occurred_at),
        EXISTS (FROM changes w WHERE list_contains(c.part_of, concat(w.source, '/', w.source_id))),
        (SELECT {state_at} FROM states s WHERE s.whole = concat(c.source, '/', c.source_id)), c.rolls_back
    FROM changes c LEFT JOIN commits k USING (seq)
    WHERE {within} ORDER BY c.occurred_at, c.seq, c.record_id
"""

DECISIONS: Final = """
    SELECT a.record_id, {at}, a.decision, list_sort(list(DISTINCT concat(c.source, '/', c.source_id))),
        a.approvers, a.requesters
    FROM approvals a JOIN changes c ON list_has_any(c.names, a.approves)
    WHERE {within} AND c.part_of = []
    GROUP BY a.record_id, a.occurred_at, a.decision, a.approvers, a.requesters
    ORDER BY a.occurred_at, a.record_id
"""


class Row(NamedTuple):
    """One change record, as the query gives it. ``minutes``: between its approval and its taking effect."""

    record_id: str
    at: str
    time_known: bool
    source: str
    type: str
    name: str | None
    version_from: str | None
    version_to: str | None
    system: str | None
    environment: str | None
    actors: Sequence[str]
    requesters: Sequence[str]
    approvers: Sequence[str]
    approval: str
    approved_at: str | None
    minutes: int | None
    recorded_at: str
    order: str | None
    evaluations: int
    is_state: bool
    deployed_at: str | None
    rolls_back: Sequence[str]


class Reviewed(NamedTuple):
    """A change with what it does, what it can be rolled back to, and what was found of it."""

    row: Row
    effect: str
    target: str | None
    exceptions: tuple[str, ...]
    undecided: tuple[str, ...]


def change_population(catalog: Catalog, published: Published, period: Period = ALWAYS) -> Report:
    """The report. Raises what reading the catalog raises."""
    with asking.asked(catalog, published, period) as ask:
        sql = CHANGES.format(
            at=at("c.occurred_at"),
            approved_at=at("c.approved_at"),
            recorded_at=at("k.committed_at"),
            state_at=at("s.at"),
            within=ask.within("c.occurred_at"),
        )
        reviewed = review(ask, [Row(*row) for row in ask.rows(sql)])
        hidden = _left_out(ask)
        sections = (
            Section("Summary", (_facts(reviewed, hidden), *_warnings(reviewed, hidden), _chart(reviewed))),
            Section("Exceptions", (_exceptions(ask, reviewed, sql), _undecided(ask, reviewed, sql))),
            Section("Decisions", (_decisions(ask),)),
            Section("The population", (_population(ask, reviewed, sql), _records(ask, reviewed, sql))),
            Section("Approvals", (_approvals(ask, reviewed, sql), _releases(ask, reviewed, sql))),
            Section("People", (_people(ask, reviewed, sql),)),
        )
        return ask.report(NAME, "Changes and their approvals", sections, NOT_PROVEN)


NOT_PROVEN: Final = (
    (
        "A person whom two systems know by different identifiers is two references here, unless this installation has "
        "linked them: somebody who made a change in one system and approved it in the other is then not seen."
    ),
    (
        "Whether a change was an emergency is said in words, if at all: no field of a record says so. The time between "
        "approval and change is shown instead."
    ),
    "An approval counts by the identifiers that it names. Whether whoever gave it may give it is not evidenced here.",
    (
        "Times of changes and approvals are the word of their sources. Commit order is the log's own: what the same "
        "commit brought has no order in it."
    ),
)


def review(ask: Asking, rows: Sequence[Row]) -> list[Reviewed]:
    """Every change judged by what the records say of it. Pure but for links of people and what was in force before."""

    @cache
    def same_person(reference: str) -> frozenset[str]:
        return frozenset(ask.store.links.group([reference]))

    before = _versions_before(ask, rows)
    return [_reviewed(row, before.get((row.type, row.name or "", row.system, row.at)), same_person) for row in rows]


def _versions_before(ask: Asking, rows: Iterable[Row]) -> dict[tuple[str, str, str | None, str], str]:
    """What was in force of a name until a change of it took effect, where that is one version, by the second."""
    found = {}
    systems = {row.system for row in rows}
    for kind in sorted({row.type for row in rows}):
        for span in spans(ask.catalog, kind, systems):
            if span.end is not None and len(span.versions) == 1:
                found[span.type, span.name, span.system, str(seconds(span.end))] = span.versions[0]
    return found


def _reviewed(row: Row, before: str | None, same_person: Callable[[str], frozenset[str]]) -> Reviewed:
    effect = _effect(row)
    target = row.version_from or before
    if effect not in (IN_FORCE, ENDS):
        return Reviewed(row, effect, target, (), (NO_NAME,) if effect == UNKNOWN_EFFECT else ())
    authors = {other for person in (*row.actors, *row.requesters) if person != HIDDEN for other in same_person(person)}
    approvers = set(row.approvers) - {HIDDEN}
    found = {
        NOT_EVIDENCED: row.approval == NOT_EVIDENCED,
        REJECTED_YET_MADE: row.approval == REJECTED,
        APPROVED_LATE: row.approval == APPROVED_LATE,
        SELF_APPROVED: not authors.isdisjoint(approvers),
        RECORDED_LATER: row.order == "later",
        NO_TARGET: effect == IN_FORCE and target is None,
    }
    approved = row.approved_at is not None or row.approval == TIME_UNKNOWN
    open_questions = {
        TIME_UNKNOWN: row.approval == TIME_UNKNOWN,
        NO_TIME: not row.time_known,
        NO_AUTHOR: approved and not authors and HIDDEN not in row.requesters,
        NO_APPROVER: approved and not row.approvers,
        RESTRICTED: HIDDEN in (*row.approvers, *row.requesters),
    }
    return Reviewed(
        row,
        effect,
        target,
        tuple(words for words, holds in found.items() if holds),
        tuple(words for words, holds in open_questions.items() if holds),
    )


def _effect(row: Row) -> str:
    """As replay/lineage.py reads it."""
    if row.is_state:
        return STATE
    if row.name is None:
        return UNKNOWN_EFFECT
    if row.version_to is not None:
        return IN_FORCE
    return ENDS if row.version_from is not None or alias_of(row.name) else NO_EFFECT


def _left_out(ask: Asking) -> int:
    """Changes that name people whose processing is restricted."""
    every = f"SELECT count(*) FROM catalog.change_state WHERE {ask.within('occurred_at')}"
    shown = f"SELECT count(*) FROM changes WHERE {ask.within('occurred_at')}"
    return int(ask.rows(every)[0][0] - ask.rows(shown)[0][0])


def _facts(reviewed: Sequence[Reviewed], hidden: int) -> Facts:
    judged = [item for item in reviewed if item.effect in (IN_FORCE, ENDS)]
    tested = [item for item in judged if item.row.type == "model" and item.row.evaluations]
    models = sum(item.row.type == "model" and item.effect == IN_FORCE for item in judged)
    return Facts(
        (
            ("Records of changes in the period", len(reviewed)),
            ("of these: judged, as they put a version in force or end one", len(judged)),
            ("states of other changes", sum(item.effect == STATE for item in reviewed)),
            ("without effect on what is in force", sum(item.effect == NO_EFFECT for item in reviewed)),
            ("of which it is not known", sum(item.effect == UNKNOWN_EFFECT for item in reviewed)),
            ("Left out because they name restricted people", hidden),
            ("Judged changes with an exception", sum(bool(item.exceptions) for item in judged)),
            ("with something that cannot be decided", sum(bool(item.undecided) for item in judged)),
            ("Approval and change in the same commit", sum(i.row.order == "same commit" for i in judged)),
            ("Model versions put in force", models),
            ("of these: evaluated before, under that name and version", len(tested)),
        )
    )


def _warnings(reviewed: Sequence[Reviewed], hidden: int) -> tuple[Text, ...]:
    words = []
    if not reviewed:
        words.append("No change of the period is recorded here. That nothing was changed is not shown by that.")
    if hidden:
        words.append(f"{many(hidden, 'change')} left out: the population is not complete, and nothing is said of them.")
    return (Text(tuple(words), "alert"),) if words else ()


def _chart(reviewed: Sequence[Reviewed]) -> Chart:
    judged = [item.row for item in reviewed if item.effect in (IN_FORCE, ENDS)]
    counts = sorted(Counter((row.approval, row.type) for row in judged).items())
    told = "; ".join(f"{number} {kind}: {approval}" for (approval, kind), number in counts) or "There is none."
    return Chart(
        "changes-by-approval",
        "Judged changes by their approval",
        "bar",
        tuple((approval, number, kind) for (approval, kind), number in counts),
        "Approval",
        "Changes",
        told,
    )


def _exceptions(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    rows = [
        (item.row.record_id, item.row.at, _what(item.row), found, _detail(item, found))
        for found in EXCEPTIONS
        for item in reviewed
        if found in item.exceptions
    ]
    columns = (*_HEAD, Column("Exception"), Column("What the records say"))
    looked = many(sum(item.effect in (IN_FORCE, ENDS) for item in reviewed), "change")
    note = f"{looked} looked at for: {'; '.join(EXCEPTIONS)}."
    return ask.table("exceptions", "Rules that were not kept", columns, rows, query=sql, note=note)


def _undecided(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    rows = [
        (item.row.record_id, item.row.at, _what(item.row), found)
        for found in UNDECIDED
        for item in reviewed
        if found in item.undecided
    ]
    columns = (*_HEAD, Column("Why it cannot be decided"))
    return ask.table("undecided", "What the records do not let decide", columns, rows, query=sql)


_HEAD: Final = (Column("Record", "id"), Column("Took effect", "time"), Column("Change"))


def _decisions(ask: Asking) -> Table:
    """What was asked for, given and refused about changes of the period, whether or not it was the last word."""
    sql = DECISIONS.format(at=at("a.occurred_at"), within=ask.within("c.occurred_at"))
    columns = (
        *(Column("Record", "id"), Column("Decided", "time"), Column("Decision", "code"), Column("About", "code")),
        *(Column("By", "id"), Column("Asked for by", "id")),
    )
    rows = [
        (short(record_id), time, decision, about, shorts(approvers), shorts(requesters))
        for record_id, time, decision, about, approvers, requesters in ask.rows(sql)
    ]
    note = "A rejection that a later approval followed is here, too."
    return ask.table("decisions", "Decisions about the changes", columns, rows, query=sql, note=note)


def _what(row: Row) -> str:
    named = f"{row.type} {row.name or '(not named)'}"
    if row.version_to is None:
        return f"{named}: {row.version_from} ends" if row.version_from else named
    return f"{named}: {row.version_from} to {row.version_to}" if row.version_from else f"{named}: to {row.version_to}"


def _detail(item: Reviewed, found: str) -> str:
    row = item.row
    if found == APPROVED_LATE:
        return f"approved {row.approved_at}, {in_words(-(row.minutes or 0))} after it took effect"
    if found == RECORDED_LATER:
        return f"the change was recorded {row.recorded_at}, its approval by a later commit"
    if found == SELF_APPROVED:
        return f"approver {', '.join(row.approvers)}"
    if found == NO_TARGET:
        return "it says of no version before, and none was in force under this name"
    return f"made by {', '.join(row.actors) or 'nobody that is named'}, recorded as {row.source}"


def _population(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    columns = (
        *(Column("Change", "id"), Column("Took effect", "time"), Column("Type", "code"), Column("Name", "code")),
        *(Column("From", "code"), Column("To", "code"), Column("Where", "code"), Column("Effect")),
    )
    rows = [
        (
            *(short(row.record_id), row.at, row.type, row.name, row.version_from, row.version_to),
            *("/".join(filter(None, (row.system, row.environment))) or None, effect),
        )
        for row, effect, *_ in reviewed
    ]
    return ask.table("population", "Every record of a change", columns, rows, query=sql)


def _records(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    """The records that other tables show by their first digits."""
    columns = (Column("Change", "id"), Column("Record", "id"), Column("Source", "code"), Column("Recorded", "time"))
    rows = [(short(row.record_id), row.record_id, row.source, row.recorded_at) for row, *_ in reviewed]
    note = (
        "Change: the first digits of the record's id, as other tables have them. Recorded: when the log took the "
        "record in; it was there by then, whatever time it names."
    )
    return ask.table("records", "The records in full", columns, rows, query=sql, note=note)


def _approvals(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    columns = (
        *(Column("Change", "id"), Column("What"), Column("Made by", "id"), Column("Asked for by", "id")),
        *(Column("Approval"), Column("Approved by", "id"), Column("Approved", "time"), Column("Before by")),
        Column("In the log"),
    )
    rows = [
        (
            *(short(row.record_id), _what(row), shorts(row.actors), shorts(row.requesters), row.approval),
            *(shorts(row.approvers), row.approved_at, _lead(row), row.order),
        )
        for row, effect, *_ in reviewed
        if effect in (IN_FORCE, ENDS)
    ]
    note = (
        "Before by: the time from the approval to the change. In the log: whether the approval was committed before "
        "the change, by the same commit, or later. People are in full below."
    )
    return ask.table("approvals", "Judged changes", columns, rows, query=sql, note=note)


def _lead(row: Row) -> str | None:
    if row.minutes is None:
        return None
    return in_words(row.minutes) if row.minutes >= 0 else "no: after"


def _releases(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    columns = (
        *(Column("Change", "id"), Column("What"), Column("Evaluations before", "number")),
        *(Column("Deployed", "time"), Column("Can go back to", "code"), Column("Takes back", "code")),
    )
    rows = [
        (
            *(short(row.record_id), _what(row)),
            row.evaluations if row.type == "model" and effect == IN_FORCE else None,
            *(row.deployed_at, target, row.rolls_back),
        )
        for row, effect, target, *_ in reviewed
        if effect in (IN_FORCE, ENDS)
    ]
    note = (
        "Evaluations before: records of evaluations of that model and version. Deployed: the last state of the change "
        "that says that it went well. Can go back to: the version that the change names as the one before, else the "
        "one that was in force under its name. Takes back: the changes that it says it rolls back."
    )
    return ask.table("releases", "Tested, deployed, rolled back", columns, rows, query=sql, note=note)


def _people(ask: Asking, reviewed: Sequence[Reviewed], sql: str) -> Table:
    """Who does what, and how many of one's own: one approver for everything is nothing wrong, but to be known."""
    judged = [item for item in reviewed if item.effect in (IN_FORCE, ENDS)]
    counts = {name: Counter[str]() for name in ("actors", "requesters", "approvers")}
    for item in judged:
        for name, counter in counts.items():
            counter.update(set(getattr(item.row, name)))
    made, asked, approved = counts.values()
    everybody = sorted({*made, *asked, *approved}, key=lambda person: (-approved[person], -made[person], person))
    rows = [(person, *(counts[name][person] for name in counts)) for person in everybody]
    columns = (
        Column("Reference", "id"),
        *(Column(title, "number") for title in ("Made", "Asked for", "Approved")),
    )
    note = f"{many(len(everybody), 'reference')} of people over {many(len(judged), 'judged change')}."
    return ask.table("people", "People of the judged changes", columns, rows, query=sql, note=note)
