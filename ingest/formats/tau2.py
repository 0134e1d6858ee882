"""tau2 trajectories, and the slicing of a conversation that tau-bench shares.

A file holds many simulations; each is one session. A record's content is the exact bytes of consecutive elements of
the array ``messages``: the turns that were put to the agent and the answer to them, or one tool result. What was put
to the agent has no record of its own, since it is no call of a model; so counts of ``inference`` are counts of
answers, except for a last word that nobody answered (status ``unknown``, warning ``unanswered``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from ingest.formats.base import (
    Described,
    Event,
    Format,
    Framing,
    Identifier,
    Message,
    Region,
    RejectedInput,
    Rendered,
)
from ingest.formats.fields import count, has_duplicate_keys, load, mapping, opaque, rfc3339
from ingest.formats.messages import as_text, openai_message, unreadable
from ingest.formats.spans import Span, element_spans, member_spans

SOURCE = "tau2"

_TRIAL = re.compile(r"task:(.+?)(?:/trial:(\d+))?\Z", re.ASCII)
_ANSWERS = {"assistant": "inference", "tool": "tool"}
_ORDINARY_ENDS = frozenset(("user_stop", "agent_stop"))
_FAILURES = frozenset(
    (
        *("max_steps", "timeout", "too_many_errors", "agent_error", "user_error"),
        *("infrastructure_error", "context_window_exceeded", "unexpected_error"),
    )
)


class Run(NamedTuple):
    """What all records of one simulation share. ``source_id`` and ``position`` are prefixes of the records' own."""

    source: str
    session: str | Identifier
    owner: Identifier | None = None
    source_id: str | None = None
    position: str = ""
    model: str | None = None
    warnings: tuple[str, ...] = ()


class Turn(NamedTuple):
    """Messages ``first`` to ``last`` (inclusive) of a conversation, sealed as one record."""

    kind: str
    first: int
    last: int
    answered: bool


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is a file of tau2 simulations."""
    if type(value) is not dict or type(value.get("info")) is not dict or type(value.get("simulations")) is not list:
        return False
    return all("messages" in mapping(simulation) for simulation in value["simulations"][:1])


def describe(document: bytes) -> Described:
    """One file as the records of its simulations, each simulation a region. Raises RejectedInput."""
    parsed = load(document)
    if not matches(parsed):
        raise RejectedInput("unknown_shape")
    check_keys = has_duplicate_keys(document, parsed)
    root = member_spans(document, Span(0, len(document)))
    info = root["info"]
    doubtful = check_keys and has_duplicate_keys(document[info.start : info.end], parsed["info"])
    model, warnings = _agent_model(parsed["info"]), ("duplicate_keys",) if doubtful else ()
    events: list[Event] = []
    regions: list[Region] = []
    spans = element_spans(document, root["simulations"])
    for index, (span, simulation) in enumerate(zip(spans, parsed["simulations"], strict=True)):
        if isinstance(simulation, dict):
            session, source_id = _identity(document, span, simulation)
            run = Run(SOURCE, session, None, source_id, str(index), model, warnings)
            regions.append(Region(span.start, span.end, session=session))
            events.extend(_simulation(document, span, simulation, run, check_keys))
    return Described(events, regions)


def conversation(document: bytes, spans: list[Span], messages: list[Any], run: Run, check_keys: bool) -> list[Event]:
    """The records of one conversation, in order; each message lies in exactly one slice.

    ``spans`` are the messages' places in the document; ``check_keys`` asks for a search for repeated keys.
    """
    calls: dict[str, tuple[int, Mapping[str, Any]]] = {}
    events: list[Event] = []
    for turn in _turns(messages):
        start, end = spans[turn.first].start, spans[turn.last].end
        turn_messages = messages[turn.first : turn.last + 1]
        warnings = set(run.warnings)
        if check_keys and has_duplicate_keys(b"[" + document[start:end] + b"]", turn_messages):
            warnings.add("duplicate_keys")
        fields = _common_fields(run, turn, turn_messages)
        if turn.kind == "tool":
            _add_tool(fields, warnings, messages[turn.last], calls, run)
        elif turn.answered:
            _add_inference(fields, warnings, messages[turn.last], run)
            calls.update((key, (turn.last, call)) for key, call in _calls(messages[turn.last]))
        else:
            fields["status"] = "unknown"
            warnings.add("unanswered")
        events.append(event(run, Span(start, end), fields, warnings, str(turn.last)))
    return events


def event(run: Run, span: Span, fields: dict[str, Any], warnings: set[str], name: str) -> Event:
    """One record of a run; ``name`` tells it from the others (a message's index, or ``reward``)."""
    if warnings:
        fields["warnings"] = sorted(warnings)
    return Event(
        span.start,
        span.end,
        fields,
        session=run.session,
        subjects={"end_user": (run.owner,)} if run.owner else {},
        owner=run.owner,
        source_id=f"{run.source_id}#{name}" if run.source_id else None,
        position=f"{run.position}/{name}",
    )


def evaluation(run: Run, seq: int, holder: Mapping[str, Any], warnings: set[str]) -> dict[str, Any]:
    """The line fields of a run's verdict, but for its time. ``holder`` is the object that names task and trial.

    Both stand outside the verdict's bytes, so a link carries them to replay. It also joins the runs of one task.
    """
    fields: dict[str, Any] = {"kind": "evaluation", "source": run.source, "seq": seq, "status": "ok"}
    fields["capture"] = "complete"
    task, trial = holder.get("task_id"), count(holder.get("trial"))
    if type(task) not in (str, int) or task == "":
        return fields
    place = opaque(f"task:{task}" if trial is None else f"task:{task}/trial:{trial}")
    if place is None:
        warnings.add("field_withheld")
    else:
        fields["links"] = [{"relation": "part_of", "source": run.source, "source_id": place}]
    return fields


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """What was put to the agent and what came back, or the facts of an evaluation."""
    try:
        values = orjson.loads(b"[" + content + b"]")
        if fields.get("kind") == "evaluation":
            return _render_evaluation(values, fields)
        return _render_turn(values, fields)
    except orjson.JSONDecodeError:
        return unreadable(content, "not_json")
    except RecursionError:
        return unreadable(content, "too_deep")


def _turns(messages: list[Any]) -> Iterator[Turn]:
    first = 0
    for index, message in enumerate(messages):
        kind = _answer_kind(message)
        if kind:
            yield Turn(kind, first, index, True)
            first = index + 1
    if first < len(messages):
        yield Turn("inference", first, len(messages) - 1, False)


def _answer_kind(message: Any) -> str | None:
    role = message.get("role") if isinstance(message, dict) else None
    return _ANSWERS.get(role) if isinstance(role, str) else None


def _common_fields(run: Run, turn: Turn, turn_messages: list[Any]) -> dict[str, Any]:
    last = turn_messages[-1]
    seq = count(last.get("turn_idx")) if isinstance(last, dict) else None
    fields: dict[str, Any] = {
        "kind": turn.kind,
        "source": run.source,
        "seq": turn.last if seq is None else seq,
        "capture": "complete",
    }
    stamps = [m.get("timestamp") for m in (turn_messages[0], last) if isinstance(m, dict)]
    began, basis = rfc3339(stamps[0] if stamps else None)
    fields["time_basis"] = basis
    if began is None:
        return fields
    fields["occurred_at"] = began
    if len(turn_messages) > 1:
        ended, ended_basis = rfc3339(stamps[-1])
        if ended is not None and ended_basis == basis:
            fields["ended_at"] = ended
    return fields


def _add_inference(fields: dict[str, Any], warnings: set[str], answer: dict[str, Any], run: Run) -> None:
    fields["status"] = "error" if answer.get("errors") else "ok"
    fields["gen_ai_operation_name"] = "chat"
    if run.model:
        fields["gen_ai_request_model"] = run.model
    usage, raw = mapping(answer.get("usage")), mapping(answer.get("raw_data"))
    _put_count(fields, "gen_ai_usage_input_tokens", usage.get("prompt_tokens"))
    _put_count(fields, "gen_ai_usage_output_tokens", usage.get("completion_tokens"))
    _put_opaque(fields, warnings, "gen_ai_response_model", raw.get("model"))
    _put_opaque(fields, warnings, "gen_ai_response_id", raw.get("id"))
    finish = opaque(raw.get("finish_reason") or raw.get("stop_reason"))
    if finish:
        fields["gen_ai_response_finish_reasons"] = [finish]
    billed = mapping(raw.get("usage"))
    for name in ("cache_read_input_tokens", "cache_creation_input_tokens"):
        _put_count(fields, f"gen_ai_usage_{name}", billed.get(name))


def _add_tool(
    fields: dict[str, Any],
    warnings: set[str],
    result: dict[str, Any],
    calls: Mapping[str, tuple[int, Mapping[str, Any]]],
    run: Run,
) -> None:
    fields["status"] = _tool_status(result)
    fields["gen_ai_operation_name"] = "execute_tool"
    if result.get("requestor") == "user":
        warnings.add("user_side_tool")
    call_id = _call_id(result)
    _put_opaque(fields, warnings, "gen_ai_tool_call_id", call_id)
    asked = calls.get(call_id) if isinstance(call_id, str) else None
    _put_opaque(fields, warnings, "gen_ai_tool_name", asked[1].get("name") if asked else result.get("name"))
    if asked is None:
        if result.get("requestor") != "user":
            warnings.add("call_not_found")
    elif run.source_id:
        asking = f"{run.source_id}#{asked[0]}"
        fields["links"] = [{"relation": "tool_of", "source": run.source, "source_id": asking}]


def _tool_status(result: Mapping[str, Any]) -> str:
    """tau2 says whether a tool failed; in tau-bench a failure is a result that begins with this word."""
    error, content = result.get("error"), result.get("content")
    if isinstance(error, bool):
        return "error" if error else "ok"
    return "error" if isinstance(content, str) and content.startswith("Error:") else "unknown"


def _calls(answer: dict[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tool calls of an answer by call id, in tau2's form or OpenAI's."""
    listed = answer.get("tool_calls")
    for call in listed if isinstance(listed, list) else ():
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            function = call.get("function")
            yield call["id"], function if isinstance(function, dict) else call


def _call_id(result: dict[str, Any]) -> Any:
    return result["tool_call_id"] if "tool_call_id" in result else result.get("id")


def _put_count(fields: dict[str, Any], key: str, value: Any) -> None:
    number = count(value)
    if number is not None:
        fields[key] = number


def _put_opaque(fields: dict[str, Any], warnings: set[str], key: str, value: Any) -> None:
    text = opaque(value)
    if text is not None:
        fields[key] = text
    elif value not in (None, ""):
        warnings.add("field_withheld")


def _render_turn(values: list[Any], fields: Mapping[str, Any]) -> Rendered:
    messages = tuple(_message(value, fields) for value in values)
    if not values or _answer_kind(values[-1]) is None:
        return Rendered(input=messages, notes=("no answer is recorded",))
    facts = tuple((key, as_text(values[-1][key])) for key in ("errors", "cost") if values[-1].get(key))
    return Rendered(input=messages[:-1], output=messages[-1:], facts=facts)


def _message(value: Any, fields: Mapping[str, Any]) -> Message:
    """tau2 names a result's call ``id`` and thinking ``reasoning``; the rest is OpenAI's form."""
    if not isinstance(value, dict):
        return openai_message(value)
    if value.get("role") == "tool":
        name = value.get("name") or fields.get("gen_ai_tool_name")
        return openai_message({**value, "tool_call_id": _call_id(value), "name": name})
    if value.get("reasoning"):
        return openai_message({**value, "reasoning_content": value["reasoning"]})
    return openai_message(value)


def _render_evaluation(values: list[Any], fields: Mapping[str, Any]) -> Rendered:
    facts = list(_run_facts(fields))
    if len(values) == 1 and isinstance(values[0], dict):
        facts += [(key, as_text(value)) for key, value in values[0].items() if value is not None]
    else:
        facts += [("reward", as_text(value)) for value in values]
    return Rendered(facts=tuple(facts))


def _run_facts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Which run the verdict is on, and why the run ended if it failed, as the line says it."""
    for link in fields.get("links", ()):
        match = _TRIAL.match(link["source_id"]) if link["relation"] == "part_of" else None
        if match is not None:
            yield "task", match.group(1)
            if match.group(2):
                yield "trial", match.group(2)
    if fields.get("error_type"):
        yield "ended by", fields["error_type"]


def _agent_model(info: dict[str, Any]) -> str | None:
    return opaque(mapping(info.get("agent_info")).get("llm"))


def _identity(document: bytes, span: Span, simulation: dict[str, Any]) -> tuple[str | Identifier, str | None]:
    """Session and source id. An id that is no opaque code is not written; without one, the bytes' digest serves."""
    named = simulation.get("id")
    simulation_id = opaque(named)
    if simulation_id is not None:
        return simulation_id, simulation_id
    if not isinstance(named, str) or not named:
        named = hashlib.sha256(document[span.start : span.end]).hexdigest()
    return Identifier(f"session:{SOURCE}", named), None


def _simulation(document: bytes, span: Span, simulation: dict[str, Any], run: Run, check_keys: bool) -> list[Event]:
    members = member_spans(document, span)
    messages = simulation.get("messages")
    events: list[Event] = []
    if isinstance(messages, list):
        spans = element_spans(document, members["messages"])
        events = conversation(document, spans, messages, run, check_keys)
    if isinstance(simulation.get("reward_info"), dict):
        seq = len(messages) if isinstance(messages, list) else 0
        place = members["reward_info"]
        warnings = set(run.warnings)
        fields = evaluation(run, seq, simulation, warnings)
        _add_ending(fields, warnings, simulation.get("termination_reason"))
        fields.update(_evaluation_time(simulation, events))
        if check_keys and has_duplicate_keys(document[place.start : place.end], simulation["reward_info"]):
            warnings.add("duplicate_keys")
        events.append(event(run, place, fields, warnings, "reward"))
    return sorted(events, key=lambda one: one.start)


def _add_ending(fields: dict[str, Any], warnings: set[str], reason: Any) -> None:
    """A run that neither side ended in the ordinary way failed. A word that is no known code stays in the content."""
    if reason in (None, ""):
        fields["status"] = "unknown"
    elif type(reason) is not str or reason not in _ORDINARY_ENDS:
        fields["status"] = "error"
        if type(reason) is str and reason in _FAILURES:
            fields["error_type"] = reason
        else:
            warnings.add("field_withheld")


def _evaluation_time(simulation: dict[str, Any], events: list[Event]) -> dict[str, str]:
    """The time of the simulation's end, unless no message has one: such files carry placeholders there."""
    if any("occurred_at" in one.fields for one in events):
        moment, basis = rfc3339(simulation.get("timestamp"))
        if moment is not None:
            return {"time_basis": basis, "occurred_at": moment}
    return {"time_basis": "none"}


FORMAT = Format(SOURCE, 1, (Framing.DOCUMENT,), matches, describe, render)
