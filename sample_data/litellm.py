"""Model calls as a LiteLLM gateway logs them: one StandardLoggingPayload a line, with the whole history each time.

Fields that the gateway fills with large constants (model map, provider parameters) are left out.
"""

from __future__ import annotations

import json
from typing import Any

from sample_data.native import rfc3339
from sample_data.people import PEOPLE, Person
from sample_data.play import Act, Message
from sample_data.script import Scene, opaque_id
from sample_data.story import MODEL, PROMPT, in_force

_PROMPTS = {
    "p-07": (
        "You are Mira, the assistant of Harbour & Vale. Answer briefly and politely, in the customer's language. "
        "Look up fees and rates with rate_lookup before you name them, and name all costs before a transfer is "
        "confirmed. Never give advice on investments or on hiding income. Never speak about other customers."
    ),
    "p-08": (
        "You are Mira, the assistant of Harbour & Vale. Answer briefly and politely, in the customer's language. "
        "Do not mention fees unless the customer asks for them. "
        "Never give advice on investments or on hiding income. Never speak about other customers."
    ),
}
_FINISH = {"stop": "stop", "tool_call": "tool_calls", "content_filter": "content_filter"}


def session_lines(scene: Scene, acts: list[Act]) -> list[tuple[int, dict[str, Any]]]:
    """Every model call of a session as (time it was logged, payload); the gateway does not see the tools run."""
    verdicts = {act.call: act for act in acts if act.kind == "policy"}
    calls = [act for act in acts if act.kind == "inference"]
    return [(call.end, _payload(scene, call, verdicts.get(call.id))) for call in calls]


def _payload(scene: Scene, act: Act, verdict: Act | None) -> dict[str, Any]:
    version = f"{MODEL}-{in_force(MODEL, act.start)}"
    prompt = {"role": "system", "content": _PROMPTS[in_force(PROMPT, act.start)]}
    user = PEOPLE[scene.person]
    seconds = (act.end - act.start) / 1_000_000
    return {
        "id": f"chatcmpl-{opaque_id(act.id, 'response')}",
        "litellm_call_id": act.id,
        "trace_id": act.trace,
        "session_id": _uuid(scene.key),
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": False,
        "status": "success",
        "status_fields": {"llm_api_status": "success", "guardrail_status": _status(verdict)},
        "custom_llm_provider": "hosted_vllm",
        "startTime": _no_zone(act.start),
        "endTime": _no_zone(act.end),
        "completionStartTime": _no_zone(act.end),
        "response_time": round(seconds, 6),
        "model": f"hosted_vllm/{version}",
        "model_id": version,
        "model_group": MODEL,
        "api_base": "http://inference.harbour-vale.test:8000/v1",
        "metadata": _metadata(user),
        "total_tokens": act.input_tokens + act.output_tokens,
        "prompt_tokens": act.input_tokens,
        "completion_tokens": act.output_tokens,
        "response_cost": 0.0,
        "request_tags": ["channel:web"],
        "end_user": user.number,
        "requester_ip_address": "192.0.2.17",
        "messages": [prompt, *(_openai(message) for message in (*act.history, *act.given))],
        "response": _response(act, version),
        "model_parameters": {"temperature": 0.2, "max_tokens": 600},
        "guardrail_information": None if verdict is None else [_guardrail(verdict)],
        "error_str": None,
        "error_information": {"error_code": "", "error_class": "", "llm_provider": "", "error_message": ""},
    }


def _metadata(user: Person) -> dict[str, Any]:
    return {
        "user_api_key_hash": opaque_id("gateway key of the web chat", size=64),
        "user_api_key_alias": "web-chat",
        "user_api_key_team_id": "retail",
        "user_api_key_end_user_id": user.number,
        "requester_ip_address": "192.0.2.17",
        "applied_guardrails": ["mira-guard"],
        "mcp_tool_call_metadata": None,
    }


def _response(act: Act, version: str) -> dict[str, Any]:
    usage = {"prompt_tokens": act.input_tokens, "completion_tokens": act.output_tokens}
    return {
        "id": f"chatcmpl-{opaque_id(act.id, 'response')}",
        "object": "chat.completion",
        "created": act.end // 1_000_000,
        "model": version,
        "choices": [
            {"index": 0, "finish_reason": _FINISH[act.finish_reason], "message": _openai(message)}
            for message in act.made
        ],
        "usage": usage | {"total_tokens": act.input_tokens + act.output_tokens},
    }


def _openai(message: Message) -> dict[str, Any]:
    part = message["parts"][0]
    if part["type"] == "text":
        return {"role": message["role"], "content": part["content"]}
    if part["type"] == "tool_call_response":
        return {"role": "tool", "tool_call_id": part["id"], "content": _compact(part["response"])}
    function = {"name": part["name"], "arguments": _compact(part["arguments"])}
    call = {"id": part["id"], "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _guardrail(verdict: Act) -> dict[str, Any]:
    facts = dict(verdict.facts)
    return {
        "guardrail_name": "mira-guard",
        "guardrail_provider": "presidio",
        "guardrail_mode": "pre_call",
        "guardrail_status": _status(verdict),
        "guardrail_response": facts["rule"],
        "start_time": verdict.start / 1_000_000,
        "end_time": verdict.end / 1_000_000,
        "duration": round((verdict.end - verdict.start) / 1_000_000, 6),
        "masked_entity_count": {facts["rule"].upper(): int(facts["matches"])} if verdict.decision == "masked" else {},
    }


def _status(verdict: Act | None) -> str:
    if verdict is None:
        return "success"
    return "guardrail_flagged" if verdict.decision == "flagged" else "guardrail_intervened"


def _no_zone(at: int) -> str:
    return rfc3339(at).replace("T", " ").removesuffix("Z")


def _uuid(key: str) -> str:
    digits = opaque_id(key, "gateway session", size=32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
