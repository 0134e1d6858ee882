"""Finding and reading inputs: files, folders, globs, any fsspec URL."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import fsspec
from fsspec.core import split_protocol

from ledger.errors import NotFoundError, StorageError, UsageError
from ledger.settings import Settings

_PRIVATE_KEY: Final = b"PRIVATE+KEY+"


class Own:
    """The files of the store itself: what they hold is key, or evidence already, and never an input."""

    def __init__(self, settings: Settings) -> None:
        keys = (settings.writer_key, settings.privacy_key, settings.log_key, settings.log_vkey, settings.pin)
        places = [settings.spool, settings.cache, *(key for key in keys if key is not None)]
        if "://" not in settings.store:
            places.append(Path(settings.store))
        if settings.kek.startswith("file:"):
            places.append(Path(settings.kek.removeprefix("file:")))
        if settings.keyring.startswith("sqlite:///"):
            database = settings.keyring.removeprefix("sqlite:///")
            places += [Path(database + end) for end in ("", "-wal", "-shm", "-journal")]
        self._places = [Path(os.path.realpath(place)) for place in places]

    def holds(self, path: Path) -> bool:
        """Whether a file is one of them, or holds a signing key: the admin's is named by no setting."""
        real = Path(os.path.realpath(path))
        return any(real == place or real.is_relative_to(place) for place in self._places) or _is_private_key(real)


def _is_private_key(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_PRIVATE_KEY)) == _PRIVATE_KEY
    except OSError:
        return False


class Source(NamedTuple):
    """One input that can be opened: its location in full (a path, or a URL), and its size in bytes now."""

    uri: str
    size: int


def expand(paths: Iterable[str], own: Own) -> tuple[list[Source], int]:
    """Every file that the paths name, each once, in the order given, folders sorted by name.

    And how many files of the store itself were left out. Raises NotFoundError for a path that names nothing,
    UsageError for one that names a file of the store itself.
    """
    found: dict[str, Source] = {}
    left_out: set[str] = set()
    for path in paths:
        if not path:
            raise UsageError("an empty path names no input", hint="Name a file, a folder, a pattern or a URL.")
        remote = _is_url(path)
        sources = list(_remote(path) if remote else _local(path))
        if not sources:
            raise NotFoundError(f"nothing to ingest at {path!a}", hint="Name a file, a folder, a pattern or a URL.")
        owned = {source.uri for source in sources if not remote and own.holds(Path(source.uri))}
        if len(owned) == len(sources):
            raise UsageError(f"{path!a} belongs to the store itself: its keys and files are no inputs")
        left_out |= owned
        found.update((source.uri, source) for source in sources if source.uri not in owned)
    return list(found.values()), len(left_out)


def _is_url(path: str) -> bool:
    """Whether a path is a URL of something else than a file. A file may be named like one, or like a chain of them."""
    return split_protocol(path)[0] not in (None, "file") and not os.path.lexists(path)


def _local(path: str) -> Iterator[Source]:
    path = path.removeprefix("file://")
    # Path.glob takes no pattern that begins at the root.
    names = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))  # noqa: PTH207
    for name in map(Path, names):
        if name.is_dir():
            yield from _folder(name)
        else:
            yield from _file(name)


def _folder(name: Path) -> Iterator[Source]:
    """The files below a folder. A folder that cannot be listed is an input that cannot be read."""
    unlisted: list[OSError] = []
    for folder, folders, files in os.walk(name, onerror=unlisted.append):
        folders.sort()
        for file in sorted(files):
            yield from _file(Path(folder, file))
    yield from (Source(os.path.realpath(error.filename), 0) for error in unlisted)


def _file(path: Path) -> Iterator[Source]:
    """A file as it is now. What is there but cannot be looked at is named all the same: opening it says why."""
    try:
        if path.is_file():
            yield Source(os.path.realpath(path), path.stat().st_size)
    except FileNotFoundError:
        return
    except OSError:
        yield Source(os.path.realpath(path), 0)


def _remote(path: str) -> Iterator[Source]:
    try:
        filesystem, root = fsspec.core.url_to_fs(path)
        protocol = split_protocol(path)[0]
        names = filesystem.glob(root) if any(mark in root for mark in "*?[") else [root]
        for name in names:
            for file in filesystem.find(name):
                yield Source(f"{protocol}://{file}", int(filesystem.size(file)))
    except (OSError, ImportError, ValueError) as error:
        raise StorageError(f"cannot list the inputs at this URL ({type(error).__name__})") from None


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a source. Raises StorageError, which names it as ``input``, if it cannot be read."""
    try:
        # A file's name is taken as it is: fsspec reads `::` in it as a chain of URLs.
        with Path(source.uri).open("rb") if Path(source.uri).is_absolute() else fsspec.open(source.uri, "rb") as file:
            yield file
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"cannot read {source.uri!a}: {reason}", input=source.uri) from None
