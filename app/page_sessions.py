"""The page Sessions: finding one."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app import drawing, session_table, store_access
from app.words import count
from replay.sessions import Filter, SessionRow, find_sessions, sessions_left_out
from replay.visible import one_line

_WIDTHS: Final = {
    "Session": st.column_config.TextColumn(width=150),
    "Decisions": st.column_config.TextColumn(width=130),
    **{name: st.column_config.NumberColumn(width=60) for name in ("Turns", "Tools", "Failed")},
    "Sources": st.column_config.TextColumn(width=140),
}
_ROWS_IN_SIGHT: Final = 20


def draw() -> None:
    """The whole page."""
    st.header("Sessions", anchor=False)
    with drawing.problems_shown():
        with store_access.opened() as catalog:
            models, decisions = session_table.models(catalog), session_table.decisions(catalog)
        wanted = _filters(models, decisions)
        with store_access.opened() as catalog:
            found, left_out = find_sessions(catalog, wanted), sessions_left_out(catalog, wanted)
        if left_out:
            st.caption(f":material/lock: {count(left_out, 'session')} left out: processing is restricted.")
        _table(found)


def _filters(models: list[str], decisions: list[str]) -> Filter:
    """What is asked for. It stays while other pages are open, and never stands in the address: it may name a person."""
    person, model, decision, since, until = st.columns([3, 3, 2, 3, 3], gap="small")
    user = person.text_input(
        "Person",
        key="filter_person",
        persist_state="session",
        placeholder="identifier, as the source wrote it",
        help="A customer number, an e-mail address, a user id. It is looked up in the keyring.",
    )
    return Filter(
        user=(user or "").strip() or None,
        model=model.selectbox(
            "Model", models, None, one_line, key="filter_model", persist_state="session", placeholder="any"
        ),
        decision=decision.selectbox(
            "Decision", decisions, None, one_line, key="filter_decision", persist_state="session", placeholder="any"
        ),
        since=session_table.utc(
            since.datetime_input(
                "From (UTC)",
                None,
                key="filter_since",
                format="YYYY-MM-DD",
                persist_state="session",
                help="Sessions that end at or after this time.",
            )
        ),
        until=session_table.utc(
            until.datetime_input(
                "To (UTC)",
                None,
                key="filter_until",
                format="YYYY-MM-DD",
                persist_state="session",
                help="Sessions that begin before this time.",
            )
        ),
        limit=session_table.LIMIT + 1,
    )


def _table(found: list[SessionRow]) -> None:
    shown = found[: session_table.LIMIT]
    if not shown:
        st.info("No session matches.", icon=":material/search_off:")
        return
    if len(found) > len(shown):
        st.caption(f"The {len(shown)} newest; there are more. Narrow the filters. Tick a row to open it.")
    else:
        st.caption(f"{count(len(shown), 'session')}, the newest first. Tick a row to open it.")
    event = st.dataframe(
        session_table.frame(shown),
        hide_index=True,
        column_config=_WIDTHS,
        height="content" if len(shown) <= _ROWS_IN_SIGHT else 35 * (_ROWS_IN_SIGHT + 1),
        on_select="rerun",
        selection_mode="single-row",
        key="session_table",
    )
    rows = event.selection.rows
    if rows and rows[0] < len(shown):
        st.switch_page("page_session.py", query_params={"session": shown[rows[0]].session})


if __name__ == "__main__":
    draw()
