"""Objects as files below a folder: created by hard link, so that of several writers one wins, and fsynced.

Every folder on the way is opened relative to the one above without following symbolic links: nobody who can write
into the store can lead a reader or a writer out of it. Not for network mounts whose ``link`` or ``fsync`` is a promise.
After a failed fsync of a folder the kernel may report the next one as good: a power cut then can lose a new object.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from ledger.durable import sync_folder
from ledger.errors import StorageError
from ledger.objects.base import (
    MAX_PATH,
    ObjectInfo,
    check_delete,
    check_path,
    check_prefix,
    check_range,
    check_replace,
    check_write,
    missing,
)

# What a killed writer leaves behind begins like this; paths of objects cannot.
_TEMPORARY: Final = ".tmp-"
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking, so that a named pipe put in an object's place cannot hang a reader.
_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalReader:
    """``ReadObjects`` below a folder, which need not exist. The folder itself may be a symbolic link."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.url = self._root.as_uri()

    def get(self, path: str) -> bytes:
        """See ``ReadObjects.get``."""
        return self._read(path, 0, None)

    def get_range(self, path: str, start: int, length: int) -> bytes:
        """See ``ReadObjects.get_range``."""
        check_range(start, length)
        return self._read(path, start, length)

    def head(self, path: str) -> int | None:
        """See ``ReadObjects.head``."""
        check_path(path)
        with _reported("look at", path), suppress(FileNotFoundError), self._folder(path) as folder:
            return _regular_size(folder, path.rpartition("/")[2])
        return None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ``ReadObjects.list``; holds one open folder a level while it runs."""
        check_prefix(prefix)
        return self._listed(prefix)

    def _listed(self, prefix: str) -> Iterator[ObjectInfo]:
        parent = prefix[: prefix.rfind("/") + 1]
        with _reported("list", prefix or "the store"), ExitStack() as opened:
            try:
                folder = opened.enter_context(self._folder(prefix))
            except FileNotFoundError:
                return
            # What vanishes from here on is an error: a list must not end early without a word.
            yield from _walk(folder, parent, prefix)

    def _read(self, path: str, start: int, length: int | None) -> bytes:
        check_path(path)
        with _reported("read", path), suppress(FileNotFoundError), self._folder(path) as folder:
            return _content(folder, path.rpartition("/")[2], start, length)
        raise missing(path)

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """Open the folder that ``path`` is in; ``FileNotFoundError`` if it is not there."""
        folder = os.open(self._root, _FOLDER_FLAGS)
        try:
            for name in path.split("/")[:-1]:
                folder = _step(folder, name)
            yield folder
        finally:
            os.close(folder)


class LocalObjects(LocalReader):
    """``Objects`` below a folder, made at the first write. Folders have mode 0750, files 0640, less the umask."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._durable: set[str] = set()

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """See ``AppendObjects.put_if_absent``."""
        check_write(path, data)
        name = path.rpartition("/")[2]
        with _reported("write", path), self._made_folder(path) as folder:
            won = _regular_size(folder, name) is None and _link(folder, name, data)
            same = won or _content(folder, name) == data
            # Also for the loser: what it saw may be linked and not yet durable, and it will build on it.
            os.fsync(folder)
            return same

    def replace(self, path: str, data: bytes) -> None:
        """See ``ReplaceObjects.replace``."""
        check_replace(path, data)
        with _reported("replace", path), self._made_folder(path) as folder:
            with _temporary(folder, data) as temporary:
                os.rename(temporary, path.rpartition("/")[2], src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    @contextmanager
    def _made_folder(self, path: str) -> Iterator[int]:
        """Open the folder that ``path`` is in, after making it; it and all above it are durable.

        A folder that was there is fsynced too, once: another process may have made it a moment ago.
        """
        self._make_root()
        folder = os.open(self._root, _FOLDER_FLAGS)
        try:
            reached = ""
            for name in path.split("/")[:-1]:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o750, dir_fd=folder)
                reached += name + "/"
                if reached not in self._durable:
                    os.fsync(folder)
                    self._durable.add(reached)
                folder = _step(folder, name)
            yield folder
        finally:
            os.close(folder)

    def _make_root(self) -> None:
        if "" in self._durable:
            return
        for folder in (*reversed(self._root.parents), self._root):
            if not folder.exists():
                folder.mkdir(0o750, exist_ok=True)
                sync_folder(folder.parent)
        # A parent that may be searched but not read cannot be fsynced; it was not made here.
        with suppress(PermissionError):
            sync_folder(self._root.parent)
        self._durable.add("")


class LocalDeleting(LocalReader):
    """``DeleteObjects`` below a folder. A folder that becomes empty stays."""

    def delete(self, path: str) -> None:
        """See ``DeleteObjects.delete``."""
        check_delete(path)
        with _reported("delete", path), suppress(FileNotFoundError), self._folder(path) as folder:
            os.unlink(path.rpartition("/")[2], dir_fd=folder)
            os.fsync(folder)


@contextmanager
def _reported(action: str, path: str) -> Iterator[None]:
    """Turn what the operating system says into ``StorageError``."""
    try:
        yield
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        reason = "a symbolic link in the store is not followed" if is_link else os.strerror(error.errno or errno.EIO)
        raise StorageError(f"cannot {action} {path}: {reason}", path=path, errno=error.errno) from error


def _step(folder: int, name: str) -> int:
    """Open the folder ``name`` in ``folder``, which is closed; ``FileNotFoundError`` if a file stands there."""
    try:
        below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
    except NotADirectoryError:
        _regular_size(folder, name)
        raise FileNotFoundError(name) from None
    os.close(folder)
    return below


def _regular_size(folder: int, name: str) -> int | None:
    """Return the size of a regular file, None where none is; a symbolic link raises ``OSError`` (ELOOP)."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, name)
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _content(folder: int, name: str, start: int = 0, length: int | None = None) -> bytes:
    """Read a regular file, or a range of it; ``FileNotFoundError`` where none is."""
    handle = os.open(name, _READ_FLAGS, dir_fd=folder)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(name)
        with os.fdopen(handle, "rb", closefd=False) as file:
            file.seek(start)
            # Python reserves what it is asked for, and a length may come from a forged file.
            return file.read() if length is None else file.read(max(0, min(length, found.st_size - start)))
    finally:
        os.close(handle)


def _walk(folder: int, parent: str, prefix: str) -> Iterator[ObjectInfo]:
    """Yield the objects below an open folder in the order of their paths: a folder sorts as its name and a slash."""
    if len(parent) > MAX_PATH:
        raise StorageError("folders in the store are nested deeper than a path can be")
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries if not entry.is_symlink()
        )
    for name in names:
        path = parent + name
        if name.endswith("/"):
            if path.startswith(prefix) or prefix.startswith(path):
                yield from _walk_below(folder, name[:-1], path, prefix)
        elif path.startswith(prefix) and not name.startswith(_TEMPORARY):
            size = _regular_size(folder, name)
            if size is not None:
                yield ObjectInfo(_text(path), size)


def _walk_below(folder: int, name: str, path: str, prefix: str) -> Iterator[ObjectInfo]:
    below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
    try:
        yield from _walk(below, path, prefix)
    finally:
        os.close(below)


def _text(name: str) -> str:
    """Write out the bytes of a foreign name that are not UTF-8, so that printing it cannot fail."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@contextmanager
def _temporary(folder: int, data: bytes) -> Iterator[str]:
    """Write a temporary file, durably, and yield its name; it is gone afterwards, renamed or not."""
    name = _TEMPORARY + secrets.token_hex(16)
    with os.fdopen(os.open(name, _CREATE_FLAGS, 0o640, dir_fd=folder), "wb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            yield name
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def _link(folder: int, name: str, data: bytes) -> bool:
    """Create a file with all its bytes at once; False if one is there."""
    with _temporary(folder, data) as temporary:
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return False
    return True
