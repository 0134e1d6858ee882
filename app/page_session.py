"""The page Session: one session in full, after its purpose is stated and the access is recorded."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app import drawing, event_view, reveal
from app.words import STATES, at_second, count
from replay.timeline import Session, TimelineEvent

PAGE_EVENTS: Final = 50

_PARTS: Final = {
    "Model": frozenset({"inference"}),
    "Tools": frozenset({"tool"}),
    "Decisions": frozenset({"policy", "approval"}),
}


def draw() -> None:
    """The whole page."""
    st.header("Session", anchor=False)
    _take_over_address()
    asked = _form()
    with drawing.problems_shown():
        revealed = reveal.begin(*asked) if asked else reveal.current()
        if revealed is None:
            st.caption("Nothing is shown until a purpose is stated and the access record is written.")
            return
        st.query_params["session"] = revealed.session
        session = reveal.read(revealed)
        _head(revealed, session)
        _events(session, f"page_{revealed.receipt.spool}_{revealed.receipt.number}")


def _take_over_address() -> None:
    """The session that a link or the table names goes into the field, once."""
    named = st.query_params.get("session", "")
    if named != st.session_state.get("session_address"):
        st.session_state["session_address"] = named
        if named:
            st.session_state["session_name"] = named


def _form() -> tuple[str, str] | None:
    """What was asked for with the button just now, if it was."""
    with st.form("open_session", border=True):
        left, middle, right = st.columns([4, 6, 2], gap="small", vertical_alignment="bottom")
        name = left.text_input(
            "Session", key="session_name", placeholder="reference, id, or its beginning", persist_state="session"
        )
        purpose = middle.text_input(
            "Purpose (required)",
            key="session_purpose",
            placeholder="for example: ticket 4711, complaint about a fee",
            persist_state="session",
            max_chars=500,
            help="Sealed in the access record. The next session asks again; the words stay in the field.",
        )
        sent = right.form_submit_button("Show content", type="primary", width="stretch")
        st.caption(
            ":material/visibility: Before anything is shown, an access record is written: this purpose, the session, "
            "the time, and the operating system's user that runs the app. It is asserted, not proven: the app has no "
            "sign-in."
        )
    return (name or "", purpose or "") if sent else None


def _head(revealed: reveal.Reveal, session: Session) -> None:
    events = session.events
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        drawing.plain_line(session.session)
        for state in sorted({event.state for event in events}):
            drawing.code_badge(STATES, state)
            st.caption(f"{sum(event.state == state for event in events):,} of {len(events):,}", width="content")
        st.button("Hide content", on_click=reveal.forget, icon=":material/visibility_off:")
    times = [event.at for event in events if event.at]
    period = f"{at_second(times[0])} to {at_second(times[-1])} UTC" if times else "times unknown"
    parts = ", ".join(f"{name.lower()} {_number(events, kinds):,}" for name, kinds in _PARTS.items())
    drawing.plain_line(f"{count(len(events), 'event')}: {parts}. {period}. Opened for: {revealed.purpose}")


def _number(events: tuple[TimelineEvent, ...], kinds: frozenset[str]) -> int:
    return sum(event.kind in kinds for event in events)


def _events(session: Session, page_key: str) -> None:
    chosen = st.segmented_control("Show", list(_PARTS), selection_mode="multi", label_visibility="collapsed")
    kinds = frozenset[str]().union(*(_PARTS[name] for name in chosen))
    events = [event for event in session.events if not kinds or event.kind in kinds]
    if kinds:
        st.caption(f"{len(events):,} of {count(len(session.events), 'event')} shown")
    first = 0
    if len(events) > PAGE_EVENTS:
        pages = -(-len(events) // PAGE_EVENTS)
        first = (st.pagination(pages, key=f"{page_key}_{len(events)}") - 1) * PAGE_EVENTS
    event_view.timeline(events[first : first + PAGE_EVENTS])


if __name__ == "__main__":
    draw()
