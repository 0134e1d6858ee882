"""Events files as local paths: where the store is a folder its own files, else copies in the cache.

Events files hold no personal data (content is elsewhere, encrypted), so a copy may lie in the cache.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from ledger.errors import TamperedError
from ledger.store import Store


class Mirror:
    """Local paths of a store's events files."""

    def __init__(self, store: Store) -> None:
        self._store = store
        url = store.settings.store
        self._local = None if "://" in url and not url.startswith("file://") else Path(url.removeprefix("file://"))
        self._cache = store.settings.cache / "events"

    def path(self, entry: dict[str, Any]) -> Path:
        """The local path of a partition's events file. Raises TamperedError if a copy has a wrong SHA-256."""
        item = entry["events"]
        if self._local is not None:
            return self._local / item["path"]
        copy = self._cache / f"{item['sha256']}.parquet"
        if not copy.exists():
            data = self._store.objects.get(item["path"])
            if hashlib.sha256(data).hexdigest() != item["sha256"]:
                raise TamperedError(f"{item['path']} has not the SHA-256 of its entry", path=item["path"])
            self._cache.mkdir(parents=True, exist_ok=True)
            scratch = self._cache / f"{secrets.token_hex(8)}.tmp"
            scratch.write_bytes(data)
            os.replace(scratch, copy)
        return copy
