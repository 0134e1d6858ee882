"""``evidence dsar list`` and ``show``: which requests there are, and everything that happened to one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.dsar_open import RequestArgument, brief
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from datetime import date

    from ledger.store import Store
    from reports.dsar.approvals import CheckedApproval
    from reports.dsar.plan import Plan
    from reports.dsar.requests import Happened, RequestState
    from reports.dsar.said import Said

LIST = "Example: evidence dsar list"
SHOW = "Example: evidence dsar show 3f9a --words --purpose 'answer to the requester'"

_QUIET = ("operator", "signature", "population", "policy", "plan", "holidays", "evidence")
_KEYS = ("opened_by", "planned_by", "signed_by", "vkey")


def list_(
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List requests by deadline, overdue ones first. Days left are as of today (UTC); deadlines stand still."""
    from reports.dsar.register import today
    from reports.dsar.requests import related, requests

    with store_of(config, store) as opened:
        found = requests(opened)
    day = today()
    shown = sorted(
        (state for state in found.values() if every or state.closed is None),
        key=lambda state: (state.closed is not None, state.due_at, state.request),
    )
    if json:
        rows = [{**brief(state), **_timing(state, day), "related": len(related(found, state))} for state in shown]
        emit("dsar/list", {"as_of": day.isoformat(), "requests": rows})
        return
    if not shown:
        note("no request" if every else "no open request")
        return
    say(f"As of {day} (UTC)")
    headers = ("REQUEST", "KIND", "REGIME", "RECEIVED", "DUE", "LEFT", "STATUS", "SAME PERSON")
    table(headers, (_row(state, day, len(related(found, state))) for state in shown))
    for state in shown:
        if state.confirm_by and state.confirmed_at is None and state.closed is None:
            note(f"receipt of {state.request[:8]} is to be confirmed by {state.confirm_by}")


def _row(state: RequestState, day: date, others: int) -> tuple[str, ...]:
    left = _timing(state, day)["left"]
    return (
        *(state.request[:8], state.kind, state.regime, state.received_at, state.due_at),
        *(str(left), state.closed or state.status, str(others or "")),
    )


def _timing(state: RequestState, day: date) -> dict[str, Any]:
    """Days left, or why none are counted."""
    from datetime import date

    days = (date.fromisoformat(state.due_at) - day).days
    if state.closed is not None or state.paused_since is not None:
        return {"days_left": None, "overdue": False, "left": "" if state.closed else "paused"}
    words = count(days, "day") if days >= 0 else f"{count(-days, 'day')} overdue"
    return {"days_left": days, "overdue": days < 0, "left": words}


def show(
    request: RequestArgument,
    words: Annotated[bool, typer.Option("--words", help="Open what was said; writes an access record.")] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Every row of the plan; writes an access record.")] = False,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show a request: what happened when, its plan, its approvals and whether they count."""
    from reports.dsar.approvals import check_approvals
    from reports.dsar.clocks import regime_of
    from reports.dsar.register import today
    from reports.dsar.requests import find_request, related, requests

    with store_of(config, store) as opened:
        state = find_request(opened, request)
        told = _said(opened, state, purpose, words=words) if words or rows else {}
        checked = check_approvals(opened, state)
        plan = _plan(opened, state)
        others = [other.request for other in related(requests(opened), state)]
    law = regime_of(state.regime)
    if json:
        shown = {**_as_json(state, plan, checked, told, rows), **_timing(state, today()), "related": others}
        emit("dsar/show", {**shown, "clock": {"law": law.name, "sources": law.sources}})
        return
    say(f"Request {state.request}: {state.kind} under {state.regime}, {state.closed or state.status}")
    say(f"  {law.name}")
    say(f"  received {state.received_at}, due {state.due_at} ({_timing(state, today())['left'] or 'closed'})")
    say(f"  {count(len(state.subjects), 'reference')}: {' '.join(state.subjects)}")
    if others:
        say(f"  same person within a year: {' '.join(other[:8] for other in others)}")
    for line in _timeline(state, told):
        say(line)
    if plan is not None:
        print_plan(plan, rows)
    for item in checked:
        say(f"Approval of {item.approval.plan[:12]} by {_name(item)}: {'counts' if item.counts else _why(item)}")


def _plan(opened: Store, state: RequestState) -> Plan | None:
    """The newest plan. One that cannot be read hides nothing of what happened."""
    from ledger.errors import EvidenceError
    from reports.dsar.plan import load_plan

    try:
        return None if state.plan is None else load_plan(opened, state.plan)
    except EvidenceError as error:
        note(f"the plan cannot be shown: {error.message}")
        return None


def _said(opened: Store, state: RequestState, purpose: str, *, words: bool) -> Mapping[int, Said]:
    """What was said. Whoever sees the rows alone sees a person's records too, so that is recorded as well."""
    from replay import access
    from reports.dsar.said import said

    shown = "words and rows" if words else "rows"
    receipt = access.record(opened, "dsar show", purpose, {"request": state.request, "shown": shown})
    return said(opened, receipt, state) if words else {}


def _timeline(state: RequestState, told: Mapping[int, Said]) -> Iterator[str]:
    from replay.visible import one_line

    yield ""
    for event in state.events:
        yield f"{event.at[:19]}Z  {event.event}{_details(event)}"
        if event.refused:
            yield f"  out of place, changes nothing: {event.refused}"
        found = told.get(event.entry)
        if found is not None:
            yield from (f"  | {one_line(label)}: {one_line(text)}" for label, text in found.words.items())
            if found.state != "verified":
                yield f"  | {found.state}"
        elif event.record:
            yield f"  words in record {event.record[:12]} (see --words)"
    yield ""


def _details(event: Happened) -> str:
    from replay.visible import one_line

    named = {name: value for name, value in event.details.items() if name not in _QUIET}
    named |= {name: str(value).partition("+")[0] for name, value in named.items() if name in _KEYS}
    plan = f", plan {event.plan[:12]}" if event.plan else ""
    return plan + "".join(f", {name} {one_line(str(value))}" for name, value in sorted(named.items()))


def _name(item: CheckedApproval) -> str:
    from replay.visible import one_line

    return f"{one_line(item.approval.vkey.partition('+')[0])} ({item.approval.scheme})"


def _why(item: CheckedApproval) -> str:
    from replay.visible import one_line

    return f"does not count: {one_line(item.why)}"


def print_plan(plan: Plan, rows: bool) -> None:
    """A plan by outcome and basis, then its digest; with ``rows`` each record."""
    from reports.dsar.plan import digest
    from reports.dsar.planning import outcomes

    headers = ("WHAT", "OUTCOME", "UNTIL", "BASIS", "NUMBER")
    table(
        headers,
        ((item.what, item.outcome, item.until or "", item.basis, f"{item.number:,}") for item in outcomes(plan)),
    )
    if rows:
        say()
        listed = [(row.record_id, row.entry, row.row, row.outcome, row.until, row.basis) for row in plan.rows]
        listed += [
            (item.record_id, item.entry, item.row, item.outcome, item.until, item.basis) for item in plan.redactions
        ]
        titles = ("RECORD", "ENTRY", "ROW", "OUTCOME", "UNTIL", "BASIS")
        table(titles, (tuple("" if value is None else str(value) for value in row) for row in listed))
    say(f"Plan {digest(plan)}")


def plan_as_json(plan: Plan, rows: bool) -> dict[str, Any]:
    """A plan for scripts."""
    import msgspec

    from reports.dsar.plan import digest
    from reports.dsar.planning import outcomes

    found: dict[str, Any] = {"plan": digest(plan), "outcomes": [item._asdict() for item in outcomes(plan)]}
    if rows:
        found |= {"rows": msgspec.to_builtins(plan.rows), "redactions": msgspec.to_builtins(plan.redactions)}
    return found


def _as_json(
    state: RequestState, plan: Plan | None, checked: list[CheckedApproval], told: Mapping[int, Said], rows: bool
) -> dict[str, Any]:
    import msgspec

    events = [
        {**msgspec.to_builtins(event), "said": told[event.entry]._asdict() if event.entry in told else None}
        for event in state.events
    ]
    return {
        **brief(state),
        "approvals": msgspec.to_builtins(checked),
        "events": events,
        "newest_plan": None if plan is None else plan_as_json(plan, rows),
    }
