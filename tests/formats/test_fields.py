"""Strict JSON, repeated keys, times, opaque values; and what every adapter promises of any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import FORMATS, by_adapter
from ingest.formats.base import Described, Identifier, RejectedInput
from ingest.formats.fields import (
    Repeated,
    count,
    from_unix_nanoseconds,
    has_duplicate_keys,
    hex_id,
    identify,
    load,
    locate,
    opaque,
    repeated_opaque,
    rfc3339,
)
from ledger.errors import UnverifiableError

LINE_KEYS = {
    *("kind", "source", "occurred_at", "ended_at", "time_basis", "seq", "trace_id", "span_id", "parent_span_id"),
    *("links", "system", "environment", "model_ref", "error_type", "status", "decision", "capture", "change"),
    *("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"),
    *("gen_ai_response_id", "gen_ai_response_finish_reasons", "gen_ai_tool_name", "gen_ai_tool_call_id"),
    *("gen_ai_usage_input_tokens", "gen_ai_usage_output_tokens", "gen_ai_usage_reasoning_output_tokens"),
    *("gen_ai_usage_cache_read_input_tokens", "gen_ai_usage_cache_creation_input_tokens", "warnings"),
}
OWN_FORMATS = ("evidence", "litellm", "litellm_spend", "otlp", "access")

NATIVE: dict[str, Any] = {
    "evidence": "event/1",
    "kind": "tool",
    "source": "bank",
    "id": "e-1",
    "time": "2026-10-03T09:15:27.123Z",
    "session": {"type": "session", "id": "Ann's chat"},
    "model": {"name": "m", "version": "2"},
    "subjects": {"end_user": [{"type": "customer_number", "id": "C-1"}]},
    "gen_ai": {"tool.name": "lookup", "usage.input_tokens": 5, "response.finish_reasons": ["stop"]},
    "links": [{"relation": "tool_of", "source": "bank", "id": "e-0"}],
    "change": {"type": "model", "name": "m", "from": "1", "to": "2"},
    "input": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
    "tool": {"arguments": {"a": 1}, "result": [1], "is_error": True},
}
LITELLM: dict[str, Any] = {
    "id": "c-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1737710446.847371,
    "endTime": "2025-01-24 09:20:46.851954",
    "model": "gpt-4o",
    "end_user": "ann@example.org",
    "messages": [{"role": "user", "content": "hi"}],
    "response": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}]},
    "metadata": {"mcp_tool_call_metadata": {"name": "search", "arguments": {}}},
    "guardrail_information": [{"guardrail_status": "guardrail_intervened", "masked_entity_count": {"EMAIL": 1}}],
}
SPEND: dict[str, Any] = {
    "request_id": "r-1",
    "call_type": "acompletion",
    "spend": 0.1,
    "metadata": "{}",
    "messages": "{}",
    "response": "{}",
}
SPAN: dict[str, Any] = {
    "traceId": "5B8EFFF798038103D269B633813FC60C",
    "spanId": "EEE19B7EC3C1B174",
    "startTimeUnixNano": "1544712660000000000",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.prompt.0.content", "value": {"stringValue": "hi"}},
        {"key": "user.id", "value": {"intValue": "7"}},
    ],
    "events": [{"name": "gen_ai.evaluation.result", "attributes": []}],
}
EXPORT: dict[str, Any] = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [SPAN, {}]}]}]}
ACCESS: dict[str, Any] = {"_": "evidence/access/1", "command": "replay", "operator": {"name": "ann", "host": "h"}}
SEEDS = {"evidence": NATIVE, "litellm": LITELLM, "litellm_spend": SPEND, "otlp": EXPORT, "access": ACCESS}

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def disturbed(draw: st.DrawFn, seed: Any) -> Any:
    """The seed with one or more of its values, at any depth, replaced by arbitrary JSON."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANY_JSON)
    if isinstance(seed, dict):
        return {key: draw(disturbed(value)) for key, value in seed.items()}
    return [draw(disturbed(value)) for value in seed] if isinstance(seed, list) else seed


@st.composite
def damaged(draw: st.DrawFn, document: bytes) -> bytes:
    """The document with one stretch of bytes overwritten, dropped or repeated."""
    start = draw(st.integers(0, len(document)))
    end = draw(st.integers(start, min(len(document), start + 20)))
    return document[:start] + draw(st.binary(max_size=8) | st.just(document[start:end] * 2)) + document[end:]


def assert_sound(name: str, document: bytes) -> None:
    """Describe refuses with a code or gives slices in order and fields a line may carry; render always answers."""
    try:
        described = FORMATS[name].describe(document)
    except RejectedInput:
        return
    assert_lines(described, len(document))
    for event in described.events:
        FORMATS[name].render(document[event.start : event.end], event.fields)


def assert_lines(described: Described, size: int) -> None:
    end = 0
    for event in described.events:
        assert end <= event.start <= event.end <= size
        end = event.end
        assert set(event.fields) <= LINE_KEYS
        assert ("occurred_at" in event.fields) == (event.fields["time_basis"] != "none")
        assert_line_value(event.fields)
        for identifier in [item for listed in event.subjects.values() for item in listed]:
            assert identifier.type.isascii()
            assert isinstance(identifier.value, str)


def assert_line_value(value: Any) -> None:
    """Canonical JSON of the store: no null, no float, no empty text, integers that every reader keeps."""
    if isinstance(value, dict):
        for item in value.values():
            assert_line_value(item)
    elif isinstance(value, list):
        assert value
        for item in value:
            assert_line_value(item)
    elif isinstance(value, str):
        assert value
        assert value.isascii()
        assert "@" not in value
    else:
        assert type(value) is int
        assert 0 <= value < 2**53


@pytest.mark.parametrize("name", OWN_FORMATS)
@given(data=st.data())
def test_any_values_in_a_documents_places_are_described_or_refused(name: str, data: st.DataObject) -> None:
    assert_sound(name, json.dumps(data.draw(disturbed(SEEDS[name]))).encode())


@pytest.mark.parametrize("name", OWN_FORMATS)
@given(data=st.data())
def test_damaged_documents_are_described_or_refused(name: str, data: st.DataObject) -> None:
    assert_sound(name, data.draw(damaged(json.dumps(SEEDS[name]).encode())))


@pytest.mark.parametrize("name", [*OWN_FORMATS, "envelope", "rejected", "note"])
@given(content=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_shown(name: str, content: bytes) -> None:
    FORMATS[name].render(content, {})


@pytest.mark.parametrize("name", OWN_FORMATS)
def test_no_file_that_parsers_disagree_on_stops_an_adapter(name: str, shared_data: Path) -> None:
    """JSONTestSuite of nst: files that must, must not and may parse."""
    files = sorted((shared_data / "json-bad-inputs" / "test_parsing").iterdir())
    assert len(files) > 300
    for file in files:
        assert_sound(name, file.read_bytes())


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf{}", "byte_order_mark"),
        (b'{"a":"\xe9"}', "not_utf8"),
        (b"\x00\x01", "binary"),
        (b'{"a":1', "not_json"),
        (b'{"a":NaN}', "not_strict_json"),
        (b"[" * 100_000, "too_deep"),
    ],
)
def test_refusals_have_a_closed_reason(document: bytes, reason: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        load(document)
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1,"a":2}',
        b'{"b":[{"c":1, "c":1}]}',
        b'{"a" :1,"b":1,"b":2}',
        b'{"a":"\\u003a","b":1,"b":1}',
        b'{"a":1,"\\u0061":2}',
    ],
)
def test_repeated_keys_are_found(document: bytes) -> None:
    """In the third and fourth, a count of ``":`` or of colons comes out as if no key were repeated."""
    assert has_duplicate_keys(document, orjson.loads(document))


@st.composite
def with_repeats(draw: st.DrawFn) -> str:
    """An object as text whose few short keys, some escaped, often repeat; colons stand in its strings too."""
    keys = st.sampled_from(['"a"', '"b"', '"\\u0061"', '":"', '"\\u003a"'])
    values = st.sampled_from(["1", '"::"', '"\\u003A"', '"\\\\"', "{}"])
    members = draw(st.lists(st.tuples(keys, values | st.deferred(with_repeats)), max_size=4))
    space = draw(st.sampled_from(["", " "]))
    return "{" + f",{space}".join(f"{key}{space}:{value}" for key, value in members) + "}"


@given(document=with_repeats())
def test_repeats_are_found_exactly(document: str) -> None:
    repeated = False

    def pairs(members: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated |= len(dict(members)) < len(members)

    json.loads(document, object_pairs_hook=pairs)
    assert has_duplicate_keys(document.encode(), orjson.loads(document)) == repeated


@given(value=ANY_JSON, spaced=st.booleans(), escaped=st.booleans())
def test_no_key_is_found_repeated_where_none_is(value: Any, spaced: bool, escaped: bool) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    document = json.dumps(value, separators=separators, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert not has_duplicate_keys(document, orjson.loads(document))


def nested(depth: int, innermost: str, around: str = '{"a":%s}') -> bytes:
    before, after = around.split("%s")
    return (before * depth + innermost + after * depth).encode()


@pytest.mark.parametrize("depth", [200, 255, 1000, 1020])
def test_deep_nesting_hides_no_repeat_and_fakes_none(depth: int) -> None:
    """The encoder stops at 254 levels and the standard library's parser near 1,000; orjson reads 1,024."""
    for around in ('{"a":%s}', '{"b" : 1, "a" : %s}', "[%s]", '["}",%s]'):
        for innermost, repeated in (('{"k":"k","l":["k","k"]}', False), ('{"k":1,"\\u006b" :2}', True)):
            document = nested(depth, innermost, around)
            assert has_duplicate_keys(document, orjson.loads(document)) == repeated


@given(document=with_repeats())
def test_repeats_are_found_exactly_at_any_depth(document: str) -> None:
    deep = nested(1000, document, "[%s]")
    assert has_duplicate_keys(deep, orjson.loads(deep)) == has_duplicate_keys(document.encode(), orjson.loads(document))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-10-03T09:15:27.123Z", ("2026-10-03T09:15:27.123Z", "source")),
        ("2026-10-31T01:00:00.1234567+02:00", ("2026-10-30T23:00:00.1234567Z", "source")),
        ("2025-01-24 09:20:46.847371", ("2025-01-24T09:20:46.847371Z", "zone_assumed")),
        ("2024-02-29t00:00:00z", ("2024-02-29T00:00:00Z", "source")),
        (1737710446.847371, ("2025-01-24T09:20:46.847371Z", "source")),
        (1737710446, ("2025-01-24T09:20:46Z", "source")),
        ("2026-02-29T00:00:00Z", (None, "none")),
        ("2026-01-01T24:00:00Z", (None, "none")),
        ("0001-01-01T00:00:00+01:00", (None, "none")),
        (1e300, (None, "none")),
        (True, (None, "none")),
        ("", (None, "none")),
        (None, (None, "none")),
    ],
)
def test_times_keep_their_precision_and_say_what_was_assumed(value: Any, expected: tuple[str | None, str]) -> None:
    assert rfc3339(value) == expected


@given(value=ANY_JSON | st.text("0123456789-T:. Z+²", max_size=40))
def test_whatever_is_no_time_is_never_made_one(value: Any) -> None:
    text, basis = rfc3339(value)
    assert (text is None) == (basis == "none")
    if text is not None:
        assert rfc3339(text) == (text, "source")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1795210429721122281", "2026-11-20T21:33:49.721122281Z"),
        (1544712660300000000, "2018-12-13T14:51:00.300000000Z"),
        (0, None),
        ("0", None),
        (-1, None),
        ("9" * 20, None),
        (1.5, None),
        (None, None),
    ],
)
def test_nanoseconds_lose_no_digit_and_zero_is_unknown(value: Any, expected: str | None) -> None:
    assert from_unix_nanoseconds(value) == expected


@pytest.mark.parametrize("value", ["ann@example.org", "Ann Lee", "", "x" * 257, "é", None, True, 1.5, {}, 2**53, -1])
def test_what_could_name_a_person_is_not_opaque(value: Any) -> None:
    assert opaque(value) is None


@pytest.mark.parametrize("value", ["ft:gpt-4.1-2025-04-14:x::y", "ollama_chat/qwen2.5:7b", "a" * 256])
def test_codes_and_model_names_are_opaque(value: str) -> None:
    assert opaque(value) == value


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.lists(st.text()), st.just("code-1")))
def test_what_recurs_is_read_the_same(value: Any) -> None:
    assert repeated_opaque(value) == repeated_opaque(value) == opaque(value)


def test_what_recurs_is_one_text_in_memory_and_what_is_no_code_is_not_kept() -> None:
    known = Repeated(opaque)
    first, again = (str(orjson.loads(b'"code-1"')) for _ in range(2))

    assert first is not again
    assert known[first] is known[again] is first
    assert known["no code"] is None
    assert list(known) == [first]


def test_few_texts_are_kept() -> None:
    known = Repeated(opaque)

    assert all(known[str(number)] == str(number) for number in range(10_000))
    assert len(known) < 5_000


def test_numbers_are_counts_or_nothing() -> None:
    values: list[Any] = [5, 5.0, "5", 0, -1, True, 1.5, 2**53, "x", None, float("inf")]
    assert [count(value) for value in values] == [5, 5, 5, 0, *[None] * 7]


def test_ids_are_lower_case_and_zeros_are_none() -> None:
    """W3C Trace Context: an id of zeros is invalid."""
    assert hex_id("5B8EFFF798038103D269B633813FC60C", 32) == "5b8efff798038103d269b633813fc60c"
    invalid: list[Any] = ["0" * 16, "g" * 16, "ab", None, 1]
    assert [hex_id(value, 16) for value in invalid] == [None] * 5


def test_a_persons_name_becomes_an_identifier() -> None:
    assert identify(" ann@example.org ") == Identifier("email", "ann@example.org")
    assert identify("u-7") == Identifier("user_id", "u-7")
    assert identify(7) == Identifier("user_id", "7")
    nobody: list[Any] = ["", " ", None, {}, True]
    assert [identify(value) for value in nobody] == [None] * 5


def test_slices_are_found_forward_only() -> None:
    assert locate(b"[1,1]", b"1", 2) == (3, 4)
    with pytest.raises(RejectedInput, match="slice_not_found"):
        locate(b"[1,1]", b"1", 4)


def test_adapters_are_found_by_the_name_in_a_line() -> None:
    assert all(by_adapter(FORMATS[name].adapter) is FORMATS[name] for name in FORMATS)
    for unknown in ("litellm/99", "nobody/1", "", "litellm"):
        with pytest.raises(UnverifiableError):
            by_adapter(unknown)
