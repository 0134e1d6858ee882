"""Expiry: partitions' keys are destroyed but for what must stay. The ledger says it first, then keys and objects go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import entries, following
from ledger.entry_shapes import runs
from ledger.erasing import check_role
from ledger.errors import StorageError
from ledger.objects import DeleteObjects, open_deleting
from ledger.objects.deleting import Deleter

if TYPE_CHECKING:
    from ledger.history import Entry
    from ledger.store import Store

ENTRIES_A_COMMIT: Final = 90
_RUNS: Final = 250
"""Ranges of kept segments that one item of an entry lists: what is split finer takes several items."""
_ROOM: Final = 6 * 1024
"""Bytes of partitions that one entry lists."""


class Expiring(NamedTuple):
    """What is to expire: the bytes of the policy's file, and by the index of a partition's entry what stays of it.

    ``deleted``: the entries say that objects of which nothing stays may be gone.
    """

    policy: bytes
    partitions: Mapping[int, Sequence[int]]
    deleted: bool = False


class Expired(NamedTuple):
    """What was done: the entries that say so, and the key trees that were cut or destroyed."""

    entries: list[Entry]
    trees: int


class Swept(NamedTuple):
    """Objects that were deleted, and those that the store did not let go, with the reason."""

    deleted: list[str]
    refused: dict[str, str]


def expire(store: Store, what: Expiring, recheck: Callable[[list[Entry]], None] | None = None) -> Expired:
    """Commit what expires, then destroy its keys; whoever dies in between leaves what ``follow`` completes.

    ``recheck`` is given the entries of others that came in between, and may refuse (LogWriter.append). Raises
    ConfigError where this installation may not do it; then nothing has changed.
    """
    check_role(store, "retention")
    digest = entries.sha256(what.policy)
    if not store.objects.put_if_absent(entries.blob_path(digest), what.policy):
        raise StorageError("a blob with other bytes stands under this name", path=entries.blob_path(digest))
    counts = {entry.index: int(entry.value["segments"]) for entry in store.history.partitions()}
    items = [
        item for index, kept in sorted(what.partitions.items()) for item in _items(index, sorted(kept), counts[index])
    ]
    head = {"policy": digest, "what": "content"} | ({"deleted": True} if what.deleted else {})
    bodies = [("retention", {**head, "partitions": listed}) for listed in _packed(items)]
    committed: list[Entry] = []
    trees = 0
    for start in range(0, len(bodies), ENTRIES_A_COMMIT):
        committed += store.append(bodies[start : start + ENTRIES_A_COMMIT], recheck, by=("privacy",))
        trees += following.follow(store).trees
    return Expired(committed, trees)


def complete(store: Store) -> Swept:
    """Finish what a run that died left undone: keys that the ledger has ended, then objects."""
    following.follow(store)
    return sweep(store)


def sweep(store: Store, objects: DeleteObjects | None = None) -> Swept:
    """Delete every object that entries list as deleted and that is still there, or is there again.

    Only what stands under ``content/``. Safe to repeat.
    """
    listed = store.endings.deleted
    deleted: list[str] = []
    refused: dict[str, str] = {}
    if not listed:
        return Swept(deleted, refused)
    opened = open_deleting(store.objects.url, endpoint=store.settings.s3_endpoint) if objects is None else objects
    deleter = Deleter(opened, listed)
    # One listing finds what others left undone at a request a thousand objects, where asking for each takes one each.
    for path in [info.path for info in store.objects.list("content/") if info.path in listed]:
        try:
            deleter.delete(path)
            deleted.append(path)
        except StorageError as error:
            refused[path] = error.message
    return Swept(deleted, refused)


def _items(index: int, kept: Sequence[int], segments: int) -> Iterator[dict[str, Any]]:
    """What entries say of one partition. Of several, each ends one stretch of it: what all of them keep is kept."""
    ranges = runs(kept)
    if not ranges:
        yield {"partition": index}
        return
    for start in range(0, len(ranges), _RUNS):
        mine = ranges[start : start + _RUNS]
        begin = mine[0][0] if start else 0
        end = ranges[start + _RUNS][0] if start + _RUNS < len(ranges) else segments
        around = ([[0, begin - 1]] if begin else []), ([[end, segments - 1]] if end < segments else [])
        yield {"partition": index, "kept": _joined([*around[0], *mine, *around[1]])}


def _joined(ranges: Sequence[Sequence[int]]) -> list[list[int]]:
    """Ascending ranges, those that touch made one."""
    found: list[list[int]] = []
    for first, last in ranges:
        if found and found[-1][1] + 1 >= first:
            found[-1][1] = last
        else:
            found.append([first, last])
    return found


def _packed(items: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Items by entry, each entry small enough."""
    here: list[dict[str, Any]] = []
    size = 0
    for item in items:
        length = len(entries.canonical_bytes(item)) + 1
        if here and size + length > _ROOM:
            yield here
            here, size = [], 0
        here.append(item)
        size += length
    if here:
        yield here
