"""A GenAI span or log record as a person reads it: messages, tool calls, and the other attributes by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats.base import Message, Part, RejectedInput, Rendered
from ingest.formats.fields import embedded, load_object, mapping
from ingest.formats.messages import (
    as_text,
    choice_message,
    genai_message,
    genai_messages,
    openai_message,
    unreadable,
)
from ingest.formats.otlp_attributes import attributes, event_message, plain

_NUMBERED = re.compile(r"gen_ai\.(prompt|completion)\.(\d{1,6})\.(.+)\Z", re.ASCII)
_TOOL_CALL = re.compile(r"tool_calls\.(\d{1,6})\.(.+)\Z", re.ASCII)
_SHOWN = frozenset(
    (
        "gen_ai.system_instructions",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.prompt",
        "gen_ai.completion",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
    )
)
_CHUNK = "gen_ai.content.completion.chunk"

Json = Mapping[str, Any]


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """The messages of one span or log record, whichever generation of names they have; everything else as facts."""
    if not content:
        return Rendered(notes=("this evaluation stands inside the record that it is part of",))
    try:
        item = load_object(content)
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    found = attributes(item.get("attributes"))
    body = plain(item.get("body"))
    if type(body) is dict and any(name.startswith("gen_ai.") for name in body):
        found, body = {**body, **found}, None
    events = [mapping(event) for event in item["events"]] if type(item.get("events")) is list else []
    inputs, outputs = _attribute_messages(found)
    more_inputs, more_outputs = _event_messages(events)
    said = _body_message(as_text(item.get("eventName") or found.get("event.name")), body)
    return Rendered(
        inputs + more_inputs + (said if said and said[0].role != "assistant" else ()),
        outputs + more_outputs + (said if said and said[0].role == "assistant" else ()),
        tuple(_facts(item, found, events)),
        tuple(_notes(fields, events)),
    )


def _attribute_messages(found: Json) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    inputs = _system(embedded(found.get("gen_ai.system_instructions")))
    inputs += genai_messages(found.get("gen_ai.input.messages") or found.get("gen_ai.prompt"))
    outputs = tuple(
        message if message.role != "user" else Message("assistant", message.parts)
        for message in genai_messages(found.get("gen_ai.output.messages") or found.get("gen_ai.completion"))
    )
    name, call_id = as_text(found.get("gen_ai.tool.name")), as_text(found.get("gen_ai.tool.call.id"))
    if "gen_ai.tool.call.arguments" in found:
        part = Part("tool_call", as_text(found["gen_ai.tool.call.arguments"]), name, call_id)
        inputs += (Message("assistant", (part,)),)
    if "gen_ai.tool.call.result" in found:
        part = Part("tool_call_response", as_text(found["gen_ai.tool.call.result"]), name, call_id)
        outputs += (Message("tool", (part,)),)
    return inputs + _numbered(found, "prompt"), outputs + _numbered(found, "completion")


def _system(instructions: Any) -> tuple[Message, ...]:
    """System instructions are a list of parts without a role of their own."""
    if not instructions:
        return ()
    if type(instructions) is list:
        return (Message("system", genai_message({"role": "system", "parts": instructions}).parts),)
    return (Message("system", (Part("text", as_text(instructions)),)),)


def _numbered(found: Json, side: str) -> tuple[Message, ...]:
    """Messages spread over attributes ``gen_ai.prompt.<i>.<key>``, in order of the number, not of its text."""
    messages: dict[int, dict[str, Any]] = {}
    for name, value in found.items():
        match = _NUMBERED.match(name)
        if match is not None and match.group(1) == side:
            messages.setdefault(int(match.group(2)), {})[match.group(3)] = value
    role = "user" if side == "prompt" else "assistant"
    return tuple(_from_keys({"role": role, **messages[number]}) for number in sorted(messages))


def _from_keys(keys: dict[str, Any]) -> Message:
    calls: dict[int, dict[str, Any]] = {}
    for name, value in keys.items():
        match = _TOOL_CALL.match(name)
        if match is not None:
            calls.setdefault(int(match.group(1)), {})[match.group(2)] = value
    return openai_message(
        {**keys, "content": embedded(keys.get("content")), "tool_calls": [calls[number] for number in sorted(calls)]}
    )


def _event_messages(events: list[Json]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Content that senders write as events of the span, in either of the former ways."""
    inputs: tuple[Message, ...] = ()
    outputs: tuple[Message, ...] = ()
    for event in events:
        name = as_text(event.get("name"))
        if name == "gen_ai.content.prompt":
            inputs += genai_messages(attributes(event.get("attributes")).get("gen_ai.prompt"))
        elif name == "gen_ai.content.completion":
            outputs += genai_messages(attributes(event.get("attributes")).get("gen_ai.completion"))
        elif name == "gen_ai.choice":
            outputs += _body_message(name, event_message(event) or None)
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            inputs += _body_message(name, event_message(event) or None)
    return inputs, outputs


def _body_message(name: str, body: Any) -> tuple[Message, ...]:
    """The body of ``gen_ai.<role>.message`` and ``gen_ai.choice`` events; other bodies as they are."""
    if body is None or body == "":
        return ()
    if name == "gen_ai.choice":
        return (choice_message(body),)
    if type(body) is dict and name.startswith("gen_ai.") and name.endswith(".message"):
        return (openai_message({"role": name[7:-8], **body}),)
    return (Message("", (Part("text", as_text(body)),)),)


def _facts(item: Json, found: Json, events: list[Json]) -> Iterator[tuple[str, str]]:
    if item.get("name"):
        yield "span", as_text(item["name"])
    for name, value in found.items():
        if name not in _SHOWN and not _NUMBERED.match(name):
            yield name, as_text(value)
    if reason := mapping(item.get("status")).get("message"):
        yield "status", as_text(reason)
    for event in events:
        if event.get("name") == "exception":
            yield "exception", as_text(attributes(event.get("attributes")).get("exception.message"))


def _notes(fields: Mapping[str, Any], events: list[Json]) -> Iterator[str]:
    if fields.get("capture") == "not_captured":
        yield "the source captured no messages"
    chunks = sum(event.get("name") == _CHUNK for event in events)
    if chunks:
        yield f"{chunks} streamed chunks are kept in the bytes and not listed here"
