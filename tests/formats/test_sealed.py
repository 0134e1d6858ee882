"""The records that the store itself makes: envelopes, rejected input, and who looked."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import FORMATS
from ingest.formats.base import Identifier, RejectedInput
from ingest.formats.sealed import BYTES, REFERENCE, Piece, pack_pieces, unpack_pieces
from ledger.errors import FormatError

ACCESS = {
    "_": "evidence/access/1",
    "command": "replay",
    "purpose": "audit 7",
    "operator": {"name": "ann", "host": "desk", "asserted": True},
    "selection": {"session": "s-1"},
}


PIECES = st.lists(
    st.builds(Piece, st.integers(0, 2**32 - 1), st.just(BYTES), st.binary(max_size=50))
    | st.builds(Piece, st.integers(0, 2**32 - 1), st.just(REFERENCE), st.binary(min_size=32, max_size=32)),
    max_size=5,
)


def test_the_layout_of_an_envelope() -> None:
    packed = pack_pieces([Piece(0, BYTES, b"{"), Piece(1, REFERENCE, b"\xaa" * 32)])
    assert packed == b"\0\0\0\0\0\0\0\0\1{" + b"\0\0\0\1\1\0\0\0\x20" + b"\xaa" * 32


@given(pieces=PIECES)
def test_pieces_come_back_as_they_were(pieces: list[Piece]) -> None:
    assert unpack_pieces(pack_pieces(pieces)) == pieces


@given(content=st.binary(max_size=80))
def test_any_bytes_are_pieces_or_an_error(content: bytes) -> None:
    try:
        pieces = unpack_pieces(content)
    except FormatError:
        return
    assert pack_pieces(pieces) == content


@given(pieces=PIECES.filter(bool), data=st.data())
def test_a_cut_envelope_is_an_error_or_ends_between_pieces(pieces: list[Piece], data: st.DataObject) -> None:
    packed = pack_pieces(pieces)
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    borders = {len(pack_pieces(pieces[:number])) for number in range(len(pieces))}
    if len(cut) in borders:
        assert unpack_pieces(cut) == pieces[: len(unpack_pieces(cut))]
    else:
        with pytest.raises(FormatError):
            unpack_pieces(cut)


@pytest.mark.parametrize(
    "piece", [Piece(-1, BYTES, b""), Piece(2**32, BYTES, b""), Piece(0, 2, b""), Piece(0, REFERENCE, b"short")]
)
def test_what_the_layout_cannot_hold_is_not_packed(piece: Piece) -> None:
    with pytest.raises(FormatError):
        pack_pieces([piece])


def test_an_envelope_shows_its_pieces() -> None:
    content = pack_pieces([Piece(0, BYTES, b'{"a":'), Piece(1, REFERENCE, bytes(32))])
    assert FORMATS["envelope"].render(content, {}).facts == (
        ("part 0: 5 bytes", '{"a":'),
        ("part 1: record", "00" * 32),
    )
    assert FORMATS["envelope"].render(b"\1", {}).notes


def test_rejected_bytes_are_shown_as_text_with_the_reason() -> None:
    rendered = FORMATS["rejected"].render(b'{"a":\xff', {"error_type": "not_utf8"})
    assert rendered.facts == (("content", '{"a":\ufffd'),)
    assert "not_utf8" in rendered.notes[0]
    assert len(FORMATS["rejected"].render(b"x" * 100_000, {}).notes) == 2


@pytest.mark.parametrize("name", ["envelope", "rejected"])
def test_they_are_no_input_formats(name: str) -> None:
    assert not FORMATS[name].matches({"a": 1})
    with pytest.raises(RejectedInput):
        FORMATS[name].describe(b"{}")


def test_an_access_record_names_its_viewer_who_never_owns_it() -> None:
    (event,) = FORMATS["access"].describe(orjson.dumps(ACCESS)).events
    assert event.fields == {"kind": "access", "source": "evidence", "time_basis": "none"}
    assert event.subjects == {"viewer": (Identifier("operator", "ann@desk"),)}
    assert (event.owner, event.session) == (None, None)
    mailed = {**ACCESS, "operator": {"name": "ann@example.org", "host": "desk"}}
    (event,) = FORMATS["access"].describe(orjson.dumps(mailed)).events
    assert event.subjects == {"viewer": (Identifier("email", "ann@example.org"),)}


def test_an_access_record_shows_who_looked_at_what_and_why() -> None:
    rendered = FORMATS["access"].render(orjson.dumps(ACCESS), {})
    assert rendered.facts == (
        ("command", "replay"),
        ("purpose", "audit 7"),
        ("operator", "ann"),
        ("host", "desk"),
        ("selection.session", "s-1"),
    )
    assert "not proven" in rendered.notes[0]


@pytest.mark.parametrize("document", [b"{}", b'{"_":"evidence/access/1","command":"a","command":"b"}', b"[]"])
def test_only_exact_access_records_are_taken(document: bytes) -> None:
    with pytest.raises(RejectedInput):
        FORMATS["access"].describe(document)
