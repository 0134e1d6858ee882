"""The product's own JSON Lines, ``event/1``: any source can write it. Specified in docs/EVENT-FORMAT.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ingest.formats.base import (
    Described,
    Event,
    Format,
    Framing,
    Identifier,
    Message,
    Part,
    RejectedInput,
    Rendered,
)
from ingest.formats.fields import (
    Repeated,
    count,
    has_duplicate_keys,
    hex_id,
    load_object,
    mapping,
    opaque,
    repeated_opaque,
    rfc3339,
)
from ingest.formats.genai import Reader, read_attributes
from ingest.formats.messages import as_text, genai_messages, unreadable

MARK = "event/1"

KINDS = frozenset(("inference", "tool", "policy", "approval", "change", "evaluation", "review", "correction"))
RESERVED_KINDS = frozenset(("access", "envelope", "rejected"))
ROLES = frozenset(
    (
        "end_user",
        "data_subject",
        "actor",
        "requester",
        "approver",
        "reviewer",
        "viewer",
        "service",
        "mentioned",
    )
)
STATUSES = frozenset(("ok", "error", "running", "unknown"))
DECISIONS = frozenset(
    (
        "allowed",
        "masked",
        "blocked",
        "flagged",
        "pending",
        "requested",
        "approved",
        "rejected",
        "revoked",
        "failed_to_respond",
        "not_run",
    )
)
CAPTURES = frozenset(("complete", "truncated", "redacted", "not_captured", "unknown"))
CHANGE_TYPES = frozenset(("model", "dataset", "prompt", "policy", "deployment"))
RELATIONS = frozenset(("part_of", "approves", "caused_by", "tool_of", "same_as", "corrects", "rolls_back"))

_is_code = re.compile(r"[a-z][a-z0-9_.:-]{0,63}\Z").match
_CODES = Repeated(lambda text: text if _is_code(text) else None)
_MAX_IDENTIFIER = 1024


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is a line of this format."""
    return type(value) is dict and value.get("evidence") == MARK


def describe(document: bytes) -> Described:
    """One line as one record. Raises RejectedInput."""
    value = load_object(document)
    if value.get("evidence") != MARK:
        raise RejectedInput("unknown_shape")
    fields: dict[str, Any] = {"kind": _kind(value), "source": _source(value)}
    warnings: set[str] = set()
    _read_times(value, fields, warnings)
    withheld = _read_values(value, fields)
    subjects, some_withheld = _subjects(value.get("subjects"))
    owner, owner_withheld = _owner(value.get("owner"), subjects)
    session, session_withheld = _session(value.get("session"))
    source_id = opaque(value.get("id"))
    id_withheld = source_id is None and bool(value.get("id"))
    if withheld or some_withheld or owner_withheld or session_withheld or id_withheld:
        warnings.add("field_withheld")
    if fields["kind"] == "inference" and "capture" not in fields and not (value.get("input") or value.get("output")):
        fields["capture"] = "not_captured"
    if has_duplicate_keys(document, value):
        warnings.add("duplicate_keys")
    if warnings:
        fields["warnings"] = sorted(warnings)
    event = Event(0, len(document), fields, session, subjects, owner, source_id)
    return Described([event])


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """Messages as they stand, a tool's arguments and result as its call and response, the rest as labelled values."""
    try:
        value = load_object(content)
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    call, response = _tool_messages(value)
    facts = [("text", as_text(value["text"]))] if value.get("text") else []
    facts += [(label, as_text(item)) for label, item in mapping(value.get("facts")).items()]
    facts += [(label, as_text(item)) for label, item in value.items() if label not in _KNOWN]
    notes = ("the source captured no messages",) if fields.get("capture") == "not_captured" else ()
    return Rendered(
        genai_messages(value.get("input")) + call, genai_messages(value.get("output")) + response, tuple(facts), notes
    )


def _kind(value: Mapping[str, Any]) -> str:
    kind = value.get("kind")
    if type(kind) is not str:
        raise RejectedInput("missing_field", "kind")
    if kind in RESERVED_KINDS:
        raise RejectedInput("reserved_kind", kind)
    if kind not in KINDS:
        raise RejectedInput("unknown_kind", kind)
    return kind


def _source(value: Mapping[str, Any]) -> str:
    source = _code(value.get("source"))
    if source is None:
        raise RejectedInput("missing_field", "source")
    return source


def _read_times(value: Mapping[str, Any], fields: dict[str, Any], warnings: set[str]) -> None:
    began, ended = value.get("time"), value.get("end_time")
    occurred_at, basis = rfc3339(began) if type(began) is str else (None, "none")
    fields["time_basis"] = basis
    if occurred_at is not None:
        fields["occurred_at"] = occurred_at
    ended_at = rfc3339(ended)[0] if type(ended) is str else None
    if ended_at is not None:
        fields["ended_at"] = ended_at
    if (began and occurred_at is None) or (ended and ended_at is None):
        warnings.add("time_unreadable")


def _read_values(value: Mapping[str, Any], fields: dict[str, Any]) -> bool:
    """Write every value that is what its name promises; returns whether one was not."""
    withheld = False
    for name, item in value.items():
        reader = _READERS.get(name)
        if reader is None or (not item and (item is None or item == "")):
            continue
        read = reader(item)
        if read is None:
            withheld = True
        else:
            fields[name] = read
    withheld |= _read_group(value, "model", "model_ref", _MODEL, fields)
    withheld |= _read_group(value, "change", "change", _CHANGE, fields)
    gen_ai = value.get("gen_ai")
    if gen_ai:
        withheld |= type(gen_ai) is not dict or read_attributes(gen_ai.items(), fields, former=False)
    return withheld


def _read_group(
    value: Mapping[str, Any], name: str, target: str, readers: Mapping[str, Reader], fields: dict[str, Any]
) -> bool:
    group = value.get(name)
    if not group:
        return False
    if type(group) is not dict:
        return True
    kept: dict[str, Any] = {}
    withheld = False
    for key, item in group.items():
        reader = readers.get(key)
        if reader is None or (not item and (item is None or item == "")):
            continue
        read = reader(item)
        if read is None:
            withheld = True
        else:
            kept[key] = read
    if kept:
        fields[target] = kept
    return withheld


def _session(session: Any) -> tuple[str | Identifier | None, bool]:
    """The session id where it is opaque, else an identifier: an id that may name a person never stands in a line.

    Also whether one was withheld, because it is an object but no identifier.
    """
    if session is None or session == "":
        return None, False
    if type(session) is dict:
        named = _identifier(session)
        return named, named is None
    return repeated_opaque(session) or Identifier("session", as_text(session)[:_MAX_IDENTIFIER]), False


def _subjects(roles: Any) -> tuple[dict[str, tuple[Identifier, ...]], bool]:
    if not roles:
        return {}, False
    if type(roles) is not dict:
        return {}, True
    subjects: dict[str, tuple[Identifier, ...]] = {}
    withheld = False
    for role, listed in roles.items():
        people = listed if type(listed) is list else [listed]
        read = tuple([person for item in people if (person := _identifier(item)) is not None])
        withheld |= len(read) < len(people) or role not in ROLES
        if read and role in ROLES:
            subjects[role] = read
    return subjects, withheld


def _owner(declared: Any, subjects: Mapping[str, tuple[Identifier, ...]]) -> tuple[Identifier | None, bool]:
    owner = _identifier(declared)
    if owner is not None:
        return owner, False
    people = subjects.get("data_subject") or subjects.get("end_user")
    return people[0] if people else None, bool(declared)


def _identifier(value: Any) -> Identifier | None:
    if type(value) is not dict:
        return None
    kind, text = _code(value.get("type")), value.get("id")
    if type(text) is int:
        text = str(text)
    if kind is None or type(text) is not str or not 0 < len(text) <= _MAX_IDENTIFIER:
        return None
    return Identifier(kind, text)


def _links(value: Any) -> list[dict[str, str]] | None:
    if type(value) is not list:
        return None
    read = [_link(item) for item in value]
    return [link for link in read if link] if all(read) and read else None


def _link(value: Any) -> dict[str, str] | None:
    link = mapping(value)
    relation, source, source_id = link.get("relation"), _code(link.get("source")), opaque(link.get("id"))
    if type(relation) is not str or relation not in RELATIONS or source is None or source_id is None:
        return None
    return {"relation": relation, "source": source, "source_id": source_id}


def _code(value: Any) -> str | None:
    return _CODES[value] if type(value) is str else None


def _one_of(codes: frozenset[str]) -> Reader:
    # A mapping gives back its own text: that of the line is one more in memory.
    own = {code: code for code in codes}
    return lambda value: own.get(value) if type(value) is str else None


def _tool_messages(value: Mapping[str, Any]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    tool = mapping(value.get("tool"))
    attributes = mapping(value.get("gen_ai"))
    name, call_id = as_text(attributes.get("tool.name")), as_text(attributes.get("tool.call.id"))
    call = Message("assistant", (Part("tool_call", as_text(tool.get("arguments")), name, call_id),))
    response = Message("tool", (Part("tool_call_response", as_text(tool.get("result")), name, call_id),))
    outcome = "error" if tool.get("is_error") is True else ""
    response = Message(response.role, response.parts, finish_reason=outcome)
    return (call,) if "arguments" in tool else (), (response,) if "result" in tool else ()


_READERS: dict[str, Reader] = {
    "seq": count,
    "trace_id": lambda value: hex_id(value, 32),
    "span_id": lambda value: hex_id(value, 16),
    "parent_span_id": lambda value: hex_id(value, 16),
    "system": repeated_opaque,
    "environment": repeated_opaque,
    "error_type": repeated_opaque,
    "status": _one_of(STATUSES),
    "decision": _one_of(DECISIONS),
    "capture": _one_of(CAPTURES),
    "links": _links,
}
_MODEL: dict[str, Reader] = {"name": repeated_opaque, "version": repeated_opaque, "digest": repeated_opaque}
_CHANGE: dict[str, Reader] = {
    "type": _one_of(CHANGE_TYPES),
    "name": opaque,
    "from": opaque,
    "to": opaque,
    "digest_from": opaque,
    "digest_to": opaque,
}
_KNOWN = frozenset(_READERS) | {
    *("evidence", "kind", "source", "id", "time", "end_time", "session", "model", "owner", "subjects"),
    *("gen_ai", "change", "input", "output", "tool", "text", "facts"),
}

FORMAT = Format("evidence", 1, (Framing.LINES, Framing.DOCUMENT), matches, describe, render)
