"""Sealing the spool: what waits in it becomes a partition, and its key is destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger import partition_writer, spool
from ledger.keyring.keyring import utc_now

if TYPE_CHECKING:
    from ledger.store import Store


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
    listed = {item["spool"] for entry in store.history.partitions() for item in entry.value.get("spools", ())}
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
    """One spool as one partition; the numbers of its entry say which records must be there."""
    key = store.accesses.key(name)
    frames = spool.read_frames(store.settings.spool, name, key) if key is not None else []
    missing = sorted(set(range(1, last + 1)) - {frame.number for frame in frames})
    if not frames:
        store.append([("heartbeat", {"spools": [{"spool": name, "first": 1, "last": last, "missing": missing}]})])
        return 0
    rows = _rows(frames, name)
    place, tree = store.new_partition(utc_now()[:10])
    built = partition_writer.build(rows, place, tree, store.keyring.data_keys([name]))
    partition_writer.write(store.objects, place, built)
    numbers: dict[str, Any] = {"spool": name, "first": 1, "last": last}
    if missing:
        numbers["missing"] = missing
    body = {
        **built.body,
        "date": place.events.split("/")[1].removeprefix("date="),
        "retention_class": store.settings.retention_class,
        "inputs": [],
        "spools": [numbers],
    }
    store.append([("partition", body)])
    return len(rows)


def _rows(frames: Sequence[spool.Frame], owner: str) -> list[partition_writer.Row]:
    """Content of access records names no data subject as owner: it is under the spool's own reference."""
    return [partition_writer.Row(dict(frame.fields), frame.content, owner) for frame in frames]
