"""Which (source, source_id) pairs the ledger already has: a cache of sorted runs, rebuilt from the events files.

A run covers a span of partitions and maps source keys (64-bit digests) to rows. Runs of equal size are merged, so
that there are never more than about log2 of the number of partitions.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ledger.history import Entry
from ledger.objects.base import ReadObjects
from ledger.partition_reader import PartitionReader

Keys = npt.NDArray[np.uint64]

_ROW: Final = np.dtype([("key", "<u8"), ("partition", "<u4"), ("row", "<u4")])
_NAME: Final = re.compile(r"(\d+)-(\d+)-([0-9a-f]{16})\.npy\Z")


class Hit(NamedTuple):
    """A key that is there already: its position in what was asked, and the partition and row that have it."""

    position: int
    partition: int
    row: int


class _Run(NamedTuple):
    """Partitions ``start`` to ``end``; ``mark`` stands for the last of them: a restored store has another."""

    start: int
    end: int
    mark: str
    rows: npt.NDArray[Any]

    def is_of(self, partitions: Sequence[Entry]) -> bool:
        """Whether the run ends with the partition that the ledger has there."""
        return self.end <= len(partitions) and self.mark == _mark(partitions[self.end - 1].value["events"]["path"])


def _mark(events_path: str) -> str:
    return hashlib.sha256(events_path.encode()).hexdigest()[:16]


class AdmissionIndex:
    """The source keys of partitions 0 to ``covered`` in the order of the log. ``folder`` can be deleted any time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._runs: list[_Run] = []
        self._load()

    @property
    def covered(self) -> int:
        """How many partitions are indexed."""
        return self._runs[-1].end if self._runs else 0

    def sync(self, objects: ReadObjects, partitions: Sequence[Entry], known: Mapping[str, Keys] | None = None) -> None:
        """Index the partitions that are not yet, from their events files.

        ``known``: the keys of partitions that this process built, by the path of their events file.
        """
        while self._runs and not self._runs[-1].is_of(partitions):
            self._runs.pop()
        for number in range(self.covered, len(partitions)):
            entry = partitions[number].value
            keys = (known or {}).get(entry["events"]["path"])
            if keys is None:
                keys = PartitionReader(objects, entry).all_rows(["source_key"]).column("source_key").to_numpy()
            self.add(keys, entry["events"]["path"])

    def add(self, keys: Keys, events_path: str) -> None:
        """Index the next partition's keys, given in row order."""
        rows = np.empty(len(keys), _ROW)
        rows["key"], rows["partition"], rows["row"] = keys, self.covered, np.arange(len(keys))
        rows.sort(order="key")
        self._runs.append(_Run(self.covered, self.covered + 1, _mark(events_path), rows))
        while len(self._runs) > 1 and len(self._runs[-2].rows) <= 2 * len(self._runs[-1].rows):
            self._merge()
        self._save(self._runs[-1])

    def find(self, keys: Keys, since: int = 0) -> list[Hit]:
        """Every row that has one of these keys, in partitions from ``since`` on."""
        hits = []
        for run in self._runs:
            if run.end <= since:
                continue
            column = run.rows["key"]
            left = np.searchsorted(column, keys, "left")
            right = np.searchsorted(column, keys, "right")
            for position in np.flatnonzero(right > left):
                for at in range(int(left[position]), int(right[position])):
                    row = run.rows[at]
                    hits.append(Hit(int(position), int(row["partition"]), int(row["row"])))
        return [hit for hit in hits if hit.partition >= since]

    def _merge(self) -> None:
        second, first = self._runs.pop(), self._runs.pop()
        rows = np.concatenate([first.rows, second.rows])
        rows.sort(order="key", kind="stable")
        self._runs.append(_Run(first.start, second.end, second.mark, rows))

    def _load(self) -> None:
        """Runs that together cover partitions from 0 without a gap, the longest first."""
        found = sorted(
            (int(match[1]), -int(match[2]), match[3], path)
            for path in self._folder.iterdir()
            if (match := _NAME.match(path.name))
        )
        for start, end, mark, path in found:
            if start == self.covered:
                with contextlib.suppress(OSError, ValueError):
                    rows = np.load(path, mmap_mode="r", allow_pickle=False)
                    if rows.dtype == _ROW:
                        self._runs.append(_Run(start, -end, mark, rows))

    def _save(self, run: _Run) -> None:
        path = self._folder / f"{run.start}-{run.end}-{run.mark}.npy"
        scratch = self._folder / f"{secrets.token_hex(8)}.tmp"
        with scratch.open("wb") as file:
            np.save(file, run.rows, allow_pickle=False)
        scratch.replace(path)
        for other in list(self._folder.glob("*.npy")):
            match = _NAME.match(other.name)
            if match and other != path and run.start <= int(match[1]) and int(match[2]) <= run.end:
                other.unlink(missing_ok=True)
