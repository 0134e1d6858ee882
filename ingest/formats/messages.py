"""Chat messages of any dialect as Message and Part: OpenAI chat, Anthropic blocks, Responses items, OTel GenAI.

Nothing here raises, whatever the JSON value: a replay must show what it can, and an unknown part type is
kept under the source's own word with all of its fields (GenericPart in the GenAI conventions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ingest.formats.base import Message, Part, Rendered
from ingest.formats.fields import embedded

Json = Mapping[str, Any]

_TEXT_TYPES = frozenset(("text", "input_text", "output_text"))
MAX_SHOWN = 65_536
"""Bytes of unreadable content that are shown; the rest stays available through reconstruction."""

_TOO_DEEP = "(nested too deeply to show)"


def as_text(value: Any) -> str:
    """A JSON value as display text: a string as it is, null as "", everything else as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return _TOO_DEEP


def openai_messages(value: Any) -> tuple[Message, ...]:
    """The messages of an OpenAI-style request: a list of messages, a single one, or a plain prompt string."""
    return _each(value, openai_message)


def genai_messages(value: Any) -> tuple[Message, ...]:
    """The messages of ``gen_ai.input.messages`` or ``gen_ai.output.messages``, structured or as a JSON string."""
    return _each(embedded(value), genai_message)


def openai_message(value: Any) -> Message:
    """One OpenAI-style message: content as string, list of parts or null; tool calls; refusal; tool result."""
    if not isinstance(value, Mapping):
        return Message("", (Part("text", as_text(value)),))
    role = as_text(value.get("role")) or as_text(value.get("type"))
    name, call_id = as_text(value.get("name")), as_text(value.get("tool_call_id"))
    parts: list[Part] = []
    if thought := value.get("reasoning_content"):
        parts.append(Part("reasoning", as_text(thought)))
    if "role" not in value and "type" in value:
        return Message(_item_role(value), (_part(value),))
    content = value.get("content")
    if role in ("tool", "function"):
        parts.append(Part("tool_call_response", _joined(content), name, call_id))
    else:
        parts.extend(_content_parts(content))
    if refusal := value.get("refusal"):
        parts.append(Part("refusal", as_text(refusal)))
    parts.extend(_tool_call(call) for call in _list(value.get("tool_calls")))
    if legacy := value.get("function_call"):
        parts.append(_tool_call(legacy))
    return Message(role, tuple(parts), name, as_text(value.get("finish_reason")))


def genai_message(value: Any) -> Message:
    """One message of the OTel GenAI conventions: role, parts, and for output a finish reason."""
    if not isinstance(value, Mapping) or "parts" not in value:
        return openai_message(value)
    parts = tuple(_part(part) for part in _list(value["parts"]))
    return Message(as_text(value.get("role")), parts, as_text(value.get("name")), as_text(value.get("finish_reason")))


def choice_message(choice: Any) -> Message:
    """One element of an OpenAI response's ``choices``: its message, or the text of the older completions API."""
    if not isinstance(choice, Mapping):
        return openai_message(choice)
    finish = as_text(choice.get("finish_reason"))
    message = choice.get("message")
    if message is None:
        return Message("assistant", _content_parts(choice.get("text")), finish_reason=finish)
    shown = openai_message(message)
    return Message(shown.role or "assistant", shown.parts, shown.name, finish)


def unreadable(content: bytes, reason: str) -> Rendered:
    """Content that its adapter cannot read, shown as text as far as it goes, with the reason as a note."""
    text = content[:MAX_SHOWN].decode("utf-8", "replace")
    notes = [f"shown as plain text: {reason}"]
    if len(content) > MAX_SHOWN:
        notes.append(f"only the first {MAX_SHOWN} of {len(content)} bytes are shown")
    return Rendered(facts=(("content", text),) if text else (), notes=tuple(notes))


def _each(value: Any, one: Callable[[Any], Message]) -> tuple[Message, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (Message("user", (Part("text", value),)),)
    return tuple(one(item) for item in value) if isinstance(value, list) else (one(value),)


def _content_parts(content: Any) -> tuple[Part, ...]:
    if content is None or content == "":
        return ()
    if isinstance(content, list):
        return tuple(_part(part) for part in content)
    return (_part(content),)


def _joined(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(_part(part).text for part in content)
    return as_text(content)


def _part(value: Any) -> Part:
    if not isinstance(value, Mapping):
        return Part("text", as_text(value))
    kind = as_text(value.get("type")) or "text"
    if kind in _TEXT_TYPES:
        return Part("text", as_text(value.get("text", value.get("content"))))
    reader = _PART_READERS.get(kind)
    return reader(value) if reader else Part(kind, as_text(dict(value)), as_text(value.get("name")))


def _reasoning(value: Json) -> Part:
    shown = next((value[key] for key in ("content", "thinking", "text", "summary") if value.get(key)), None)
    return Part("reasoning", _joined(shown))


def _tool_call(value: Any) -> Part:
    """A call in any dialect: arguments stay as the source wrote them, so a JSON string is not re-encoded."""
    if not isinstance(value, Mapping):
        return Part("tool_call", as_text(value))
    function = value.get("function")
    call = function if isinstance(function, Mapping) else value
    arguments = call.get("arguments", call.get("input"))
    call_id = as_text(value.get("call_id")) or as_text(value.get("id"))
    return Part("tool_call", as_text(arguments), as_text(call.get("name")), call_id)


def _tool_response(value: Json) -> Part:
    shown = next((value[key] for key in ("response", "result", "output", "content") if key in value), None)
    call_id = next((value[key] for key in ("id", "tool_use_id", "call_id") if value.get(key)), None)
    return Part("tool_call_response", _joined(shown), as_text(value.get("name")), as_text(call_id))


def _server_tool_call(value: Json) -> Part:
    return Part(
        "server_tool_call", as_text(value.get("server_tool_call")), as_text(value.get("name")), as_text(value.get("id"))
    )


def _server_tool_response(value: Json) -> Part:
    response = as_text(value.get("server_tool_call_response"))
    return Part("server_tool_call_response", response, "", as_text(value.get("id")))


def _blob(value: Json) -> Part:
    """Binary data is announced, not printed: its base64 would fill the screen and tell nobody anything."""
    size = len(as_text(value.get("content"))) * 3 // 4
    return Part("blob", f"{_media(value)}, about {size} bytes")


def _uri(value: Json) -> Part:
    return Part("uri", as_text(value.get("uri")), _media(value))


def _file(value: Json) -> Part:
    return Part("file", as_text(value.get("file_id", value.get("file"))), _media(value))


def _image_url(value: Json) -> Part:
    image = value.get("image_url")
    address = as_text(image.get("url") if isinstance(image, Mapping) else image)
    if address.startswith("data:"):
        return Part("blob", f"{address[5:].partition(';')[0]}, about {len(address) * 3 // 4} bytes")
    return Part("uri", address, "image")


def _refusal(value: Json) -> Part:
    return Part("refusal", as_text(value.get("refusal")))


def _media(value: Json) -> str:
    return as_text(value.get("mime_type")) or as_text(value.get("modality")) or "data"


def _item_role(value: Json) -> str:
    """The Responses API lists calls and reasoning beside messages, without a role of their own."""
    return "tool" if _PART_READERS.get(as_text(value.get("type"))) is _tool_response else "assistant"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


_PART_READERS: dict[str, Callable[[Json], Part]] = {
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "tool_call": _tool_call,
    "tool_use": _tool_call,
    "function_call": _tool_call,
    "tool_call_response": _tool_response,
    "tool_result": _tool_response,
    "function_call_output": _tool_response,
    "server_tool_call": _server_tool_call,
    "server_tool_call_response": _server_tool_response,
    "blob": _blob,
    "uri": _uri,
    "file": _file,
    "image_url": _image_url,
    "input_image": _image_url,
    "refusal": _refusal,
}
