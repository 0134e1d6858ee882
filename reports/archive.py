"""Writes a zip whose bytes depend on nothing but the files and their order."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, NamedTuple, Self

from ledger.errors import UsageError

MAX_FILES: Final = 65_000
"""Files of an archive: below what a zip holds without zip64 records, which the verifiers refuse."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_REGULAR_FILE: Final = 0o100644


class Digest(NamedTuple):
    """What was written: SHA-256 (hex) and size in bytes."""

    sha256: str
    size: int


class Hashed:
    """Passes bytes on and hashes them. It cannot seek, so that nothing that was hashed is written again."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        """Pass data on."""
        self._out.write(data)
        self._sha256.update(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """Flush what is under it."""
        self._out.flush()

    def close(self) -> None:
        """The archive ends; the file under it is the caller's."""

    @property
    def digest(self) -> Digest:
        """Of all that was written so far."""
        return Digest(self._sha256.hexdigest(), self._size)


class Archive:
    """Takes files one after the other. As a context manager it ends the archive, also where an error ended the work."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = Hashed(out)
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, allowZip64=False)
        self.files: dict[str, Digest] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _within_zip():
            self._zip.close()

    def add(self, path: str, data: bytes) -> None:
        """Add a file. Raises UsageError when the archive becomes larger than a zip without zip64 can be."""
        with self.open(path) as file:
            file.write(data)

    @contextmanager
    def open(self, path: str) -> Iterator[Hashed]:
        """A file to be written piece by piece; one at a time. Raises as ``add``."""
        if len(self.files) >= MAX_FILES:
            raise UsageError(_TOO_LARGE, hint=_NARROWER)
        info = zipfile.ZipInfo(path, _TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = _UNIX
        info.external_attr = _REGULAR_FILE << 16
        with _within_zip(), self._zip.open(info, "w") as under:
            file = Hashed(under)  # type: ignore[arg-type]
            yield file
        self.files[path] = file.digest

    def close(self) -> None:
        """End the archive."""
        self.__exit__()

    @property
    def digest(self) -> Digest:
        """Of the archive as far as it is written."""
        return self._out.digest


_TOO_LARGE: Final = f"the selection is too large for one bundle: it holds at most {MAX_FILES} files and 2 GiB"
_NARROWER: Final = "Export shorter periods, or leave out the content."


@contextmanager
def _within_zip() -> Iterator[None]:
    try:
        yield
    except zipfile.LargeZipFile:
        raise UsageError(_TOO_LARGE, hint=_NARROWER) from None
    except RuntimeError as error:  # what zipfile raises where a file that is written in pieces passes its limit
        if "too large" not in str(error):
            raise
        raise UsageError(_TOO_LARGE, hint=_NARROWER) from None
