"""Opening content: a stated purpose, then the access record, then what was asked for. In this order only.

What was decrypted is never kept: a further run of the same page reads it again under the same access record.
"""

from __future__ import annotations

from typing import Final

import msgspec
import streamlit as st

from app import store_access
from ledger.access import Receipt
from ledger.errors import UsageError
from replay import access
from replay.sessions import resolve_session
from replay.timeline import Session, open_session

COMMAND: Final = "app session"
_KEY: Final = "reveal"


class Reveal(msgspec.Struct, frozen=True):
    """A session that may be shown here: its name, why, and the receipt of the access record."""

    session: str
    purpose: str
    receipt: Receipt


def begin(text: str, purpose: str) -> Reveal:
    """Record the access to the session that ``text`` names.

    Raises UsageError without a purpose, NotFoundError, and AccessNotRecordedError.
    """
    forget()
    purpose = purpose.strip()
    if not purpose:
        raise UsageError("no purpose is stated, so nothing is shown", hint="Say why you open this session.")
    with store_access.opened() as catalog:
        name = resolve_session(catalog, text.strip())
        receipt = access.record(catalog.store, COMMAND, purpose, {"session": name})
        # An app runs for weeks, and a spool that it holds cannot be sealed by anyone.
        catalog.store.close_spool()
    revealed = Reveal(name, purpose, receipt)
    st.session_state[_KEY] = revealed
    return revealed


def current() -> Reveal | None:
    """What was opened on this page, if anything."""
    found = st.session_state.get(_KEY)
    return found if isinstance(found, Reveal) else None


def forget() -> None:
    """Show nothing from now on: leaving the page ends what its purpose allowed."""
    st.session_state.pop(_KEY, None)


def read(revealed: Reveal) -> Session:
    """The session, decrypted for this run. Raises AccessNotRecordedError where the receipt is of another process."""
    with store_access.opened() as catalog:
        return open_session(catalog, revealed.session, revealed.receipt)
