"""Segments that redactions have sealed again: rows that stay fit their lines, redacted ones what the entry states."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from ledger import segments
from ledger.endings import PartitionEnds
from ledger.errors import ErasedError, EvidenceError, MissingObjectError
from ledger.objects.base import ReadObjects
from ledger.partition_reader import iterate_segments, open_parquet, read_table
from ledger.verify.checked import Checked, Problem, guard
from ledger.verify.contents import Decryptor
from ledger.verify.lines import Rows


def check_moved(objects: ReadObjects, rows: Rows, decryptor: Decryptor, ends: PartitionEnds, checked: Checked) -> None:
    """Open every segment of a partition where it stands now, but for those that were ended since."""
    places: dict[tuple[str, int, str], dict[int, int]] = {}
    for number, (path, size, sha256, moved) in ends.moved.items():
        places.setdefault((path, size, sha256), {})[moved] = number
    for (path, size, sha256), numbers in sorted(places.items()):
        data = _read(objects, path, size, sha256, checked)
        if data:
            check = _Moved(path, rows, ends, checked)
            guard(checked, path, lambda: check.run(data, numbers, decryptor))  # noqa: B023 - called at once


def _read(objects: ReadObjects, path: str, size: int, sha256: str, checked: Checked) -> bytes:
    try:
        data = objects.get(path)
    except MissingObjectError:
        checked.problems.append(Problem("lost", path, "the object is missing"))
        return b""
    checked.bytes += len(data)
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        checked.wrong(path, "its size or SHA-256 is not the one in its entry")
        return b""
    return data


class _Moved:
    """Checks one object of resealed segments."""

    def __init__(self, path: str, rows: Rows, ends: PartitionEnds, checked: Checked) -> None:
        self._path = path
        self._rows = rows
        self._ends = ends
        self._checked = checked

    def run(self, data: bytes, numbers: Mapping[int, int], decryptor: Decryptor) -> None:
        """``numbers``: from those of this object to those of the partition. Raises EvidenceError."""
        keys = decryptor.partition(self._path)
        by_segment: dict[int, list[int]] = {}
        for row, segment in enumerate(self._rows.location[0]):
            by_segment.setdefault(segment, []).append(row)
        for number, owner, version, sealed in iterate_segments(read_table(open_parquet(data, self._path), self._path)):
            original = numbers.get(number)
            if original is None:
                # It was moved on by a later redaction.
                if keys.opens(number):
                    self._checked.survives(self._path, f"the key of segment {number} should have been destroyed")
                continue
            rows = by_segment.get(original, [])
            state = self._ends.state(original, owner)
            if state is not None:
                if owner not in self._ends.owners and keys.opens(number):
                    self._checked.survives(self._path, f"the key of segment {number} should have been destroyed")
                continue
            try:
                kept = keys.unseal_resealed(number, owner, version, sealed)
            except EvidenceError as error:
                self._closed(len(rows), error)
                continue
            for row, problem in self._differing(rows, owner, kept):
                self._checked.wrong(self._path, problem, row, self._rows.leaves[row].hex())

    def _closed(self, rows: int, error: EvidenceError) -> None:
        state = "lost" if isinstance(error, ErasedError) else "unverifiable"
        self._checked.closed[state] = self._checked.closed.get(state, 0) + rows

    def _differing(self, rows: list[int], owner: str, kept: Mapping[int, segments.Kept]) -> Iterator[tuple[int, str]]:
        for row in rows:
            found = kept.get(self._rows.location[1][row])
            if found is None:
                yield row, "the resealed segment lacks the row"
                continue
            if self._rows.owners[row] != owner:
                yield row, "the content is sealed for another owner than the record names"
                continue
            redacted = self._ends.redacted.get(row)
            self._checked.content_rows += 1
            self._checked.content_bytes += len(found.slice)
            if redacted is not None:
                self._checked.ended["redacted"] = self._checked.ended.get("redacted", 0) + 1
            if segments.commitment_of(found.row_key, found.slice).hex() != (redacted or self._rows.commitments[row]):
                yield row, "the content is not the one that the record, or its redaction, commits to"
