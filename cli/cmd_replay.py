"""``evidence replay``: one session, readable in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, say

if TYPE_CHECKING:
    from replay.lineage import InForce
    from replay.timeline import Session, TimelineEvent

EXAMPLE = "Example: evidence replay mira-34a7fff4 --purpose 'ticket 4711'"


def replay(
    session: Annotated[str, typer.Argument(help="A session's id or reference, or a unique beginning of it.")],
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show a session's turns, tool calls, decisions and idle gaps, and what was in force. Writes an access record."""
    from replay import access, catalog
    from replay.sessions import resolve_session
    from replay.timeline import open_session

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        name = resolve_session(listed, session)
        receipt = access.record(opened, "replay", purpose, {"session": name})
        replayed = open_session(listed, name, receipt)
    if json:
        emit("replay", _as_json(replayed))
        return
    for line in lines(replayed):
        say(line)


def lines(replayed: Session) -> Iterator[str]:
    """The session as text. What was recorded stands behind a gutter, hostile characters written out.

    So no content can pass for a line of this program: an event, or what was in force.
    """
    from replay.visible import one_line

    events = replayed.events
    times = [event.at for event in events if event.at]
    yield f"Session {one_line(replayed.session)}: {count(len(events), 'event')}" + (
        f", {times[0][:19]}Z to {times[-1][:19]}Z (UTC)" if times else ", times unknown"
    )
    states = {event.state for event in events}
    yield "Content: " + ", ".join(f"{sum(e.state == state for e in events)} {state}" for state in sorted(states))
    held: dict[tuple[str, str], InForce] = {}
    day = ""
    for event in events:
        yield ""
        if event.idle is not None:
            yield f"        ... {_duration(event.idle)} idle ..."
        if event.at and event.at[:10] != day:
            day = event.at[:10]
            yield day
        yield from _event(event)
        for item in event.in_force:
            if held.get((item.type, item.name)) != item:
                held[item.type, item.name] = item
                yield f"          in force: {_in_force(item)}"


def _event(event: TimelineEvent) -> Iterator[str]:
    from replay.visible import one_line

    at = event.at[11:19] if event.at else "--:--:--"
    marks = [one_line(mark) for mark in _marks(event)]
    head = f"{at}  {event.record_id[:12]}  {event.kind.upper()}{one_line(_what(event))}"
    yield head + (f"  [{', '.join(marks)}]" if marks else "")
    if event.repeated:
        yield f"          ({count(event.repeated, 'message')} of history not repeated)"
    for message in (*event.new_input, *event.rendered.output):
        for part in message.parts:
            calls = f" calls {part.name}" if part.type == "tool_call" else ""
            yield from _recorded(f"{message.role}{calls}", part.text)
    for label, value in event.rendered.facts:
        yield from _recorded(label, value)
    for remark in event.rendered.notes:
        yield from _recorded("note", remark)


def _marks(event: TimelineEvent) -> Iterator[str]:
    line = event.line
    yield from (str(line[name]) for name in ("status", "decision", "error_type") if line.get(name) not in (None, "ok"))
    if event.duplicate:
        yield "same id as an earlier record"
    if line.get("capture") not in (None, "complete"):
        yield f"capture {line['capture']}"
    if event.time_basis == "zone_assumed":
        yield "zone assumed"


def _what(event: TimelineEvent) -> str:
    line = event.line
    if event.kind == "tool":
        return f" {line.get('gen_ai_tool_name', '')}".rstrip()
    if event.kind == "change":
        change = line.get("change", {})
        return f" {change.get('type', '')} {change.get('name', '')} to {change.get('to', 'unknown')}"
    model = line.get("gen_ai_response_model") or line.get("gen_ai_request_model")
    tokens = line.get("gen_ai_usage_output_tokens")
    return (f" {model}" if model else "") + (f", {tokens} tokens" if tokens else "")


def _recorded(label: str, text: str) -> Iterator[str]:
    """What a source wrote, each line behind the gutter; further lines of a text stand further in than its label."""
    from replay.visible import one_line, visible

    first, *rest = visible(text).split("\n")
    yield f"          | {one_line(label).strip()}: {first}"
    yield from (f"          |   {more}" for more in rest)


def _in_force(item: InForce) -> str:
    from replay.visible import one_line

    later = ", recorded later" if item.recorded_later else ""
    what = one_line(f"{item.type} {item.name} {item.version or 'unknown'}")
    return f"{what} ({item.basis}{later}; {item.approval or 'see changes'})"


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _as_json(replayed: Session) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(replayed)
    return plain
