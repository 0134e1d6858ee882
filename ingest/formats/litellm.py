"""LiteLLM's StandardLoggingPayload: one object per call, as its S3, GCS and custom loggers write it.

The call is one record over all bytes of the object. Verdicts of guardrails and the call of an MCP tool stand inside the
same bytes, so their records have no content of their own and point to the call (``part_of``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ingest.formats.base import Described, Event, Format, Framing, Identifier, Message, RejectedInput, Rendered
from ingest.formats.fields import (
    count,
    embedded,
    identify,
    load_object,
    mapping,
    opaque,
    repeated_opaque,
    rfc3339,
)
from ingest.formats.litellm_calls import classify
from ingest.formats.litellm_document import Call, describe_calls, holds_calls
from ingest.formats.messages import as_text, choice_message, genai_messages, openai_messages, unreadable

SOURCE = "litellm"
REDACTED = "redacted-by-litellm"

Json = Mapping[str, Any]

PROXY_ADMIN = "default_user_id"
"""What LiteLLM writes for whoever holds the proxy's master key: the installation itself, never a person."""

_VERDICTS = {
    "success": "allowed",
    "guardrail_flagged": "flagged",
    "guardrail_intervened": "blocked",
    "guardrail_failed_to_respond": "failed_to_respond",
    "not_run": "not_run",
}
_PERSON_FIELDS = ("user_api_key_end_user_id", "user_api_key_user_id")
_STATUSES = {"success": "ok", "failure": "error"}
_TOTALS = {"prompt_tokens": "gen_ai_usage_input_tokens", "completion_tokens": "gen_ai_usage_output_tokens"}
_PARTS_OF_USAGE = {
    "gen_ai_usage_cache_read_input_tokens": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("", "cache_read_input_tokens"),
    ),
    "gen_ai_usage_cache_creation_input_tokens": (
        ("prompt_tokens_details", "cache_creation_tokens"),
        ("", "cache_creation_input_tokens"),
    ),
    "gen_ai_usage_reasoning_output_tokens": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    ),
}
"""Where a usage object has a part of the counts: chat completions, Responses, Anthropic's messages."""


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is a payload, or an array of them."""
    return holds_calls(value, _is_payload)


def _is_payload(value: Any) -> bool:
    """A StandardLoggingPayload; spend rows have ``request_id`` instead of ``id``."""
    return (
        type(value) is dict
        and "call_type" in value
        and "request_id" not in value
        and ("litellm_call_id" in value or "id" in value)
        and ("startTime" in value or "status" in value)
        and ("messages" in value or "response" in value or "metadata" in value)
    )


def describe(document: bytes) -> Described:
    """Each payload as the record of a call, then those of its guardrails and MCP tool. Raises RejectedInput."""
    return describe_calls(document, _is_payload, _records)


def _records(call: Call) -> Iterator[Event]:
    value = call.value
    metadata = mapping(embedded(value.get("metadata")))
    fields, withheld = call_fields(value, metadata)
    call_id = opaque(value.get("litellm_call_id")) or opaque(value.get("id"))
    capture = _capture(value, fields.get("status"))
    if capture is not None:
        fields["capture"] = capture
    add_warnings(fields, withheld=withheld, repeated=call.repeated)
    subjects, owner = people_of(value, metadata)
    event = Event(call.start, call.end, fields, session_of(value), subjects, owner, call_id, call.position)
    yield event
    yield from derived(value, metadata, event)


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """The request's messages as input (with all history it repeats) and the response's choices as output."""
    if not content:
        return Rendered(notes=("this verdict or call stands inside the record that it is part of",))
    try:
        value = load_object(content)
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    error = mapping(value.get("error_information"))
    facts = [("error", as_text(error.get("error_message")) or as_text(value.get("error_str")))]
    metadata = mapping(embedded(value.get("metadata")))
    facts += [("guardrail", as_text(entry)) for entry in _guardrails(value, metadata)]
    facts += [("mcp tool call", as_text(metadata.get("mcp_tool_call_metadata")))]
    return Rendered(
        request_messages(embedded(value.get("messages"))),
        response_messages(embedded(value.get("response"))),
        tuple((label, text) for label, text in facts if text),
        capture_notes(fields),
    )


def call_fields(value: Json, metadata: Json) -> tuple[dict[str, Any], bool]:
    """The line fields that payloads and spend rows have in common, and whether one was withheld."""
    kind, operation = classify(value.get("call_type"))
    fields: dict[str, Any] = {"kind": kind, "source": SOURCE}
    if operation is not None:
        fields["gen_ai_operation_name"] = operation
    status = value.get("status")
    fields["status"] = _STATUSES.get(status, "unknown") if type(status) is str else "unknown"
    _read_times(fields, value.get("startTime"), value.get("endTime"))
    response = mapping(embedded(value.get("response")))
    error = mapping(value.get("error_information"))
    is_tool = operation == "execute_tool"
    model = None if is_tool else value.get("model")  # LiteLLM names the tool there, in words
    withheld = _put_codes(fields, opaque, ("gen_ai_response_id", response.get("id")))
    withheld |= _put_codes(
        fields,
        repeated_opaque,
        ("gen_ai_provider_name", value.get("custom_llm_provider")),
        ("gen_ai_request_model", value.get("model_group") or model),
        ("gen_ai_response_model", response.get("model")),
        ("gen_ai_tool_name", _tool_name(value, metadata) if is_tool else None),
        ("error_type", error.get("error_class")),
    )
    named = repeated_opaque(model)
    if named is not None:
        fields["model_ref"] = {"name": named}
    _read_usage(fields, value, (mapping(response.get("usage")), mapping(metadata.get("usage_object"))))
    finished = _finish_reasons(response)
    if finished:
        fields["gen_ai_response_finish_reasons"] = finished
    return fields, withheld


def session_of(value: Json) -> Identifier | None:
    """The session, else the trace: both are free strings that a caller chooses, so neither stands in a line."""
    session = value.get("session_id") or value.get("trace_id")
    return Identifier("session:litellm", as_text(session)) if session else None


def people_of(value: Json, metadata: Json) -> tuple[dict[str, tuple[Identifier, ...]], Identifier | None]:
    """Subjects by role, and the owner. The key's holder is the end user only where no end user is named."""
    named = _identifiers(value.get("end_user"), metadata.get("user_api_key_end_user_id"))
    holder = _identifiers(metadata.get("user_api_key_user_id"), metadata.get("user_api_key_user_email"))
    key = metadata.get("user_api_key_hash") or metadata.get("user_api_key")
    subjects: dict[str, tuple[Identifier, ...]] = {}
    if named and holder:
        subjects["actor"] = holder
    if people := named or holder:
        subjects["end_user"] = people
    services = [Identifier("api_key:litellm", key)] if key and type(key) is str else []
    if PROXY_ADMIN in (value.get("end_user"), *(metadata.get(name) for name in _PERSON_FIELDS)):
        services.append(Identifier("user_id:litellm", PROXY_ADMIN))
    if services:
        subjects["service"] = tuple(services)
    return subjects, people[0] if people else None


def derived(value: Json, metadata: Json, call: Event) -> Iterator[Event]:
    """The records that stand inside a call's bytes: guardrail verdicts and the MCP tool that was called."""
    for number, entry in enumerate(_guardrails(value, metadata)):
        yield _inside(call, f"guardrail/{number}", _verdict(mapping(entry)))
    tool = metadata.get("mcp_tool_call_metadata")
    if type(tool) is dict and call.fields["kind"] != "tool":
        fields = {"kind": "tool", "gen_ai_operation_name": "execute_tool", "time_basis": "none"}
        name = opaque(tool.get("name"))
        if name is not None:
            fields["gen_ai_tool_name"] = name
        yield _inside(call, "mcp/0", fields)


def add_warnings(fields: dict[str, Any], *, withheld: bool, repeated: bool) -> None:
    """Write ``warnings`` where there is one."""
    warnings = ["duplicate_keys"] * repeated + ["field_withheld"] * withheld
    if warnings:
        fields["warnings"] = warnings


def request_messages(messages: Any) -> tuple[Message, ...]:
    """The request as messages; a dict without a role (an embedding's or image's input) is shown as JSON."""
    if type(messages) is dict and "messages" in messages:
        return openai_messages(messages["messages"])
    return openai_messages(messages) if messages else ()


def response_messages(response: Any) -> tuple[Message, ...]:
    """The response's choices, a Responses API output list, an Anthropic message, or whatever was logged."""
    if not response:
        return ()
    if type(response) is dict:
        choices, output = response.get("choices"), response.get("output")
        if type(choices) is list:
            return tuple(choice_message(choice) for choice in choices)
        if type(output) is list:
            return genai_messages(output)
    return tuple(
        Message(message.role or "assistant", message.parts, message.name, message.finish_reason)
        for message in openai_messages([response] if type(response) is not list else response)
    )


def capture_notes(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What the record line says of missing content, in words."""
    note = _CAPTURE_NOTES.get(fields.get("capture", ""))
    return (note,) if note else ()


_CAPTURE_NOTES = {
    "not_captured": "the source recorded no messages",
    "redacted": "the source removed the messages before it wrote this record",
    "truncated": "the source cut the messages",
}


def _read_times(fields: dict[str, Any], began: Any, ended: Any) -> None:
    occurred_at, fields["time_basis"] = rfc3339(began)
    ended_at, _ = rfc3339(ended)
    if occurred_at is not None:
        fields["occurred_at"] = occurred_at
    if ended_at is not None:
        fields["ended_at"] = ended_at


def _put_codes(fields: dict[str, Any], reader: Callable[[Any], str | None], *codes: tuple[str, Any]) -> bool:
    """Write what is there and opaque; returns whether something was there and is not."""
    withheld = False
    for name, code in codes:
        if code:
            text = reader(code)
            if text is None:
                withheld = True
            else:
                fields[name] = text
    return withheld


def _tool_name(value: Json, metadata: Json) -> Any:
    """The tool of an MCP call; a spend row may have it in a column alone."""
    return mapping(metadata.get("mcp_tool_call_metadata")).get("name") or value.get("mcp_namespaced_tool_name")


def _read_usage(fields: dict[str, Any], value: Json, usages: Sequence[Json]) -> None:
    """Token counts. A sender may fill one dialect's form and leave another's at 0, so the largest number counts."""
    for name, field in _TOTALS.items():
        read = count(value.get(name))
        if read is not None:
            fields[field] = read
    usages = [usage for usage in usages if usage]
    if not usages:
        return
    for field, places in _PARTS_OF_USAGE.items():
        found = [
            count((mapping(usage.get(group)) if group else usage).get(name))
            for usage in usages
            for group, name in places
        ]
        counts = [number for number in found if number is not None]
        if counts:
            fields[field] = max(counts)


def _finish_reasons(response: Json) -> list[str]:
    choices = response.get("choices")
    if type(choices) is not list:
        return []
    reasons = [repeated_opaque(choice.get("finish_reason")) for choice in choices if type(choice) is dict]
    return [reason for reason in reasons if reason]


def _capture(value: Json, status: Any) -> str | None:
    """What was logged of the content. A failed call has no response, so its request alone is complete."""
    messages, response = embedded(value.get("messages")), embedded(value.get("response"))
    if not messages and not response:
        return "not_captured"
    if _is_redacted(messages) or _is_redacted(response):
        return "redacted"
    return "complete" if messages and (response or status == "error") else "unknown"


def _is_redacted(logged: Any) -> bool:
    """Whether LiteLLM's marker stands where the content would be, at any of the places its loggers write it."""
    if type(logged) is list:
        logged = logged[-1] if logged else None
    if type(logged) is not dict:
        return bool(logged == REDACTED)
    choices = logged.get("choices")
    if type(choices) is list and choices:
        logged = mapping(choices[0])
        logged = mapping(logged.get("message")) or logged
    return REDACTED in (logged.get("content"), logged.get("text"))


def _identifiers(*values: Any) -> tuple[Identifier, ...]:
    found = [identify(value) for value in values if value and value != PROXY_ADMIN]
    return tuple(dict.fromkeys(person for person in found if person))


def _guardrails(value: Json, metadata: Json) -> list[Any]:
    logged = value.get("guardrail_information") or metadata.get("guardrail_information")
    return logged if type(logged) is list else [logged] if type(logged) is dict else []


def _verdict(entry: Json) -> dict[str, Any]:
    status, masked = entry.get("guardrail_status"), entry.get("masked_entity_count")
    decision = _VERDICTS.get(status) if type(status) is str else None
    if masked and status in ("success", "guardrail_intervened"):
        decision = "masked"
    fields: dict[str, Any] = {"kind": "policy"}
    if decision is None:
        fields["warnings"] = ["field_withheld"]
    else:
        fields["decision"] = decision
    _read_times(fields, entry.get("start_time"), entry.get("end_time"))
    return fields


def _inside(call: Event, place: str, fields: dict[str, Any]) -> Event:
    fields["source"] = SOURCE
    source_id = None
    if call.source_id is not None:
        fields["links"] = [{"relation": "part_of", "source": SOURCE, "source_id": call.source_id}]
        source_id = f"{call.source_id}/{place}"
    position = f"{call.position}/{place}" if call.position else place
    return Event(call.end, call.end, fields, call.session, call.subjects, call.owner, source_id, position)


FORMAT = Format("litellm", 1, (Framing.LINES, Framing.DOCUMENT), matches, describe, render)
