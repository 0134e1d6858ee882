"""OTLP/JSON: one export request, TracesData or LogsData as a line or a document.

Each GenAI span and log record is a record over its own exact bytes. Resource and scope attributes, and spans
that are no GenAI operation, stand outside these slices and are sealed as the document's envelope. Session and person
often stand on one span of a trace alone: within a document they hold for the whole trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from ingest.formats.base import Described, Event, Format, Framing, Region, RejectedInput
from ingest.formats.fields import count_nanoseconds, has_duplicate_keys, load_object, locate, mapping, opaque
from ingest.formats.otlp_attributes import attributes
from ingest.formats.otlp_records import (
    Json,
    Traced,
    complete_traces,
    evaluation_fields,
    event_name,
    log_fields,
    span_fields,
    traced,
)
from ingest.formats.otlp_render import render

_SIGNALS = ("resourceSpans", "resourceLogs")
_METRICS = ("resourceMetrics", "resourceProfiles")


class _Scope(msgspec.Struct, gc=False):
    spans: list[msgspec.Raw] | None = None
    logRecords: list[msgspec.Raw] | None = None  # noqa: N815 - the name in the JSON


class _Resource(msgspec.Struct, gc=False):
    scopeSpans: list[_Scope] | None = None  # noqa: N815
    scopeLogs: list[_Scope] | None = None  # noqa: N815


class _Export(msgspec.Struct, gc=False):
    """Where the items stand: their raw bytes, by the same path as in the parsed document."""

    resourceSpans: list[_Resource] | None = None  # noqa: N815
    resourceLogs: list[_Resource] | None = None  # noqa: N815


class _Item(msgspec.Struct, gc=False):
    """One span or log record: its value, its slice, its resource's attributes, and its place in the document."""

    value: Json
    start: int
    end: int
    resource: Json
    position: str
    is_span: bool


_DECODER = msgspec.json.Decoder(_Export)


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is an export of any signal; those other than traces and logs are rejected."""
    return type(value) is dict and any(type(value.get(name)) is list for name in (*_SIGNALS, *_METRICS))


def describe(document: bytes) -> Described:
    """The GenAI spans and log records of one export. Raises RejectedInput."""
    value = load_object(document)
    if not any(name in value for name in _SIGNALS):
        raise RejectedInput("unsupported_signal" if matches(value) else "unknown_shape")
    repeated = has_duplicate_keys(document, value)
    events: list[Event] = []
    regions: list[Region] = []
    items = _items(document, value)
    for item, seen in zip(items, complete_traces([traced(item.value) for item in items]), strict=True):
        described = list(_events(item, seen))
        events.extend(described)
        if not described:
            regions.append(Region(item.start, item.end, seen.session, seen.owner))
    if repeated:
        for event in events:
            event.fields["warnings"] = sorted({*event.fields.get("warnings", ()), "duplicate_keys"})
    return Described(events, _merged(document, events, regions))


def _items(document: bytes, value: Json) -> list[_Item]:
    try:
        raw = _DECODER.decode(document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RejectedInput("unknown_shape", str(error)) from None
    items = [
        *_signal_items(document, value.get("resourceSpans"), raw.resourceSpans, "scopeSpans", "spans"),
        *_signal_items(document, value.get("resourceLogs"), raw.resourceLogs, "scopeLogs", "logRecords"),
    ]
    items.sort(key=lambda item: item.start)
    if any(left.end > right.start for left, right in pairwise(items)):
        raise RejectedInput("slice_not_found")
    return items


def _signal_items(
    document: bytes, resources: Any, raw_resources: list[_Resource] | None, scopes_name: str, items_name: str
) -> Iterator[_Item]:
    """Walk the parsed and the raw tree side by side; both keep the last of repeated keys."""
    at = 0
    for i, (holder, raw_holder) in enumerate(zip(resources or (), raw_resources or (), strict=True)):
        resource = attributes(mapping(holder.get("resource")).get("attributes"))
        raw_scopes: list[_Scope] = getattr(raw_holder, scopes_name) or []
        for j, (scope, raw_scope) in enumerate(zip(holder.get(scopes_name) or (), raw_scopes, strict=True)):
            raws: list[msgspec.Raw] = getattr(raw_scope, items_name) or []
            for k, (item, raw) in enumerate(zip(scope.get(items_name) or (), raws, strict=True)):
                start, at = locate(document, bytes(raw), at)
                if type(item) is dict:
                    yield _Item(item, start, at, resource, f"{items_name}/{i}/{j}/{k}", items_name == "spans")


def _events(item: _Item, seen: Traced) -> Iterator[Event]:
    read = span_fields if item.is_span else log_fields
    fields = read(item.value, seen, item.resource)
    if fields is not None:
        source_id = seen.source_id if item.is_span else _log_id(item.value, seen)
        yield Event(item.start, item.end, fields, seen.session, seen.subjects, seen.owner, source_id, item.position)
    inner = item.value.get("events") if item.is_span else None
    for number, event in enumerate(inner if type(inner) is list else ()):
        evaluated = evaluation_fields(mapping(event), seen, item.resource)
        if evaluated is not None:
            place = f"event/{number}"
            source_id = f"{seen.source_id}/{place}" if seen.source_id else None
            position = f"{item.position}/{place}"
            yield Event(item.end, item.end, evaluated, seen.session, seen.subjects, seen.owner, source_id, position)


def _log_id(log: Json, seen: Traced) -> str | None:
    name, time = opaque(event_name(log, seen)), count_nanoseconds(log.get("timeUnixNano"))
    return f"{seen.source_id}/{name}/{time}" if seen.source_id and name and time else None


def _merged(document: bytes, events: list[Event], regions: list[Region]) -> list[Region]:
    """One region over everything where all items are of one session and person, else those of the kept spans."""
    owners = {(event.session, event.owner) for event in events} | {(kept.session, kept.owner) for kept in regions}
    if len(owners) == 1:
        session, owner = owners.pop()
        return [Region(0, len(document), session, owner)]
    return [region for region in regions if region.session is not None or region.owner is not None]


FORMAT = Format("otlp", 1, (Framing.LINES, Framing.DOCUMENT), matches, describe, render)
