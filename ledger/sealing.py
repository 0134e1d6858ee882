"""Sealing the spool: what waits in it becomes a partition, and its key is destroyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import entries, partition_writer, spool
from ledger.clock import utc_now

if TYPE_CHECKING:
    from ledger.store import Store


MAX_RANGES: Final = 100
"""Ranges of missing numbers that one entry states."""


SPOOLS: Final = 100
"""Spools that one partition seals."""


PACK_BYTES: Final = 4096
"""Bytes of access numbers that one entry states."""


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
    unsealed = store.accesses.unsealed()
    # A spool without a number and without a file is one that another process is about to open.
    begun = [name for name, last in sorted(unsealed.items()) if last or spool.exists(folder, name)]
    ready = [name for name in begun if not spool.in_use(folder, name)]
    records = 0
    waiting_spools = [name for name in ready if unsealed[name] and name not in listed]
    for start in range(0, len(waiting_spools), SPOOLS):
        records += _seal_spools(store, waiting_spools[start : start + SPOOLS])
    for name in ready:
        store.accesses.sealed(name)
        spool.remove(folder, name)
    return Sealed(records, len(ready), len(begun) - len(ready))


def _seal_spools(store: Store, names: Sequence[str]) -> int:
    """Some spools as one partition; the numbers in its entries say which records must be there."""
    rows: list[partition_writer.Row] = []
    statements: list[dict[str, Any]] = []
    for name in names:
        last = store.accesses.close(name)
        key = store.accesses.key(name)
        frames = spool.read_frames(store.settings.spool, name, key) if key is not None else []
        missing = _ranges(sorted(set(range(1, last + 1)) - {frame.number for frame in frames}))
        statements += _statements(name, last, missing)
        # The content of access records has no data subject as owner: it is under the spool's own reference.
        rows += [partition_writer.Row(dict(frame.fields), frame.content, name) for frame in frames]
    packs = list(_packs(statements))
    if rows:
        bodies = [("partition", _partition(store, rows) | {"spools": packs[0]})]
        packs = packs[1:]
    else:
        bodies = []
    store.append([*bodies, *(("heartbeat", {"spools": pack}) for pack in packs)])
    return len(rows)


def _partition(store: Store, rows: Sequence[partition_writer.Row]) -> dict[str, Any]:
    """The body of the records' partition entry; its objects are durable."""
    day = utc_now()[:10]
    place, tree = store.new_partition(day)
    built = partition_writer.build(rows, place, tree, store.keyring.data_keys({row.owner for row in rows}))
    partition_writer.write(store.objects, place, built)
    fixed = {"date": day, "retention_class": store.settings.retention_class, "inputs": []}
    return {**built.body, **fixed}


def _packs(statements: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Statements in groups that fit an entry; all entries of one sealing are in one commit."""
    pack: list[dict[str, Any]] = []
    size = 0
    for statement in statements:
        length = len(entries.canonical_bytes(statement))
        if pack and size + length > PACK_BYTES:
            yield pack
            pack, size = [], 0
        pack.append(statement)
        size += length
    yield pack


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
