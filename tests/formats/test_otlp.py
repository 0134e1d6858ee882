"""OTLP/JSON: GenAI spans and log records become records over their own exact bytes; the rest is envelope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.formats import FORMATS
from ingest.formats.base import Described, Event, Identifier, RejectedInput, Rendered

FORMAT = FORMATS["otlp"]
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def value_of(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes_of(value)}}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value}


def attributes_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value_of(value)} for key, value in values.items()]


def span_of(values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "call",
        "startTimeUnixNano": "1544712660000000001",
        "endTimeUnixNano": "1544712661000000000",
        "attributes": attributes_of(values),
        **more,
    }


def export_of(*spans: Any, resource: dict[str, Any] | None = None) -> bytes:
    held = {"attributes": attributes_of(resource or {})}
    return orjson.dumps({"resourceSpans": [{"resource": held, "scopeSpans": [{"spans": list(spans)}]}]}) + b"\n"


def logs_of(*logs: Any) -> bytes:
    return orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(logs)}]}]}) + b"\n"


def event_of(values: dict[str, Any], **more: Any) -> Event:
    (event,) = FORMAT.describe(export_of(span_of(values, **more))).events
    return event


def shown(values: dict[str, Any], **more: Any) -> Rendered:
    return FORMAT.render(orjson.dumps(span_of(values, **more)), {})


def texts(messages: Any) -> list[tuple[str, str, str]]:
    return [(message.role, part.type, part.text) for message in messages for part in message.parts]


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


@pytest.mark.parametrize("name", ["anthropic.otlp.jsonl", "openai.otlp.jsonl"])
def test_real_instrumentation_output_gives_one_record_a_genai_span(name: str, shared_data: Path) -> None:
    """87 and 211 exports of one span; three spans of the second file have no GenAI attribute."""
    lines = (shared_data / "otlp" / name).read_bytes().splitlines(keepends=True)
    found: list[tuple[bytes, Described]] = [(line, FORMAT.describe(line)) for line in lines]
    assert sum(len(described.events) for _, described in found) == {"anthropic": 87, "openai": 208}[name.split(".")[0]]
    for line, described in found:
        for event in described.events:
            content = line[event.start : event.end]
            span = orjson.loads(content)
            assert event.source_id == f"{span['traceId']}/{span['spanId']}"
            assert event.fields["kind"] == "inference"
            assert "warnings" not in event.fields
            rendered = FORMAT.render(content, event.fields)
            assert event.fields["capture"] != "complete" or rendered.input


def test_a_real_span_says_model_tokens_and_nanoseconds(shared_data: Path) -> None:
    line = (shared_data / "otlp" / "anthropic.otlp.jsonl").read_bytes().splitlines(keepends=True)[0]
    (event,) = FORMAT.describe(line).events
    assert event.fields["occurred_at"] == "2026-11-20T21:33:49.721122281Z"
    assert event.fields["gen_ai_response_id"] == "msg_bdrk_01N3b1bEN3sbiHjQAKknzJir"
    assert event.fields["gen_ai_usage_output_tokens"] == 190
    assert event.fields["gen_ai_response_finish_reasons"] == ["stop"]
    rendered = FORMAT.render(line[event.start : event.end], event.fields)
    assert texts(rendered.input) == [("user", "text", "Tell me a joke about OpenTelemetry")]
    assert rendered.output[0].finish_reason == "stop"


@pytest.mark.parametrize("name", ["trace.json", "logs.json", "events.json"])
def test_examples_without_genai_are_all_envelope(name: str, shared_data: Path) -> None:
    assert FORMAT.describe((shared_data / "otlp" / name).read_bytes()).events == []


def test_metrics_are_an_unsupported_signal(shared_data: Path) -> None:
    with pytest.raises(RejectedInput, match="unsupported_signal"):
        FORMAT.describe((shared_data / "otlp" / "metrics.json").read_bytes())


@pytest.mark.parametrize(
    ("values", "kind", "warnings"),
    [
        ({"gen_ai.operation.name": "chat"}, "inference", None),
        ({"gen_ai.operation.name": "embeddings"}, "inference", None),
        ({"gen_ai.operation.name": "execute_tool"}, "tool", None),
        ({"gen_ai.operation.name": "retrieval"}, "tool", None),
        ({"gen_ai.operation.name": "apply_guardrail"}, "policy", None),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.input.messages": "[{}]"}, "inference", None),
        ({"gen_ai.operation.name": "invoke_agent"}, None, None),
        ({"gen_ai.operation.name": "daydream"}, None, None),
        ({"gen_ai.operation.name": "daydream", "gen_ai.prompt": "x"}, "inference", ["operation_inferred"]),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "m"}, "inference", ["operation_inferred"]),
        ({"gen_ai.usage.prompt_tokens": 7, "gen_ai.request.id": "cmpl-9"}, "inference", ["operation_inferred"]),
        ({"gen_ai.usage.completion_tokens": 3}, "inference", ["operation_inferred"]),
        ({"gen_ai.tool.name": "f"}, "tool", ["operation_inferred"]),
        ({"gen_ai.agent.name": "a"}, None, None),
        ({"http.request.method": "GET"}, None, None),
    ],
)
def test_the_operation_decides_the_kind(values: dict[str, Any], kind: str | None, warnings: list[str] | None) -> None:
    events = FORMAT.describe(export_of(span_of(values))).events
    assert [event.fields["kind"] for event in events] == ([kind] if kind else [])
    assert [event.fields.get("warnings") for event in events] == ([warnings] if kind else [])


def test_former_names_are_written_under_the_current_ones() -> None:
    former = {"gen_ai.system": "old", "gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.completion_tokens": 6}
    fields = event_of({**CHAT, **former}).fields
    assert (fields["gen_ai_provider_name"], fields["gen_ai_usage_input_tokens"]) == ("old", 5)
    both = event_of({**CHAT, "gen_ai.provider.name": "new", **former, "gen_ai.usage.input_tokens": 7}).fields
    assert (both["gen_ai_provider_name"], both["gen_ai_usage_input_tokens"]) == ("new", 7)
    assert both["gen_ai_usage_output_tokens"] == 6


@pytest.mark.parametrize("trace_id", [TRACE, TRACE.upper(), "W47/95gDgQPSabYzgT/GDA=="])
def test_ids_are_hex_of_any_case_or_base64(trace_id: str) -> None:
    """Hexadecimal by the specification; generic protobuf-to-JSON writers send base64."""
    event = event_of(CHAT, traceId=trace_id, spanId="7uGbfsPBsXQ=")
    assert (event.fields["trace_id"], event.fields["span_id"]) == (TRACE, SPAN)
    assert event.source_id == f"{TRACE}/{SPAN}"


def test_unreadable_ids_are_flagged_and_the_position_tells_spans_apart() -> None:
    bad = span_of(CHAT, traceId="xyz", spanId="0" * 16)
    first, second = FORMAT.describe(export_of(bad, bad)).events
    assert first.source_id is None
    assert first.fields["warnings"] == ["id_unreadable"]
    assert (first.position, second.position) == ("spans/0/0/0", "spans/0/0/1")
    assert first.end <= second.start


def test_sessions_and_people_are_identifiers_and_a_trace_stands_for_a_missing_session() -> None:
    event = event_of({**CHAT, "gen_ai.conversation.id": "Ann's", "enduser.id": "ann@example.org", "user.id": "u-7"})
    assert event.session == Identifier("session:otlp", "Ann's")
    assert event.subjects == {"end_user": (Identifier("email", "ann@example.org"), Identifier("user_id", "u-7"))}
    assert event.owner == Identifier("email", "ann@example.org")
    properties = "traceloop.association.properties."
    legacy = event_of({**CHAT, f"{properties}session_id": "s", f"{properties}user_id": "u"})
    assert (legacy.session, legacy.owner) == (Identifier("session:otlp", "s"), Identifier("user_id", "u"))
    assert event_of(CHAT).session == TRACE


ASKED_BY_ANN = {**CHAT, "gen_ai.conversation.id": "c-1", "enduser.id": "ann@example.org"}
ANNS = (Identifier("session:otlp", "c-1"), Identifier("email", "ann@example.org"))
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f"}


def test_a_tools_span_belongs_to_the_session_and_the_person_that_its_trace_names() -> None:
    """Senders write conversation and user on the chat's span or on the root alone."""
    root = span_of({"http.request.method": "POST", "enduser.id": "ann@example.org", "session.id": "c-1"})
    for naming in (span_of(ASKED_BY_ANN), root):
        document = export_of(span_of(TOOL, spanId="1" * 16), naming)
        tool = FORMAT.describe(document).events[0]
        assert (tool.fields["kind"], tool.session, tool.owner) == ("tool", *ANNS)
        assert tool.subjects == {"end_user": (ANNS[1],)}
        (region,) = FORMAT.describe(document).regions
        assert (region.end, region.session, region.owner) == (len(document), *ANNS)


def test_log_records_of_a_trace_belong_to_the_same_session_and_person() -> None:
    named = {**span_of(ASKED_BY_ANN), "eventName": "gen_ai.user.message", "timeUnixNano": "1"}
    details = {**span_of(CHAT), "eventName": "gen_ai.client.inference.operation.details", "timeUnixNano": "2"}
    for event in FORMAT.describe(logs_of(named, details)).events:
        assert (event.session, event.owner) == ANNS


def test_a_trace_that_names_two_sessions_or_two_persons_gives_none_of_them_away() -> None:
    bob = {**CHAT, "gen_ai.conversation.id": "c-1", "enduser.id": "bob@example.org"}
    tool = FORMAT.describe(export_of(span_of(ASKED_BY_ANN), span_of(bob), span_of(TOOL))).events[2]
    assert (tool.session, tool.owner) == (ANNS[0], None)
    other = {**ASKED_BY_ANN, "gen_ai.conversation.id": "c-2"}
    tool = FORMAT.describe(export_of(span_of(ASKED_BY_ANN), span_of(other), span_of(TOOL))).events[2]
    assert (tool.session, tool.owner) == (TRACE, ANNS[1])


def test_one_person_may_be_named_by_more_identifiers_in_one_place_than_in_another() -> None:
    fuller = {**CHAT, "enduser.id": "ann@example.org", "user.id": "u-7"}
    tool = FORMAT.describe(export_of(span_of({**CHAT, "user.id": "u-7"}), span_of(fuller), span_of(TOOL))).events[2]
    assert tool.subjects == {"end_user": (Identifier("email", "ann@example.org"), Identifier("user_id", "u-7"))}


def test_another_traces_spans_are_left_alone() -> None:
    stranger = span_of(TOOL, traceId="2" * 32)
    tool = FORMAT.describe(export_of(span_of(ASKED_BY_ANN), stranger)).events[1]
    assert (tool.session, tool.owner) == ("2" * 32, None)


def test_slices_are_the_spans_own_bytes_however_the_document_is_written() -> None:
    pretty = orjson.dumps(
        orjson.loads(export_of(span_of(CHAT), span_of({}), span_of(CHAT))), option=orjson.OPT_INDENT_2
    )
    first, second = FORMAT.describe(pretty).events
    for event in (first, second):
        assert orjson.loads(pretty[event.start : event.end]) == span_of(CHAT)
    assert b"resource" not in pretty[first.start : second.end].split(b"spans")[0]


def test_the_envelope_belongs_to_the_one_person_of_the_document_if_there_is_one() -> None:
    ann = {**CHAT, "user.id": "ann", "session.id": "s"}
    document = export_of(span_of(ann), span_of({"user.id": "ann", "session.id": "s"}))
    (region,) = FORMAT.describe(document).regions
    assert (region.start, region.end) == (0, len(document))
    assert (region.session, region.owner) == (Identifier("session:otlp", "s"), Identifier("user_id", "ann"))


def test_a_span_that_is_only_kept_belongs_to_its_person_though_others_share_the_document() -> None:
    other = span_of({"user.id": "bob", "session.id": "t"})
    document = export_of(span_of({**CHAT, "user.id": "ann"}), other)
    (region,) = FORMAT.describe(document).regions
    assert orjson.loads(document[region.start : region.end]) == other
    assert region.owner == Identifier("user_id", "bob")


def test_an_error_names_its_type() -> None:
    fields = event_of({**CHAT, "error.type": "content_filter"}, status={"code": 2, "message": "of Ann"}).fields
    assert (fields["status"], fields["error_type"]) == ("error", "content_filter")
    assert event_of(CHAT, status={"code": 1}).fields["status"] == "ok"
    assert event_of(CHAT, status={}).fields["status"] == "unknown"


def test_only_a_known_environment_stands_in_the_line() -> None:
    named = export_of(span_of(CHAT), resource={"deployment.environment.name": "production"})
    assert FORMAT.describe(named).events[0].fields["environment"] == "production"
    free = export_of(span_of(CHAT), resource={"deployment.environment.name": "ann"})
    assert "environment" not in FORMAT.describe(free).events[0].fields


def test_log_records_point_to_their_span() -> None:
    """The details event repeats the span's call; both are kept, one is not counted."""
    details = {**span_of(CHAT), "eventName": "gen_ai.client.inference.operation.details", "timeUnixNano": "1"}
    score = {
        **span_of({"event.name": "gen_ai.evaluation.result", "gen_ai.evaluation.name": "Relevance"}),
        "timeUnixNano": "2",
    }
    other = {**span_of({"browser": "x"}), "eventName": "browser.page_view"}
    first, second = FORMAT.describe(logs_of(details, score, other)).events
    assert (first.fields["kind"], first.fields["links"][0]["relation"]) == ("inference", "same_as")
    assert (second.fields["kind"], second.fields["links"][0]["relation"]) == ("evaluation", "part_of")
    assert first.fields["links"][0]["source_id"] == f"{TRACE}/{SPAN}"
    assert first.source_id == f"{TRACE}/{SPAN}/gen_ai.client.inference.operation.details/1"


MESSAGE_EVENTS = ("system.message", "user.message", "assistant.message", "tool.message", "choice")


def test_one_call_is_one_inference_whatever_log_records_repeat_of_it() -> None:
    """A record that belongs to a span, or repeats it, says so: what has neither link is the call itself."""
    counts = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
    span = span_of({**CHAT, **counts})
    details = {**span, "eventName": "gen_ai.client.inference.operation.details"}
    messages = [{**span_of({"gen_ai.system": "x"}), "eventName": f"gen_ai.{name}"} for name in MESSAGE_EVENTS]
    logs = [{**log, "timeUnixNano": str(number)} for number, log in enumerate([details, *messages], 1)]
    events = FORMAT.describe(export_of(span)).events + FORMAT.describe(logs_of(*logs)).events
    assert {event.fields["kind"] for event in events} == {"inference"}
    call, repeated, *parts = events
    assert "links" not in call.fields
    link = {"source": "otlp", "source_id": call.source_id}
    assert repeated.fields["links"] == [{"relation": "same_as", **link}]
    assert [part.fields["links"] for part in parts] == [[{"relation": "part_of", **link}]] * len(MESSAGE_EVENTS)
    assert len({event.source_id for event in events}) == len(events)
    assert not any("gen_ai_usage_input_tokens" in part.fields for part in parts)


def test_an_evaluation_among_a_spans_events_is_a_record_without_content() -> None:
    events = [{"name": "gen_ai.evaluation.result", "timeUnixNano": "1544712660300000000", "attributes": []}]
    call, evaluation = FORMAT.describe(export_of(span_of(CHAT, events=events))).events
    assert (evaluation.start, evaluation.end) == (call.end, call.end)
    assert evaluation.fields["kind"] == "evaluation"
    assert evaluation.source_id == f"{call.source_id}/event/0"


def test_structured_messages_and_messages_in_a_string_show_alike() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    for value in (messages, orjson.dumps(messages).decode()):
        rendered = shown(
            {**CHAT, "gen_ai.input.messages": value, "gen_ai.system_instructions": [{"content": "be kind"}]}
        )
        assert texts(rendered.input) == [("system", "text", "be kind"), ("user", "text", "hi")]


def test_numbered_messages_come_in_order_of_their_number() -> None:
    values = {f"gen_ai.prompt.{number}.content": str(number) for number in (10, 2, 0)}
    values |= {"gen_ai.prompt.2.role": "system", "gen_ai.completion.0.tool_calls.0.name": "f"}
    rendered = shown({**CHAT, **values})
    assert texts(rendered.input) == [("user", "text", "0"), ("system", "text", "2"), ("user", "text", "10")]
    assert rendered.output[0].parts[0].name == "f"


def test_tools_show_arguments_and_result() -> None:
    values = {"gen_ai.tool.name": "f", "gen_ai.tool.call.arguments": '{"a":1}', "gen_ai.tool.call.result": "ok"}
    rendered = shown({"gen_ai.operation.name": "execute_tool", **values})
    assert texts(rendered.input) == [("assistant", "tool_call", '{"a":1}')]
    assert texts(rendered.output) == [("tool", "tool_call_response", "ok")]


def test_content_in_span_events_and_log_bodies_is_shown() -> None:
    prompt = {"name": "gen_ai.content.prompt", "attributes": attributes_of({"gen_ai.prompt": "hi"})}
    assert texts(shown(CHAT, events=[prompt]).input) == [("user", "text", "hi")]
    body = value_of({"message": {"content": "yes"}, "finish_reason": "stop"})
    choice = FORMAT.render(orjson.dumps({"eventName": "gen_ai.choice", "body": body}), {})
    assert texts(choice.output) == [("assistant", "text", "yes")]
    said = FORMAT.render(orjson.dumps({"eventName": "gen_ai.user.message", "body": value_of({"content": "hi"})}), {})
    assert texts(said.input) == [("user", "text", "hi")]


def said_event(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "attributes": attributes_of(values)}


def content_event(name: str, content: Any) -> dict[str, Any]:
    """As the Azure AI Inference SDK writes it: JSON in one attribute."""
    return said_event(name, **{"gen_ai.event.content": orjson.dumps(content).decode()})


ASKED = content_event("gen_ai.user.message", {"role": "user", "content": "my question"})
ANSWERED = content_event("gen_ai.choice", {"message": {"content": "my answer"}, "finish_reason": "stop", "index": 0})
WITHOUT_CONTENT = content_event("gen_ai.choice", {"finish_reason": "stop", "index": 0})


def test_messages_in_span_events_are_captured_content_and_shown() -> None:
    call = event_of(CHAT, events=[content_event("gen_ai.system.message", {"content": "be kind"}), ASKED, ANSWERED])
    assert call.fields["capture"] == "complete"
    rendered = shown(CHAT, events=[content_event("gen_ai.system.message", {"content": "be kind"}), ASKED, ANSWERED])
    assert texts(rendered.input) == [("system", "text", "be kind"), ("user", "text", "my question")]
    assert texts(rendered.output) == [("assistant", "text", "my answer")]
    assert rendered.output[0].finish_reason == "stop"


def test_messages_in_span_events_may_have_an_attribute_for_each_key() -> None:
    asked = said_event("gen_ai.user.message", content='[{"text":"hi"}]')
    answered = said_event("gen_ai.choice", message="yes", finish_reason="end_turn")
    assert event_of(CHAT, events=[asked, answered]).fields["capture"] == "complete"
    rendered = shown(CHAT, events=[asked, answered])
    assert texts(rendered.input) == [("user", "text", "hi")]
    assert texts(rendered.output) == [("assistant", "text", "yes")]


@pytest.mark.parametrize(
    ("events", "capture"),
    [
        ([], "not_captured"),
        ([WITHOUT_CONTENT], "not_captured"),
        ([{"name": "gen_ai.choice"}, {"name": "gen_ai.user.message"}, 7], "not_captured"),
        ([ASKED], "unknown"),
        ([ASKED, WITHOUT_CONTENT], "unknown"),
        ([content_event("gen_ai.assistant.message", {"tool_calls": [{"id": "c"}]}), ANSWERED], "complete"),
    ],
)
def test_an_event_without_content_captures_nothing(events: list[Any], capture: str) -> None:
    """With recording switched off, senders still write the events, with finish reasons alone."""
    assert event_of(CHAT, events=events).fields["capture"] == capture


@pytest.mark.parametrize(
    "document",
    [
        b'{"resourceSpans":{}}',
        b'{"resourceSpans":[[]]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":"x"}]}]}',
        b'{"resourceSpans":7}',
        b"{}",
    ],
)
def test_other_shapes_are_refused(document: bytes) -> None:
    with pytest.raises(RejectedInput, match="unknown_shape"):
        FORMAT.describe(document)


def test_repeated_keys_are_flagged_and_the_last_counts() -> None:
    last, hidden = orjson.dumps(span_of(CHAT)), orjson.dumps(span_of(CHAT, spanId="1" * 16))
    document = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%b],"sp\\u0061ns":[%b]}]}]}' % (hidden, last)
    (event,) = FORMAT.describe(document).events
    assert document[event.start : event.end] == last
    assert event.fields["warnings"] == ["duplicate_keys"]
