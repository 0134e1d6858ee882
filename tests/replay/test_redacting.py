"""Redaction takes out what it is told, whole characters, and leaves JSON valid and envelopes whole."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.sealed import Piece, pack_pieces, unpack_pieces
from ledger.errors import FormatError
from ledger.keyring.identifiers import Identifier
from replay.redacting import redacted
from replay.search import matches
from replay.spelling import terms

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def documents(draw: Any) -> tuple[bytes, list[tuple[int, int]]]:
    value = draw(VALUES)
    if draw(st.booleans()):
        value = {"arguments": json.dumps(value)}
    content = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))).encode()
    at = st.integers(0, len(content))
    spans = draw(st.lists(st.tuples(at, at).map(lambda pair: (min(pair), max(pair))), max_size=6))
    return content, spans


@given(documents())
def test_json_stays_json_whatever_is_taken_out(made: tuple[bytes, list[tuple[int, int]]]) -> None:
    content, spans = made
    result = redacted(content, spans)

    orjson.loads(result)
    assert shape(json.loads(result)) == shape(json.loads(content))


def shape(value: Any) -> Any:
    """The structure of a document: keys and scalars are what redaction may change."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    return dict if isinstance(value, dict) else None


@given(st.binary(max_size=60), st.data())
def test_of_text_the_bytes_outside_stay(content: bytes, data: st.DataObject) -> None:
    at = st.integers(0, len(content))
    start, end = sorted((data.draw(at), data.draw(at)))
    result = redacted(b"\xff " + content, [(start + 2, end + 2)])

    assert result.startswith(b"\xff ")
    if start < end:
        assert b"[redacted]" in result
    else:
        assert result == b"\xff " + content


@given(st.lists(st.tuples(st.binary(max_size=20), st.booleans()), min_size=1, max_size=5), st.data())
def test_an_envelope_stays_one(parts: list[tuple[bytes, bool]], data: st.DataObject) -> None:
    pieces = [
        Piece(number, 1, bytes(32)) if reference else Piece(number, 0, payload)
        for number, (payload, reference) in enumerate(parts)
    ]
    content = pack_pieces(pieces)
    at = st.integers(0, len(content))
    spans = [tuple(sorted((data.draw(at), data.draw(at)))) for _ in range(2)]
    after = unpack_pieces(redacted(content, spans))  # type: ignore[arg-type]

    assert [(piece.part, piece.type) for piece in after] == [(piece.part, piece.type) for piece in pieces]
    assert all(new == old for new, old in zip(after, pieces, strict=True) if old.type == 1)


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_what_was_found_is_gone_and_inner_documents_stay_valid(depth: int, ascii_only: bool) -> None:
    value: Any = {"first_name": "Zoë", "last_name": "Ö", "note": 'say "Zoë Ö"\n', "mail": "zoë@b.org", "n": 4711}
    for _ in range(depth):
        value = {"arguments": json.dumps(value, ensure_ascii=ascii_only)}
    content = json.dumps(value, ensure_ascii=ascii_only).encode()
    wanted = terms([Identifier("email", "ZOË@b.org"), Identifier("user_id", "4711")], ["Zoë Ö"])
    spans = [span for _, span in matches(content, wanted)]

    result = redacted(content, spans)

    inner = json.loads(result)
    for _ in range(depth):
        inner = json.loads(inner["arguments"])
    assert not list(matches(result, wanted))
    assert inner["n"] == "[redacted]"
    assert [inner[key] for key in ("first_name", "last_name", "mail")] == ["[redacted]"] * 3
    assert inner["note"] == 'say "[redacted]"\n'


def test_a_number_goes_as_a_whole() -> None:
    assert redacted(b'{"n": 123456, "t": true}', [(8, 9)]) == b'{"n": "[redacted]", "t": true}'


def test_half_a_character_or_escape_takes_the_whole() -> None:
    assert redacted('{"a":"xéy"}'.encode(), [(8, 9)]) == b'{"a":"x[redacted]y"}'
    assert redacted(b'{"a":"x\\ud83d\\ude00y"}', [(9, 10)]) == b'{"a":"x[redacted]y"}'
    assert redacted("xéy".encode(), [(2, 3)]) == b"x[redacted]y"


def test_spans_of_something_else_are_refused() -> None:
    for span in ((0, 4), (-1, 2), (5, 6)):
        with pytest.raises(FormatError):
            redacted(b"abc", [span])
    assert redacted(b"abc", []) == redacted(b"abc", [(9, 9)]) == b"abc"
