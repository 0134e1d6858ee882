"""What was said in words about a request: sealed records that its entries name, opened after an access record."""

from __future__ import annotations

from typing import NamedTuple

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import FormatError
from ledger.store import Store
from reports.dsar.requests import RequestState


class Said(NamedTuple):
    """The words of one event by their label; ``state`` as of any content: none are there unless it is ``verified``."""

    state: str
    words: dict[str, str]


def said(store: Store, receipt: Receipt, state: RequestState) -> dict[int, Said]:
    """The words of each event that has some, by the index of its entry. Raises what revealing content raises."""
    entries = store.history.entries
    found = {}
    for event in state.events:
        if event.record is None:
            continue
        commit = entries[event.entry].seq
        partitions = (item for item in entries if item.seq == commit and item.value["type"] == "partition")
        for partition in partitions:
            rows = range(partition.value["rows"])
            for item in store.reveal(receipt, partition.value, rows, despite_restriction=True):
                if item.record.hex() == event.record:
                    found[event.entry] = Said(item.state, read_words(item.bytes))
    return found


def read_words(content: bytes | None) -> dict[str, str]:
    """The words in the content of a record of adapter note/1, by their label; none where there is none."""
    try:
        value = {} if content is None else canonical.decode(content)
    except FormatError:
        return {}
    return {label: str(text) for label, text in value.items() if label not in ("_", "about")}
