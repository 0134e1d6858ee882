"""tau-bench trajectories: a list of runs in OpenAI chat form, without any time, id or token count.

A run is one session. Since the file names none, the digest of the run's bytes stands for it as an identifier: equal
for the same run in another file, different for another trial of the same task. For the same reason a tool's result has
no link to the call: a record's id is made with its owner's key, which an adapter does not have. Both name the call's id
in their content, and the result's line has it too.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from ingest.formats.base import Described, Event, Format, Framing, Identifier, Region, RejectedInput
from ingest.formats.fields import has_duplicate_keys, load, mapping, opaque
from ingest.formats.spans import Span, element_spans, member_spans
from ingest.formats.tau2 import Run, conversation, evaluation, event, render

SOURCE = "tau_bench"


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is a list of tau-bench runs."""
    if type(value) is not list or not value:
        return False
    first = mapping(value[0])
    return type(first.get("traj")) is list and "task_id" in first


def describe(document: bytes) -> Described:
    """One file as the records of its runs, each run a region of its user. Raises RejectedInput."""
    parsed = load(document)
    if not matches(parsed):
        raise RejectedInput("unknown_shape")
    check_keys = has_duplicate_keys(document, parsed)
    events: list[Event] = []
    regions: list[Region] = []
    seen: Counter[str] = Counter()
    for span, element in zip(element_spans(document, Span(0, len(document))), parsed, strict=True):
        if isinstance(element, dict):
            run = _run(document, span, element, seen)
            regions.append(Region(span.start, span.end, session=run.session, owner=run.owner))
            events.extend(_records(document, span, element, run, check_keys))
    return Described(events, regions)


def _run(document: bytes, span: Span, element: dict[str, Any], seen: Counter[str]) -> Run:
    """A merged file can hold one task and trial several times: the later ones get a number of their own."""
    session = Identifier(f"session:{SOURCE}", hashlib.sha256(document[span.start : span.end]).hexdigest())
    position = f"{opaque(element.get('task_id')) or ''}/{opaque(element.get('trial')) or ''}"
    seen[position] += 1
    if seen[position] > 1:
        position = f"{position}~{seen[position]}"
    return Run(SOURCE, session, owner=_user(element), position=position)


def _user(element: dict[str, Any]) -> Identifier | None:
    user_id = mapping(mapping(element.get("info")).get("task")).get("user_id")
    return Identifier("user_id", user_id) if isinstance(user_id, str) and user_id else None


def _records(document: bytes, span: Span, element: dict[str, Any], run: Run, check_keys: bool) -> list[Event]:
    members = member_spans(document, span)
    messages = element.get("traj")
    events: list[Event] = []
    if isinstance(messages, list):
        spans = element_spans(document, members["traj"])
        events = conversation(document, spans, messages, run, check_keys)
    place = _reward(document, members, element)
    if place is not None:
        seq = len(messages) if isinstance(messages, list) else 0
        warnings: set[str] = set()
        fields = {**evaluation(run, seq, element, warnings), "time_basis": "none"}
        events.append(event(run, place, fields, warnings, "reward"))
    return sorted(events, key=lambda one: one.start)


def _reward(document: bytes, members: dict[str, Span], element: dict[str, Any]) -> Span | None:
    """The full verdict where there is one, else the bare number."""
    if type(mapping(element.get("info")).get("reward_info")) is dict:
        return member_spans(document, members["info"])["reward_info"]
    return members["reward"] if element.get("reward") is not None else None


FORMAT = Format(SOURCE, 1, (Framing.DOCUMENT,), matches, describe, render)
