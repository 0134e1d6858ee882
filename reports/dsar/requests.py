"""The register of data subjects' requests: what the ledger's ``request`` entries say, read in order. Pure.

An entry holds no personal data: random references, closed codes, days, digests, signatures. Whatever was said in words
is sealed content (reports/dsar/register.py). Deadlines are fixed when a request is opened; every change is an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from ledger import entry_shapes
from ledger.errors import NotFoundError, UsageError
from ledger.history import Entry
from ledger.store import Store

KINDS: Final = ("erasure", "access", "portability", "rectification", "restriction", "objection")
EVENTS: Final = (
    "opened",
    "confirmed",
    "identified",
    "paused",
    "resumed",
    "extended",
    "planned",
    "approved",
    "executed",
    "delivered",
    "certified",
    "closed",
)
CLOSING: Final = {
    "fulfilled": "all that was asked for was done",
    "partly_fulfilled": "done in part; the plan says what stays and why",
    "refused_exempt": "refused: a law or a legal hold forbids it",
    "refused_unfounded": "refused: manifestly unfounded or excessive (GDPR, Article 12(5))",
    "not_identified": "refused: the requester could not be identified",
    "no_data": "nothing about the person is here",
    "duplicate": "asked in another request",
    "withdrawn": "the requester took it back",
}
EXTENDING: Final = {
    "complexity": "the request is complex",
    "number": "there are many requests of this person",
}
IDENTIFYING: Final = {
    "account": "signed in to their account",
    "contact": "answered at a known address or number",
    "document": "showed a document",
    "knowledge": "answered questions only they could",
    "in_person": "known in person",
    "agent": "an authorised agent with proof of it",
}
PAUSING: Final = {"identity": "reasonable doubt about the requester's identity (GDPR, Article 12(6))"}

DUPLICATE_WITHIN: Final = timedelta(days=365)
_REFERENCE: Final = re.compile(r"[0-9a-f]{4,32}\Z")


class Happened(msgspec.Struct, frozen=True):
    """One event as the ledger has it. ``refused``: why it changes nothing, where it came out of place."""

    entry: int
    at: str
    event: str
    details: dict[str, Any]
    record: str | None = None
    plan: str | None = None
    refused: str | None = None


class Approval(msgspec.Struct, frozen=True):
    """A signature under the statement of a plan, as recorded; reports/dsar/approvals.py says whether it counts."""

    entry: int
    at: str
    plan: str
    vkey: str
    scheme: str
    signature: str


class RequestState(msgspec.Struct, frozen=True, kw_only=True):
    """A request after all its events. Days are YYYY-MM-DD, where the controller is.

    ``due_at``: the last day to answer. ``status``: open, identified, paused, planned, approved, executed, delivered or
    closed. ``plan``: SHA-256 of the newest plan. ``keys``: vkeys that opened or planned it; none of them may approve.
    """

    request: str
    subjects: list[str]
    regime: str
    kind: str
    received_at: str
    due_at: str
    confirm_by: str | None = None
    confirmed_at: str | None = None
    identified_at: str | None = None
    paused_since: str | None = None
    paused_days: int = 0
    extended: bool = False
    plan: str | None = None
    plan_rows: int = 0
    approvals: list[Approval] = []
    keys: list[str] = []
    executed: str | None = None
    delivered: bool = False
    certified: bool = False
    closed: str | None = None
    events: list[Happened] = []

    @property
    def status(self) -> str:
        """Where the request is."""
        if self.closed is not None:
            return "closed"
        if self.paused_since is not None:
            return "paused"
        if self.executed is not None and self.executed == (self.plan or self.executed):
            return "executed"
        if self.plan is not None:
            return "approved" if any(item.plan == self.plan for item in self.approvals) else "planned"
        if self.delivered:
            return "delivered"
        return "open" if self.identified_at is None else "identified"


def requests(store: Store) -> dict[str, RequestState]:
    """Every request by its reference, in the order in which they were opened."""
    return fold(store.history.entries)


def fold(entries: Iterable[Entry]) -> dict[str, RequestState]:
    """The requests that entries tell of. An event out of place is listed, with the reason, and changes nothing else."""
    found: dict[str, RequestState] = {}
    for entry in entries:
        if entry.value["type"] != "request":
            continue
        read: entry_shapes.Request = entry_shapes.read(entry.value)
        state = found.get(read.request)
        if state is not None:
            found[read.request] = after(state, entry)
        elif read.event == "opened" and (opened := _opened(entry, read)) is not None:
            found[read.request] = opened
    return found


def after(state: RequestState, entry: Entry) -> RequestState:
    """A request after one more of its entries."""
    read: entry_shapes.Request = entry_shapes.read(entry.value)
    plan = None if read.plan is None else read.plan.blob
    try:
        refused = refusal(state, read.event, read.details, plan)
        changes = {} if refused else _changes(state, entry, read)
    except (KeyError, ValueError, TypeError):
        refused, changes = "it lacks what an event of its kind says", {}
    return msgspec.structs.replace(state, **changes, events=[*state.events, _happened(entry, read, refused)])


def find_request(store: Store, text: str) -> RequestState:
    """A request by its reference or a unique beginning of it. Raises NotFoundError."""
    if not _REFERENCE.match(text):
        raise UsageError("a request is named by its reference: 32 hex digits, or the first 4 or more of them")
    found = [state for reference, state in requests(store).items() if reference.startswith(text)]
    if len(found) != 1:
        raise NotFoundError(
            f"{'several requests begin with' if found else 'no request'} {text}", hint="See `evidence dsar list`."
        )
    return found[0]


def related(every: Mapping[str, RequestState], state: RequestState) -> list[RequestState]:
    """Other requests of the same person that were received within a year of this one."""
    subjects, received = set(state.subjects), date.fromisoformat(state.received_at)
    return [
        other
        for other in every.values()
        if other.request != state.request
        and not subjects.isdisjoint(other.subjects)
        and abs(date.fromisoformat(other.received_at) - received) <= DUPLICATE_WITHIN
    ]


_AFTERWARDS: Final = ("executed", "certified")
"""What may follow on closing: a record that had to wait goes when its day has come, and is certified."""


def refusal(state: RequestState, event: str, details: Mapping[str, Any], plan: str | None = None) -> str | None:
    """Why an event may not follow, in words; None where it may."""
    if event not in EVENTS or event == "opened":
        return "it is open already" if event == "opened" else f"there is no event {event!a}"
    if state.closed is not None and not (event in _AFTERWARDS and state.executed is not None):
        return "it is closed"
    if state.paused_since is not None and event not in ("identified", "resumed", "closed"):
        return "its clock is paused: resume it first"
    check = _RULES.get(event)
    return None if check is None else check(state, details, plan)


def _confirmed(state: RequestState, _details: Mapping[str, Any], _plan: str | None) -> str | None:
    return None if state.confirmed_at is None else "its receipt is confirmed already"


def _paused(state: RequestState, details: Mapping[str, Any], _plan: str | None) -> str | None:
    if details.get("reason") not in PAUSING or state.regime != "gdpr":
        return "a clock is paused only for doubt about an identity, and only under the GDPR"
    if state.identified_at is not None:
        return "the requester is identified, so nothing stops the clock"
    return None


def _resumed(state: RequestState, _details: Mapping[str, Any], _plan: str | None) -> str | None:
    return "it is not paused" if state.paused_since is None else None


def _extended(state: RequestState, details: Mapping[str, Any], _plan: str | None) -> str | None:
    if state.extended:
        return "it was extended once, which is all that the law allows"
    if details.get("reason") not in EXTENDING:
        return f"an extension needs a reason: {', '.join(EXTENDING)}"
    if str(details.get("told_at")) > state.due_at:
        return f"the requester had to be told of an extension by {state.due_at}"
    return None


def _planned(_state: RequestState, details: Mapping[str, Any], plan: str | None) -> str | None:
    return None if plan is not None and "planned_by" in details else "a planned event names its plan and who made it"


def _approved(state: RequestState, details: Mapping[str, Any], _plan: str | None) -> str | None:
    if state.plan is None:
        return "there is no plan to approve"
    return None if details.get("plan") == state.plan else "the approval is of another plan than the newest"


def _executed(state: RequestState, details: Mapping[str, Any], _plan: str | None) -> str | None:
    if state.identified_at is None:
        return "the requester is not identified"
    if state.kind != "erasure" and state.plan is None:
        return None
    if state.plan is None or details.get("plan") != state.plan:
        return "what is executed is not its newest plan"
    return None if any(item.plan == state.plan for item in state.approvals) else "its plan is not approved"


def _delivered(state: RequestState, _details: Mapping[str, Any], _plan: str | None) -> str | None:
    return "the requester is not identified" if state.identified_at is None else None


def _certified(state: RequestState, _details: Mapping[str, Any], _plan: str | None) -> str | None:
    return "nothing was executed that could be certified" if state.executed is None else None


def _closed(state: RequestState, details: Mapping[str, Any], _plan: str | None) -> str | None:
    reason = details.get("reason")
    if reason not in CLOSING:
        return f"closing needs a reason: {', '.join(CLOSING)}"
    if reason not in ("fulfilled", "partly_fulfilled"):
        return None
    if state.kind == "erasure" and state.executed is None:
        return "nothing was executed, so it is not fulfilled"
    if state.kind in ("access", "portability") and not state.delivered:
        return "nothing was delivered, so it is not fulfilled"
    return None


_RULES: Final = {
    "confirmed": _confirmed,
    "paused": _paused,
    "resumed": _resumed,
    "extended": _extended,
    "planned": _planned,
    "approved": _approved,
    "executed": _executed,
    "delivered": _delivered,
    "certified": _certified,
    "closed": _closed,
}


def _opened(entry: Entry, read: entry_shapes.Request) -> RequestState | None:
    details = read.details
    try:
        state = RequestState(
            request=read.request,
            subjects=list(read.subjects),
            regime=str(details["regime"]),
            kind=str(details["kind"]),
            received_at=_day(details["received"]),
            due_at=_day(details["due"]),
            confirm_by=None if details.get("confirm_by") is None else _day(details["confirm_by"]),
            keys=[str(details["opened_by"])],
        )
    except (KeyError, ValueError):
        return None
    return msgspec.structs.replace(state, events=[_happened(entry, read, None)])


def _changes(state: RequestState, entry: Entry, read: entry_shapes.Request) -> dict[str, Any]:
    """The fields that an event changes."""
    details = read.details
    if read.event == "confirmed":
        return {"confirmed_at": _day(details["told_at"])}
    if read.event == "identified":
        return {"identified_at": _day(details["verified_at"])}
    if read.event == "paused":
        return {"paused_since": _day(details["since"])}
    if read.event == "resumed":
        return {
            "paused_since": None,
            "paused_days": state.paused_days + _number(details["days"]),
            "due_at": _day(details["due"]),
        }
    if read.event == "extended":
        return {"extended": True, "due_at": _day(details["due"])}
    if read.event == "planned" and read.plan is not None:
        keys = [
            *state.keys,
            str(details["planned_by"]),
            *([str(details["signed_by"])] if "signed_by" in details else []),
        ]
        return {"plan": read.plan.blob, "plan_rows": read.plan.count, "keys": list(dict.fromkeys(keys))}
    if read.event == "approved":
        return {"approvals": [*state.approvals, _approval(entry, details)]}
    if read.event == "executed":
        return {"executed": str(details.get("plan") or "without a plan")}
    if read.event == "closed":
        return {"closed": str(details["reason"])}
    return {read.event: True}


def _approval(entry: Entry, details: Mapping[str, Any]) -> Approval:
    return Approval(
        entry=entry.index,
        at=entry.time,
        **{name: str(details[name]) for name in ("plan", "vkey", "scheme", "signature")},
    )


def _happened(entry: Entry, read: entry_shapes.Request, refused: str | None) -> Happened:
    plan = None if read.plan is None else read.plan.blob
    return Happened(entry.index, entry.time, read.event, dict(read.details), read.record, plan, refused)


def _day(value: object) -> str:
    """A day as text. Raises ValueError for anything else."""
    return date.fromisoformat(str(value)).isoformat()


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value
