"""Opens the content of a partition and recomputes every commitment: the other half of verification's hot loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger import segments
from ledger.errors import ErasedError, EvidenceError, FormatError, KeyringError, TamperedError
from ledger.partition_reader import iterate_segments, open_parquet, read_table
from ledger.verify.checked import NAMED_ROWS, Checked, Entry
from ledger.verify.lines import Rows


class Keys(Protocol):
    """Opens the segments of one partition (ledger.decryption.PartitionKeys)."""

    def prepare(self, owners: set[tuple[str, int]], segment_count: int) -> None:
        """Read all keys at once."""

    def unseal(self, number: int, owner: str, version: int, sealed: segments.Sealed) -> segments.Opened:
        """One segment; raises EvidenceError."""


class Decryptor(Protocol):
    """Hands out the keys of partitions (ledger.decryption.Decryptor)."""

    def partition(self, path: str) -> Keys:
        """The keys of the content object at ``path``."""


class ContentCheck:
    """Opens every segment of one partition and recomputes the commitment of every row.

    ``altered``: the content file is not the one that its entry states, so what does not open was changed.
    """

    def __init__(self, entry: Entry, rows: Rows, keys: Keys, altered: bool, checked: Checked) -> None:
        self._entry = entry
        self._path = entry["content"]["path"]
        self._rows = rows
        self._keys = keys
        self._altered = altered
        self._checked = checked
        self._row_keys: dict[int, bytes] = {}
        self._chunks: dict[int, bytes] = {}
        """Segments that hold one chunk of an oversized slice: hashed when all of its chunks are there."""

    def run(self, data: bytes) -> None:
        """Raises FormatError or TamperedError where the file as a whole is wrong."""
        sealed = list(iterate_segments(read_table(open_parquet(data, self._path), self._path)))
        if [item[0] for item in sealed] != list(range(self._entry["segments"])):
            raise FormatError("its segments are not the ones that its entry states")
        wanted = self._rows_of_segments(len(sealed))
        prepared: EvidenceError | None = None
        try:
            self._keys.prepare({(owner, version) for _, owner, version, _ in sealed}, len(sealed))
        except EvidenceError as error:
            prepared = error
        for number, owner, version, segment in sealed:
            try:
                if prepared is not None:
                    raise prepared
                opened = self._keys.unseal(number, owner, version, segment)
            except EvidenceError as error:
                self._closed(wanted[number], owner, error)
                continue
            if wanted[number]:
                self._check_slices(opened, wanted[number], owner)
            else:
                self._chunks[number] = opened.slices[0] if opened.slices else b""
        self._check_chunked()

    def _rows_of_segments(self, count: int) -> list[list[int]]:
        """Per segment the rows whose content begins in it; a row that points outside is named."""
        wanted: list[list[int]] = [[] for _ in range(count)]
        for row, (segment, slot, chunks) in enumerate(zip(*self._rows.location, strict=True)):
            if segment >= 0 and chunks >= 1 and segment + chunks <= count and slot >= 0:
                wanted[segment].append(row)
            else:
                self._wrong(row, "the row points outside the segments")
        return wanted

    def _check_slices(self, opened: segments.Opened, wanted: Sequence[int], owner: str) -> None:
        """Recompute the commitment of every row that begins in an opened segment."""
        salt, slices = opened
        (first, slots, lengths), checked = self._rows.location, self._checked
        commitment, commitments, owners = segments.commitment, self._rows.commitments, self._rows.owners
        for row in wanted:
            slot = slots[row]
            if slot >= len(slices):
                self._wrong(row, "the row points outside its segment")
                continue
            if owners[row] != owner:
                self._wrong(row, "the content is sealed for another owner than the record names")
            if lengths[row] > 1:
                self._row_keys[row] = segments.row_key(salt, slot)
                self._chunks[first[row]] = slices[slot]
                continue
            data = slices[slot]
            checked.content_rows += 1
            checked.content_bytes += len(data)
            if commitment(salt, slot, data).hex() != commitments[row]:
                self._wrong(row, "the content is not the one that the record commits to")

    def _check_chunked(self) -> None:
        """Slices that were cut into several segments: one commitment over all of them."""
        for row, key in self._row_keys.items():
            first, length = self._rows.location[0][row], self._rows.location[2][row]
            parts = [self._chunks.get(number) for number in range(first, first + length)]
            if None in parts:
                continue
            data = b"".join(part for part in parts if part is not None)
            self._checked.content_rows += 1
            self._checked.content_bytes += len(data)
            if segments.commitment_of(key, data).hex() != self._rows.commitments[row]:
                self._wrong(row, "the content is not the one that the record commits to")

    def _wrong(self, row: int, reason: str) -> None:
        record = self._rows.leaves[row].hex()
        self._checked.wrong(self._path, reason, row, record)

    def _closed(self, wanted: Sequence[int], owner: str, error: EvidenceError) -> None:
        """Count the rows of a segment that did not open.

        Ciphertext that does not open in a file with the SHA-256 that its entry states means a wrong key, not altered
        content: that is unverifiable. In a file that was altered it was changed, and so was one that is no segment.
        """
        if isinstance(error, FormatError) or (self._altered and isinstance(error, TamperedError | KeyringError)):
            for row in wanted[:NAMED_ROWS]:
                self._wrong(row, error.message)
            return
        state = "erased" if isinstance(error, ErasedError) else "unverifiable"
        counts = self._checked.closed.setdefault(state, {})
        counts[owner] = counts.get(owner, 0) + len(wanted)
