"""Files and folders that a power cut leaves in place: the entry in the folder above is durable, too."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder and all above it, durably. One that is there is made durable too: it may be a moment old."""
    if not folder.parent.is_dir():
        make_folder(folder.parent, 0o777)
    folder.mkdir(mode=mode, exist_ok=True)
    # A parent that may be searched but not read cannot be fsynced; it was not written to here.
    with suppress(PermissionError):
        sync_folder(folder.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file's bytes durably. Its entry in the folder is the caller's to sync."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
