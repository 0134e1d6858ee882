"""Writes the archive of a bundle: a zip whose bytes depend on nothing but the files and their order."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, Self

from ledger import canonical
from ledger.errors import UsageError

MAX_FILES: Final = 65_000
"""Files of a bundle: below what a zip holds without zip64 records, which the verifier refuses."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_REGULAR_FILE: Final = 0o100644


class _Hashed:
    """Passes bytes on and hashes them. It cannot seek, so that nothing that was hashed is written again."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._out.write(data)
        self.sha256.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        """The archive ends; the file under it is the caller's."""


class BundleWriter:
    """Takes files one after the other, then the manifest. ``sha256`` (hex) and ``size`` are the archive's."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = _Hashed(out)
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, allowZip64=False)
        self._files: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, path: str, data: bytes) -> None:
        """Add a file. Raises UsageError when the bundle becomes larger than a zip without zip64 can be."""
        digest = hashlib.sha256(data).hexdigest()
        self._write(path, data)
        self._files[path] = {"path": path, "sha256": digest, "size": len(data)}

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Add manifest.json, which lists every file before it, and SHA256SUMS; then end the archive."""
        files = [self._files[path] for path in sorted(self._files)]
        data = canonical.encode({**manifest, "files": files})
        self._write("manifest.json", data)
        sums = {path: item["sha256"] for path, item in self._files.items()}
        sums["manifest.json"] = hashlib.sha256(data).hexdigest()
        self._write("SHA256SUMS", "".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode())
        with _within_zip():
            self._zip.close()

    def _write(self, path: str, data: bytes) -> None:
        if len(self._files) >= MAX_FILES:
            raise UsageError(_TOO_LARGE, hint=_NARROWER)
        info = zipfile.ZipInfo(path, _TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = _UNIX
        info.external_attr = _REGULAR_FILE << 16
        with _within_zip():
            self._zip.writestr(info, data)

    @property
    def sha256(self) -> str:
        """SHA-256 of what was written so far."""
        return self._out.sha256.hexdigest()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._out.size


_TOO_LARGE: Final = f"the selection is too large for one bundle: it holds at most {MAX_FILES} files and 2 GiB"
_NARROWER: Final = "Export shorter periods, or leave out the content."


@contextmanager
def _within_zip() -> Iterator[None]:
    try:
        yield
    except zipfile.LargeZipFile:
        raise UsageError(_TOO_LARGE, hint=_NARROWER) from None
