"""Sealing the spool: what waits in it becomes a partition, and its key is destroyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import partition_writer, spool
from ledger.keyring.keyring import utc_now

if TYPE_CHECKING:
    from ledger.store import Store


MAX_RANGES: Final = 100
"""Ranges of missing numbers that one entry states."""


class Sealed(NamedTuple):
    """What one sealing did: records sealed, spools emptied, spools that living processes still write to."""

    records: int
    spools: int
    in_use: int


def waiting(store: Store) -> int:
    """Access numbers taken and not sealed yet: what is not anchored."""
    return sum(store.accesses.unsealed().values())


def seal(store: Store) -> Sealed:
    """Seal every spool that no living process holds. Safe to repeat after a crash at any point."""
    store.close_spool()
    store.refresh()
    listed = {item["spool"] for entry in store.history.entries for item in entry.value.get("spools", ())}
    folder = store.settings.spool
    records = emptied = in_use = 0
    for name, last in sorted(store.accesses.unsealed().items()):
        if spool.in_use(folder, name):
            in_use += 1
            continue
        if last and name not in listed:
            records += _seal_one(store, name, store.accesses.close(name))
        store.accesses.sealed(name)
        spool.remove(folder, name)
        emptied += 1
    return Sealed(records, emptied, in_use)


def _seal_one(store: Store, name: str, last: int) -> int:
    """One spool as one partition; the numbers of its entries say which records must be there."""
    key = store.accesses.key(name)
    frames = spool.read_frames(store.settings.spool, name, key) if key is not None else []
    missing = _ranges(sorted(set(range(1, last + 1)) - {frame.number for frame in frames}))
    numbers = list(_statements(name, last, missing))
    if not frames:
        store.append([("heartbeat", {"spools": [statement]}) for statement in numbers])
        return 0
    rows = _rows(frames, name)
    place, tree = store.new_partition(utc_now()[:10])
    built = partition_writer.build(rows, place, tree, store.keyring.data_keys([name]))
    partition_writer.write(store.objects, place, built)
    body = {
        **built.body,
        "date": place.events.split("/")[1].removeprefix("date="),
        "retention_class": store.settings.retention_class,
        "inputs": [],
        "spools": numbers[:1],
    }
    store.append([("partition", body), *(("heartbeat", {"spools": [statement]}) for statement in numbers[1:])])
    return len(rows)


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Contiguous runs as [first, last]."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def _statements(name: str, last: int, missing: Sequence[list[int]]) -> Iterator[dict[str, Any]]:
    """The numbers 1 to ``last`` in statements of at most MAX_RANGES missing ranges, so that each fits an entry."""
    first = 1
    while first <= last:
        here = [item for item in missing if item[0] >= first][:MAX_RANGES]
        more = len([item for item in missing if item[0] >= first]) > MAX_RANGES
        end = here[-1][1] if more else last
        yield {"spool": name, "first": first, "last": end} | ({"missing": here} if here else {})
        first = end + 1


def _rows(frames: Sequence[spool.Frame], owner: str) -> list[partition_writer.Row]:
    """Content of access records names no data subject as owner: it is under the spool's own reference."""
    return [partition_writer.Row(dict(frame.fields), frame.content, owner) for frame in frames]
