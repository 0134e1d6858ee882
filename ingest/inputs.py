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
    """One input that can be opened: its location in full, and its size in bytes now."""

    uri: str
    size: int


def expand(paths: Iterable[str]) -> list[Source]:
    """Every file that the paths name, each once, in the order given, folders sorted by name.

    Raises NotFoundError for a path that names nothing.
    """
    found: dict[str, Source] = {}
    for path in paths:
        sources = list(_remote(path) if split_protocol(path)[0] not in (None, "file") else _local(path))
        if not sources:
            raise NotFoundError(f"nothing to ingest at {path!a}", hint="Name a file, a folder, a pattern or a URL.")
        found.update((source.uri, source) for source in sources)
    return list(found.values())


def _local(path: str) -> Iterator[Source]:
    path = split_protocol(path)[1]
    # Path.glob takes no pattern that begins at the root.
    names = [path] if Path(path).exists() else sorted(glob.glob(path, recursive=True))  # noqa: PTH207
    for name in map(Path, names):
        if name.is_dir():
            for folder, folders, files in os.walk(name):
                folders.sort()
                for file in sorted(files):
                    yield from _file(Path(folder, file))
        else:
            yield from _file(name)


def _file(path: Path) -> Iterator[Source]:
    if path.is_file():
        yield Source(os.path.realpath(path), path.stat().st_size)


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
    """The bytes of a source. Raises StorageError if it cannot be read."""
    try:
        with fsspec.open(source.uri, "rb") as file:
            yield file
    except OSError as error:
        raise StorageError(f"cannot read {source.uri!a}: {error.strerror or type(error).__name__}") from None
