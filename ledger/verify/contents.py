"""Opens the content of a partition and recomputes every commitment: the other half of verification's hot loop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol

from ledger import segments
from ledger.endings import PartitionEnds
from ledger.errors import ErasedError, EvidenceError, FormatError, KeyringError, TamperedError
from ledger.kdf import input_digest
from ledger.partition_reader import iterate_segments, open_parquet, read_table
from ledger.verify.checked import NAMED_ROWS, Checked, Entry
from ledger.verify.lines import Rows


class Root(Protocol):
    """Holds the key of one partition."""

    def root(self) -> bytes | None:
        """The root of the partition's key tree; None once any of it is destroyed, or where it is not here."""


class Keys(Root, Protocol):
    """Opens the segments of one partition (ledger.decryption.PartitionKeys)."""

    def prepare(self, owners: set[tuple[str, int]], segment_count: int) -> None:
        """Read all keys at once."""

    def unseal(self, number: int, owner: str, version: int, sealed: segments.Sealed) -> segments.Opened:
        """One segment; raises EvidenceError."""

    def unseal_resealed(
        self, number: int, owner: str, version: int, sealed: segments.Sealed
    ) -> dict[int, segments.Kept]:
        """One segment that a redaction sealed again, by slot; raises EvidenceError."""

    def opens(self, number: int) -> bool:
        """Whether the leaf of a segment can still be derived here."""


class Decryptor(Protocol):
    """Hands out the keys of partitions (ledger.decryption.Decryptor)."""

    def partition(self, path: str) -> Keys:
        """The keys of the content object at ``path``."""

    def survivors(self, subjects: Collection[str]) -> list[str]:
        """Those of the subjects that have a key here, though the ledger says that they have none."""


def check_inputs(entry: Entry, inputs: Sequence[Any], rows: Rows, keys: Root | None, checked: Checked) -> None:
    """What the entry says of each portion of an input: its number of rows, and its digest where the key is held."""
    path = entry["events"]["path"]
    stated = {(item["ref"], item["step"]): item for item in inputs}
    if len(stated) != len(inputs) or stated.keys() != rows.portions.keys():
        checked.wrong(path, "the rows are of other inputs than the entry states")
        return
    root = keys.root() if keys is not None else None
    for portion, pieces in rows.portions.items():
        item = stated[portion]
        if item["rows"] != len(pieces):
            checked.wrong(path, f"input {portion[0]} has {len(pieces)} rows, its entry says {item['rows']}")
        elif root is not None and item["digest"] != _digest(root, pieces):
            checked.wrong(path, f"input {portion[0]} has another digest than its entry states")


def _digest(root: bytes, pieces: Sequence[tuple[int, str]]) -> str | None:
    """None where a commitment is none."""
    try:
        return input_digest(root, [commitment for _, commitment in sorted(pieces)])
    except ValueError:
        return None


class ContentCheck:
    """Opens every segment of one partition and recomputes the commitment of every row.

    ``altered``: the content file is not the one that its entry states, so what does not open was changed.
    """

    def __init__(
        self, entry: Entry, rows: Rows, keys: Keys, altered: bool, ends: PartitionEnds, checked: Checked
    ) -> None:
        self._entry = entry
        self._ends = ends
        self._path = entry["content"]["path"]
        self._rows = rows
        self._keys = keys
        self._altered = altered
        self._checked = checked
        self._row_keys: dict[int, bytes] = {}
        self._chunks: dict[int, bytes] = {}
        """Segments that hold one chunk of an oversized slice: hashed when all of its chunks are there."""
        self._unread: set[int] = set()
        """Rows that are counted or named already because a segment of theirs did not open."""

    def run(self, data: bytes) -> None:
        """Raises FormatError or TamperedError where the file as a whole is wrong."""
        sealed = list(iterate_segments(read_table(open_parquet(data, self._path), self._path)))
        if [item[0] for item in sealed] != list(range(self._entry["segments"])):
            raise FormatError("its segments are not the ones that its entry states")
        wanted, later = self._rows_of_segments(len(sealed))
        prepared: EvidenceError | None = None
        try:
            self._keys.prepare({(owner, version) for _, owner, version, _ in sealed}, len(sealed))
        except EvidenceError as error:
            prepared = error
        for number, owner, version, segment in sealed:
            rows = wanted[number] if number not in later else [later[number]]
            if self._is_ended(number, owner, rows):
                continue
            try:
                if prepared is not None:
                    raise prepared
                opened = self._keys.unseal(number, owner, version, segment)
            except EvidenceError as error:
                self._closed(rows, owner, error)
                continue
            if number in later:
                self._keep_chunk(number, owner, opened, later[number])
            else:
                self._check_slices(opened, rows, owner)
        self._check_chunked()

    def _is_ended(self, number: int, owner: str, rows: Sequence[int]) -> bool:
        """Whether the ledger says that a segment is not to be opened here: then its leaf is gone too."""
        state = self._ends.state(number, owner)
        if state is None and number not in self._ends.moved:
            return False
        if owner not in self._ends.owners and self._keys.opens(number):
            self._checked.survives(self._path, f"the key of segment {number} should have been destroyed")
        rows = [row for row in rows if row not in self._unread]
        self._unread.update(rows)
        for row in rows:
            if self._rows.owners[row] != owner:
                self._wrong(row, _OTHER_OWNER)
            elif state is not None:
                self._checked.ended[state] = self._checked.ended.get(state, 0) + 1
                self._checked.because.add((number, owner))
        return True

    def _rows_of_segments(self, count: int) -> tuple[list[list[int]], dict[int, int]]:
        """Per segment the rows whose content begins in it; and the row of each segment that holds a later chunk.

        A row that points outside, or at chunks that are another row's, is named.
        """
        wanted: list[list[int]] = [[] for _ in range(count)]
        chunked: list[int] = []
        for row, (segment, slot, chunks) in enumerate(zip(*self._rows.location, strict=True)):
            if segment >= 0 and chunks >= 1 and segment + chunks <= count and slot >= 0:
                wanted[segment].append(row)
                if chunks > 1:
                    chunked.append(row)
            else:
                self._wrong(row, "the row points outside the segments")
        later: dict[int, int] = {}
        for row in chunked:
            first, length = self._rows.location[0][row], self._rows.location[2][row]
            others = [number for number in range(first + 1, first + length) if wanted[number] or number in later]
            if others or len(wanted[first]) > 1:
                self._wrong(row, "the chunks of the row are in segments of other rows")
            later.update(dict.fromkeys(range(first + 1, first + length), row))
        return wanted, later

    def _keep_chunk(self, number: int, owner: str, opened: segments.Opened, row: int) -> None:
        if self._rows.owners[row] != owner:
            self._wrong(row, _OTHER_OWNER)
        self._chunks[number] = opened.slices[0] if opened.slices else b""

    def _check_slices(self, opened: segments.Opened, wanted: Sequence[int], owner: str) -> None:
        """Recompute the commitment of every row that begins in an opened segment."""
        salt, slices = opened
        first, slots, lengths = self._rows.location
        made, commitments, owners = segments.Commitments(salt), self._rows.commitments, self._rows.owners
        read = size = 0
        for row in wanted:
            slot = slots[row]
            if slot >= len(slices):
                self._wrong(row, "the row points outside its segment")
                continue
            if owners[row] != owner:
                self._wrong(row, _OTHER_OWNER)
                continue
            if lengths[row] > 1:
                self._row_keys[row] = segments.row_key(salt, slot)
                self._chunks[first[row]] = slices[slot]
                continue
            data = slices[slot]
            read += 1
            size += len(data)
            if made.of(slot, data).hex() != commitments[row]:
                self._wrong(row, "the content is not the one that the record commits to")
        self._checked.content_rows += read
        self._checked.content_bytes += size

    def _check_chunked(self) -> None:
        """Slices that were cut into several segments: one commitment over all of them."""
        for row, key in self._row_keys.items():
            if row in self._unread:
                continue
            first, length = self._rows.location[0][row], self._rows.location[2][row]
            data = b"".join(self._chunks.get(number, b"") for number in range(first, first + length))
            self._checked.content_rows += 1
            self._checked.content_bytes += len(data)
            if segments.commitment_of(key, data).hex() != self._rows.commitments[row]:
                self._wrong(row, "the content is not the one that the record commits to")

    def _wrong(self, row: int, reason: str) -> None:
        record = self._rows.leaves[row].hex()
        self._checked.wrong(self._path, reason, row, record)

    def _closed(self, rows: Sequence[int], owner: str, error: EvidenceError) -> None:
        """Count the rows of a segment that did not open, each once.

        Ciphertext that does not open in a file with the SHA-256 that its entry states means a wrong key, not altered
        content: that is unverifiable. In a file that was altered it was changed, and so was one that is no segment.
        """
        rows = [row for row in rows if row not in self._unread]
        self._unread.update(rows)
        if isinstance(error, FormatError) or (self._altered and isinstance(error, TamperedError | KeyringError)):
            for row in rows[:NAMED_ROWS]:
                self._wrong(row, error.message)
            return
        # Destroyed, and no entry says why.
        state = "lost" if isinstance(error, ErasedError) else "unverifiable"
        for row in rows:
            if self._rows.owners[row] == owner:
                self._checked.closed[state] = self._checked.closed.get(state, 0) + 1
            else:
                self._wrong(row, _OTHER_OWNER)


_OTHER_OWNER: Final = "the content is sealed for another owner than the record names"
