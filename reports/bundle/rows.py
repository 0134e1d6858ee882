"""Which rows an export holds, as a blob beside its ledger entry: where its selection alone does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ledger import canonical, entries, entry_shapes
from ledger.errors import FormatError, LostError, MissingObjectError, TamperedError
from ledger.store import Store
from reports.selection.choosing import Part, ranges

Runs = dict[int, list[list[int]]]
"""Of each partition, by the index of its entry: rows as ``[first, number]``."""


def store_rows(store: Store, parts: Sequence[Part]) -> dict[str, Any]:
    """Keep which rows of its selection an export shows as a blob; the entry's ``rows``. Numbers: nothing personal."""
    listed = [{"partition": part.entry.index, "ranges": ranges(part.lined)} for part in parts if part.lined]
    data = entries.canonical_bytes(listed)
    digest = entries.sha256(data)
    store.objects.put_if_absent(entries.blob_path(digest), data)
    return {"blob": digest, "count": len(listed)}


def read_rows(store: Store, digest: str) -> Runs:
    """The rows of an export. Raises LostError, TamperedError, FormatError."""
    path = entries.blob_path(digest)
    try:
        data = store.objects.get(path)
    except MissingObjectError:
        raise LostError(f"{path} is missing", path=path) from None
    if entries.sha256(data) != digest:
        raise TamperedError(f"{path} is not what its name says", path=path)
    return {item.partition: item.ranges for item in _decode(data)}


class _Rows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    partition: entry_shapes.Count
    ranges: Annotated[list[entry_shapes.Range], msgspec.Meta(min_length=1)]


def _decode(data: bytes) -> list[_Rows]:
    """Raises FormatError: whoever can commit an entry can name any blob."""
    try:
        found = msgspec.convert(canonical.decode(data), list[_Rows])
    except msgspec.ValidationError as error:
        raise FormatError(f"a malformed list of rows: {error}") from None
    for part in found:
        ends = [0, *(first + number for first, number in part.ranges)]
        if any(first < end or number < 1 for (first, number), end in zip(part.ranges, ends, strict=False)):
            raise FormatError("a malformed list of rows: ranges are ascending and apart")
    return found
