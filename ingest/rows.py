"""From bytes to rows: each portion is described by its format and cut into records and envelope pieces.

Every byte of a portion goes into exactly one piece: a record's slice, or a piece of an envelope. Pieces are numbered
within their portion (``part``), so that the portion is the concatenation of its pieces in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ingest import formats
from ingest.formats.base import Event, Format, Framing, Identifier, Region, RejectedInput
from ingest.formats.sealed import Piece, pack_pieces
from ingest.job import Portion
from ledger.record_line import Input, RecordLine, from_fields

BLOCK: Final = 16 * 1024 * 1024
"""Bytes of one rejected record: what no format knows is sealed in blocks of this size."""


MAX_REFERENCES: Final = 256
MAX_LISTED: Final = 32
"""Subjects and list items that a record's line names at most: with them it cannot exceed ledger.records.MAX_LINE."""


Subjects = tuple[tuple[str, tuple[Identifier, ...]], ...]
"""Roles, each with its people."""


class Draft(msgspec.Struct, gc=False):
    """A record before references: identifiers are still values, and what they stand for is missing in its line.

    ``owner`` None means the input's own reference.
    """

    portion: int
    part: int | None
    content: bytes
    line: RecordLine
    session: str | Identifier | None
    subjects: Subjects
    owner: Identifier | None
    source_id: str | None
    position: str = ""


class _Gap(NamedTuple):
    session: str | Identifier | None
    owner: Identifier | None


_STORE_OWNED: Final = _Gap(None, None)
_LATER: Final = {"observed_at": "", "retention_class": "", "source_id": ""}
"""What a line has and is not known yet when its bytes are read."""


class PortionReader:
    """Cuts one portion into drafts. ``warnings`` counts rejected documents by reason."""

    def __init__(self, number: int, portion: Portion) -> None:
        self._number = number
        self._portion = portion
        self._format: Format | None = formats.FORMATS[portion.adapter] if portion.adapter else None
        self._adapter = self._format.adapter if self._format else ""
        self._parts = 0
        self._gaps: dict[_Gap, list[Piece]] = {}
        self.rejected: dict[str, int] = {}
        # Of what is equal in many drafts one is kept.
        self._subjects: dict[Subjects, Subjects] = {}
        self._owners: dict[Identifier, Identifier] = {}

    def drafts(self) -> Iterator[Draft]:
        """All records of the portion but its envelopes, in the order of the bytes."""
        portion = self._portion
        if self._format is None:
            yield from self._blocks(portion.data, portion.reason)
        elif portion.framing == Framing.LINES:
            yield from self._lines(portion.data, self._format)
        else:
            yield from self._document(portion.data, self._format)

    def gaps(self) -> Iterator[tuple[str | Identifier | None, Identifier | None]]:
        """Session and owner of the bytes that stand between slices: known once ``drafts`` has ended."""
        yield from self._gaps

    def envelopes(self) -> Iterator[Draft]:
        """The records that seal what stands between slices; call it last."""
        for number, (gap, pieces) in enumerate(self._gaps.items()):
            fields = {"kind": "envelope", "source": self._source(), "adapter": "envelope/1", "time_basis": "none"}
            yield self._sealed(fields, pack_pieces(pieces), None, f"e{number}", gap)

    def _lines(self, data: bytes, adapter: Format) -> Iterator[Draft]:
        start, end = 0, len(data)
        while start < end:
            stop = data.find(b"\n", start) + 1 or end
            line = data[start:stop]
            start = stop
            if line.isspace():
                self._gap(_STORE_OWNED, line)
            else:
                yield from self._document(line, adapter)

    def _document(self, document: bytes, adapter: Format) -> Iterator[Draft]:
        try:
            described = adapter.describe(document)
            for event in described.events:
                _check_line(event)
        except RejectedInput as rejected:
            yield from self._blocks(document, rejected.reason)
            return
        at = 0
        for event in described.events:
            if event.start > at:
                self._gaps_between(document, at, event.start, described.regions)
            yield self._draft(document, event)
            at = max(at, event.end)
        if at < len(document):
            self._gaps_between(document, at, len(document), described.regions)

    def _draft(self, document: bytes, event: Event) -> Draft:
        whole = event.start == 0 and event.end == len(document)
        content = document if whole else document[event.start : event.end]
        event.fields["adapter"] = self._adapter
        part = self._next_part() if content else None
        subjects = tuple(event.subjects.items())
        return Draft(
            self._number,
            part,
            content,
            self._line(event.fields, part),
            event.session,
            self._subjects.setdefault(subjects, subjects),
            event.owner and self._owners.setdefault(event.owner, event.owner),
            event.source_id,
            event.position,
        )

    def _blocks(self, data: bytes, reason: str) -> Iterator[Draft]:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        for start in range(0, max(len(data), 1), BLOCK):
            part = self._next_part()
            fields = {
                "kind": "rejected",
                "source": self._source(),
                "adapter": "rejected/1",
                "error_type": reason,
                "time_basis": "none",
            }
            yield self._sealed(fields, data[start : start + BLOCK], part, str(part), _STORE_OWNED)

    def _sealed(self, fields: dict[str, Any], content: bytes, part: int | None, number: str, gap: _Gap) -> Draft:
        """A record of the product's own: its id is its place in the input, which is random and says nothing."""
        own_id = f"{self._portion.input}/{self._portion.step}/{number}"
        return Draft(self._number, part, content, self._line(fields, part), gap.session, (), gap.owner, own_id)

    def _line(self, fields: dict[str, Any], part: int | None) -> RecordLine:
        """Made at once: now the fields are in the processor's cache, and a record takes a third of their memory."""
        fields.update(_LATER)
        fields["input"] = Input(part=part, ref=self._portion.input, step=self._portion.step)
        return from_fields(fields)

    def _source(self) -> str:
        return self._format.name if self._format else "unknown"

    def _gaps_between(self, document: bytes, start: int, end: int, regions: Sequence[Region]) -> None:
        """Bytes outside slices, cut where their owner changes."""
        for region in regions:
            if region.end <= start or region.start >= end:
                continue
            if region.start > start:
                self._gap(_STORE_OWNED, document[start : region.start])
                start = region.start
            stop = min(end, region.end)
            self._gap(_Gap(region.session, region.owner), document[start:stop])
            start = stop
        if start < end:
            self._gap(_STORE_OWNED, document[start:end])

    def _gap(self, gap: _Gap, data: bytes) -> None:
        self._gaps.setdefault(gap, []).append(Piece(self._next_part(), 0, data))

    def reference(self, part: int, record: bytes) -> None:
        """Note in the input's own envelope that this piece is the content of a record that the ledger has."""
        self._gaps.setdefault(_STORE_OWNED, []).append(Piece(part, 1, record))

    def leave_out(self, session: str | Identifier | None, owner: Identifier | None, record: bytes) -> None:
        """Note that what stands between the records of a session is gone with one of them, whose content was ended."""
        gap = _Gap(session, owner)
        if gap != _STORE_OWNED:
            for piece in self._gaps.pop(gap, ()):
                self.reference(piece.part, record)

    def _next_part(self) -> int:
        self._parts += 1
        return self._parts - 1


def _check_line(event: Event) -> None:
    """A record whose line would be too long is no record: its bytes are sealed as rejected, and ingest goes on."""
    if event.subjects and sum(map(len, event.subjects.values())) > MAX_REFERENCES:
        raise RejectedInput("too_many_subjects")
    fields = event.fields
    if len(fields.get("links", ())) > MAX_LISTED or len(fields.get("gen_ai_response_finish_reasons", ())) > MAX_LISTED:
        raise RejectedInput("too_many_items")
