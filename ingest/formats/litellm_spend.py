"""Rows of LiteLLM's spend table, as its loggers and ``/spend/logs`` export them.

They hold tokens, cost and identity of a call; messages only where the proxy stores prompts. Objects and lists
inside are JSON in strings. The same call may also be there as a payload: both have ``litellm_call_id``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats.base import Described, Event, Format, Framing, Identifier, RejectedInput, Rendered
from ingest.formats.fields import embedded, load_object, mapping, opaque
from ingest.formats.litellm import (
    SOURCE,
    add_warnings,
    call_fields,
    capture_notes,
    derived,
    people_of,
    request_messages,
    response_messages,
    session_of,
)
from ingest.formats.litellm_document import Call, describe_calls, holds_calls
from ingest.formats.messages import unreadable

_TRUNCATION = b"litellm_truncated"


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is a spend row, or an array of them."""
    return holds_calls(value, _is_row)


def _is_row(value: Any) -> bool:
    return type(value) is dict and "request_id" in value and "call_type" in value and "spend" in value


def describe(document: bytes) -> Described:
    """Each row as the record of a call, followed by those of its guardrails and MCP tool. Raises RejectedInput."""
    return describe_calls(document, _is_row, _records)


def _records(call: Call) -> Iterator[Event]:
    row = call.value
    metadata = mapping(embedded(row.get("metadata")))
    error = row.get("error_information") or metadata.get("error_information")
    fields, withheld = call_fields({**row, "error_information": error}, metadata)
    call_id, request_id = opaque(row.get("litellm_call_id")), opaque(row.get("request_id"))
    fields["capture"] = _capture(call.bytes, row)
    payload_id = call_id or request_id  # the payload's record has the response's id where it has no call's id
    if payload_id is not None:
        fields["links"] = [{"relation": "same_as", "source": SOURCE, "source_id": payload_id}]
    add_warnings(fields, withheld=withheld, repeated=call.repeated)
    subjects, owner = _people(row, metadata)
    source_id = f"spend/{request_id}" if request_id else None
    event = Event(call.start, call.end, fields, session_of(row), subjects, owner, source_id, call.position)
    yield event
    yield from derived(row, metadata, event)


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """Messages where the row has them, and what was spent."""
    if not content:
        return Rendered(notes=("this verdict or call stands inside the record that it is part of",))
    try:
        row = load_object(content)
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    spend = row.get("spend")
    facts = (("spend", str(spend)),) if type(spend) in (int, float) else ()
    messages = embedded(row.get("messages")) or mapping(embedded(row.get("proxy_server_request")))
    return Rendered(
        request_messages(messages), response_messages(embedded(row.get("response"))), facts, capture_notes(fields)
    )


def _capture(content: bytes, row: Mapping[str, Any]) -> str:
    messages = embedded(row.get("messages")) or mapping(embedded(row.get("proxy_server_request"))).get("messages")
    response = embedded(row.get("response"))
    if not messages and not response:
        return "not_captured"
    if _TRUNCATION in content:
        return "truncated"
    return "complete" if messages and (response or row.get("status") == "failure") else "unknown"


def _people(
    row: Mapping[str, Any], metadata: Mapping[str, Any]
) -> tuple[dict[str, tuple[Identifier, ...]], Identifier | None]:
    """A row names the key and its holder in columns; the metadata repeats them, but not always."""
    holder = row.get("user") or metadata.get("user_api_key_user_id")
    key = row.get("api_key") or metadata.get("user_api_key")
    return people_of(row, {**metadata, "user_api_key_user_id": holder, "user_api_key_hash": key})


FORMAT = Format("litellm_spend", 1, (Framing.LINES, Framing.DOCUMENT), matches, describe, render)
