"""One event of a session: what happened, what was said, what was in force, and in which state its content is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import streamlit as st

from app import drawing, words
from ingest.formats.base import Part
from replay.lineage import InForce
from replay.timeline import TimelineEvent

_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool"})
_LONG_TEXT: Final = 2_000
_SCROLLED: Final = 320
_ID_DIGITS: Final = 12
"""Digits of a record id that are shown: as many as verify prints, and more than prove needs."""


def timeline(events: Sequence[TimelineEvent]) -> None:
    """Events in order with the pauses between them; what was in force is shown where it is new."""
    before: TimelineEvent | None = None
    known: dict[tuple[str, str], InForce] = {}
    for event in events:
        if event.idle is not None:
            length = words.duration(timedelta(seconds=event.idle))
            st.caption(f":material/hourglass_empty: {length} without an event")
        with st.container(border=True, gap="xsmall"):
            _head(event, before)
            _content(event)
            held = {(item.type, item.name): item for item in event.in_force}
            _in_force([item for name, item in held.items() if known.get(name) != item])
            known.update(held)
        before = event


def _content(event: TimelineEvent) -> None:
    if event.repeated:
        st.caption(f"{words.count(event.repeated, 'message')} of history not repeated")
    for message in (*event.new_input, *event.rendered.output):
        for part in message.parts:
            _part(message.role, part)
    if event.rendered.facts:
        _row("details", "\n".join(f"{label}: {value}" for label, value in event.rendered.facts))
    if event.rendered.notes:
        _row("note", "\n".join(event.rendered.notes))


def _head(event: TimelineEvent, before: TimelineEvent | None) -> None:
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        drawing.plain_line(_time(event, before))
        drawing.code_badge(words.KINDS, event.kind)
        what = _what(event)
        if what:
            drawing.plain_line(what)
        _marks(event)
        drawing.code_badge(words.STATES, event.state)
        st.caption(f"record {event.record_id[:_ID_DIGITS]}", width="content")


def _time(event: TimelineEvent, before: TimelineEvent | None) -> str:
    """The time of day; with the date where it is another day than before."""
    if event.at is None:
        return "time unknown"
    same_day = before is not None and before.at is not None and before.at[:10] == event.at[:10]
    shown = event.at[11:19] if same_day else words.at_second(event.at)
    return f"{shown} (zone assumed)" if event.time_basis == "zone_assumed" else shown


def _what(event: TimelineEvent) -> str:
    line = event.line
    if event.kind == "tool":
        return str(line.get("gen_ai_tool_name", ""))
    if event.kind == "change":
        change = line.get("change", {})
        return f"{change.get('type', 'change')} {change.get('name', 'unnamed')} to {change.get('to', 'unknown')}"
    model = line.get("gen_ai_response_model") or line.get("gen_ai_request_model") or ""
    tokens = line.get("gen_ai_usage_output_tokens")
    return f"{model}, {words.count(tokens, 'token')}" if isinstance(tokens, int) else str(model)


def _marks(event: TimelineEvent) -> None:
    """What is out of the ordinary: decisions, failures, incomplete capture, a repeated id, an adapter's warnings."""
    line = event.line
    if line.get("decision"):
        drawing.code_badge(words.DECISIONS, str(line["decision"]))
    if line.get("status") not in (None, "ok"):
        drawing.code_badge(words.STATUSES, str(line["status"]))
    if line.get("error_type"):
        drawing.plain_line(str(line["error_type"]))
    if line.get("capture") not in (None, "complete"):
        drawing.code_badge(words.CAPTURES, str(line["capture"]))
    if event.duplicate:
        st.badge("same id as an earlier record", icon=":material/content_copy:", color="orange")
    if line.get("warnings"):
        st.badge("adapter warning", icon=":material/warning:", color="orange")
        drawing.plain_line(", ".join(map(str, line["warnings"])))


def _part(role: str, part: Part) -> None:
    """A part of a message. A role or type that is not one of the common words is not ours to use as a label."""
    who, text = (role, part.text) if role in _ROLES else ("other role", f"{role}: {part.text}")
    if part.type == "tool_call":
        who, text = f"{who} calls", f"{part.name} {text}"
    elif part.type not in ("text", "tool_call_response"):
        text = f"[{part.type}] {text}"
    _row(who, text)


def _row(label: str, text: str) -> None:
    """A text beside one of our own words; a long one scrolls in a box of its own."""
    left, right = st.columns([2, 15], gap="small")
    left.caption(label)
    with right:
        if len(text) > _LONG_TEXT:
            with st.container(height=_SCROLLED, border=False):
                drawing.plain(text)
        else:
            drawing.plain(text)


def _in_force(items: Sequence[InForce]) -> None:
    for item in items:
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.caption("in force", width="content")
            later = ", recorded later" if item.recorded_later else ""
            drawing.plain_line(f"{item.type} {item.name} {item.version or 'unknown'} ({item.basis}{later})")
            if item.approval is not None:
                drawing.code_badge(words.APPROVALS, item.approval)
