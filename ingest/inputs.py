"""Finding and reading inputs: files, folders, globs, any fsspec URL."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import fsspec
from fsspec.core import split_protocol

from ledger.errors import NotFoundError, StorageError


class Source(NamedTuple):
    """One input that can be opened: its location in full (a path, or a URL), and its size in bytes now."""

    uri: str
    size: int


def expand(paths: Iterable[str]) -> list[Source]:
    """Every file that the paths name, each once, in the order given, folders sorted by name.

    Raises NotFoundError for a path that names nothing.
    """
    found: dict[str, Source] = {}
    for path in paths:
        sources = list(_remote(path) if _is_url(path) else _local(path))
        if not sources:
            raise NotFoundError(f"nothing to ingest at {path!a}", hint="Name a file, a folder, a pattern or a URL.")
        found.update((source.uri, source) for source in sources)
    return list(found.values())


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
