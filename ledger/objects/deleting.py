"""Deleting what an entry of the ledger lists as deleted, and nothing else. Apart from everything that appends."""

from __future__ import annotations

from collections.abc import Collection

from ledger.errors import StorageError
from ledger.objects.base import DeleteObjects


class Deleter:
    """``DeleteObjects`` for the paths that the ledger ``lists``; the store itself refuses all but partitions' files."""

    def __init__(self, objects: DeleteObjects, lists: Collection[str]) -> None:
        self._objects = objects
        self._lists = frozenset(lists)

    def delete(self, path: str) -> None:
        """See ``DeleteObjects.delete``. Raises ``StorageError`` for a path that no entry lists as deleted."""
        if path not in self._lists:
            raise StorageError(f"no entry says that this object was deleted: {path!a}", path=path)
        self._objects.delete(path)
