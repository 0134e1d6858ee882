"""The document for the person: one HTML file that needs nothing else, runs nothing, and prints well."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2

from replay.timeline import TimelineEvent
from replay.visible import visible
from reports.access_package import facts
from reports.access_package.gathering import IN_SESSION, MENTIONED, Held, Told

_HERE: Final = Path(__file__).parent

STATES: Final = {
    "verified": "Here, unchanged since it came in",
    "part_withheld": "Here, but for passages that are withheld; the rest is unchanged since it came in",
    "redacted": "Here, but for a part that was removed earlier; the rest is unchanged since it came in",
    "erased": "Erased: rendered unreadable by key destruction",
    "expired": "Expired: rendered unreadable by key destruction when its period ended",
    "restricted": "Closed: the use of another person's data in it is restricted",
    "withheld": "Withheld: it is the content of another person",
    "lost": "Lost: it should be here and is not",
    "tampered": "Not shown: it is not what was recorded",
    "unverifiable": "Not shown: no key here opens it",
}
_KINDS: Final = {
    "inference": "Answer of a model",
    "tool": "Use of a tool",
    "policy": "Verdict of a filter or rule",
    "approval": "Approval",
    "change": "Change to a system",
    "evaluation": "Test or rating",
    "access": "Somebody looked",
    "review": "Note",
    "correction": "Correction",
    "rejected": "Not understood when it came in",
}
_ROLES: Final = {
    "owner": "your content",
    "end_user": "user",
    "data_subject": "the person concerned",
    "actor": "who acted",
    "requester": "who asked",
    "approver": "who approved",
    "reviewer": "who reviewed",
    "viewer": "who looked",
    MENTIONED: "named in it",
    IN_SESSION: "in your conversation",
}
_SPEAKERS: Final = {"user": "User", "assistant": "Model", "tool": "Tool", "system": "Instructions"}


def render(values: Mapping[str, Any], stories: Sequence[Told]) -> bytes:
    """The document. ``values``: the facts by the names that the template uses; every text in them is escaped."""
    style = (_HERE / "document.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text = _template().render(
        **values,
        stories=[_story(story) for story in stories],
        style=style,
        style_hash=f"sha256-{digest}",
    )
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "kind": lambda code: _KINDS.get(code, code),
        "moment": lambda text: text[:19].replace("T", " "),
        "number": lambda number: f"{number:,}",
        "state": lambda code: STATES.get(code, code),
    }
    return environment.from_string((_HERE / "document.html.j2").read_text(encoding="utf-8"))


def _finalize(value: Any) -> Any:
    """Recorded text may hold characters that act, or reorder what is read: they are written out."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _story(story: Told) -> dict[str, Any]:
    held = {item.record_id: item for item in story.held}
    return {"session": story.session, "events": [_event(event, held[event.record_id]) for event in story.events]}


def _event(event: TimelineEvent, held: Held) -> dict[str, Any]:
    return {
        "record_id": event.record_id,
        "kind": event.kind,
        "at": event.at,
        "model": facts.model_words(event) if event.kind == "inference" else "",
        "decision": event.line.get("decision"),
        "roles": ", ".join(_ROLES.get(role, role) for role in held.roles),
        "state": event.state,
        "withheld": ", ".join(map(str, held.withheld)),
        "repeated": event.repeated,
        "said": list(_said(event)),
    }


def _said(event: TimelineEvent) -> Iterator[tuple[str, str]]:
    """Who said what, and the labelled values; what is empty is left out."""
    for message in (*event.new_input, *event.rendered.output):
        speaker = _SPEAKERS.get(message.role, message.role)
        for part in message.parts:
            called = f"{speaker} uses {part.name}" if part.type == "tool_call" else speaker
            if part.text:
                yield called, part.text
    yield from ((label, text) for label, text in event.rendered.facts if text)
    if event.state in ("verified", "redacted", "part_withheld"):
        yield from (("Note", note) for note in event.rendered.notes)
