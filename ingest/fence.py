"""Recognising an input of which some content was ended: by what is left of it.

The digest of a portion goes with any of its content, so the file's bytes are compared with what the store still has of
it: the pieces in their order, with gaps where some are gone. See docs/decisions/0029-the-fence.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from ingest.formats.sealed import REFERENCE, pieces_of
from ingest.job import Portion as PortionOfBytes
from ingest.rows import PortionReader
from ledger.comparison import portion_records, portion_rows
from ledger.errors import MissingObjectError
from ledger.keyring.bookmarks import Bookmarks, Input, Portion, Step

if TYPE_CHECKING:
    from ledger.revealed import Revealed
    from ledger.store import Store

ENDED: Final = frozenset(("erased", "expired", "redacted"))
"""States of rows whose content the ledger has ended: what comes again must not bring it back."""
TELLING: Final = 64
"""Bytes that two files must have in common at least before one is taken for the other by its bytes alone."""

_BLOCK: Final = 8 * 1024 * 1024


class Gap(NamedTuple):
    """Bytes that are gone: so many at least, and at most."""

    least: int
    most: int


class Left(NamedTuple):
    """What is left of a portion: bytes and gaps in their order, how many bytes, and its rows."""

    pieces: list[bytes | Gap]
    known: int
    rows: list[Revealed]


class Match(NamedTuple):
    """That a file begins with an input; ``ended``: content of it is gone, so that the rest was compared."""

    ended: bool


def fits(data: bytes, pieces: Sequence[bytes | Gap]) -> bool:
    """Whether bytes can be these pieces. Never false for bytes that are; where gaps are near each other it may be true
    for some that are not: each piece is looked for as early and as late as it can begin, and not in all places between.
    """
    size = len(data)
    low = high = 0
    for piece in pieces:
        if isinstance(piece, Gap):
            low, high = low + piece.least, min(high + piece.most, size)
        else:
            low = data.find(piece, low, high + len(piece))
            if low < 0:
                return False
            high = data.rfind(piece, low, high + len(piece)) + len(piece)
            low += len(piece)
        if low > high:
            return False
    return low <= size == high


class Fence:
    """Compares files with inputs that the store has. Opens content to compare it; nobody is shown any."""

    def __init__(self, store: Store, committed: Callable[[], set[str]]) -> None:
        self._store = store
        self._bookmarks: Bookmarks = store.bookmarks
        self._committed = committed

    def begins(self, file: BinaryIO, known: Input, steps: Sequence[Step], *, same_size_here: bool) -> Match | None:
        """Whether a file begins with these steps of an input, which are all from its first on.

        ``same_size_here``: it stands where the input was, and is as long: then it is that input also where nothing is
        left to compare.
        """
        same = 0
        for step in steps:
            if step.mac is not None:
                if self.mac_of(file, step.from_byte, step.to_byte) != step.mac:
                    return None
                same += step.to_byte - step.from_byte
        gone = [step for step in steps if step.mac is None]
        alike = True
        for step in gone:
            data = _read(file, step.from_byte, step.to_byte)
            left = self.left(Portion(known.ref, step.step))
            if len(data) != step.to_byte - step.from_byte or not fits(data, left.pieces):
                return None
            same += left.known
            alike = alike and (same >= TELLING or same_size_here or _reads_alike(data, known, left))
        return Match(bool(gone)) if alike or same >= TELLING else None

    def has(self, portion: Portion, data: bytes) -> bool:
        """Whether bytes can be those of a portion of which content was ended."""
        return fits(data, self.left(portion).pieces)

    def mac_of(self, file: BinaryIO, begin: int, end: int) -> bytes:
        """The keyed digest of a file's bytes from ``begin`` to ``end``."""
        mac = self._bookmarks.new_mac()
        file.seek(begin)
        while begin < end and (block := file.read(min(_BLOCK, end - begin))):
            mac.update(block)
            begin += len(block)
        return mac.digest()

    def left(self, portion: Portion) -> Left:
        """What the store still has of a portion: nothing, where lines have expired with their content."""
        try:
            return self._left(portion)
        except MissingObjectError:
            return Left([_ANYTHING], 0, [])

    def _left(self, portion: Portion) -> Left:
        known: dict[int, bytes | Gap] = {}
        references: dict[bytes, list[int]] = {}
        rows: list[Revealed] = []
        hidden = 0
        for row in portion_rows(self._store, portion, self._bookmarks.paths(portion, self._committed())):
            rows.append(row._replace(bytes=None))
            if row.bytes is None or row.state == "redacted":
                gap, part = _gap(row), row.line["input"].get("part")
                if row.line["kind"] == "envelope":
                    hidden += gap.most
                elif part is not None:
                    known[part] = gap
                continue
            for piece in pieces_of(row.line, row.bytes):
                if piece.type == REFERENCE:
                    references.setdefault(piece.payload, []).append(piece.part)
                else:
                    known[piece.part] = piece.payload
        known.update(self._borrowed(portion, references))
        # What has no piece stood in an envelope that cannot be opened, which says nothing of where its pieces were.
        pieces: list[bytes | Gap] = [known.get(part, Gap(1, hidden)) for part in range(max(known, default=-1) + 1)]
        pieces.append(Gap(0, hidden))
        return Left(pieces, sum(len(piece) for piece in pieces if isinstance(piece, bytes)), rows)

    def _borrowed(self, portion: Portion, references: dict[bytes, list[int]]) -> Iterator[tuple[int, bytes | Gap]]:
        """The pieces that stand in records of other inputs: gaps where those are gone, or cannot be found."""
        for parts in references.values():
            yield from ((part, _ANYTHING) for part in parts)
        if not references:
            return
        for lender in self._bookmarks.lenders(portion):
            paths = self._bookmarks.paths(lender, self._committed())
            for row in portion_records(self._store, lender, paths, references.keys()):
                if row.bytes is not None and row.state != "redacted":
                    yield from ((part, row.bytes) for part in references[row.record])


_ANYTHING: Final = Gap(0, 2**62)


def _gap(row: Revealed) -> Gap:
    """How many bytes the content of a row had, as its line says."""
    bits = row.line["content"]["length_class"]
    return Gap(2 ** (bits - 1), 2**bits - 1) if bits else Gap(0, 0)


def _read(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin)


def _reads_alike(data: bytes, known: Input, left: Left) -> bool:
    """Whether bytes read as records like those that are gone: each in its place, of its kind, time, id and length.

    Asked where too few bytes are left to tell by. False where the records have neither times nor ids of their own.
    """
    records = {
        row.line["input"]["part"]: row.line
        for row in left.rows
        if row.line["kind"] != "envelope" and "part" in row.line["input"]
    }
    reader = PortionReader(0, PortionOfBytes(known.ref, 0, "", known.adapter, known.framing, "", data))
    drafts = {draft.part: draft for draft in reader.drafts() if draft.part in records}
    if not records or drafts.keys() != records.keys():
        return False
    told = False
    for part, line in records.items():
        draft = drafts[part]
        fields = {name: getattr(draft.line, name) for name in _TOLD} | {"source_id": draft.source_id}
        if len(draft.content).bit_length() != line["content"]["length_class"]:
            return False
        if any(value and line.get(name) != value for name, value in fields.items()):
            return False
        told = told or (line["kind"] != "rejected" and bool(fields["occurred_at"] or fields["source_id"]))
    return told


_TOLD: Final = ("kind", "source", "occurred_at", "source_id")
