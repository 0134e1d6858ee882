"""Which portions of inputs hold content that the ledger has ended: no digest of their bytes may stay in the keyring.

Whoever ends content mostly knows the portions; this finds them from the ledger alone, for a keyring that was restored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ledger.entries import blob_path, decode_inputs
from ledger.errors import MissingObjectError
from ledger.keyring.digests import Portion
from ledger.partition_reader import PartitionReader

if TYPE_CHECKING:
    from ledger.history import Entry
    from ledger.store import Store


def portions(store: Store, since: int = -1, told: Mapping[int, int] | None = None) -> set[Portion]:
    """The portions of which entries after ``since`` have ended content, so far as the keyring was not told of them.

    ``told``: per entry, by index, the number of entries up to which the portions are known to who made it: of people
    it erases only later partitions are looked through. For others all are, a few columns of each.
    """
    endings, told = store.endings, told or {}

    def counts(entry: Entry) -> bool:
        return entry.index > since and entry.index not in told

    people: dict[int, set[str]] = {}
    for reference, entry in endings.subjects.items():
        if entry.index > since:
            people.setdefault(told.get(entry.index, 0), set()).add(reference)
    found: set[Portion] = set()
    for entry in store.history.partitions():
        path = entry.value["content"]["path"]
        expiry = endings.expired.get(path)
        if expiry is not None and counts(expiry.entry):
            found.update(_listed(store, entry.value))
            continue
        gone = {number for number, by in endings.segments.get(path, {}).items() if counts(by)}
        moved = {number for number, place in endings.moved.get(path, {}).items() if counts(place.entry)}
        redacted = endings.redacted.get(path, {}).keys() if moved else ()
        subjects = {reference for known, some in people.items() if entry.index >= known for reference in some}
        if subjects or gone or redacted:
            found.update(_of(store, entry.value, subjects, gone, redacted))
    return found


def _of(
    store: Store, entry: Mapping[str, Any], subjects: Collection[str], gone: Collection[int], rows: Collection[int]
) -> Iterator[Portion]:
    """The portions of rows of these owners, in these segments, or with these numbers."""
    try:
        columns = ["owner", "input", "step", "segment", "chunks"]
        table = PartitionReader(store.objects, entry).all_rows(columns)
    except MissingObjectError:
        # Its lines expired. All its portions is too many, and safe.
        yield from _listed(store, entry)
        return
    owned = pc.is_in(table["owner"], pa.array(sorted(subjects), pa.string()))
    chosen = set(pc.indices_nonzero(owned).to_pylist()) | set(rows)
    if gone:
        places = zip(table["segment"].to_pylist(), table["chunks"].to_pylist(), strict=True)
        for row, (first, chunks) in enumerate(places):
            if any(number in gone for number in range(first, first + chunks)):
                chosen.add(row)
    rows_of = table.select(["input", "step"]).take(pa.array(sorted(chosen), pa.int64()))
    named = rows_of.group_by(["input", "step"]).aggregate([])
    for ref, step in zip(named["input"].to_pylist(), named["step"].to_pylist(), strict=True):
        if ref is not None:
            yield Portion(ref, step)


def _listed(store: Store, entry: Mapping[str, Any]) -> Iterator[Portion]:
    """Every portion of which a partition has rows, as its entry says."""
    inputs = entry["inputs"]
    if isinstance(inputs, dict):
        inputs = decode_inputs(store.objects.get(blob_path(inputs["blob"])))
    for item in inputs:
        yield Portion(item["ref"], item["step"])
