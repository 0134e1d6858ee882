"""Restricted canonical JSON: equal to RFC 8785 where that is defined, refused everywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical
from ledger.errors import FormatError

strings = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.just("_") | st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | integers | strings,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


def rfc8785(value: object) -> bytes:
    """RFC 8785 of a value within the restriction, by the standard library."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def scalars(value: Any) -> Iterator[Any]:
    """Every key and every value that is no container."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    else:
        yield value


class TestEncode:
    @given(values)
    def test_equals_rfc_8785(self, value: object) -> None:
        assert canonical.encode(value) == rfc8785(value)

    @given(values)
    def test_round_trip(self, value: object) -> None:
        assert canonical.decode(canonical.encode(value)) == value

    def test_every_control_character(self) -> None:
        # Origin: RFC 8785 section 3.2.2.2.
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}
        for code in range(0x100):
            expected = short.get(code, f"\\u{code:04x}" if code < 0x20 else chr(code))
            assert canonical.encode(chr(code)).decode() == f'"{expected}"'

    def test_the_type_of_a_line_comes_first(self) -> None:
        line = canonical.encode({"a": 1, "z": 2, "_": "evidence/record/1", "a0": 3})
        assert line == b'{"_":"evidence/record/1","a":1,"a0":3,"z":2}'

    def test_a_tuple_is_an_array(self) -> None:
        assert canonical.encode((1, ("a",))) == b'[1,["a"]]'

    @pytest.mark.parametrize(
        "value",
        [
            1.0,
            float("nan"),
            2**53,
            -(2**53),
            2**64,
            "\ud800",
            {"": 1},
            {"A": 1},
            {"1": 1},
            {"a.b": 1},
            {"a-b": 1},
            {"__": 1},
            {"_a": 1},
            {"\u00e9": 1},
            {"a\n": 1},
            {1: 1},
            {"a": {"b": [1, {"c": 0.5}]}},
            b"bytes",
            {1, 2},
            object(),
        ],
    )
    def test_what_the_restriction_excludes(self, value: object) -> None:
        with pytest.raises(FormatError):
            canonical.encode(value)

    def test_subclasses_are_not_guessed_at(self) -> None:
        class Text(str):
            __slots__ = ()

        for value in (Text("a"), {Text("a"): 1}, [Text("a")]):
            with pytest.raises(FormatError):
                canonical.encode(value)

    def test_depth_is_bounded(self) -> None:
        def nested(depth: int) -> bytes:
            return b"[" * depth + b"]" * depth

        assert canonical.encode(canonical.decode(nested(canonical.MAX_DEPTH))) == nested(canonical.MAX_DEPTH)
        for depth in (canonical.MAX_DEPTH + 1, 1000, 100_000):
            with pytest.raises(FormatError):
                canonical.decode(nested(depth))

    def test_a_circle_is_refused(self) -> None:
        circle: list[object] = []
        circle.append(circle)
        with pytest.raises(FormatError):
            canonical.encode(circle)

    def test_more_keys_than_are_remembered(self) -> None:
        for start in range(0, 10_000, 1_000):
            value = {f"k{i}": i for i in range(start, start + 1_000)}
            assert canonical.encode(value) == rfc8785(value)


class TestDecode:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b" 1",
            b"1\n",
            b"1.0",
            b"1e2",
            b"-0",
            b"01",
            b"NaN",
            b"9007199254740992",
            b"123456789012345678901234567890",
            b'"\\u0041"',
            b'"\\/"',
            b'"\\u000A"',
            b'"\\u000a"',
            b'"\\ud800"',
            b'"\xff"',
            b'"\x01"',
            b"\xef\xbb\xbf1",
            b'{"a":1,"a":1}',
            b'{"a":1,"a":2}',
            b'{"b":1,"a":2}',
            b'{"a": 1}',
            b'{"a":1,}',
            b'{"A":1}',
            b"{}{}",
        ],
    )
    def test_other_spellings(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            canonical.decode(data)

    @given(st.binary(max_size=60))
    def test_any_bytes_are_refused_or_read_exactly(self, data: bytes) -> None:
        try:
            value = canonical.decode(data)
        except FormatError:
            return
        assert canonical.encode(value) == data

    @given(values, st.data())
    def test_mutated_lines_are_refused_or_read_exactly(self, value: object, data: st.DataObject) -> None:
        line = canonical.encode(value)
        at = data.draw(st.integers(0, len(line)))
        mutated = line[:at] + data.draw(st.binary(max_size=2)) + line[at + data.draw(st.integers(0, 2)) :]
        try:
            assert canonical.encode(canonical.decode(mutated)) == mutated
        except FormatError:
            assert mutated != line


class TestSharedData:
    """cyberphone/json-canonicalization, the RFC's own pairs of input and output."""

    NAMES = ("arrays", "french", "structures", "unicode", "values", "weird")

    @pytest.mark.parametrize("name", NAMES)
    def test_every_string_and_literal_is_written_as_published(self, shared_data: Path, name: str) -> None:
        published = (shared_data / "jcs" / "output" / f"{name}.json").read_bytes().removesuffix(b"\n")
        found = list(scalars(json.loads((shared_data / "jcs" / "input" / f"{name}.json").read_bytes())))
        within = [value for value in found if type(value) is not float]
        assert within
        for value in within:
            assert canonical.encode(value) in published

    @pytest.mark.parametrize("name", NAMES)
    def test_as_a_whole_each_lies_outside_the_restriction(self, shared_data: Path, name: str) -> None:
        """Upper-case or empty keys, keys beyond ASCII, or floats: all refused, none written differently."""
        with pytest.raises(FormatError):
            canonical.decode((shared_data / "jcs" / "output" / f"{name}.json").read_bytes().removesuffix(b"\n"))

    def test_bad_inputs_are_refused_or_read_exactly(self, shared_data: Path) -> None:
        files = sorted((shared_data / "json-bad-inputs").rglob("*.json"))
        assert files
        for path in files:
            data = path.read_bytes()
            try:
                value = canonical.decode(data)
            except FormatError:
                continue
            assert canonical.encode(value) == data
            assert not path.name.startswith("n_")
