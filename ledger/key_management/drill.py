"""A restore that is only tried: does this backup open, and does what it holds open the store's content?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger import kek
from ledger.content import ContentReader, Ledger
from ledger.decryption import reason
from ledger.endings import Endings
from ledger.errors import EvidenceError, KeyringError, NothingThereError
from ledger.history import Entry
from ledger.key_management import backups
from ledger.keyring import copies
from ledger.keyring.destruction import Destruction
from ledger.keyring.keyring import Keyring
from ledger.log import LogReader
from ledger.objects import open_objects
from ledger.objects.base import ReadObjects
from ledger.settings import Settings

PARTITIONS: Final = 20
"""Partitions of which content is opened, spread evenly over the log; of each the first, middle and last row."""


class Drill(NamedTuple):
    """What a tried restore found.

    ``opened``: keys and sealed values that opened, by table. ``content``: rows of the store that were opened and
    compared with their commitments, by state; ``unverifiable`` are those whose keys are not in the backup.
    ``behind``: it holds keys of what the ledger has ended since.
    """

    epoch: int
    opened: dict[str, int]
    content: dict[str, int]
    partitions: int
    behind: bool


def drill(settings: Settings, backup: Path, *, content: bool = True) -> Drill:
    """Restore a backup into a temporary place, open all keys and a sample of content, and drop it again.

    ``content`` False: the store is not read. Raises KeyringError where a key does not open or the backup is of another
    store.
    """
    backups.check_readable(backup)
    with backups.opened(backup, kek.open_kek(settings.kek)) as keyring:
        opened = copies.open_everything(keyring)
        objects = open_objects(settings.store, read_only=True, endpoint=settings.s3_endpoint)
        log = LogReader(objects)
        log.refresh()
        if log.history.seq < 0:
            raise NothingThereError(f"there is no ledger at {objects.url}")
        if log.history.store != keyring.store_id:
            raise KeyringError("the backup is of another store")
        endings = Endings(log.history.entries)
        partitions = _spread(log.history.partitions()) if content else []
        states: Counter[str] = Counter()
        for entry in partitions:
            states += _sample(objects, keyring, Ledger(log.history.store, endings), entry.value)
        behind = Destruction(keyring).followed() < endings.last
        return Drill(keyring.epoch, opened, dict(sorted(states.items())), len(partitions), behind)


def _spread(items: Sequence[Entry]) -> list[Entry]:
    if len(items) <= PARTITIONS:
        return list(items)
    return [items[number * (len(items) - 1) // (PARTITIONS - 1)] for number in range(PARTITIONS)]


def _sample(objects: ReadObjects, keyring: Keyring, ledger: Ledger, entry: Mapping[str, Any]) -> Counter[str]:
    rows: int = entry["rows"]
    chosen = sorted({0, rows // 2, rows - 1})
    try:
        return Counter(row.state for row in ContentReader(objects, keyring, ledger, entry).chosen(chosen))
    except EvidenceError as error:
        return Counter({reason(error): len(chosen)})
