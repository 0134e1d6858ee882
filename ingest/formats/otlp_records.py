"""What one GenAI span or log record of OTLP becomes: kind, line fields, subjects and session.

Kinds follow ``gen_ai.operation.name``. A span that only gives structure (an agent's invocation without
messages, an HTTP call) becomes no record: its bytes are sealed with the document's envelope.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ingest.formats.base import Identifier
from ingest.formats.fields import from_unix_nanoseconds, identify, mapping, opaque
from ingest.formats.genai import read_attributes
from ingest.formats.messages import as_text
from ingest.formats.otlp_attributes import attributes, event_message, identifier

SOURCE = "otlp"
EVALUATION = "gen_ai.evaluation.result"
DETAILS = "gen_ai.client.inference.operation.details"

Json = Mapping[str, Any]

_KINDS = {
    "chat": "inference",
    "text_completion": "inference",
    "generate_content": "inference",
    "embeddings": "inference",
    "execute_tool": "tool",
    "retrieval": "tool",
    "apply_guardrail": "policy",
}
_STRUCTURE = frozenset(("invoke_agent", "create_agent", "invoke_workflow", "plan"))
_INPUTS = frozenset(("gen_ai.input.messages", "gen_ai.prompt", "gen_ai.tool.call.arguments", "gen_ai.content.prompt"))
_OUTPUTS = frozenset(
    ("gen_ai.output.messages", "gen_ai.completion", "gen_ai.tool.call.result", "gen_ai.content.completion")
)
_EMPTY: tuple[Any, ...] = (None, "", "[]", [])
_CALLS = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
)
_SESSIONS = ("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id")
_PEOPLE = ("enduser.id", "user.id", "user.email", "traceloop.association.properties.user_id", "gen_ai.user")
_ENVIRONMENTS = frozenset(("production", "staging", "test", "development"))
_ENVIRONMENT_NAMES = ("deployment.environment.name", "deployment.environment")


class Traced(NamedTuple):
    """What a span or log record says of itself: its attributes, ids, person and session."""

    attributes: dict[str, Any]
    trace_id: str | None
    span_id: str | None
    session: str | Identifier | None
    people: tuple[Identifier, ...]
    unreadable: bool

    @property
    def subjects(self) -> dict[str, tuple[Identifier, ...]]:
        """The people as line roles."""
        return {"end_user": self.people} if self.people else {}

    @property
    def owner(self) -> Identifier | None:
        """The person whose key protects the content."""
        return self.people[0] if self.people else None

    @property
    def source_id(self) -> str | None:
        """Trace id and span id, where both are valid."""
        return f"{self.trace_id}/{self.span_id}" if self.trace_id and self.span_id else None


def traced(item: Json) -> Traced:
    """Read the ids, the session (else the trace stands for one) and the person of a span or log record."""
    found = attributes(item.get("attributes"))
    trace_id, span_id = identifier(item.get("traceId"), 32), identifier(item.get("spanId"), 16)
    named = next((found[name] for name in _SESSIONS if found.get(name)), None)
    session = Identifier("session:otlp", as_text(named)) if named else trace_id
    people = [identify(found[name]) for name in _PEOPLE if found.get(name)]
    persons = tuple(dict.fromkeys(person for person in people if person))
    unreadable = bool(item.get("traceId")) > bool(trace_id) or bool(item.get("spanId")) > bool(span_id)
    return Traced(found, trace_id, span_id, session, persons, unreadable)


def complete_traces(found: Sequence[Traced]) -> list[Traced]:
    """The items of a document, each with the session and the person of its trace where it names none itself.

    Only where the trace names one session, or one person: with two, none is known to be the item's own.
    """
    traces: dict[str, list[Traced]] = defaultdict(list)
    for item in found:
        if item.trace_id is not None:
            traces[item.trace_id].append(item)
    known = {trace_id: (_one_session(items), _one_person(items)) for trace_id, items in traces.items()}
    return [_completed(item, *known[item.trace_id]) if item.trace_id in known else item for item in found]


def _completed(item: Traced, session: Identifier | None, people: tuple[Identifier, ...]) -> Traced:
    if session is not None and not isinstance(item.session, Identifier):
        item = item._replace(session=session)
    return item if item.people or not people else item._replace(people=people)


def _one_session(items: Iterable[Traced]) -> Identifier | None:
    named = {item.session for item in items if isinstance(item.session, Identifier)}
    return named.pop() if len(named) == 1 else None


def _one_person(items: Sequence[Traced]) -> tuple[Identifier, ...]:
    """All identifiers of the trace, if one of its items has them all; two items could speak of two persons."""
    widest = max((item.people for item in items), key=len)
    return widest if all(set(item.people) <= set(widest) for item in items) else ()


def span_fields(span: Json, seen: Traced, resource: Json) -> dict[str, Any] | None:
    """The line fields of a span, or None where it is no GenAI operation but structure."""
    kind, inferred = _kind_of(seen.attributes)
    if kind is None:
        return None
    fields = _common_fields(seen, resource, kind, inferred=inferred)
    fields["status"] = _status(span.get("status"), fields)
    parent = identifier(span.get("parentSpanId"), 16)
    if parent is not None:
        fields["parent_span_id"] = parent
    _read_times(fields, span.get("startTimeUnixNano"), span.get("endTimeUnixNano"))
    if kind in ("inference", "tool"):
        fields["capture"] = _capture(seen.attributes, _said_in_events(span), fields["status"])
    return fields


def log_fields(log: Json, seen: Traced, resource: Json) -> dict[str, Any] | None:
    """The line fields of a log record, or None where it is no GenAI event.

    The details event repeats its span's call (``same_as``); messages and evaluations belong to it (``part_of``).
    """
    name = event_name(log, seen)
    if not name.startswith("gen_ai."):
        return None
    if name == EVALUATION:
        kind, inferred = "evaluation", False
    else:
        found, inferred = _kind_of(seen.attributes)
        kind, inferred = found or "inference", inferred or found is None
    fields = _common_fields(seen, resource, kind, inferred=inferred)
    if seen.source_id is not None:
        relation = "same_as" if name == DETAILS else "part_of"
        fields["links"] = [{"relation": relation, "source": SOURCE, "source_id": seen.source_id}]
    _read_times(fields, log.get("timeUnixNano"), None)
    if name == DETAILS:
        fields["capture"] = _capture(seen.attributes, (False, False), "error" if "error_type" in fields else "ok")
    return fields


def evaluation_fields(event: Json, seen: Traced, resource: Json) -> dict[str, Any] | None:
    """The line fields of an evaluation that stands among a span's events; None for any other event."""
    if event.get("name") != EVALUATION:
        return None
    inner = seen._replace(attributes=attributes(event.get("attributes")))
    fields = _common_fields(inner, resource, "evaluation", inferred=False)
    if seen.source_id is not None:
        fields["links"] = [{"relation": "part_of", "source": SOURCE, "source_id": seen.source_id}]
    _read_times(fields, event.get("timeUnixNano"), None)
    return fields


def event_name(log: Json, seen: Traced) -> str:
    """A log record's event name: a field of its own now, an attribute in older senders; "" without one."""
    return as_text(log.get("eventName") or seen.attributes.get("event.name"))


def _said_in_events(span: Json) -> tuple[bool, bool]:
    """Whether a span's events carry what was asked, and what was answered."""
    events = span.get("events")
    asked = answered = False
    for event in map(mapping, events if type(events) is list else ()):
        name = as_text(event.get("name"))
        if name == "gen_ai.choice":
            answered = answered or _says_something(event_message(event).get("message"))
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            asked = asked or _says_something(event_message(event))
        else:
            asked, answered = asked or name in _INPUTS, answered or name in _OUTPUTS
    return asked, answered


def _says_something(message: Any) -> bool:
    """With recording of content switched off, senders still write the event, with a role or finish reason alone."""
    if type(message) is dict:
        return bool(message.get("content") or message.get("tool_calls"))
    return bool(message)


def _kind_of(found: Json) -> tuple[str | None, bool]:
    """The kind, and whether it was inferred because no operation is named or its name is not known."""
    if not any(name.startswith("gen_ai.") for name in found):
        return None, False
    operation = as_text(found.get("gen_ai.operation.name"))
    known = _KINDS.get(operation)
    if known is not None:
        return known, False
    asked, answered = _content(found)
    if operation:
        return ("inference", operation not in _STRUCTURE) if asked or answered else (None, False)
    if "gen_ai.tool.name" in found or "gen_ai.tool.call.id" in found:
        return "tool", True
    is_call = asked or answered or any(name in found for name in _CALLS)
    return ("inference", True) if is_call else (None, False)


def _content(found: Json) -> tuple[bool, bool]:
    """Whether attributes carry what was asked, and what was answered; an empty list carries nothing."""
    names = {name for name, value in found.items() if value not in _EMPTY}
    return (
        not names.isdisjoint(_INPUTS) or any(name.startswith("gen_ai.prompt.0.") for name in names),
        not names.isdisjoint(_OUTPUTS) or any(name.startswith("gen_ai.completion.0.") for name in names),
    )


def _capture(found: Json, said: tuple[bool, bool], status: Any) -> str:
    """What the source captured. Content without an answer is all there is only where the call failed."""
    asked, answered = (attribute or event for attribute, event in zip(_content(found), said, strict=True))
    if not asked and not answered:
        return "not_captured"
    return "complete" if asked and (answered or status == "error") else "unknown"


def _common_fields(seen: Traced, resource: Json, kind: str, *, inferred: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": kind, "source": SOURCE}
    named = ((name[7:], value) for name, value in seen.attributes.items() if name.startswith("gen_ai."))
    withheld = read_attributes(named, fields, former=True)
    error = seen.attributes.get("error.type")
    if error:
        error_type = opaque(error)
        if error_type is None:
            withheld = True
        else:
            fields["error_type"] = error_type
    model = fields.get("gen_ai_response_model") or fields.get("gen_ai_request_model")
    if model is not None:
        fields["model_ref"] = {"name": model}
    environment = next((resource[name] for name in _ENVIRONMENT_NAMES if resource.get(name)), None)
    if type(environment) is str and environment in _ENVIRONMENTS:
        fields["environment"] = environment
    if seen.trace_id is not None:
        fields["trace_id"] = seen.trace_id
    if seen.span_id is not None:
        fields["span_id"] = seen.span_id
    warnings = ["field_withheld"] * withheld + ["id_unreadable"] * seen.unreadable + ["operation_inferred"] * inferred
    if warnings:
        fields["warnings"] = warnings
    return fields


def _read_times(fields: dict[str, Any], began: Any, ended: Any) -> None:
    occurred_at, ended_at = from_unix_nanoseconds(began), from_unix_nanoseconds(ended)
    fields["time_basis"] = "none" if occurred_at is None else "source"
    if occurred_at is not None:
        fields["occurred_at"] = occurred_at
    if ended_at is not None:
        fields["ended_at"] = ended_at


def _status(status: Any, fields: Json) -> str:
    """Status code 2 is an error; 0 or none is unset, which says success of nothing but is not a failure."""
    code = status.get("code") if type(status) is dict else None
    if code == 2 or "error_type" in fields:
        return "error"
    return "ok" if code == 1 else "unknown"
