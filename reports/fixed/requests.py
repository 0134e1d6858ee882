"""The register of data subjects' requests: deadlines and whether they were kept, outcomes, approvals, certificates.

It says of no request who asked: a request has a reference, and what was said in words is sealed. Days are compared as
the register has them; "today" is the day of the checkpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from ledger import notes
from ledger.errors import EvidenceError
from ledger.history import Entry
from replay.catalog import Catalog
from reports.document import Chart, Column, Facts, Report, Section, Table, Text
from reports.dsar.approvals import CheckedApproval, check_approvals
from reports.dsar.clocks import REGIMES
from reports.dsar.plan import load_plan
from reports.dsar.planning import PLANNED_KINDS, outcomes
from reports.dsar.requests import CLOSING, Happened, RequestState, fold
from reports.fixed import asking
from reports.fixed.asking import ALWAYS, Asking, Period, many, seconds, short
from reports.published import Published

NAME: Final = "requests"
IN_TIME: Final = "answered in time"
LATE: Final = "answered late"
OVERDUE: Final = "open, overdue"
OPEN: Final = "open, in time"
PAUSED: Final = "paused"
STANDINGS: Final = (LATE, OVERDUE, OPEN, PAUSED, IN_TIME)

REQUESTS: Final = "SELECT * FROM requests ORDER BY entry"


class Judged(NamedTuple):
    """A request with how it stands. ``days``: late or overdue by, or left until the deadline where that is positive."""

    state: RequestState
    standing: str
    days: int | None
    closed_on: str | None


def requests_register(catalog: Catalog, published: Published, period: Period = ALWAYS) -> Report:
    """The report: of the requests that were open at some time in the period. Raises what reading the catalog raises."""
    with asking.asked(catalog, published, period) as ask:
        today = date.fromisoformat(ask.as_of.time[:10])
        judged = [judge(state, today) for state in fold(ask.entries).values()]
        judged = [item for item in judged if _is_asked_for(item, period)]
        sections = (
            Section("Summary", (_facts(judged, today), *_chart(judged))),
            Section("Late", (*_warning(judged, today), _late(ask, judged, today))),
            Section("The register", (_register(ask, judged), _course(ask, judged), _clocks(judged))),
            Section("Outcomes and approvals", (*_outcomes(ask, judged), _approvals(ask, judged), _proofs(ask, judged))),
            Section("Out of place", (_refused(ask, judged),)),
        )
        return ask.report(NAME, "Requests of data subjects", sections, NOT_PROVEN)


NOT_PROVEN: Final = (
    "A request that nobody entered is not here, and the day of receipt is the word of whoever entered it.",
    (
        "Deadlines end with a day where the controller is; events have times in UTC. At the turn of a day the two can "
        "differ by one."
    ),
    "That an answer reached the person is not shown: only that somebody recorded it.",
    "Erased content is rendered unreadable by key destruction; what that leaves stands in each certificate.",
)


def judge(state: RequestState, today: date) -> Judged:
    """How a request stands on a day."""
    due = date.fromisoformat(state.due_at)
    closing = next((event for event in state.events if event.event == "closed" and event.refused is None), None)
    if closing is not None:
        days = (date.fromisoformat(closing.at[:10]) - due).days
        return Judged(state, LATE if days > 0 else IN_TIME, max(days, 0) or None, closing.at[:10])
    if state.paused_since is not None:
        return Judged(state, PAUSED, None, None)
    left = (due - today).days
    return Judged(state, OVERDUE if left < 0 else OPEN, abs(left), None)


def _is_asked_for(item: Judged, period: Period) -> bool:
    since, until = period
    begun = until is None or item.state.received_at < until[:10]
    return begun and (since is None or item.closed_on is None or item.closed_on >= since[:10])


def _confirmation(state: RequestState, today: date, closed_on: str | None) -> str | None:
    """Where receipt has to be confirmed: whether it was, and in time."""
    if state.confirm_by is None:
        return None
    done = state.confirmed_at or closed_on
    if done is None:
        return "overdue" if today.isoformat() > state.confirm_by else "to be done"
    return "in time" if done <= state.confirm_by else "late"


def _facts(judged: Sequence[Judged], today: date) -> Facts:
    counts = Counter(item.standing for item in judged)
    confirmations = Counter(_confirmation(item.state, today, item.closed_on) for item in judged)
    return Facts(
        (
            ("Today, for this report", today.isoformat()),
            ("Requests", len(judged)),
            *((standing[0].upper() + standing[1:], counts[standing]) for standing in STANDINGS),
            ("Receipt confirmed late, or not yet and overdue", confirmations["late"] + confirmations["overdue"]),
            ("Extended", sum(item.state.extended for item in judged)),
        )
    )


def _chart(judged: Sequence[Judged]) -> Iterator[Chart]:
    counts = sorted(Counter((item.state.kind, item.standing) for item in judged).items())
    told = "; ".join(f"{number} {kind}: {standing}" for (kind, standing), number in counts) or "There is none."
    rows = tuple((kind, number, standing) for (kind, standing), number in counts)
    yield Chart("requests-by-standing", "Requests by kind, and how they stand", "bar", rows, "Kind", "Requests", told)


def _warning(judged: Sequence[Judged], today: date) -> Iterator[Text]:
    late = sum(item.standing in (LATE, OVERDUE) for item in judged)
    unconfirmed = sum(_confirmation(item.state, today, item.closed_on) in ("late", "overdue") for item in judged)
    words = [f"{many(late, 'request')} answered late or overdue."] if late else []
    words += [f"Of {many(unconfirmed, 'request')} receipt was not confirmed in time."] if unconfirmed else []
    if words:
        yield Text(tuple(words), "alert")
    elif judged:
        yield Text(("No request was answered late, none is overdue, and receipt was confirmed where it had to be.",))


def _late(ask: Asking, judged: Sequence[Judged], today: date) -> Table:
    rows: list[tuple[Any, ...]] = []
    for item in judged:
        state = item.state
        head = (state.request, state.kind, state.regime)
        if item.standing in (LATE, OVERDUE):
            rows.append((*head, item.standing, state.due_at, item.closed_on, item.days))
        confirmed = _confirmation(state, today, item.closed_on)
        if confirmed in ("late", "overdue"):
            done = state.confirmed_at or item.closed_on
            until = today if done is None else date.fromisoformat(done)
            days = (until - date.fromisoformat(state.confirm_by or "")).days
            rows.append((*head, f"receipt confirmed: {confirmed}", state.confirm_by, done, days))
    columns = (
        *(Column("Request", "id"), Column("Kind", "code"), Column("Regime", "code"), Column("What")),
        *(Column("Due"), Column("Done"), Column("Days late", "number")),
    )
    return ask.table("late", "What was late, or is", columns, rows, query=REQUESTS)


def _register(ask: Asking, judged: Sequence[Judged]) -> Table:
    columns = (
        *(Column("Request", "id"), Column("Kind", "code"), Column("Regime", "code"), Column("Received")),
        *(Column("Due"), Column("Stands"), Column("Days late or left", "number"), Column("Closed as", "code")),
    )
    rows = [
        (
            *(item.state.request, item.state.kind, item.state.regime, item.state.received_at, item.state.due_at),
            *(item.standing, item.days, item.state.closed),
        )
        for item in judged
    ]
    used = sorted({item.state.closed for item in judged if item.state.closed is not None})
    note = " ".join(f"{code}: {CLOSING.get(code, code)}." for code in used) or None
    return ask.table("register", "Every request", columns, rows, query=REQUESTS, note=note)


def _course(ask: Asking, judged: Sequence[Judged]) -> Table:
    columns = (
        *(Column("Request", "id"), Column("Due at first"), Column("Due"), Column("Receipt confirmed")),
        *(Column("Identified"), Column("Extended for", "code"), Column("Days paused", "number")),
        *(Column("Done"), Column("Closed")),
    )
    note = "Done: executed or delivered for the first time."
    return ask.table(
        "course", "The course of each", columns, [_days(item) for item in judged], query=REQUESTS, note=note
    )


def _days(item: Judged) -> tuple[Any, ...]:
    state = item.state
    first = {event.event: event for event in reversed(state.events) if event.refused is None}
    extended = first["extended"].details.get("reason") if "extended" in first else None
    done = min((first[name].at[:10] for name in ("executed", "delivered") if name in first), default=None)
    return (
        *(short(state.request), first["opened"].details["due"], state.due_at, state.confirmed_at),
        *(state.identified_at, extended, state.paused_days, done, item.closed_on),
    )


def _clocks(judged: Sequence[Judged]) -> Text:
    """By which rules the deadlines were counted."""
    used = sorted({item.state.regime for item in judged} & REGIMES.keys())
    words = [f"{REGIMES[code].name}: {'; '.join(REGIMES[code].sources)}." for code in used]
    return Text(tuple(words) or ("No clock ran.",))


def _outcomes(ask: Asking, judged: Sequence[Judged]) -> Iterator[Table | Text]:
    """What the newest plan of each request decided: rows and mentions by outcome."""
    rows, unread = [], []
    for item in judged:
        if item.state.plan is None:
            continue
        try:
            found = outcomes(load_plan(ask.store, item.state.plan))
        except EvidenceError as error:
            unread.append(f"The plan of request {item.state.request} cannot be read: {error.message}.")
            continue
        carried_out = item.state.executed == item.state.plan
        rows += [
            (short(item.state.request), of.what, of.outcome, of.until, of.basis, of.number, carried_out) for of in found
        ]
    columns = (
        *(Column("Request", "id"), Column("What", "code"), Column("Outcome", "code"), Column("Until")),
        *(Column("Basis", "code"), Column("Number", "number"), Column("Carried out")),
    )
    note = "From the newest plan. Requests other than of erasure or objection need none."
    yield ask.table("outcomes", "Outcomes by plan", columns, rows, note=note)
    if unread:
        yield Text(tuple(unread), "alert")


def _approvals(ask: Asking, judged: Sequence[Judged]) -> Table:
    """Each approval, and whether it counted when the request was executed, or would at the checkpoint."""
    rows = []
    for item in judged:
        checked = check_approvals(ask.store, item.state, _approvers(ask, item.state.events))
        rows += [_approval(item.state, found, ask.as_of.origin) for found in checked]
        if item.state.kind in PLANNED_KINDS and item.state.executed is not None and not any(c.counts for c in checked):
            rows.append((short(item.state.request), None, None, "executed, and no approval counts", None, None))
    columns = (
        *(Column("Request", "id"), Column("Approved", "time"), Column("By key", "code"), Column("Counts")),
        *(Column("Plan (SHA-256)", "id"), Column("Opened and planned by keys", "code")),
    )
    note = (
        "An approval counts if it is of the newest plan, its signature verifies, and its key held the role approver "
        "and neither opened nor planned the request: it takes two keys. That two people hold them is not shown."
    )
    return ask.table("approvals", "Approvals of plans", columns, rows, note=note)


def _approvers(ask: Asking, events: Iterable[Happened]) -> list[notes.Verifier]:
    """Who held the role when the request was executed, or at the checkpoint."""
    executed = [event.entry for event in events if event.event == "executed" and event.refused is None]
    return _holders(ask.entries[: executed[-1]] if executed else ask.entries)


def _holders(entries: Iterable[Entry]) -> list[notes.Verifier]:
    held: dict[str, None] = {}
    for entry in entries:
        if entry.value["type"] == "key":
            if entry.value["action"] == "retire":
                held.pop(entry.value["vkey"], None)
            elif "approver" in entry.value.get("roles", ()):
                held[entry.value["vkey"]] = None
    return [notes.Verifier.from_vkey(vkey) for vkey in held]


def _approval(state: RequestState, found: CheckedApproval, origin: str) -> tuple[Any, ...]:
    item = found.approval
    counts = "yes" if found.counts else f"no: {found.why}"
    return (
        *(short(state.request), seconds(item.at), _key(item.vkey, origin), counts, item.plan),
        [_key(vkey, origin) for vkey in state.keys],
    )


def _key(vkey: str, origin: str) -> str:
    """A key by its id and its name, in which the log's own is left out."""
    name, _, rest = vkey.partition("+")
    return f"{name.removeprefix(f'{origin}/')} ({rest.partition('+')[0]})"


def _proofs(ask: Asking, judged: Sequence[Judged]) -> Table:
    """Certificates that were issued and copies that were handed over."""
    rows = [
        (short(item.state.request), event.event, seconds(event.at), event.entry, *_handed(event.details))
        for item in judged
        for event in item.state.events
        if event.event in ("executed", "delivered", "certified") and event.refused is None
    ]
    columns = (
        *(Column("Request", "id"), Column("Event", "code"), Column("Time", "time"), Column("Entry", "number")),
        *(Column("Numbers"), Column("File (SHA-256)", "id")),
    )
    return ask.table("proofs", "Carried out, handed over, certified", columns, rows)


def _handed(details: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The numbers that an event states, and the digest of the file where it names one."""
    numbers = [f"{name} {value:,}" for name, value in sorted(details.items()) if type(value) is int]
    digest = details.get("certificate") or details.get("package") or details.get("sha256")
    return ", ".join(numbers) or None, None if digest is None else str(digest)


def _refused(ask: Asking, judged: Sequence[Judged]) -> Table:
    rows = [
        (item.state.request, event.event, seconds(event.at), event.entry, event.refused)
        for item in judged
        for event in item.state.events
        if event.refused is not None
    ]
    columns = (
        *(Column("Request", "id"), Column("Event", "code"), Column("Time", "time"), Column("Entry", "number")),
        Column("Why it changes nothing"),
    )
    return ask.table("refused", "Events out of place, which change nothing", columns, rows)
