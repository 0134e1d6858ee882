"""``evidence dsar open`` and ``confirm``: a request comes in, its deadline is fixed, its receipt is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from ledger.store import Store
    from reports.dsar.requests import RequestState

OPEN = "Example: evidence dsar open email:ana@example.org --kind erasure --requester 'Ana M.' --channel letter"
CONFIRM = "Example: evidence dsar confirm 3f9a --told 2026-11-26"

RequestArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="Its reference, or a unique beginning of it.")]
SaidOption = Annotated[str, typer.Option("--note", help="Words to keep: sealed under the person's key.")]
ToldOption = Annotated[str | None, typer.Option("--told", help="Day on which the requester was told [default: today].")]


def open_(
    identifiers: Annotated[
        list[str], typer.Argument(metavar="IDENTIFIER", help="Of the person: type:value, a value, or a reference.")
    ],
    kind: Annotated[
        str, typer.Option(help="erasure, access, portability, rectification, restriction or objection.")
    ] = "erasure",
    regime: Annotated[str, typer.Option(help="gdpr or ccpa: whose clock runs.")] = "gdpr",
    received: Annotated[str | None, typer.Option(help="Day of receipt [default: today, UTC].")] = None,
    requester: Annotated[str, typer.Option(help="Who asks; sealed as content.")] = "",
    channel: Annotated[str, typer.Option(help="How it came in; sealed as content.")] = "",
    said: SaidOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Open a request of a data subject. The clock runs from receipt; the deadline is fixed here.

    A person whom the store does not know yet must be given as type:value.
    """
    from reports.dsar.register import Opening, open_request, today
    from reports.dsar.requests import related, requests

    day = parse_day(received) or today()
    with store_of(config, store) as opened:
        subjects = _subjects(opened, identifiers)
        words = {"requester": requester, "channel": channel, "note": said}
        state = open_request(opened, Opening(subjects, regime, kind, day, words))
        others = [other.request for other in related(requests(opened), state)]
        opened.publish()
    if json:
        emit("dsar/open", {**brief(state), "related": others})
        return
    say(f"Request {state.request}")
    say(f"  {state.kind} under {state.regime}, received {state.received_at}, to be answered by {state.due_at}")
    if state.confirm_by:
        say(f"  receipt is to be confirmed by {state.confirm_by}: evidence dsar confirm {state.request[:8]}")
    if others:
        note(f"{count(len(others), 'other request')} of this person within a year: see `evidence dsar show`")


def confirm(
    request: RequestArgument,
    told: ToldOption = None,
    said: SaidOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Record that the requester was told of the receipt (the CCPA asks for it within 10 business days)."""
    from reports.dsar.register import Step, advance, day_told
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened:
        step = Step("confirmed", {"told_at": day_told(parse_day(told)).isoformat()})
        state = advance(opened, find_request(opened, request), [step], {"note": said})
        opened.publish()
    report("confirm", state, json, f"receipt confirmed on {state.confirmed_at}")


def report(command: str, state: RequestState, json: bool, what: str) -> None:
    """What a command did to a request."""
    if json:
        emit(f"dsar/{command}", brief(state))
        return
    say(f"Request {state.request[:8]}: {what}.")
    if state.paused_since:
        say(f"  paused since {state.paused_since}; without the pause it is due {state.due_at}")
    elif state.closed is None:
        say(f"  to be answered by {state.due_at}")


def brief(state: RequestState) -> dict[str, object]:
    """A request without its events, for scripts."""
    import msgspec

    found: dict[str, object] = msgspec.to_builtins(state)
    return {"status": state.status, **{name: value for name, value in found.items() if name not in ("events", "keys")}}


def parse_day(text: str | None) -> date | None:
    """A day as people type it. Raises UsageError."""
    from datetime import date

    from ledger.errors import UsageError

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!a} is no day", hint="Write 2026-11-20.") from None


def _subjects(opened: Store, identifiers: Sequence[str]) -> list[str]:
    """The person's references, made for what the store does not know. Raises NotFoundError for a bare value."""
    from ledger.errors import NotFoundError
    from replay.persons import known_references, readings

    found: list[str] = []
    for text in identifiers:
        known = known_references(opened, text)
        typed = next(readings(text), None)
        if not known and typed is None:
            raise NotFoundError(
                "the store knows no such identifier", hint="To open a request all the same write it as type:value."
            )
        found += known or ([opened.reference(*typed)] if typed else [])
    return opened.links.group(found)
