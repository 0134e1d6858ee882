"""Acts and changes in the product's own JSON Lines format, ``event/1``, as the bank's own services write it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sample_data.people import PEOPLE, Person
from sample_data.play import SECOND, Act, microseconds
from sample_data.script import Scene, ToolUse, opaque_id, session_id
from sample_data.story import CHANGES, EVALUATIONS, MODEL, PROMPT, Change, in_force

Line = dict[str, Any]

_SOURCES = {
    "inference": "mira",
    "tool": "mira",
    "policy": "mira-guard",
    "approval": "refund-desk",
    "evaluation": "mira-ratings",
}


def rfc3339(at: int) -> str:
    """Microseconds since 1970 as RFC 3339 text in UTC with six digits."""
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{at % SECOND:06d}Z"


def session_lines(scene: Scene, acts: list[Act]) -> list[tuple[int, Line]]:
    """Every act of a session as (time it was logged, line); a source logs an act when it has ended."""
    return [(act.end, _act_line(scene, seq, act)) for seq, act in enumerate(acts, 1)]


def change_lines() -> list[tuple[int, Line]]:
    """Changes, their approvals and the offline evaluations as (time, line)."""
    lines = [(microseconds(change.at), _change(change)) for change in CHANGES]
    for change in CHANGES:
        steps = (
            ("requested", change.requested, change.why),
            ("rejected", change.rejected, change.rejected_why),
            ("approved", change.approved, change.verdict),
        )
        lines += [(microseconds(at), _approval(change, word, at, text)) for word, at, text in steps if at]
    for evaluation in EVALUATIONS:
        line = _head("evaluation", "model-eval", f"eval-{opaque_id(*evaluation)}", microseconds(evaluation.at))
        line["model"] = {"name": MODEL, "version": evaluation.version}
        line["facts"] = {"suite": evaluation.suite, "score": evaluation.score, "cases": str(evaluation.cases)}
        lines.append((microseconds(evaluation.at), line))
    return lines


def delivery_id(change: Change) -> str:
    """The id of the registry's message that moved the alias ``production`` for a change of the model."""
    return opaque_id(change.id, "delivery", size=32)


def _head(kind: str, source: str, source_id: str, start: int, end: int | None = None) -> Line:
    line = {"evidence": "event/1", "kind": kind, "source": source, "id": source_id, "time": rfc3339(start)}
    if end is not None and end > start:
        line["end_time"] = rfc3339(end)
    return line


def _act_line(scene: Scene, seq: int, act: Act) -> Line:
    line = _head(act.kind, _SOURCES[act.kind], act.id, act.start, act.end)
    line |= {"session": session_id(scene.key), "seq": seq, "trace_id": act.trace}
    if act.kind in ("inference", "tool"):
        line["span_id"] = opaque_id(act.id, "span")
    line |= {"system": "mira", "environment": "production", "subjects": _subjects(scene, act)}
    if owner := scene.flags.get("owner"):
        line["owner"] = _customer(PEOPLE[owner])
    if act.kind == "inference":
        return line | _inference(scene, act)
    if act.tool is not None:
        return line | _tool(act, act.tool)
    if act.decision:
        line["decision"] = act.decision
    relation = {"policy": "part_of", "approval": "caused_by", "evaluation": "part_of"}[act.kind]
    if act.kind == "approval" and act.decision != "requested":
        line["links"] = [{"relation": "approves", "source": "mira", "id": f"run-{act.tool_call}"}]
    else:
        line["links"] = [{"relation": relation, "source": "mira", "id": act.call}]
    return line | {"facts": dict(act.facts)}


def _customer(person: Person) -> dict[str, str]:
    return {"type": "customer_number", "id": person.number}


def _staff(key: str) -> dict[str, str]:
    return {"type": "employee_number", "id": PEOPLE[key].number}


def _subjects(scene: Scene, act: Act) -> dict[str, list[dict[str, str]]]:
    person = PEOPLE[scene.person]
    subjects = {"end_user": [_customer(person)]}
    if owner := scene.flags.get("owner"):
        subjects["data_subject"] = [_customer(PEOPLE[owner])]
    if act.approver:
        subjects["approver"] = [_staff(act.approver)]
    return subjects


def _inference(scene: Scene, act: Act) -> Line:
    gen_ai: Line = {
        "operation.name": "chat",
        "provider.name": "vllm",
        "request.model": MODEL,
        "usage.input_tokens": act.input_tokens,
        "usage.output_tokens": act.output_tokens,
    }
    if act.finish_reason:
        gen_ai["response.id"] = f"cmpl-{opaque_id(act.id, 'response')}"
        gen_ai["response.finish_reasons"] = [act.finish_reason]
    line: Line = {"model": {"name": MODEL}}
    if "unversioned" not in scene.flags:
        line["model"]["version"] = in_force(MODEL, act.start)
    line |= {"gen_ai": gen_ai, "status": "error" if act.error_type else "ok"}
    if act.error_type:
        line["error_type"] = act.error_type
    if act.decision:
        line["decision"] = act.decision
    line |= {"input": list(act.given)}
    if act.made:
        line["output"] = [message | {"finish_reason": act.finish_reason} for message in act.made]
    return line | {"prompt": f"{PROMPT}/{in_force(PROMPT, act.start)}"}


def _tool(act: Act, use: ToolUse) -> Line:
    line: Line = {
        "gen_ai": {"operation.name": "execute_tool", "tool.name": use.name, "tool.call.id": act.tool_call},
        "status": "error" if use.error_type else "ok",
    }
    if use.error_type:
        line["error_type"] = use.error_type
    line["links"] = [{"relation": "tool_of", "source": "mira", "id": act.call}]
    return line | {"tool": {"arguments": use.arguments, "result": use.result, "is_error": bool(use.error_type)}}


def _change(change: Change) -> Line:
    line = _head("change", "hv-change", change.id, microseconds(change.at))
    line |= {"system": "mira", "environment": "production", "subjects": {"actor": [_staff(change.by)]}}
    line["change"] = {
        "type": change.type,
        "name": change.name,
        "from": change.before,
        "to": change.after,
        "digest_from": f"sha256:{opaque_id(change.name, change.before, size=64)}",
        "digest_to": f"sha256:{opaque_id(change.name, change.after, size=64)}",
    }
    if change.undoes:
        line["links"] = [{"relation": "rolls_back", "source": "hv-change", "id": change.undoes}]
    return line | {"text": change.why}


def _approval(change: Change, decision: str, at: str, words: str) -> Line:
    line = _head("approval", "hv-change", f"{change.id}-{decision}", microseconds(at))
    person = {"requester": [_staff(change.by)]}
    if decision != "requested":
        person["approver"] = [_staff("sunniva")]
    line |= {"system": "mira", "environment": "production", "subjects": person, "decision": decision}
    line["links"] = [{"relation": "approves", "source": "hv-change", "id": change.id}]
    if change.type == "model":
        line["links"].append({"relation": "approves", "source": "mlflow", "id": delivery_id(change)})
    return line | {"text": words}
