"""The store's own access records: who looked at what, why, and by which command.

They are written by the store, never read from an input, so that no source can put words into its mouth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.formats.base import Described, Event, Format, Framing, Identifier, RejectedInput, Rendered
from ingest.formats.fields import has_duplicate_keys, identify, load_object, mapping
from ingest.formats.messages import as_text, unreadable

MARK = "evidence/access/1"


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is an access record."""
    return type(value) is dict and value.get("_") == MARK


def describe(document: bytes) -> Described:
    """One access record. The operator is a subject but never the owner. Raises RejectedInput."""
    value = load_object(document)
    if not matches(value) or has_duplicate_keys(document, value):
        raise RejectedInput("unknown_shape")
    fields: dict[str, Any] = {"kind": "access", "source": "evidence", "time_basis": "none"}
    viewer = _viewer(mapping(value.get("operator")))
    subjects: dict[str, tuple[Identifier, ...]] = {"viewer": (viewer,)} if viewer else {}
    return Described([Event(0, len(document), fields, subjects=subjects)])


def render(content: bytes, _fields: Mapping[str, Any]) -> Rendered:
    """Command, purpose, operator and selection as labelled values."""
    try:
        value = load_object(content)
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    operator = mapping(value.get("operator"))
    facts = [(label, as_text(value.get(label))) for label in ("command", "purpose")]
    facts += [("operator", as_text(operator.get("name"))), ("host", as_text(operator.get("host")))]
    facts += [(f"selection.{label}", as_text(item)) for label, item in mapping(value.get("selection")).items()]
    asserted = operator.get("asserted") is not False
    notes = ("the operator's name is as the operating system gave it, not proven",) if asserted else ()
    return Rendered(facts=tuple((label, text) for label, text in facts if text), notes=notes)


def _viewer(operator: Mapping[str, Any]) -> Identifier | None:
    """An e-mail address identifies anywhere; an account name only together with its machine."""
    person = identify(operator.get("name"))
    if person is None or person.type == "email":
        return person
    return Identifier("operator", f"{person.value}@{as_text(operator.get('host'))}")


FORMAT = Format("access", 1, (Framing.DOCUMENT,), matches, describe, render)
