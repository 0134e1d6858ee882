"""MLflow registry webhooks: changes of models and prompts, and exceeded budgets.

The body stands alone, or under ``body`` beside the ``delivery_id`` that MLflow sends as a header. MLflow names no
actor in any event, and no former version where an alias is moved: both must come from elsewhere.
Names follow MLflow's own addresses: ``model``, ``model/version``, ``model@alias``. Only an alias puts a version in
force: a version that is created, or tagged, is a change of ``model/version``, to and from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.formats.base import Described, Event, Format, Framing, Identifier, RejectedInput, Rendered
from ingest.formats.fields import has_duplicate_keys, load_object, opaque, rfc3339
from ingest.formats.messages import as_text, unreadable

SOURCE = "mlflow"

Json = Mapping[str, Any]

_TYPES = {
    "registered_model": "model",
    "model_version": "model",
    "model_version_tag": "model",
    "model_version_alias": "model",
    "prompt": "prompt",
    "prompt_version": "prompt",
    "prompt_tag": "prompt",
    "prompt_version_tag": "prompt",
    "prompt_alias": "prompt",
}
_OF_VERSIONS = ("model_version", "model_version_tag", "prompt_version", "prompt_version_tag")
_BUDGET = "budget_policy"
_ACTIONS = {
    "registered_model": ("created",),
    "model_version": ("created",),
    "prompt": ("created",),
    "prompt_version": ("created",),
    "model_version_alias": ("created", "deleted"),
    "prompt_alias": ("created", "deleted"),
    "model_version_tag": ("set", "deleted"),
    "prompt_version_tag": ("set", "deleted"),
    "prompt_tag": ("set", "deleted"),
    _BUDGET: ("exceeded",),
}


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is a webhook body of MLflow, bare or beside its delivery id."""
    return _body(value)[0] is not None


def describe(document: bytes) -> Described:
    """One body as one record. Raises RejectedInput. An action newer than this adapter is kept and flagged."""
    value = load_object(document)
    body, delivery_id = _body(value)
    if body is None:
        raise RejectedInput("unknown_shape")
    warnings = {"duplicate_keys"} if has_duplicate_keys(document, value) else set()
    if body["action"] not in _ACTIONS[body["entity"]]:
        warnings.add("unknown_action")
    fields: dict[str, Any] = {"source": SOURCE, "capture": "complete"}
    moment, fields["time_basis"] = rfc3339(body["timestamp"])
    if moment is not None:
        fields["occurred_at"] = moment
    elif body["timestamp"]:
        warnings.add("time_unreadable")
    user = None
    if body["entity"] == _BUDGET:
        fields["kind"], fields["decision"] = "policy", "flagged"
        user = _budget_user(body["data"])
    else:
        fields["kind"], fields["change"] = "change", _change(body, warnings)
        warnings.add("actor_not_recorded")
    source_id = _code(delivery_id, warnings)
    if warnings:
        fields["warnings"] = sorted(warnings)
    subjects: dict[str, tuple[Identifier, ...]] = {"end_user": (user,)} if user else {}
    return Described([Event(0, len(document), fields, subjects=subjects, owner=user, source_id=source_id)])


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """The event's name and everything in its data."""
    try:
        body, _ = _body(load_object(content))
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    if body is None:
        return unreadable(content, "unknown_shape")
    facts = [("event", f"{body['entity']}.{body['action']}")]
    if body.get("workspace"):
        facts.append(("workspace", as_text(body["workspace"])))
    facts += [(label, as_text(value)) for label, value in body["data"].items() if value is not None]
    notes = ("the source does not record who did this",) if fields.get("kind") == "change" else ()
    return Rendered(facts=tuple(facts), notes=notes)


def _body(value: Any) -> tuple[dict[str, Any] | None, Any]:
    """The body and the delivery id, if the value is a webhook of an entity that this adapter knows."""
    delivery_id = None
    if type(value) is dict and type(value.get("body")) is dict and "delivery_id" in value:
        value, delivery_id = value["body"], value["delivery_id"]
    if type(value) is not dict or type(value.get("data")) is not dict or "timestamp" not in value:
        return None, None
    entity, action = value.get("entity"), value.get("action")
    known = type(entity) is str and type(action) is str and entity in _ACTIONS
    return (value, delivery_id) if known else (None, None)


def _change(body: Json, warnings: set[str]) -> dict[str, str]:
    """What was changed, and to which version where an alias is moved."""
    entity, data = body["entity"], body["data"]
    change = {"type": _TYPES[entity]}
    name, version = _code(data.get("name"), warnings), _code(data.get("version"), warnings)
    moves = entity.endswith("_alias")
    if moves:
        alias = _code(data.get("alias"), warnings)
        name = f"{name}@{alias}" if name and alias else None
    elif entity in _OF_VERSIONS:
        name = f"{name}/{version}" if name and version else None
    if name:
        change["name"] = name
    if moves and version:
        change["from" if body["action"] == "deleted" else "to"] = version
    return change


def _budget_user(data: Json) -> Identifier | None:
    """With scope USER the budget's target is the user whose calls exceeded it."""
    target = data.get("target_value")
    if data.get("target_scope") == "USER" and type(target) is str and target:
        return Identifier("user_id", target)
    return None


def _code(value: Any, warnings: set[str]) -> str | None:
    text = opaque(value)
    if text is None and value not in (None, ""):
        warnings.add("field_withheld")
    return text


FORMAT = Format(SOURCE, 1, (Framing.LINES, Framing.DOCUMENT), matches, describe, render)
