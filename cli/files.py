"""Writing result files: never over an existing one, and never half of one."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ledger.errors import UsageError

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, readable by its owner only. It gets its name when it is written and durable. Raises UsageError."""
    scratch = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if os.path.lexists(path):
            raise FileExistsError
        file = os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise _refused(path, error) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _name(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _name(scratch: Path, path: Path) -> None:
    """Give a finished file its name, unless something has it by now."""
    try:
        try:
            path.hardlink_to(scratch)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            path.open("xb").close()
            scratch.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, error: OSError) -> UsageError:
    if isinstance(error, FileExistsError):
        return UsageError(f"{path} exists and is not overwritten", hint="Name another file, or move that one away.")
    return UsageError(f"cannot write {path}: {error.strerror}", hint="Name a place that you can write to.")
