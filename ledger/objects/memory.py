"""Objects in memory, over fsspec's MemoryFileSystem: for tests and for trying things out. Gone with the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

from fsspec.implementations.memory import MemoryFileSystem

from ledger.errors import StorageError
from ledger.objects.base import (
    ObjectInfo,
    check_delete,
    check_path,
    check_prefix,
    check_range,
    check_replace,
    check_write,
    missing,
)

# fsspec keeps one memory file system a process, and its files share one read position: every use takes turns.
_TURN: Final = threading.Lock()


class MemoryReader:
    """``ReadObjects`` under a folder of the process's one memory file system."""

    def __init__(self, root: str) -> None:
        self.url = f"memory://{root}"
        self._root = f"/{root}/" if root else "/"
        self._files: Any = MemoryFileSystem()

    def get(self, path: str) -> bytes:
        """See ``ReadObjects.get``."""
        check_path(path)
        with _TURN:
            data = self._read(path)
        if data is None:
            raise missing(path)
        return data

    def get_range(self, path: str, start: int, length: int) -> bytes:
        """See ``ReadObjects.get_range``."""
        check_range(start, length)
        return self.get(path)[start : start + length]

    def head(self, path: str) -> int | None:
        """See ``ReadObjects.head``."""
        check_path(path)
        with _TURN:
            data = self._read(path)
        return None if data is None else len(data)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ``ReadObjects.list``; what it yields is the state at the first step."""
        check_prefix(prefix)
        return self._listed(prefix)

    def _listed(self, prefix: str) -> Iterator[ObjectInfo]:
        with _TURN:
            sizes = {
                key[len(self._root) :]: file.size
                for key, file in self._files.store.items()
                if key.startswith(self._root + prefix)
            }
        for path in sorted(sizes):
            yield ObjectInfo(path, sizes[path])

    def _read(self, path: str) -> bytes | None:
        file = self._files.store.get(self._root + path)
        return None if file is None else bytes(file.getvalue())


class MemoryObjects(MemoryReader):
    """``Objects`` in memory; atomic within the process, durable not at all."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """See ``AppendObjects.put_if_absent``."""
        check_write(path, data)
        with _TURN:
            found = self._read(path)
            if found is None:
                self._write(path, data)
        return found is None or found == data

    def replace(self, path: str, data: bytes) -> None:
        """See ``ReplaceObjects.replace``."""
        check_replace(path, data)
        with _TURN:
            self._write(path, data)

    def _write(self, path: str, data: bytes) -> None:
        try:
            self._files.pipe_file(self._root + path, data)
        except OSError as error:
            raise StorageError(f"cannot write {path}: an object stands where a folder is needed", path=path) from error


class MemoryDeleting(MemoryReader):
    """``DeleteObjects`` in memory."""

    def delete(self, path: str) -> None:
        """See ``DeleteObjects.delete``."""
        check_delete(path)
        with _TURN:
            self._files.store.pop(self._root + path, None)
