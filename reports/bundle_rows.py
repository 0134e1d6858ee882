"""Which rows an export holds, as a blob beside its ledger entry: where its selection alone does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger import canonical, entries
from ledger.errors import LostError, MissingObjectError, TamperedError
from ledger.store import Store
from reports.selecting import Part, ranges

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
    """The rows of an export. Raises LostError, TamperedError."""
    path = entries.blob_path(digest)
    try:
        data = store.objects.get(path)
    except MissingObjectError:
        raise LostError(f"{path} is missing", path=path) from None
    if entries.sha256(data) != digest:
        raise TamperedError(f"{path} is not what its name says", path=path)
    return {item["partition"]: item["ranges"] for item in canonical.decode(data)}
