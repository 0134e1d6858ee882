"""Mentions of a request's person in other people's content: those of the index, and if it was so planned a search."""

from __future__ import annotations

from ledger.access import Receipt
from replay.catalog import Catalog
from replay.mentions import Mention, indexed_mentions, scan
from replay.search import Scope, search_mentions
from reports.dsar.requests import RequestState

SEARCHED = "searched"
"""In the details of a ``planned`` event: all content was searched too."""
ALL = Scope(max_rows=1 << 40)


def mentions_of(catalog: Catalog, state: RequestState, receipt: Receipt, *, search: bool) -> list[Mention]:
    """Every mention. What the detectors have not read yet is scanned first, so that the index covers the store.

    ``search``: open all content that is not the person's own and look for everything known of them, names too.
    """
    scan(catalog, receipt)
    found = dict.fromkeys(indexed_mentions(catalog, state.subjects))
    if search:
        found |= dict.fromkeys(search_mentions(catalog, receipt, state.subjects, ALL).mentions)
    return list(found)


def was_searched(state: RequestState) -> bool:
    """Whether the newest plan was made with a search."""
    planned = [item for item in state.events if item.event == "planned" and item.plan == state.plan]
    return bool(planned) and planned[-1].details.get(SEARCHED) is True
