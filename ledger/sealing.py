"""Sealing the spool: what waits in it becomes a partition, and its key is destroyed."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import entries, partition_writer, recording, spool
from ledger.entry_shapes import runs
from ledger.errors import AccessNotRecordedError

if TYPE_CHECKING:
    from ledger.access import Receipt
    from ledger.history import Entry
    from ledger.store import Store


MAX_RANGES: Final = 100
"""Ranges of missing numbers that one entry states."""


SPOOLS: Final = 100
"""Spools that one partition seals."""


PACK_BYTES: Final = 4096
"""Bytes of access numbers that one entry states."""


ATTEMPTS: Final = 12
_PAUSE: Final = 0.1


class Sealed(NamedTuple):
    """What one sealing did: records sealed, spools that are done with, and those that are not or not wholly.

    ``in_use``: living processes still write to them. ``elsewhere``: they wait in another spool folder. ``damaged``:
    their files hold bytes that could not be read where a record is missing, and are kept.
    """

    records: int
    spools: int
    in_use: int
    elsewhere: int = 0
    damaged: int = 0


class _Spool(NamedTuple):
    """A closed spool: its reference, the last number taken from it, what its file holds."""

    name: str
    last: int
    frames: list[spool.Frame]

    @property
    def classes(self) -> tuple[str, ...]:
        """The retention classes of its records. A process has one, so mostly there is one."""
        return tuple(sorted({str(frame.fields["retention_class"]) for frame in self.frames}))


class _OvertakenError(Exception):
    """Another process has sealed one of these spools."""


def waiting(store: Store) -> int:
    """Access numbers taken and not sealed yet, in any spool folder: what is not anchored."""
    return sum(store.accesses.unsealed().values())


def seal(store: Store) -> Sealed:
    """Seal every spool of this spool folder that no living process writes to.

    A spool of another folder is left alone: that its file is not here says nothing about its records.

    Safe to repeat after a crash at any point, and in several processes at once, because the ledger alone says whether
    a spool is sealed: a commit that states a spool is claimed only after a look at all commits before it, so there is
    one; a key is destroyed only after a commit that states its spool was read. Whoever finds a spool stated, by
    whatever process, does what is left to do: the file is removed, then the key destroyed. A key that is gone means
    that another process came to that end.
    """
    store.close_spool()
    store.refresh()
    folder = store.settings.spool
    here = spool.identity(folder)
    every = store.accesses.waiting()
    own = [item for item in every if item.folder == here]
    # A spool without a number and without a file is one that another process is about to open.
    begun = [item for item in own if item.last or spool.exists(folder, item.name)]
    ready = [item for item in begun if not spool.in_use(folder, item.name)]
    with_numbers = [item.name for item in ready if item.last]
    records = 0
    for start in range(0, len(with_numbers), SPOOLS):
        records += _commit_all(store, with_numbers[start : start + SPOOLS])
    _remove_unused(store, [item.name for item in ready if not item.last])
    damaged = _finish(store, with_numbers)
    elsewhere = sum(1 for item in every if item.last and item.folder != here)
    return Sealed(records, len(ready), len(begun) - len(ready), elsewhere, damaged)


def anchor(store: Store, receipt: Receipt) -> None:
    """Return once a commit states the receipt's record. Raises AccessNotRecordedError if none comes to.

    Another process may hold or be sealing this one's spool for a moment, so it is tried again.
    """
    for attempt in range(ATTEMPTS):
        seal(store)
        if _is_committed(store.history.entries, receipt):
            return
        time.sleep(random.uniform(0, _PAUSE * (attempt + 1)))  # noqa: S311 - jitter, not a secret
    raise AccessNotRecordedError(
        "the access record is not committed, so nothing is shown", hint="Run the command again in a moment."
    )


def _is_committed(listed: Sequence[Entry], receipt: Receipt) -> bool:
    for entry in reversed(listed):
        for item in entry.value.get("spools", ()):
            if item["spool"] == receipt.spool and item["first"] <= receipt.number <= item["last"]:
                return not any(first <= receipt.number <= last for first, last in item.get("missing", ()))
    return False


def _stated(store: Store) -> set[str]:
    """The spools that the ledger states, as of the last refresh."""
    return {item["spool"] for entry in store.history.entries for item in entry.value.get("spools", ())}


def _commit_all(store: Store, names: Sequence[str]) -> int:
    """Commit what these spools hold, but for those that another process has sealed or seals meanwhile."""
    records = 0
    while True:
        store.refresh()
        stated = _stated(store)
        groups = _groups(_read(store, [name for name in names if name not in stated]))
        if not groups:
            return records
        with suppress(_OvertakenError):
            records += _commit(store, groups[0])


def _read(store: Store, names: Iterable[str]) -> Iterator[_Spool]:
    for name in names:
        last, key = store.accesses.close(name), store.accesses.key(name)
        if last is not None and key is not None:
            frames = spool.read_frames(store.settings.spool, name, key)
            # A keyring from an older backup knows fewer numbers than were taken.
            yield _Spool(name, max([last, *(frame.number for frame in frames)]), frames)


def _groups(spools: Iterable[_Spool]) -> list[list[_Spool]]:
    """Spools that one commit can seal: their records are of the same retention class, or there are none."""
    found: dict[tuple[str, ...], list[_Spool]] = {}
    for item in spools:
        found.setdefault(item.classes, []).append(item)
    return list(found.values())


def _commit(store: Store, spools: Sequence[_Spool]) -> int:
    """Some spools as one partition; the numbers in its entry say which records must be there."""
    names = {item.name for item in spools}
    packs = list(_packs([statement for item in spools for statement in _statements(item)]))
    bodies = [("partition", _partition(store, spools, name)) for name in spools[0].classes]
    if bodies:
        bodies[0][1]["spools"] = packs.pop(0)

    def recheck(_: object) -> None:
        if not names.isdisjoint(_stated(store)):
            raise _OvertakenError

    store.append([*bodies, *(("heartbeat", {"spools": pack}) for pack in packs)], recheck)
    return sum(len(item.frames) for item in spools)


def _partition(store: Store, spools: Sequence[_Spool], retention_class: str) -> dict[str, Any]:
    """The body of the partition entry of the records of one class; its objects are durable."""
    # The content of access records has no data subject as owner: it is under the spool's own reference.
    rows = [
        partition_writer.Row.of(dict(frame.fields), frame.content, item.name)
        for item in spools
        for frame in item.frames
        if frame.fields["retention_class"] == retention_class
    ]
    return recording.partition(store, rows, retention_class)[1]


def _remove_unused(store: Store, names: Iterable[str]) -> None:
    """End spools from which nothing was taken, unless their process has just begun to: it then finds them open."""
    for name in names:
        if store.accesses.unused(name):
            spool.remove(store.settings.spool, name)


def _finish(store: Store, names: Sequence[str]) -> int:
    """Remove files and destroy keys of the spools that the ledger states; how many had to be kept as damaged.

    The file goes first: a key without a file is destroyed the next time, a file without a key would stay.
    """
    stated = _stated(store)
    damaged = [name for name in names if name in stated and _is_damaged(store, name)]
    for name in damaged:
        store.accesses.damaged(name)
    done = [name for name in names if name in stated and name not in damaged]
    for name in done:
        spool.remove(store.settings.spool, name)
    if done:
        store.accesses.sealed(done)
    return len(damaged)


def _is_damaged(store: Store, name: str) -> bool:
    last, key = store.accesses.close(name), store.accesses.key(name)
    if last is None or key is None:
        return False
    return spool.read(store.settings.spool, name, key).may_hold_more(last)


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


def _statements(item: _Spool) -> Iterator[dict[str, Any]]:
    """The numbers of a spool in statements of at most MAX_RANGES missing ranges, so that each fits an entry."""
    recorded: Collection[int] = {frame.number for frame in item.frames}
    missing = runs([number for number in range(1, item.last + 1) if number not in recorded])
    first = 1
    while first <= item.last:
        left = [run for run in missing if run[0] >= first]
        here, more = left[:MAX_RANGES], len(left) > MAX_RANGES
        end = here[-1][1] if more else item.last
        yield {"spool": item.name, "first": first, "last": end} | ({"missing": here} if here else {})
        first = end + 1
