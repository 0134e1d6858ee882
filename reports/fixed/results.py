"""What evaluations found: content, so it is opened only with a receipt, and stands in no report that is filed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.access import Receipt
from replay.catalog import Catalog
from replay.records import find_records
from replay.timeline import rendered

_MOST: Final = 300
"""Characters of a result."""


def results(catalog: Catalog, receipt: Receipt, record_ids: Iterable[str]) -> dict[str, str]:
    """What each of these records says, as labelled values, by its id; else why it cannot be shown.

    Raises AccessNotRecordedError without a receipt of this process, and what reading content raises.
    """
    rows: dict[int, list[int]] = {}
    for place in find_records(catalog, record_ids).values():
        rows.setdefault(place.partition, []).append(place.row)
    partitions = catalog.partitions()
    found = {}
    for number, chosen in sorted(rows.items()):
        value = partitions[number].value
        for row in catalog.store.reveal(receipt, value, sorted(chosen), catalog.mirror.path(value)):
            opened = rendered(row)
            facts = ", ".join(f"{label} {text}" for label, text in opened.facts)
            words = " ".join((facts, *opened.notes)).strip() or "nothing"
            found[row.record.hex()] = words if len(words) <= _MOST else f"{words[:_MOST]} \u2026"
    return found
