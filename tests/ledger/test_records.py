"""Record lines, and the typed columns that follow from them: the same for whoever derives them, at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import canonical, record_line, records
from ledger.errors import FormatError, UnverifiableError
from ledger.record_line import Content, Input, RecordLine

LINE: dict[str, Any] = {
    "_": records.TYPE,
    "kind": "inference",
    "source": "litellm",
    "source_id": "call-1",
    "adapter": "litellm/1",
    "observed_at": "2026-10-01T00:00:00.000001Z",
    "time_basis": "none",
    "retention_class": "standard",
    "content": {"commitment": "0" * 64, "length_class": 3, "owner": "1" * 32},
}


def encoded(**changes: Any) -> bytes:
    line = LINE | changes
    return canonical.encode({name: value for name, value in line.items() if value is not None})


def row(**changes: Any) -> Mapping[str, Any]:
    """The typed columns of one line."""
    columns = records.derive(records.read_lines([encoded(**changes)]))
    return {field.name: column.to_pylist()[0] for field, column in zip(records.DERIVED, columns, strict=True)}


def micros(**changes: Any) -> Any:
    """``occurred_at`` as a number of microseconds since 1970."""
    columns = records.derive(records.read_lines([encoded(**changes)]))
    at = records.DERIVED.get_field_index("occurred_at")
    return columns[at].cast("int64").to_pylist()[0]


def test_columns_follow_from_the_line() -> None:
    found = row(
        session="s",
        seq=7,
        status="ok",
        decision="masked",
        gen_ai_usage_input_tokens=5,
        gen_ai_usage_output_tokens=6,
        subjects={"end_user": ["b", "a"], "actor": ["a"]},
        input={"ref": "r", "step": 1, "part": 2},
    )
    assert {name: found[name] for name in ("kind", "source", "session", "seq", "status", "decision", "owner")} == {
        "kind": "inference",
        "source": "litellm",
        "session": "s",
        "seq": 7,
        "status": "ok",
        "decision": "masked",
        "owner": "1" * 32,
    }
    assert (found["input_tokens"], found["output_tokens"]) == (5, 6)
    assert found["subjects"] == ["a", "b"], "every reference once, whatever its roles"
    assert (found["input"], found["step"], found["part"]) == ("r", 1, 2)


def test_what_the_line_does_not_say_is_null() -> None:
    found = row()
    for name in ("session", "seq", "model", "status", "input_tokens", "subjects", "input", "part", "occurred_at"):
        assert found[name] is None


@pytest.mark.parametrize(
    ("asked", "answered", "model"), [("a", None, "a"), ("a", "b", "b"), (None, "b", "b"), (None, None, None)]
)
def test_the_model_is_the_one_that_answered(asked: str | None, answered: str | None, model: str | None) -> None:
    assert row(gen_ai_request_model=asked, gen_ai_response_model=answered)["model"] == model


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-10-01T00:00:00.123456789Z", 1_790_812_800_123_456),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("2026-02-30T00:00:00Z", None),
        ("soon", None),
    ],
)
def test_times_are_cut_to_microseconds_and_impossible_ones_are_null(text: str, expected: int | None) -> None:
    """Beyond what 64 bits of nanoseconds hold (1677 to 2262) the line keeps the time and the column does not."""
    assert micros(occurred_at=text) == expected


def test_one_impossible_time_leaves_its_neighbours_alone() -> None:
    lines = [encoded(occurred_at=text) for text in ("1970-01-01T00:00:01Z", "soon", "1970-01-01T00:00:02Z")]
    at = records.DERIVED.get_field_index("occurred_at")
    column = records.derive(records.read_lines(lines))[at]
    assert column.cast("int64").to_pylist() == [1_000_000, None, 2_000_000]


@given(st.lists(st.sampled_from([{}, {"seq": 1}, {"session": "s"}, {"subjects": {"actor": ["x"]}}]), max_size=6))
def test_columns_of_a_block_are_those_of_its_lines(changes: list[dict[str, Any]]) -> None:
    """So it does not matter in which blocks a writer, or a verifier, reads."""
    lines = [encoded(**change) for change in changes]
    columns = records.derive(records.read_lines(lines))
    assert [column.to_pylist() for column in columns] == [
        [records.derive(records.read_lines([line]))[at].to_pylist()[0] for line in lines]
        for at in range(len(records.DERIVED))
    ]


def test_the_source_key_is_a_digest_of_both_names() -> None:
    digest = hashlib.sha256(b"litellm\0call-1").digest()
    assert row()["source_key"] == int.from_bytes(digest[:8], "big")
    assert len(set(records.source_keys([("a", "b\0c"), ("a\0b", "d")]))) == 2


@pytest.mark.parametrize(("length", "bits"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (1023, 10), (1024, 11)])
def test_the_length_class_is_the_size_to_a_factor_of_two(length: int, bits: int) -> None:
    assert records.length_class(length) == bits


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"no JSON",
        encoded() + b" ",
        encoded(kind="prophecy"),
        encoded().replace(b'"_":"evidence/record/1"', b'"_": "evidence/record/1"'),
        canonical.encode({"_": "evidence/entry/1", "type": "heartbeat"}),
        encoded(session="x" * records.MAX_LINE),
    ],
    ids=["nothing", "no fields", "no JSON", "space after", "unknown kind", "space within", "ledger entry", "too long"],
)
def test_what_is_no_record_line_is_refused(line: bytes) -> None:
    with pytest.raises(FormatError):
        records.parse_line(line)
    with pytest.raises(FormatError):
        records.read_lines([encoded(), line])


def test_a_later_version_is_not_called_damaged() -> None:
    line = encoded().replace(b"evidence/record/1", b"evidence/record/2")
    with pytest.raises(UnverifiableError):
        records.parse_line(line)
    with pytest.raises(UnverifiableError):
        records.read_lines([line])


def test_a_field_of_a_later_release_is_kept_and_passed_over() -> None:
    line = encoded(new_field={"deep": [1, 2]})
    (found,) = records.read_lines([line])
    assert found.source_id == "call-1"
    assert records.parse_line(line)["new_field"] == {"deep": [1, 2]}


@given(
    st.text(), st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), st.lists(st.text(), max_size=2))
)
def test_the_writer_makes_canonical_lines(text: str, subjects: dict[str, list[str]]) -> None:
    """The writer's encoder is not the one of ``ledger.canonical``: they must agree on every text."""
    content = Content("0" * 64, 5, "o")
    line = {name: value for name, value in LINE.items() if name not in ("_", "content")}
    line |= {"session": text, "subjects": subjects, "change": {"to": text, "from": "1"}}
    fields = line | {"content": content} | ({"input": Input(**line["input"])} if "input" in line else {})
    plain = {"_": records.TYPE, "content": {"commitment": "0" * 64, "length_class": 5, "owner": "o"}, **line}

    assert record_line.write_block([RecordLine(type_=records.TYPE, **fields)] * 2) == [canonical.encode(plain)] * 2


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"seq": "7"}, {"session": None, "links": [{}]}, {"kind": 1}])
def test_what_is_no_field_of_a_line_makes_no_record(wrong: dict[str, Any]) -> None:
    fields = {name: value for name, value in LINE.items() if name not in ("_", "content")}

    assert record_line.from_fields(dict(fields)).kind == fields["kind"]
    with pytest.raises(FormatError):
        record_line.from_fields(fields | wrong)


LINES = [
    encoded(subjects={"end_user": ["a"]}, links=[{"relation": "part_of", "source": "x", "source_id": "y"}], seq=7),
    encoded(session="\u00e9\u2028", input={"ref": "r", "step": 1, "part": 2}, warnings=["a"], change={"type": "model"}),
]


@pytest.mark.parametrize(
    "changes",
    [
        {"subjects": {"End User": ["a"]}},
        {"subjects": {"": ["a"]}},
        {"seq": 2**53},
        {"seq": -(2**53)},
        {"seq": 1.0},
        {"session": None},
        {"links": []},
        {"model_ref": {"name": None}},
    ],
    ids=repr,
)
def test_the_fast_way_of_reading_accepts_nothing_that_the_exact_one_refuses(changes: dict[str, Any]) -> None:
    line = orjson.dumps(LINE | changes, option=orjson.OPT_SORT_KEYS)
    try:
        records.parse_line(line)
    except FormatError:
        with pytest.raises(FormatError):
            records.read_lines([line])


@settings(max_examples=400)
@given(st.sampled_from(LINES), st.data())
def test_an_altered_line_is_read_the_same_in_both_ways(line: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(line)))
    changed = line[:at] + data.draw(st.binary(max_size=2)) + line[at + data.draw(st.integers(0, 2)) :]
    try:
        records.read_lines([changed])
    except (FormatError, UnverifiableError):
        return
    records.parse_line(changed)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_record(data: bytes) -> None:
    for line in (data, encoded()[: len(data)] + data, records.PREFIX + data):
        try:
            records.parse_line(line)
        except (FormatError, UnverifiableError):
            continue
        assert canonical.encode(records.parse_line(line)) == line
