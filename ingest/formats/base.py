"""What every source's adapter says of its bytes, once for ingest (describe) and once for replay (render).

Both are pure: bytes in, values out; no clock, no network, no file. An adapter's name and version stand in
every record line it produced, and an adapter stays shipped for as long as a store may hold its records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec


class Identifier(NamedTuple):
    """A value that can stand for a person: never written in a line, always turned into a random reference.

    ``type`` is a closed code (``user_id``, ``email``, ``phone``, ``session``, ``api_key``, ...) and may be
    scoped by source (``session:litellm``) where equal values of two sources are not the same thing.
    """

    type: str
    value: str


class Framing(StrEnum):
    """How an input falls into documents."""

    LINES = "lines"
    DOCUMENT = "document"


class Event(msgspec.Struct, gc=False):
    """One record to be: the slice of the document that is its content, and what its line may say.

    ``start`` and ``end`` are byte offsets in the document; equal offsets mean a record without content of
    its own (a verdict that stands inside another record's slice). Slices do not overlap and come in order.
    ``fields`` holds line fields that are closed codes, numbers, times or opaque ids (see ledger.records).
    ``session`` is a ``str`` where the source's id is opaque, else an Identifier. ``owner`` is the person whose
    key protects the content: the declared data subject, else the end user, else None. ``source_id`` is None
    where the source has no id of its own; ``position`` then tells equal slices of one document apart.
    """

    start: int
    end: int
    fields: dict[str, Any]
    session: str | Identifier | None = None
    subjects: dict[str, tuple[Identifier, ...]] = {}
    owner: Identifier | None = None
    source_id: str | None = None
    position: str = ""


class Region(msgspec.Struct, gc=False):
    """Who owns the bytes of a compound document that stand between slices, from ``start`` to ``end``."""

    start: int
    end: int
    session: str | Identifier | None = None
    owner: Identifier | None = None


class Described(msgspec.Struct, gc=False):
    """The records of one document, in byte order. Bytes outside slices belong to their region, or to the store."""

    events: list[Event]
    regions: Sequence[Region] = ()


class RejectedInput(Exception):  # noqa: N818 - a verdict on bytes, not an error that a user sees
    """This document cannot be understood: it is sealed whole as a ``rejected`` record.

    ``reason`` is a closed code that stands in the line; ``detail`` is content (parser words may quote it).
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Part(msgspec.Struct, frozen=True, gc=False):
    """One part of a message, by the OpenTelemetry GenAI part types.

    ``type``: text, reasoning, tool_call, tool_call_response, blob, uri, file, or the source's own word.
    ``text`` is what to show; ``name`` and ``id`` are a tool's name and call id.
    """

    type: str
    text: str
    name: str = ""
    id: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One turn: a role (system, user, assistant, tool, or the source's own word) and its parts."""

    role: str
    parts: tuple[Part, ...]
    name: str = ""
    finish_reason: str = ""


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """What a person sees of one record's content.

    ``input`` is what the model or tool was given (often with the whole history before it), ``output`` what
    came back. ``facts`` are labelled values (reason, comment, rule). ``notes`` say what is missing or doubtful.
    """

    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class Format(NamedTuple):
    """One adapter. ``matches`` judges a parsed JSON value; ``describe`` and ``render`` are pure.

    describe(document) -> Described, or raises RejectedInput. ``document`` is one line or one whole file.
    render(content, fields) -> Rendered, where ``fields`` is the record line as a mapping.
    """

    name: str
    version: int
    framings: tuple[Framing, ...]
    matches: Callable[[Any], bool]
    describe: Callable[[bytes], Described]
    render: Callable[[bytes, Mapping[str, Any]], Rendered]

    @property
    def adapter(self) -> str:
        """Name and version as the record line states them, for example ``litellm/1``."""
        return f"{self.name}/{self.version}"
