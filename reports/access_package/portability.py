"""The package's files for machines: every record as JSON Lines and CSV, and apart, what the person provided (Art. 20).

JSON Lines hold the exact text. CSV is for spreadsheets: no cell of it can be taken for a formula, and characters that
would act instead of being read are written out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from replay.timeline import TimelineEvent
from reports.access_package.gathering import IN_SESSION, Held, Told
from reports.spreadsheets import csv_bytes

RECORD: Final = "evidence/access-record/1"
PROVIDED: Final = "evidence/provided/1"
_NOT_THEIRS: Final = frozenset(("_", "content", "input", "subjects"))
"""Fields of a line that are about the store or about others: random references say nothing to a person."""
_SPEAKS: Final = frozenset(("end_user", "data_subject", "owner", IN_SESSION))
"""Roles in which what a user says in a record is what the person said."""
_RECORD_COLUMNS: Final = (
    *("record_id", "session", "kind", "time", "time_basis", "roles", "source", "source_id", "model", "model_version"),
    *("decision", "status", "state", "given", "answered", "details"),
)
_PROVIDED_COLUMNS: Final = ("record_id", "session", "time", "source", "text")


def record_values(stories: Sequence[Told]) -> Iterator[dict[str, Any]]:
    """One JSON value a record, in the order of the document."""
    for story in stories:
        for item in story.held:
            yield _record(item)


def _record(item: Held) -> dict[str, Any]:
    revealed = item.revealed
    line = {name: value for name, value in revealed.line.items() if name not in _NOT_THEIRS}
    body: dict[str, Any] = {"_": RECORD, "record_id": item.record_id, "roles": list(item.roles), "line": line}
    body["state"] = revealed.state
    if item.withheld:
        body["withheld"] = list(item.withheld)
    if revealed.bytes is not None:
        try:
            body["content"] = revealed.bytes.decode()
        except UnicodeDecodeError:
            body["content_base64"] = base64.b64encode(revealed.bytes).decode()
    return body


def provided_values(stories: Sequence[Told]) -> Iterator[dict[str, Any]]:
    """What the person wrote themselves: the turns of the user in their own records, each once."""
    for story in stories:
        roles = {item.record_id: item.roles for item in story.held}
        for event in story.events:
            if _SPEAKS.isdisjoint(roles[event.record_id]):
                continue
            for message in event.new_input:
                text = "\n".join(part.text for part in message.parts if part.type == "text")
                if message.role == "user" and text:
                    yield {
                        "_": PROVIDED,
                        "record_id": event.record_id,
                        "session": story.session,
                        "source": event.line["source"],
                        "text": text,
                        "time": event.at,
                    }


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """One JSON object a line; text that is no Unicode is kept as far as UTF-8 can hold it."""
    return b"".join(orjson.dumps(_unicode(value)) + b"\n" for value in values)


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {name: _unicode(item) for name, item in value.items()}
    return [_unicode(item) for item in value] if isinstance(value, list | tuple) else value


def records_csv(stories: Sequence[Told]) -> bytes:
    """One row a record; envelopes, which hold what stands between records, are in the JSON Lines alone."""
    rows = [_row(event, held) for story in stories for event, held in _pairs(story)]
    return csv_bytes(_RECORD_COLUMNS, rows)


def _pairs(story: Told) -> Iterator[tuple[TimelineEvent, Held]]:
    held = {item.record_id: item for item in story.held}
    return ((event, held[event.record_id]) for event in story.events)


def _row(event: TimelineEvent, held: Held) -> list[str | None]:
    line, rendered = event.line, event.rendered
    model = line.get("gen_ai_response_model") or line.get("gen_ai_request_model") or model_ref(line).get("name")
    said = [
        "\n".join(f"{message.role}: {part.text}" for message in messages for part in message.parts)
        for messages in (event.new_input, rendered.output)
    ]
    details = "\n".join([*(f"{label}: {text}" for label, text in rendered.facts), *rendered.notes])
    return [
        *(event.record_id, line.get("session"), event.kind, event.at, event.time_basis, " ".join(held.roles)),
        *(line["source"], line["source_id"], model, model_ref(line).get("version")),
        *(line.get("decision"), line.get("status"), event.state, *said, details),
    ]


def model_ref(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """The model that a line asserts."""
    found: Mapping[str, Any] = line.get("model_ref", {})
    return found


def provided_csv(stories: Sequence[Told]) -> bytes:
    """What the person wrote, one row a turn."""
    return csv_bytes(
        _PROVIDED_COLUMNS, [[value[name] for name in _PROVIDED_COLUMNS] for value in provided_values(stories)]
    )


SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Records of an access package",
    "description": "records.jsonl holds one `record` a line, provided.jsonl one `provided` a line.",
    "oneOf": [{"$ref": "#/$defs/record"}, {"$ref": "#/$defs/provided"}],
    "$defs": {
        "record": {
            "type": "object",
            "required": ["_", "record_id", "roles", "line", "state"],
            "additionalProperties": False,
            "properties": {
                "_": {"const": RECORD},
                "record_id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "roles": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "What you are in the record; owner: its content is yours; mentioned: it names you.",
                },
                "line": {
                    "type": "object",
                    "required": ["adapter", "kind", "observed_at", "retention_class", "source", "source_id"],
                    "description": "What is recorded beside the content: times, system, model, decision.",
                },
                "state": {
                    "enum": [
                        *("verified", "part_withheld", "withheld", "redacted", "erased", "expired", "restricted"),
                        *("lost", "tampered", "unverifiable"),
                    ],
                    "description": "verified: the content is unchanged since it came in. Else why it is not here.",
                },
                "withheld": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1},
                    "description": "Numbers of the passages that were taken out; context.json lists them.",
                },
                "content": {"type": "string", "description": "The content, as it was received."},
                "content_base64": {"type": "string", "description": "The same where it is no text."},
            },
        },
        "provided": {
            "type": "object",
            "required": ["_", "record_id", "session", "source", "text", "time"],
            "additionalProperties": False,
            "properties": {
                "_": {"const": PROVIDED},
                "record_id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "session": {"type": ["string", "null"]},
                "source": {"type": "string"},
                "text": {"type": "string", "description": "What you wrote."},
                "time": {"type": ["string", "null"], "description": "When, in UTC (RFC 3339)."},
            },
        },
    },
}
"""JSON Schema of both JSON Lines files."""
