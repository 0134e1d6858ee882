"""LiteLLM payloads and spend rows: the call, and the verdicts and tool calls that stand inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.formats import FORMATS
from ingest.formats.base import Event, Identifier, RejectedInput

PAYLOAD, SPEND = FORMATS["litellm"], FORMATS["litellm_spend"]

CALL: dict[str, Any] = {
    "id": "chatcmpl-1",
    "litellm_call_id": "call-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1737710446.847371,
    "endTime": 1737710447.5,
    "model": "azure/gpt-4o",
    "model_group": "gpt-4o",
    "custom_llm_provider": "azure",
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "metadata": {},
    "messages": [{"role": "user", "content": "hi"}],
    "response": {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
        "usage": {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}},
    },
}
ROW: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "spend": 0.002,
    "status": "success",
    "metadata": "{}",
    "messages": "{}",
    "response": "{}",
}


def events_of(**more: Any) -> list[Event]:
    return PAYLOAD.describe(orjson.dumps({**CALL, **more}) + b"\n").events


def call_of(**more: Any) -> Event:
    return events_of(**more)[0]


def test_the_published_payload_is_understood(shared_data: Path) -> None:
    document = (shared_data / "litellm" / "standard_logging_payload.json").read_bytes()
    (event,) = PAYLOAD.describe(document).events
    assert (event.start, event.end) == (0, len(document))
    assert event.source_id == "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f"
    assert event.fields["occurred_at"] == "2025-01-24T09:20:46.847371Z"
    assert event.fields["time_basis"] == "zone_assumed"
    assert event.fields["capture"] == "complete"
    assert (event.session, event.owner, event.subjects) == (None, None, {})
    rendered = PAYLOAD.render(document, event.fields)
    assert rendered.input[0].parts[0].text == "Hello, world!"
    assert (rendered.output[0].parts[0].text, rendered.output[0].finish_reason) == ("hi", "stop")


def test_a_call_names_models_tokens_and_times() -> None:
    assert call_of().fields == {
        "kind": "inference",
        "source": "litellm",
        "time_basis": "source",
        "occurred_at": "2025-01-24T09:20:46.847371Z",
        "ended_at": "2025-01-24T09:20:47.500000Z",
        "status": "ok",
        "capture": "complete",
        "model_ref": {"name": "azure/gpt-4o"},
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "azure",
        "gen_ai_request_model": "gpt-4o",
        "gen_ai_response_model": "gpt-4o-2024-08-06",
        "gen_ai_response_id": "chatcmpl-1",
        "gen_ai_response_finish_reasons": ["stop"],
        "gen_ai_usage_input_tokens": 10,
        "gen_ai_usage_output_tokens": 20,
        "gen_ai_usage_cache_read_input_tokens": 4,
        "gen_ai_usage_reasoning_output_tokens": 3,
    }
    assert call_of().source_id == "call-1"


def test_sessions_and_people_never_stand_in_the_line() -> None:
    event = call_of(
        session_id="Ann's chat",
        end_user="ann@example.org",
        metadata={"user_api_key_hash": "88dc28", "user_api_key_user_id": "svc-app"},
    )
    assert event.session == Identifier("session:litellm", "Ann's chat")
    assert event.owner == Identifier("email", "ann@example.org")
    assert event.subjects == {
        "end_user": (Identifier("email", "ann@example.org"),),
        "actor": (Identifier("user_id", "svc-app"),),
        "service": (Identifier("api_key:litellm", "88dc28"),),
    }
    assert not {"ann@example.org", "Ann's chat", "svc-app"} & {str(value) for value in event.fields.values()}


def test_without_an_end_user_the_keys_holder_is_the_person() -> None:
    event = call_of(end_user="", metadata={"user_api_key_user_id": "u-7", "user_api_key_user_email": "u@example.org"})
    assert event.subjects["end_user"] == (Identifier("user_id", "u-7"), Identifier("email", "u@example.org"))
    assert event.owner == Identifier("user_id", "u-7")
    assert call_of(trace_id="t 1").session == Identifier("session:litellm", "t 1")


@pytest.mark.parametrize(
    ("more", "capture"),
    [
        ({}, "complete"),
        ({"messages": [{"role": "user", "content": "redacted-by-litellm"}]}, "redacted"),
        ({"messages": "redacted-by-litellm", "response": {"text": "redacted-by-litellm"}}, "redacted"),
        ({"response": {"choices": [{"message": {"content": "redacted-by-litellm"}}]}}, "redacted"),
        ({"messages": None, "response": ""}, "not_captured"),
        ({"response": None}, "unknown"),
        ({"response": None, "status": "failure"}, "complete"),
    ],
)
def test_what_is_missing_is_said(more: dict[str, Any], capture: str) -> None:
    """A failed call has no response; a successful one without a response is not known to be complete."""
    assert call_of(**more).fields["capture"] == capture


@pytest.mark.parametrize(
    ("entry", "decision"),
    [
        ({"guardrail_status": "success"}, "allowed"),
        ({"guardrail_status": "success", "masked_entity_count": {"EMAIL_ADDRESS": 1}}, "masked"),
        ({"guardrail_status": "guardrail_flagged"}, "flagged"),
        ({"guardrail_status": "guardrail_intervened", "masked_entity_count": {"PERSON": 2}}, "masked"),
        ({"guardrail_status": "guardrail_intervened", "masked_entity_count": {}}, "blocked"),
        ({"guardrail_status": "guardrail_failed_to_respond"}, "failed_to_respond"),
        ({"guardrail_status": "not_run"}, "not_run"),
        ({"guardrail_status": "something new"}, None),
    ],
)
def test_guardrails_become_policy_records_inside_the_call(entry: dict[str, Any], decision: str | None) -> None:
    call, verdict = events_of(guardrail_information=[{**entry, "start_time": 1737710446.9}], end_user="u-7")
    assert (verdict.start, verdict.end) == (call.end, call.end)
    assert (verdict.fields["kind"], verdict.fields.get("decision")) == ("policy", decision)
    assert verdict.fields["occurred_at"] == "2025-01-24T09:20:46.900000Z"
    assert verdict.fields["links"] == [{"relation": "part_of", "source": "litellm", "source_id": "call-1"}]
    assert (verdict.source_id, verdict.owner) == ("call-1/guardrail/0", call.owner)


def test_the_former_shape_of_guardrail_information_is_read() -> None:
    assert events_of(guardrail_information={"guardrail_status": "success"})[1].fields["decision"] == "allowed"
    in_metadata = {"guardrail_information": [{"guardrail_status": "not_run"}]}
    assert events_of(metadata=in_metadata)[1].fields["decision"] == "not_run"
    assert len(events_of(guardrail_information=None)) == 1


def test_an_mcp_tool_call_becomes_a_tool_record() -> None:
    metadata = {"mcp_tool_call_metadata": {"name": "search", "arguments": {"q": "x"}, "result": {"n": 1}}}
    call, tool = events_of(metadata=metadata)
    assert (tool.fields["kind"], tool.fields["gen_ai_tool_name"]) == ("tool", "search")
    assert tool.start == tool.end == call.end
    rendered = PAYLOAD.render(orjson.dumps({**CALL, "metadata": metadata}), call.fields)
    assert ("mcp tool call", '{"name":"search","arguments":{"q":"x"},"result":{"n":1}}') in rendered.facts
    assert PAYLOAD.render(b"", tool.fields).notes


def test_a_call_of_an_mcp_tool_names_the_tool_and_no_model() -> None:
    metadata = {"mcp_tool_call_metadata": {"name": "jira_search", "arguments": {}, "mcp_server_name": "jira"}}
    (event,) = events_of(
        call_type="call_mcp_tool", model="MCP: jira", model_group=None, metadata=metadata, response="x"
    )
    assert (event.fields["kind"], event.fields["gen_ai_operation_name"]) == ("tool", "execute_tool")
    assert event.fields["gen_ai_tool_name"] == "jira_search"
    assert not {"gen_ai_request_model", "model_ref", "warnings"} & event.fields.keys()
    row = {**ROW, "call_type": "call_mcp_tool", "mcp_namespaced_tool_name": "jira/jira_search"}
    assert SPEND.describe(orjson.dumps(row)).events[0].fields["gen_ai_tool_name"] == "jira/jira_search"
    named = {"mcp_tool_call_metadata": {"name": "Ann's search"}}
    assert call_of(call_type="call_mcp_tool", metadata=named).fields["warnings"] == ["field_withheld"]


@pytest.mark.parametrize(
    ("call_type", "kind", "operation"),
    [
        ("aresponses", "inference", "chat"),
        ("aanthropic_messages", "inference", "chat"),
        ("aembedding", "inference", "embeddings"),
        ("aimage_generation", "inference", None),
        ("arerank", "inference", None),
        ("pass_through_endpoint", "inference", None),
        ("arun_thread", "inference", None),
        ("avector_store_search", "tool", "retrieval"),
        ("list_mcp_tools", "tool", "list_mcp_tools"),
        ("acreate_file", "tool", "create_file"),
        ("afile_content", "tool", "file_content"),
        ("aretrieve_batch", "tool", "retrieve_batch"),
        ("retrieve_batch", "tool", "retrieve_batch"),
        ("a_add_message", "tool", "add_message"),
        ("add_message", "tool", "add_message"),
        (None, "inference", None),
        ({}, "inference", None),
    ],
)
def test_only_a_call_of_a_model_is_an_inference(call_type: Any, kind: str, operation: str | None) -> None:
    """The proxy logs every route in one shape; what calls no model must not be counted as if it did."""
    for event in (call_of(call_type=call_type), *SPEND.describe(orjson.dumps({**ROW, "call_type": call_type})).events):
        assert (event.fields["kind"], event.fields.get("gen_ai_operation_name")) == (kind, operation)


CHAT_USAGE = {"prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 5}}
RESPONSES_USAGE = {"input_tokens_details": {"cached_tokens": 64}, "output_tokens_details": {"reasoning_tokens": 5}}
ANTHROPIC_USAGE = {"cache_read_input_tokens": 64, "cache_creation_input_tokens": 7}
TRANSLATED_USAGE = {"prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": None}, **ANTHROPIC_USAGE}


@pytest.mark.parametrize(
    ("usage", "cached", "created", "reasoning"),
    [
        (CHAT_USAGE, 64, None, 5),
        (RESPONSES_USAGE, 64, None, 5),
        (ANTHROPIC_USAGE, 64, 7, None),
        (TRANSLATED_USAGE, 64, 7, None),
        ({"prompt_tokens_details": None, "cache_read_input_tokens": "?"}, None, None, None),
    ],
)
def test_cached_and_reasoning_tokens_are_read_in_every_dialect(
    usage: dict[str, Any], cached: int | None, created: int | None, reasoning: int | None
) -> None:
    in_metadata = {**ROW, "metadata": orjson.dumps({"usage_object": usage}).decode()}
    for event in (
        call_of(response={"usage": usage}),
        call_of(response={}, metadata={"usage_object": usage}),
        *SPEND.describe(orjson.dumps(in_metadata)).events,
    ):
        assert event.fields.get("gen_ai_usage_cache_read_input_tokens") == cached
        assert event.fields.get("gen_ai_usage_cache_creation_input_tokens") == created
        assert event.fields.get("gen_ai_usage_reasoning_output_tokens") == reasoning


def test_the_proxys_own_user_is_a_service_and_no_person() -> None:
    """LiteLLM writes this constant for calls with the master key."""
    admin = Identifier("user_id:litellm", "default_user_id")
    metadata = {"user_api_key_user_id": "default_user_id", "user_api_key_hash": "88dc28"}
    (row,) = SPEND.describe(orjson.dumps({**ROW, "user": "default_user_id", "api_key": "88dc28"})).events
    for event in (call_of(metadata=metadata), row):
        assert event.subjects == {"service": (Identifier("api_key:litellm", "88dc28"), admin)}
        assert event.owner is None
    for_ann = call_of(metadata=metadata, end_user="ann@example.org")
    assert set(for_ann.subjects) == {"end_user", "service"}
    assert for_ann.owner == Identifier("email", "ann@example.org")
    assert call_of(end_user="default_user_id").subjects == {"service": (admin,)}


def test_a_failure_names_its_class_and_keeps_its_words_in_the_content() -> None:
    error = {"error_class": "RateLimitError", "error_message": "for ann@example.org"}
    event = call_of(status="failure", response=None, error_information=error)
    assert (event.fields["status"], event.fields["error_type"]) == ("error", "RateLimitError")
    rendered = PAYLOAD.render(orjson.dumps({**CALL, "error_information": error}), event.fields)
    assert ("error", "for ann@example.org") in rendered.facts


def test_tool_calls_and_parts_of_messages_are_shown() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": "http://x"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "t1", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "done"},
    ]
    rendered = PAYLOAD.render(orjson.dumps({**CALL, "messages": messages}), {})
    parts = [(part.type, part.text, part.name, part.id) for message in rendered.input for part in message.parts]
    assert parts == [
        ("text", "look", "", ""),
        ("uri", "http://x", "image", ""),
        ("tool_call", "{}", "f", "t1"),
        ("tool_call_response", "done", "", "t1"),
    ]


def test_the_published_spend_row_is_understood(shared_data: Path) -> None:
    document = (shared_data / "litellm" / "spend_logs_payload.json").read_bytes()
    (event,) = SPEND.describe(document).events
    assert event.fields["capture"] == "not_captured"
    assert event.session == Identifier("session:litellm", "1234567890")
    assert event.source_id == "spend/chatcmpl-2283081b-dc89-41f6-93e6-d4f914774027"
    assert ("spend", "0.00022500000000000002") in SPEND.render(document, event.fields).facts


def test_a_spend_row_points_to_the_payload_of_the_same_call() -> None:
    (event,) = SPEND.describe(orjson.dumps({**ROW, "litellm_call_id": "call-1"})).events
    assert event.fields["links"] == [{"relation": "same_as", "source": "litellm", "source_id": "call-1"}]
    assert call_of().source_id == "call-1"
    (event,) = SPEND.describe(orjson.dumps(ROW)).events
    assert event.fields["links"] == [{"relation": "same_as", "source": "litellm", "source_id": "chatcmpl-1"}]
    assert call_of(litellm_call_id=None).source_id == "chatcmpl-1"


def test_strings_that_hold_json_are_read() -> None:
    row = {
        **ROW,
        "messages": '[{"role":"user","content":"hi"}]',
        "response": '{"model":"m","choices":[{"message":{"role":"assistant","content":"yes"}}]}',
        "metadata": '{"user_api_key_user_id":"u-7","guardrail_information":[{"guardrail_status":"guardrail_flagged"}]}',
    }
    call, verdict = SPEND.describe(orjson.dumps(row)).events
    assert (call.fields["capture"], call.fields["gen_ai_response_model"]) == ("complete", "m")
    assert call.owner == Identifier("user_id", "u-7")
    assert verdict.fields["decision"] == "flagged"
    rendered = SPEND.render(orjson.dumps(row), call.fields)
    assert (rendered.input[0].parts[0].text, rendered.output[0].parts[0].text) == ("hi", "yes")


def test_a_cut_spend_row_says_so() -> None:
    messages = '[{"role":"user","content":"h... (litellm_truncated skipped 9000 chars) ...i"}]'
    (event,) = SPEND.describe(orjson.dumps({**ROW, "messages": messages})).events
    assert event.fields["capture"] == "truncated"


VERDICT = {"guardrail_status": "guardrail_flagged"}


@pytest.mark.parametrize("option", [None, orjson.OPT_INDENT_2])
def test_an_array_of_payloads_gives_each_its_own_bytes(option: int | None) -> None:
    first, second = {**CALL, "guardrail_information": [VERDICT]}, {**CALL, "litellm_call_id": "call-2"}
    document = orjson.dumps([first, {"note": "no call"}, second], option=option) + b"\n"
    assert PAYLOAD.matches(orjson.loads(document))
    call, verdict, other = PAYLOAD.describe(document).events
    assert [orjson.loads(document[event.start : event.end]) for event in (call, other)] == [first, second]
    assert (verdict.start, verdict.end) == (call.end, call.end)
    assert [event.source_id for event in (call, verdict, other)] == ["call-1", "call-1/guardrail/0", "call-2"]
    rendered = PAYLOAD.render(document[other.start : other.end], other.fields)
    assert rendered.output[0].parts[0].text == "hello"


def test_equal_calls_of_an_array_that_have_no_id_are_told_apart() -> None:
    nameless = {**CALL, "id": "", "litellm_call_id": None, "guardrail_information": [VERDICT]}
    events = PAYLOAD.describe(orjson.dumps([nameless, nameless])).events
    assert {event.source_id for event in events} == {None}
    assert [event.position for event in events] == ["0", "0/guardrail/0", "1", "1/guardrail/0"]


def test_an_array_of_spend_rows_is_read_and_a_repeated_key_is_flagged_where_it_stands() -> None:
    """As ``/spend/logs`` answers."""
    row = orjson.dumps(ROW)
    document = b"[" + row + b", " + row[:-1] + b',"status":"success"}]'
    first, second = SPEND.describe(document).events
    assert "warnings" not in first.fields
    assert second.fields["warnings"] == ["duplicate_keys"]
    assert document[first.start : first.end] == row


@pytest.mark.parametrize("document", [b"[]", b"[[]]", b'[{"id":1}]', b"7"])
def test_other_arrays_are_refused(document: bytes) -> None:
    for adapter in (PAYLOAD, SPEND):
        assert not adapter.matches(orjson.loads(document))
        with pytest.raises(RejectedInput):
            adapter.describe(document)


def test_the_two_shapes_are_not_mistaken_for_each_other() -> None:
    assert PAYLOAD.matches(CALL)
    assert SPEND.matches(ROW)
    assert not PAYLOAD.matches(ROW)
    assert not SPEND.matches(CALL)
    for adapter, document in ((PAYLOAD, ROW), (SPEND, CALL)):
        with pytest.raises(RejectedInput, match="unknown_shape"):
            adapter.describe(orjson.dumps(document))
