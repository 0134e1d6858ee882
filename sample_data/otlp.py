"""The employees' policy assistant as OTLP/JSON GenAI spans: one export request a line, one trace a turn."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from sample_data.people import PEOPLE
from sample_data.play import Act, Message
from sample_data.script import Scene, ToolUse, opaque_id, session_id
from sample_data.story import MODEL, in_force

_CLIENT = 3
_INTERNAL = 1
_ERROR = 2
_SCOPE = {"name": "harbour_vale.policy_assistant", "version": "0.9.2"}


def session_lines(scene: Scene, acts: list[Act]) -> list[tuple[int, dict[str, Any]]]:
    """Every turn of a session as (time of export, TracesData)."""
    spoken = [act for act in acts if act.kind in ("inference", "tool")]
    return [_export(scene, list(turn)) for _, turn in groupby(spoken, key=lambda act: act.trace)]


def _export(scene: Scene, turn: list[Act]) -> tuple[int, dict[str, Any]]:
    service = {
        "service.name": "policy-assistant",
        "service.version": "0.9.2",
        "deployment.environment.name": "production",
    }
    scope_spans = [{"scope": _SCOPE, "spans": [_span(scene, act) for act in turn]}]
    resource_spans = [{"resource": {"attributes": _attributes(service)}, "scopeSpans": scope_spans}]
    return turn[-1].end, {"resourceSpans": resource_spans}


def _span(scene: Scene, act: Act) -> dict[str, Any]:
    span = {
        "traceId": act.trace,
        "spanId": opaque_id(act.id, "span"),
        "name": f"execute_tool {act.tool.name}" if act.tool else f"chat {MODEL}",
        "kind": _INTERNAL if act.tool else _CLIENT,
        "startTimeUnixNano": _nanoseconds(act.start, act.id),
        "endTimeUnixNano": _nanoseconds(act.end, act.id),
        "attributes": _attributes(_tool(scene, act, act.tool) if act.tool else _chat(scene, act)),
        "status": {"code": _ERROR} if act.error_type else {},
    }
    return span | ({"parentSpanId": opaque_id(act.call, "span")} if act.tool else {})


def _common(scene: Scene) -> dict[str, Any]:
    return {"gen_ai.conversation.id": session_id(scene.key), "user.id": PEOPLE[scene.person].number}


def _chat(scene: Scene, act: Act) -> dict[str, Any]:
    return _common(scene) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": f"{MODEL}-{in_force(MODEL, act.start)}",
        "gen_ai.response.id": f"cmpl-{opaque_id(act.id, 'response')}",
        "gen_ai.response.finish_reasons": [act.finish_reason],
        "gen_ai.usage.input_tokens": act.input_tokens,
        "gen_ai.usage.output_tokens": act.output_tokens,
        "gen_ai.input.messages": _text([*act.history, *act.given]),
        "gen_ai.output.messages": _text([message | {"finish_reason": act.finish_reason} for message in act.made]),
    }


def _tool(scene: Scene, act: Act, use: ToolUse) -> dict[str, Any]:
    return _common(scene) | {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": use.name,
        "gen_ai.tool.call.id": act.tool_call,
        "gen_ai.tool.call.arguments": json.dumps(use.arguments, ensure_ascii=False),
        "gen_ai.tool.call.result": json.dumps(use.result, ensure_ascii=False),
    }


def _text(messages: list[Message]) -> str:
    return json.dumps(messages, ensure_ascii=False)


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | int | list[str]) -> dict[str, Any]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
    return {"stringValue": value}


def _nanoseconds(at: int, seed: str) -> str:
    return f"{at}{int(opaque_id(seed, 'nanoseconds'), 16) % 1000:03d}"
