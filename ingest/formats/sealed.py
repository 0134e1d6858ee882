"""How bytes are shown that no source adapter describes: a document's envelope, and rejected input.

An envelope's content is the bytes between a document's records together with references to these records, so
that the document can be put together again: repeated u32 BE part number, u8 type (0 bytes, 1 reference),
u32 BE length, payload; a reference's payload is the 32-byte record id.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ingest.formats.base import Described, Format, Framing, RejectedInput, Rendered
from ingest.formats.messages import unreadable
from ledger.errors import FormatError

BYTES = 0
REFERENCE = 1

_HEADER = struct.Struct(">IBI")
_RECORD_ID_SIZE = 32
_MAX_FIELD = 2**32
_SHOWN_PIECES = 1000
_SHOWN_BYTES = 400


class Piece(NamedTuple):
    """One piece of a document: ``part`` numbers its place; the payload is source bytes or a record id."""

    part: int
    type: int
    payload: bytes


def pack_pieces(pieces: Sequence[Piece]) -> bytes:
    """An envelope's content. Raises FormatError for a piece that the format cannot hold."""
    packed: list[bytes] = []
    for piece in pieces:
        _check(piece)
        packed.append(_HEADER.pack(piece.part, piece.type, len(piece.payload)))
        packed.append(piece.payload)
    return b"".join(packed)


def unpack_pieces(content: bytes) -> list[Piece]:
    """The pieces of an envelope's content. Raises FormatError on anything that pack_pieces does not write."""
    pieces: list[Piece] = []
    at = 0
    while at < len(content):
        if len(content) - at < _HEADER.size:
            raise FormatError("An envelope ends inside the header of a piece.", offset=at)
        part, kind, length = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        if len(content) - at < length:
            raise FormatError("An envelope ends inside a piece.", offset=at)
        piece = Piece(part, kind, content[at : at + length])
        _check(piece)
        pieces.append(piece)
        at += length
    return pieces


def pieces_of(line: Mapping[str, Any], content: bytes) -> list[Piece]:
    """What a record holds of the portion that it came with: its own bytes as one piece, or an envelope's pieces."""
    if line["kind"] == "envelope":
        return unpack_pieces(content)
    part = line["input"].get("part")
    return [] if part is None else [Piece(part, BYTES, content)]


def _check(piece: Piece) -> None:
    if not 0 <= piece.part < _MAX_FIELD or len(piece.payload) >= _MAX_FIELD:
        raise FormatError("A piece of an envelope exceeds 32 bits.", part=piece.part)
    if piece.type not in (BYTES, REFERENCE):
        raise FormatError("A piece of an envelope has an unknown type.", part=piece.part, type=piece.type)
    if piece.type == REFERENCE and len(piece.payload) != _RECORD_ID_SIZE:
        raise FormatError("A reference in an envelope is not a record id.", part=piece.part)


def _render_envelope(content: bytes, _fields: Mapping[str, Any]) -> Rendered:
    try:
        pieces = unpack_pieces(content)
    except FormatError as error:
        return unreadable(content, error.message)
    notes = () if len(pieces) <= _SHOWN_PIECES else (f"only the first {_SHOWN_PIECES} of {len(pieces)} pieces",)
    return Rendered(facts=tuple(_fact(piece) for piece in pieces[:_SHOWN_PIECES]), notes=notes)


def _fact(piece: Piece) -> tuple[str, str]:
    if piece.type == REFERENCE:
        return f"part {piece.part}: record", piece.payload.hex()
    text = piece.payload[:_SHOWN_BYTES].decode("utf-8", "replace")
    return f"part {piece.part}: {len(piece.payload)} bytes", text


def _render_rejected(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """``error_type`` in the line is the closed code of why no adapter could read these bytes."""
    return unreadable(content, f"rejected at ingest ({fields.get('error_type', 'no reason recorded')})")


def _never(_value: Any) -> bool:
    return False


def _not_an_input(_document: bytes) -> Described:
    raise RejectedInput("unknown_format")


ENVELOPE = Format("envelope", 1, (Framing.DOCUMENT,), _never, _not_an_input, _render_envelope)
REJECTED = Format("rejected", 1, (Framing.DOCUMENT,), _never, _not_an_input, _render_rejected)
