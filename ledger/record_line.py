"""The fields of a record line, typed: the fast way to read many lines and to know that they are canonical.

A line that encodes back to its own bytes from these fields is canonical by that alone. Any other line is read by
``ledger.canonical``: it may hold a field of a later release, which is kept and passed over here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from ledger import canonical
from ledger.errors import FormatError

TYPE: Final = "evidence/record/1"
Count = Annotated[int, msgspec.Meta(ge=0, lt=canonical.INT_LIMIT)]
Number = Annotated[int, msgspec.Meta(gt=-canonical.INT_LIMIT, lt=canonical.INT_LIMIT)]


class Change(msgspec.Struct, omit_defaults=True, gc=False, rename={"from_": "from"}):
    """What changed: type, name, versions and digests as the source states them."""

    digest_from: str | None = None
    digest_to: str | None = None
    from_: str | None = None
    name: str | None = None
    to: str | None = None
    type: str | None = None


class Content(msgspec.Struct, omit_defaults=True, gc=False):
    """The salted commitment to the content (64 hex), its length in bits, and the reference whose key protects it."""

    commitment: str
    length_class: Count
    owner: str


class Input(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """Which piece of which portion of which input the content is; no ``part`` for a record without bytes of its own."""

    part: Count | None = None
    ref: str
    step: Count


class Link(msgspec.Struct, omit_defaults=True, gc=False):
    """A relation to another record, by its source and id."""

    relation: str
    source: str
    source_id: str


class ModelRef(msgspec.Struct, omit_defaults=True, gc=False):
    """Model name, version and digest as the record itself asserts them."""

    digest: str | None = None
    name: str | None = None
    version: str | None = None


class RecordLine(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True, rename={"type_": "_"}):
    """One record. Fields stand in canonical order; docs/FORMAT.md, "Records", says what each means."""

    type_: str
    adapter: str
    capture: str | None = None
    change: Change | None = None
    content: Content
    decision: str | None = None
    ended_at: str | None = None
    environment: str | None = None
    error_type: str | None = None
    gen_ai_operation_name: str | None = None
    gen_ai_provider_name: str | None = None
    gen_ai_request_model: str | None = None
    gen_ai_response_finish_reasons: list[str] | None = None
    gen_ai_response_id: str | None = None
    gen_ai_response_model: str | None = None
    gen_ai_tool_call_id: str | None = None
    gen_ai_tool_name: str | None = None
    gen_ai_usage_cache_creation_input_tokens: Count | None = None
    gen_ai_usage_cache_read_input_tokens: Count | None = None
    gen_ai_usage_input_tokens: Count | None = None
    gen_ai_usage_output_tokens: Count | None = None
    gen_ai_usage_reasoning_output_tokens: Count | None = None
    input: Input | None = None
    kind: str
    links: list[Link] | None = None
    model_ref: ModelRef | None = None
    observed_at: str
    occurred_at: str | None = None
    parent_span_id: str | None = None
    retention_class: str
    seq: Number | None = None
    session: str | None = None
    source: str
    source_id: str
    span_id: str | None = None
    status: str | None = None
    subjects: dict[str, list[str]] | None = None
    system: str | None = None
    time_basis: str
    trace_id: str | None = None
    warnings: list[str] | None = None


_NAMES: Final = frozenset(field.encode_name for field in msgspec.structs.fields(RecordLine))
_is_key: Final = re.compile(r"(_|[a-z][a-z0-9_]*)\Z").match
_DECODER: Final = msgspec.json.Decoder(RecordLine)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


_UNSEALED: Final = Content("", 0, "")


def from_fields(fields: dict[str, Any]) -> RecordLine:
    """A record from all its fields but ``_`` and ``content``, by the names in the line: its content comes later.

    Raises FormatError where a field has another name or form.
    """
    fields["_"] = TYPE
    fields["content"] = _UNSEALED
    if not _NAMES.issuperset(fields):
        raise FormatError(f"no record has a field {min(fields.keys() - _NAMES)!a}")
    try:
        return msgspec.convert(fields, RecordLine)
    except msgspec.ValidationError as error:
        raise FormatError(f"no record: {error}") from None


def write_block(records: Sequence[RecordLine]) -> list[bytes]:
    """The canonical lines of records whose texts and numbers are those that canonical JSON holds."""
    return _ENCODER.encode_lines(records).split(b"\n")[:-1]


def read_block(lines: Sequence[bytes]) -> list[RecordLine] | None:
    """The records of some lines if all are canonical and hold no field but these; else None: read them one by one.

    The encoded records contain no newline but the one after each, so equal bytes mean equal lines.
    """
    joined = b"\n".join([*lines, b""])
    try:
        found: list[RecordLine] = _DECODER.decode_lines(joined)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(found) != len(lines) or _ENCODER.encode_lines(found) != joined:
        return None
    # The one object whose keys are not fields: they are few, and checking each line's would double the cost.
    roles = {role for line in found if line.subjects for role in line.subjects}
    return found if all(map(_is_key, roles)) else None


def read(line: bytes) -> RecordLine:
    """The record of a line that ``ledger.canonical`` accepts. Raises FormatError where a field has another form."""
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError:
        raise FormatError("the line lacks fields of a record, or has them in another form") from None
