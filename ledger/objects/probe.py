"""Find out whether a store honours conditional writes: one that accepts If-None-Match and overwrites lets writers fork.

A probe leaves two objects of 32 bytes under ``probe/<random>/``: there is no delete, and nothing reads them again.
"""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ledger.errors import UnsafeStoreError
from ledger.objects.base import AppendObjects

RACERS: Final = 8
_START_SECONDS: Final = 60


def probe_conditional_put(objects: AppendObjects) -> None:
    """Create twice, expecting the second to be refused; then ``RACERS`` at once, expecting one winner.

    Raises ``UnsafeStoreError`` if the store let more than one writer win, lost the winner's bytes, or let nobody win;
    ``StorageError`` if it cannot be written at all.
    """
    folder = f"probe/{secrets.token_hex(16)}"
    _probe_second_write(objects, f"{folder}/twice")
    _probe_race(objects, f"{folder}/race")


def _probe_second_write(objects: AppendObjects, path: str) -> None:
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    if not objects.put_if_absent(path, first):
        raise UnsafeStoreError("the store refused to create an object that was not there", path=path)
    if objects.put_if_absent(path, second):
        raise UnsafeStoreError("the store let a second writer create an object that was there", path=path)
    _expect(objects, path, first)
    if not objects.put_if_absent(path, first):
        raise UnsafeStoreError("the store gave back other bytes than were written", path=path)


def _probe_race(objects: AppendObjects, path: str) -> None:
    claims = [secrets.token_bytes(32) for _ in range(RACERS)]
    start = threading.Barrier(RACERS, timeout=_START_SECONDS)

    def claim(data: bytes) -> bool:
        start.wait()
        return objects.put_if_absent(path, data)

    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(claim, claims))
    winners = [data for data, won in zip(claims, outcomes, strict=True) if won]
    if len(winners) != 1:
        raise UnsafeStoreError(f"of {RACERS} writers at once {len(winners)} won instead of one", path=path)
    _expect(objects, path, winners[0])


def _expect(objects: AppendObjects, path: str, data: bytes) -> None:
    if objects.get(path) != data:
        raise UnsafeStoreError("the store replaced an object that it had reported as created", path=path)
