"""A file is compared with what an erasure has left of it: known bytes in their order, gaps between them."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from ingest.fence import Gap, fits

PIECES = st.lists(st.tuples(st.binary(min_size=1, max_size=6), st.booleans()), max_size=12)


def gap(piece: bytes) -> Gap:
    """What a line says of content that is gone: its length to a factor of two."""
    bits = len(piece).bit_length()
    return Gap(2 ** (bits - 1), 2**bits - 1)


@given(PIECES)
def test_the_bytes_that_were_taken_in_always_fit(pieces: list[tuple[bytes, bool]]) -> None:
    """A file that is not recognised would come in again: that must not happen, whatever is gone of it."""
    left = [gap(piece) if gone else piece for piece, gone in pieces]
    assert fits(b"".join(piece for piece, _ in pieces), left)


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"ab", b"aab"]), st.booleans()), max_size=10))
def test_also_where_known_bytes_look_like_those_that_are_gone(pieces: list[tuple[bytes, bool]]) -> None:
    left = [gap(piece) if gone else piece for piece, gone in pieces]
    assert fits(b"".join(piece for piece, _ in pieces), left)


@given(PIECES, st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_without_a_gap_every_byte_counts(pieces: list[tuple[bytes, bool]], at: int, change: int) -> None:
    known = [piece for piece, _ in pieces]
    data = bytearray(b"".join(known))
    assert fits(bytes(data), known)
    if data:
        data[at % len(data)] ^= change
        assert not fits(bytes(data), known)


@given(PIECES, st.binary(min_size=1, max_size=20))
def test_other_bytes_before_or_behind_known_ones_do_not_fit(pieces: list[tuple[bytes, bool]], more: bytes) -> None:
    known = [piece for piece, _ in pieces]
    data = b"".join(known)
    assert not fits(data + more, known)
    if more + data != data + more:
        assert not fits(more + data, known) or data == b""


def test_a_gap_is_no_longer_than_the_line_says() -> None:
    assert fits(b"<" + 15 * b"x" + b">", [b"<", Gap(8, 15), b">"])
    assert not fits(b"<" + 16 * b"x" + b">", [b"<", Gap(8, 15), b">"])
    assert not fits(b"<" + 7 * b"x" + b">", [b"<", Gap(8, 15), b">"])
    assert fits(b"", [])
    assert not fits(b"x", [])


def test_a_hostile_file_costs_no_more_than_its_length() -> None:
    """Thousands of gaps in a file of one letter: a pattern matcher that goes back would not end."""
    pieces: list[bytes | Gap] = []
    for _ in range(5_000):
        pieces += [b"aa", Gap(1, 3)]
    before = time.perf_counter()
    assert not fits(b"a" * 20_000, [*pieces, b"b"])
    assert fits(b"a" * 20_000, pieces)
    assert time.perf_counter() - before < 5
