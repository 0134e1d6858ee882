"""Redacting: segments are sealed again without a part of some rows, and what opened them before is destroyed.

The lines keep their commitments. Of a row that was redacted the entry states a commitment to what it is now; all other
rows of the segment still fit theirs. See docs/FORMAT.md, "Resealed segments".
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import following, parquet, segments
from ledger.content import ContentReader
from ledger.errors import ErasedError, StorageError, UsageError
from ledger.keytree import KeyTree, moved_leaf
from ledger.partition_reader import PartitionReader

if TYPE_CHECKING:
    from ledger.history import Entry
    from ledger.store import Store

MAX_NAMED: Final = 40
"""Redacted rows that one entry names."""


class Redaction(NamedTuple):
    """What one row is to hold instead, and why (a closed code)."""

    content: bytes
    reason: str


class _Segment(NamedTuple):
    """A segment to seal again: its number in the partition, owner, and rows by slot."""

    number: int
    owner: str
    rows: dict[int, segments.Kept]
    redacted: list[dict[str, Any]]


def reseal(
    store: Store, partition: Entry, redactions: Mapping[int, Redaction], reference: Mapping[str, Any] | None = None
) -> list[Entry]:
    """Redact rows of one partition, by their number; the entries that say so. ``reference``: fields of the entries.

    New object and key tree are durable first, then the entry is committed, then the old leaves are destroyed.
    Raises ErasedError where a row's content is gone already, UsageError for one too large to be sealed again.
    """
    found = list(_segments(store, partition, redactions))
    place = f"content/date={partition.value['date']}/{secrets.token_hex(16)}.parquet"
    tree = _new_tree(store, partition, [item.number for item in found], place)
    keys = store.keyring.data_keys({item.owner for item in found})
    sealed = []
    for number, item in enumerate(found):
        version, owner_key = keys[item.owner]
        context = segments.SegmentId(store.history.store, place, number, item.owner, version).context(resealed=True)
        key = segments.segment_key(owner_key, tree.leaf(number), context)
        nonce, ciphertext = segments.reseal(key, context, item.rows)
        sealed.append((item.owner, version, nonce, ciphertext))
    data = parquet.write_content(sealed)
    store.keyring.put_tree(place, tree)
    if not store.objects.put_if_absent(place, data):
        raise StorageError(f"other bytes stand at {place}", path=place)
    body = {
        **(reference or {}),
        "partition": partition.index,
        "content": {"path": place, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()},
        "segments": [[item.number, number] for number, item in enumerate(found)],
    }
    named = [row for item in found for row in item.redacted]
    bodies = [{**body, "redacted": named[start : start + MAX_NAMED]} for start in range(0, len(named), MAX_NAMED)]
    committed = store.append([("reseal", item) for item in bodies], by=("privacy",))
    following.follow(store)
    return committed


def _new_tree(store: Store, partition: Entry, numbers: Sequence[int], place: str) -> KeyTree:
    """The tree of the new object: each leaf follows from the one that opened the segment before."""
    path = partition.value["content"]["path"]
    keys: dict[int, bytes] = {}
    for new, number in enumerate(numbers):
        known = store.endings.moved.get(path, {}).get(number)
        where, leaf = (path, number) if known is None else (known.content.path, known.number)
        keys[new] = moved_leaf(store.keyring.tree(where).leaf(leaf), place, new)
    return KeyTree.from_leaves(len(numbers), keys)


def _segments(store: Store, partition: Entry, redactions: Mapping[int, Redaction]) -> Iterator[_Segment]:
    """The segments that hold rows to redact, with all their rows as they are to be."""
    entry = partition.value
    table = PartitionReader(store.objects, entry).all_rows(["segment", "slot", "chunks"])
    places = list(zip(*(table.column(name).to_pylist() for name in ("segment", "slot", "chunks")), strict=True))
    if any(places[row][2] != 1 for row in redactions):
        raise UsageError("a record of more than 16 MiB cannot be redacted", hint="Restrict its processing instead.")
    reader = ContentReader(store.objects, store.keyring, store.ledger(), entry)
    for number in sorted({places[row][0] for row in redactions}):
        rows = [row for row, place in enumerate(places) if place[0] == number]
        yield _one(number, rows, [places[row][1] for row in rows], reader, redactions)


def _one(
    number: int, rows: Sequence[int], slots: Sequence[int], reader: ContentReader, redactions: Mapping[int, Redaction]
) -> _Segment:
    kept: dict[int, segments.Kept] = {}
    redacted = []
    owner = ""
    for row, slot, item in zip(rows, slots, reader.chosen(rows), strict=True):
        if item.bytes is None or item.row_key is None:
            raise ErasedError(f"row {row} cannot be sealed again: its content is {item.state}")
        owner = item.line["content"]["owner"]
        kept[slot] = segments.Kept(item.row_key, item.bytes)
        change = redactions.get(row)
        if change is not None:
            row_key = secrets.token_bytes(segments.SALT_BYTES)
            kept[slot] = segments.Kept(row_key, change.content)
            commitment = segments.commitment_of(row_key, change.content).hex()
            redacted.append({"row": row, "commitment": commitment, "reason": change.reason})
    return _Segment(number, owner, kept, redacted)
