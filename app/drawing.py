"""Putting things on a page. What was recorded is attacker-controlled: it is shown as text and nothing else.

Streamlit reads Markdown in most of its elements. Only ``st.text`` and the cells of a table show text as it is, so what
is not one of our own words goes through ``plain`` or a table. A badge takes its words from ``app.words`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import streamlit as st

from app.words import OTHER, Label
from ledger.errors import ConfigError, EvidenceError, NotFoundError, NothingThereError, UsageError
from replay.visible import one_line, visible

_FIRST_STEPS: Final = """\
evidence init                  # a new store, with its configuration and keys beside it
evidence ingest ./logs         # seal logs into it
evidence verify                # check it, and remember the checkpoint
EVIDENCE_CONFIG=./evidence.toml make app"""


def plain(text: str) -> None:
    """Text of any origin; line breaks stay."""
    st.text(visible(text))


def plain_line(text: str) -> None:
    """Text of any origin, on one line."""
    st.text(one_line(text))


def badge(label: Label) -> None:
    """A badge of our own words."""
    st.badge(label.text, icon=label.icon, color=label.colour, help=label.help)


def code_badge(labels: Mapping[str, Label], code: str) -> None:
    """The badge of a closed code; a code that is not in the list is shown as text beside a neutral badge."""
    badge(labels.get(code, OTHER))
    if code not in labels:
        plain_line(code)


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Labelled values, the labels our own words."""
    for name, value in pairs:
        left, right = st.columns([2, 5], gap="small")
        left.caption(name)
        with right:
            plain_line(value)


@contextmanager
def problems_shown() -> Iterator[None]:
    """Errors that a user may see become a message and what to do next; nothing else of them is shown."""
    try:
        yield
    except EvidenceError as error:
        _show(error)


def _show(error: EvidenceError) -> None:
    if isinstance(error, (ConfigError, NothingThereError)):
        st.warning("There is no store that can be shown.", icon=":material/warning:")
    elif isinstance(error, (NotFoundError, UsageError)):
        st.warning("Nothing to show.", icon=":material/search_off:")
    else:
        st.error("This did not work, so nothing is shown.", icon=":material/error:")
    plain(error.message)
    plain(error.next_step)
    if isinstance(error, (ConfigError, NothingThereError)):
        st.caption("From nothing to a first look:")
        st.code(_FIRST_STEPS, language="bash")
