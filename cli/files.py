"""Writing result files: never over an existing one, and never half of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ledger.errors import UsageError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, readable by its owner only; removed again if what writes it fails. Raises UsageError."""
    try:
        file = path.open("xb")
    except FileExistsError:
        raise UsageError(f"{path} exists and is not overwritten") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    path.chmod(0o600)
    try:
        with file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
