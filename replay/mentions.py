"""People named inside content that is not theirs: what the index says at once, and the scan that fills it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from ledger.access import Receipt
from ledger.history import Entry
from ledger.keyring.identifiers import Identifier
from ledger.revealed import Revealed
from ledger.store import Store
from replay import mention_index
from replay.catalog import Catalog
from replay.detectors import Detector, configured, detect
from replay.mention_index import GONE, FoundHere, Placed, Reading, State
from replay.mention_index import Mention as Mention
from replay.redacting import redacted as redacted
from replay.search import Scope as Scope
from replay.search import Searched as Searched
from replay.search import search_mentions as search_mentions

_ROWS: Final = 2048
"""Rows that are opened at a time."""
_BYTES: Final = 4 * 1024 * 1024
"""Bytes of content that are read as text at a time."""


class Scanned(msgspec.Struct, frozen=True):
    """What a scan did: partitions and records read, mentions found, and records by why they could not be read."""

    partitions: int
    records: int
    mentions: int
    unread: dict[str, int]


def indexed_mentions(catalog: Catalog, references: Sequence[str]) -> list[Mention]:
    """Where the index has one of these people in content that is not their own, in the order of the log."""
    identities = catalog.store.identities.of(references)
    return mentions_of(catalog, [item for found in identities.values() for item in found], references)


def mentions_of(catalog: Catalog, identifiers: Iterable[Identifier], references: Sequence[str] = ()) -> list[Mention]:
    """Where the index has identifiers, whether the keyring knows them or not, but in content of ``references``."""
    numbers = {entry.value["content"]["path"]: number for number, entry in enumerate(catalog.partitions())}
    own = frozenset(references)
    with mention_index.opened(catalog.store) as index:
        found = [item for item in index.find(identifiers) if item.path in numbers and item.placed.owner not in own]
    return sorted(
        {_mention(catalog, numbers[item.path], item) for item in found},
        key=lambda item: (item.partition, item.row, item.start, item.end, item.detector),
    )


def _mention(catalog: Catalog, number: int, item: FoundHere) -> Mention:
    placed = item.placed
    place = (number, catalog.partitions()[number].index, placed.row, placed.owner, placed.start, placed.end)
    return Mention(placed.record.hex(), *place, item.detector, placed.type)


def index_state(catalog: Catalog) -> State:
    """What the index covers, by the detectors of the settings. Raises ConfigError for one that cannot be used."""
    with mention_index.opened(catalog.store) as index:
        return index.state(catalog.partitions(), configured(catalog.store.settings))


def mention_macs(store: Store, references: Sequence[str]) -> list[bytes]:
    """What the mentions of people are found by: to be asked for before an erasure deletes their identifiers."""
    identities = store.identities.of(references)
    with mention_index.opened(store) as index:
        return index.macs(item for found in identities.values() for item in found)


def forget(store: Store, macs: Sequence[bytes], owners: Iterable[str]) -> int:
    """Delete from the index the mentions found by ``macs`` and all in content of ``owners``; how many there were.

    To be called after the erasure's entry was committed. An index that is not told is emptied when it is next opened.
    """
    store.refresh()
    with mention_index.opened(store, told=True) as index:
        return index.forget(macs, owners)


def scan(catalog: Catalog, receipt: Receipt, progress: Callable[[int, int], None] | None = None) -> Scanned:
    """Read what the detectors of the settings have not read yet, as they are now.

    ``progress`` is told the partitions done and all. Raises AccessNotRecordedError without a receipt.
    """
    store = catalog.store
    detectors = configured(store.settings)
    records = mentions = partitions = 0
    unread: Counter[str] = Counter()
    with mention_index.opened(store) as index:
        index.forget_detectors([detector.name for detector in detectors])
        waiting = [(entry, wanted) for entry in catalog.partitions() if (wanted := index.wanting(entry, detectors))]
        for entry, wanted in waiting:
            reading, states = _read(catalog, receipt, entry, wanted)
            index.put(entry, wanted, reading)
            partitions += 1
            records += reading.rows
            mentions += sum(map(len, reading.found.values()))
            unread.update(states)
            if progress is not None:
                progress(partitions, len(waiting))
    return Scanned(partitions, records, mentions, dict(unread))


def _read(
    catalog: Catalog, receipt: Receipt, entry: Entry, detectors: Sequence[Detector]
) -> tuple[Reading, Counter[str]]:
    found: dict[str, list[tuple[Identifier, Placed]]] = {detector.name: [] for detector in detectors}
    states: Counter[str] = Counter()
    for batch in _batches(_rows(catalog, receipt, entry, states)):
        contents = [row.bytes or b"" for _, row in batch]
        for name, by_content in detect(contents, detectors).items():
            for (number, row), items in zip(batch, by_content, strict=True):
                owner = row.line["content"]["owner"]
                for identifier, span in items:
                    found[name].append((identifier, Placed(row.record, number, owner, *span, identifier.type)))
    unread = sum(states.values())
    return Reading(entry.value["rows"], unread, states["restricted"] > 0, found), states


def _rows(catalog: Catalog, receipt: Receipt, entry: Entry, states: Counter[str]) -> Iterator[tuple[int, Revealed]]:
    """The rows of a partition that have content, opened; ``states`` counts those whose content cannot be."""
    if catalog.store.endings.lines_expired.get(entry.value["events"]["path"]):
        return
    events = catalog.mirror.path(entry.value)
    rows: int = entry.value["rows"]
    for first in range(0, rows, _ROWS):
        part = range(first, min(first + _ROWS, rows))
        for number, row in zip(part, catalog.store.reveal(receipt, entry.value, part, events), strict=True):
            if row.bytes:
                yield number, row
            elif row.bytes is None and row.state not in GONE:
                states[row.state] += 1


def _batches(rows: Iterable[tuple[int, Revealed]]) -> Iterator[list[tuple[int, Revealed]]]:
    """Rows in parts that are read as text at a time."""
    batch: list[tuple[int, Revealed]] = []
    size = 0
    for number, row in rows:
        batch.append((number, row))
        size += len(row.bytes or b"")
        if size > _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
