"""Events files as local paths: where the store is a folder its own files, else copies in the cache.

Events files hold no personal data (content is elsewhere, encrypted), so a copy may lie in the cache. Each file's
SHA-256 is compared with its entry when it is first used, and again whenever its size or change time is another.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ledger.errors import LostError, MissingObjectError, StorageError, TamperedError
from ledger.store import Store


class Mirror:
    """Local, checked paths of a store's events files."""

    def __init__(self, store: Store) -> None:
        self._store = store
        url = urlsplit(store.objects.url)
        self._local = Path(unquote(url.path)) if url.scheme == "file" else None
        self._cache = store.settings.cache / "events"
        self._seen: dict[Path, str] = {}

    def path(self, entry: Mapping[str, Any]) -> Path:
        """The local path of a partition's events file.

        Raises TamperedError if its bytes are not those of the entry, LostError if it is not there.
        """
        item = entry["events"]
        if self._local is not None:
            path = self._local / str(item["path"])
            self._check(item, path)
            return path
        copy = self._cache / f"{item['sha256']}.parquet"
        if not self._is_good(item, copy):
            self._fetch(item, copy)
        return copy

    def _check(self, item: Mapping[str, Any], path: Path) -> None:
        """Hash the file unless it was hashed in this state before."""
        try:
            self._hash(item, path)
        except FileNotFoundError:
            raise LostError(f"{item['path']} is missing", path=item["path"]) from None
        except OSError as error:
            raise StorageError(f"cannot read {item['path']}: {error.strerror}", path=item["path"]) from None

    def _hash(self, item: Mapping[str, Any], path: Path) -> None:
        status = path.stat()
        state = f"{item['sha256']} {status.st_size} {status.st_ctime_ns} {status.st_ino}"
        if self._seen.get(path) == state:
            return
        mark = self._cache / f"{item['sha256']}.checked"
        if not _holds(mark, state.encode()):
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != item["sha256"]:
                raise TamperedError(f"{item['path']} has not the SHA-256 of its entry", path=item["path"])
            self._write(mark, state.encode())
        self._seen[path] = state

    def _is_good(self, item: Mapping[str, Any], copy: Path) -> bool:
        """Whether there is a copy and it is the right one: a damaged copy says nothing of the store."""
        if not copy.exists():
            return False
        try:
            self._check(item, copy)
        except TamperedError:
            return False
        return True

    def _fetch(self, item: Mapping[str, Any], copy: Path) -> None:
        """Copy the file and check it; a wrong one does not stay, so that a restored object is seen."""
        try:
            self._write(copy, self._store.objects.get(item["path"]))
        except MissingObjectError:
            raise LostError(f"{item['path']} is missing", path=item["path"]) from None
        try:
            self._check(item, copy)
        except TamperedError:
            copy.unlink(missing_ok=True)
            raise

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            scratch = self._cache / f"{secrets.token_hex(8)}.tmp"
            scratch.write_bytes(data)
            scratch.replace(path)
        except OSError as error:
            raise StorageError(f"cannot write the cache folder {self._cache}: {error.strerror}") from None


def _holds(mark: Path, state: bytes) -> bool:
    """Whether a file of the cache says this; one that cannot be read says nothing."""
    try:
        return mark.read_bytes() == state
    except OSError:
        return False
