"""The two shapes of a workload: single messages (event/1) and full-history requests (LiteLLM payloads).

A shape encodes a conversation once (``prepare``) and writes one line for each step of a session that plays it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import orjson

from sample_data.workload.conversations import Arrival, Message
from sample_data.workload.substitution import Fragment, Identity, Token, fragment, tokens

ERRORS = (b"timeout", b"rate_limit_exceeded", b"server_error")
_SECOND = 1_000_000


class Step(NamedTuple):
    """One record to be: its kind, its content, its content if it fails, and how many messages stand before it."""

    kind: str
    content: Fragment
    failed: Fragment
    before: int = 0


class Template(NamedTuple):
    """A conversation ready to be played. ``history`` holds all messages in order (full-history shape only)."""

    listed: list[Token]
    steps: list[Step]
    history: list[Fragment]


class Session:
    """A conversation that is being played."""

    def __init__(self, template: Template, values: list[bytes], user: Identity, rng: random.Random) -> None:
        self.template = template
        self.values = values
        self.user = user.user_id
        self.id = b"%032x" % rng.getrandbits(128)
        self.trace = b""
        self.position = self.seq = self.sent = self.sent_bytes = 0
        self.joined = b""

    @property
    def finished(self) -> bool:
        """Whether every step has been played."""
        return self.position >= len(self.template.steps)


class Moment(NamedTuple):
    """What surrounds one line: time (microseconds since 1970), tokens, model version, and the error, if it failed."""

    at: int
    arrival: Arrival
    version: bytes
    error: bytes


class Shape(Protocol):
    """How lines look."""

    def prepare(self, talk: Sequence[Message]) -> Template:
        """Encode a conversation once."""

    def line(self, session: Session, moment: Moment, rng: random.Random) -> tuple[bytes, list[bytes], int]:
        """The line of a session's next step, the messages in it that may be new, and the bytes of all of them."""


class Clock:
    """RFC 3339 text of a time; the part up to the second is kept, since the next time is mostly in the same one."""

    def __init__(self, separator: str, zone: bytes) -> None:
        self._separator, self._zone = separator, zone
        self._second, self._text = -1, b""

    def text(self, at: int) -> bytes:
        """Microseconds since 1970 with six digits of a second."""
        second, fraction = divmod(at, _SECOND)
        if second != self._second:
            moment = datetime.fromtimestamp(second, UTC).replace(tzinfo=None)
            self._second, self._text = second, moment.isoformat(self._separator).encode()
        return b"%s.%06d%s" % (self._text, fraction, self._zone)


class Single:
    """One message an event, about 1 kB: native ``event/1`` lines."""

    def __init__(self) -> None:
        self._began, self._ended = Clock("T", b"Z"), Clock("T", b"Z")

    def prepare(self, talk: Sequence[Message]) -> Template:
        """Model calls with what the customer said before, and tool runs with arguments and result."""
        arguments = {call.id: call.arguments for message in talk for call in message.calls}
        encoded: list[tuple[str, bytes, bytes]] = []
        said: list[dict[str, Any]] = []
        for message in talk:
            if message.role == "assistant":
                asked = {"input": said} if said else {}
                content = orjson.dumps(asked | {"output": [_genai(message)]})[1:]
                encoded.append(("inference", content, orjson.dumps({"input": said})[1:]))
                said = []
            elif message.role == "tool":
                encoded.append(("tool", orjson.dumps(_tool_run(message, arguments))[1:], b""))
            else:
                said.append(_genai(message))
        listed = tokens([content for _, content, _ in encoded])
        steps = [Step(kind, fragment(content, listed), fragment(failed, listed)) for kind, content, failed in encoded]
        return Template(listed, steps, [])

    def line(self, session: Session, moment: Moment, rng: random.Random) -> tuple[bytes, list[bytes], int]:
        """The line, the message in it, and its bytes."""
        step = session.template.steps[session.position]
        content = (step.failed if moment.error else step.content).fill(session.values)
        session.seq += 1
        ids = rng.getrandbits(64)
        if step.kind == "inference":
            session.trace = b"%032x" % rng.getrandbits(128)
        duration = 4_000 + ids % 90_000 if step.kind == "tool" else 250_000 + 14_000 * moment.arrival.output_tokens
        error = b',"status":"error","error_type":"%s",' % moment.error if moment.error else b',"status":"ok",'
        head = (
            b'{"evidence":"event/1","kind":"%s","source":"assistant","id":"%016x","time":"%s","end_time":"%s",'
            b'"session":"s-%s","seq":%d,"trace_id":"%s","span_id":"%016x","system":"assistant",'
            b'"environment":"production","subjects":{"end_user":[{"type":"user_id","id":"%s"}]},'
            b'"model":{"name":"assistant-7b","version":"%s"}'
        ) % (
            *(step.kind.encode(), ids, self._began.text(moment.at), self._ended.text(moment.at + duration)),
            *(session.id, session.seq, session.trace, rng.getrandbits(64), session.user, moment.version),
        )
        usage = b""
        if step.kind == "inference":
            usage = (
                b',"gen_ai":{"operation.name":"chat","provider.name":"vllm","request.model":"assistant-7b",'
                b'"usage.input_tokens":%d,"usage.output_tokens":%d}'
            ) % (moment.arrival.input_tokens, moment.arrival.output_tokens)
        return b"".join((head, usage, error, content, b"\n")), [content], len(content)


class History:
    """The whole conversation with every request, about 10 kB: LiteLLM StandardLoggingPayload lines."""

    def __init__(self) -> None:
        self._began, self._ended = Clock(" ", b""), Clock(" ", b"")

    def prepare(self, talk: Sequence[Message]) -> Template:
        """One step for each answer of the assistant, with all messages before it."""
        encoded = [orjson.dumps(_openai(message)) for message in talk]
        listed = tokens(encoded)
        history = [fragment(content, listed) for content in encoded]
        answers = [number for number, message in enumerate(talk) if message.role == "assistant" and number > 0]
        nothing = Fragment([b""], ())
        return Template(listed, [Step("inference", history[number], nothing, number) for number in answers], history)

    def line(self, session: Session, moment: Moment, rng: random.Random) -> tuple[bytes, list[bytes], int]:
        """The line, the messages that are new in it, and the bytes of all messages in it."""
        step = session.template.steps[session.position]
        new = [message.fill(session.values) for message in session.template.history[session.sent : step.before]]
        session.sent, session.sent_bytes = step.before, session.sent_bytes + sum(map(len, new))
        session.joined = b",".join([session.joined, *new] if session.joined else new)
        answer = (step.failed if moment.error else step.content).fill(session.values)
        ids, arrival = rng.getrandbits(128), moment.arrival
        began = self._began.text(moment.at)
        ended = self._ended.text(moment.at + 250_000 + 14_000 * arrival.output_tokens)
        choices = b'{"index":0,"finish_reason":"stop","message":%s}' % answer if answer else b""
        line = _PAYLOAD % (
            *(ids, rng.getrandbits(128), session.id, rng.getrandbits(128), b"failure" if moment.error else b"success"),
            *(began, ended, ended, moment.version, moment.version),
            *(arrival.input_tokens + arrival.output_tokens, arrival.input_tokens, arrival.output_tokens),
            *(session.user, session.joined, ids, moment.version, choices, moment.error, moment.error),
        )
        texts = [*new, answer] if answer else new
        return line, texts, session.sent_bytes + len(answer)


_PAYLOAD = (
    b'{"id":"chatcmpl-%032x","litellm_call_id":"%032x","session_id":"s-%s","trace_id":"%032x",'
    b'"call_type":"acompletion","cache_hit":null,"stream":false,"status":"%s","custom_llm_provider":"hosted_vllm",'
    b'"startTime":"%s","endTime":"%s","completionStartTime":"%s","model":"hosted_vllm/assistant-7b-%s",'
    b'"model_id":"assistant-7b-%s","model_group":"assistant-7b","api_base":"http://inference.example.test:8000/v1",'
    b'"metadata":{"user_api_key_alias":"web-chat","applied_guardrails":[],"mcp_tool_call_metadata":null},'
    b'"total_tokens":%d,"prompt_tokens":%d,"completion_tokens":%d,"response_cost":0.0,"request_tags":[],'
    b'"end_user":"%s","messages":[%s],"response":{"id":"chatcmpl-%032x","object":"chat.completion",'
    b'"model":"assistant-7b-%s","choices":[%s]},"model_parameters":{"temperature":0.0},'
    b'"guardrail_information":null,"error_str":"%s","error_information":{"error_code":"","error_class":"%s"}}\n'
)

SHAPES: dict[str, type[Shape]] = {"single": Single, "history": History}


def _genai(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "content": message.text}] if message.text else []
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments} for call in message.calls
    ]
    return {"role": message.role, "parts": parts}


def _tool_run(message: Message, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "gen_ai": {"operation.name": "execute_tool", "tool.name": message.name, "tool.call.id": message.call_id},
        "tool": {"arguments": arguments.get(message.call_id), "result": message.text, "is_error": False},
    }


def _openai(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "name": message.name, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
        }
        for call in message.calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}
