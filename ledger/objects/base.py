"""What the ledger asks of an object store, in four capabilities: read, append, replace the checkpoint, delete.

A path is relative POSIX: segments of ``A-Z a-z 0-9 . _ = + -``, none beginning with a dot, joined by ``/``;
at most 1024 bytes, 200 a segment. Case is significant. A path that names an object MUST NOT be a folder of another:
a folder tree cannot hold both. Deleting stands apart: what can append cannot delete, and what deletes can take away
expired content and nothing else, since deleting a claim would re-open it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from ledger.errors import MissingObjectError, StorageError

CHECKPOINT: Final = "ledger/checkpoint"
"""The only object that is ever replaced: it is derived from the commits and never trusted alone."""

MAX_PATH: Final = 1024
MAX_SEGMENT: Final = 200
_MAX_OFFSET: Final = 2**63 - 1

_PARTITION_FILE: Final = re.compile(r"(?:events|content)/date=\d{4}-\d\d-\d\d/[0-9a-f]{32}\.parquet")
_PATH = re.compile(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*(?:/[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*)*")


class ObjectInfo(NamedTuple):
    """One listed object: its path and its size in bytes."""

    path: str
    size: int


class ReadObjects(Protocol):
    """Reading. All methods MAY be called from several threads at once."""

    @property
    def url(self) -> str:
        """Where the store is, without credentials; ``open_objects`` opens the same store from it."""

    def get(self, path: str) -> bytes:
        """Return the whole object.

        Raises ``MissingObjectError`` if it is not there, and MUST raise nothing but that for an absent object: a
        store that cannot answer raises ``StorageError``, so that "lost" is never concluded from a broken network.
        """

    def get_range(self, path: str, start: int, length: int) -> bytes:
        """Return ``object[start : start + length]``, like a slice: shorter, or empty, where the object ends before.

        ``start`` and ``length`` are bytes, 0 or more. Raises like ``get``.
        """

    def head(self, path: str) -> int | None:
        """Return the size in bytes, or None if the object is not there."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object whose path begins with ``prefix`` (text, not folder), sorted by path, lazily.

        A store that does not exist yields nothing. Objects that others put there are yielded too, with whatever name
        they have: a name MUST be escaped before it is shown, and ``get`` may refuse it. What a writer has not
        finished MUST NOT be yielded.
        """


class AppendObjects(ReadObjects, Protocol):
    """Reading, and creating objects that are never changed afterwards."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Create the object, atomically, unless it is there.

        True: the object is there with exactly these bytes, by this call or an earlier one. False: it is there with
        other bytes, and always will be. Both MUST be durable when this returns. Of several callers with different
        bytes exactly one MUST get True. Readers MUST see all of the object or nothing.

        After a ``StorageError`` the outcome is unknown: the object MAY be there, or appear later, even after a read
        that did not find it. Calling again with the same bytes is safe and settles it. Empty data MUST be refused.
        """


class ReplaceObjects(Protocol):
    """Overwriting ``CHECKPOINT``; only the publisher holds this."""

    def replace(self, path: str, data: bytes) -> None:
        """Put the object, atomically and durably, in place of what is there. MUST refuse any other path.

        After a ``StorageError`` either the old or the new bytes are there.
        """


class Objects(AppendObjects, ReplaceObjects, Protocol):
    """All that a store can do but for deleting; its user is given the narrowest of the three that serves."""


class DeleteObjects(Protocol):
    """Deleting what has expired. Use it by ``ledger.objects.deleting.Deleter``, which asks the ledger first."""

    def delete(self, path: str) -> None:
        """Delete the object; nothing where there is none. MUST refuse any path but those of partitions' files.

        After a ``StorageError`` the object is there or not. A bucket that keeps versions keeps the bytes all the same.
        """


def check_path(path: str) -> None:
    """Raise ``StorageError`` unless ``path`` follows the grammar above."""
    if (
        len(path) > MAX_PATH
        or _PATH.fullmatch(path) is None
        or any(len(segment) > MAX_SEGMENT for segment in path.split("/"))
    ):
        raise StorageError(f"not a path of an object: {path[:MAX_PATH]!a}", hint="See the path grammar in FORMAT.md.")


def check_prefix(prefix: str) -> None:
    """Raise ``StorageError`` unless ``prefix`` is empty, or a path with or without a slash at its end."""
    if prefix:
        check_path(prefix.removesuffix("/"))


def check_range(start: int, length: int) -> None:
    """Raise ``StorageError`` unless both are 0 or more and their sum fits a file offset."""
    if start < 0 or length < 0 or start + length > _MAX_OFFSET:
        raise StorageError("not a range of an object", start=start, length=length)


def check_write(path: str, data: bytes) -> None:
    """Raise ``StorageError`` unless ``data`` may be created at ``path``.

    Never empty: s3fs drops the condition when it creates an empty object.
    """
    check_path(path)
    if not data:
        raise StorageError(f"an empty object is never written: {path}", path=path)


def check_replace(path: str, data: bytes) -> None:
    """Raise ``StorageError`` unless ``data`` may replace what is at ``path``."""
    if path != CHECKPOINT:
        raise StorageError(f"evidence is never overwritten: {path!a}", path=path)
    check_write(path, data)


def check_delete(path: str) -> None:
    """Raise ``StorageError`` unless ``path`` is that of a partition's file: no commit, checkpoint or tile ever goes."""
    check_path(path)
    if _PARTITION_FILE.fullmatch(path) is None:
        raise StorageError(f"only what has expired is ever deleted: {path!a}", path=path)


def missing(path: str) -> MissingObjectError:
    """Return the error for an object that is not there."""
    return MissingObjectError(f"no such object: {path}", path=path)
