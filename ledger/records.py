"""The record line and the typed columns that index it.

A record is one line of canonical JSON, stored verbatim; its Merkle leaf and its id are over exactly these bytes.
The typed columns are derived from the line by one function, which both the writer and deep verification call.
See docs/FORMAT.md, "Records".
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ledger import canonical
from ledger.entries import refuse_version
from ledger.errors import FormatError

TYPE: Final = "evidence/record/1"
PREFIX: Final = b'{"_":"evidence/record/1"'
MAX_LINE: Final = 65_536
"""Bytes a record line may have; what is longer belongs in the content."""
MAX_SOURCES: Final = 32
"""Sources that a partition entry counts by name: a source's code is its own choice, an entry's size is not."""

KINDS: Final = frozenset(
    {
        "inference",
        "tool",
        "policy",
        "approval",
        "change",
        "evaluation",
        "access",
        "review",
        "correction",
        "envelope",
        "rejected",
    }
)

_UTC_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")
_ARROW: Final = {
    "code": pa.dictionary(pa.int32(), pa.string()),
    "time": _UTC_MICROSECONDS,
    "u64": pa.uint64(),
    "i64": pa.int64(),
    "i32": pa.int32(),
    "codes": pa.list_(pa.string()),
}
_DERIVED: Final = """\
kind code
source code
source_key u64
observed_at time
occurred_at time
ended_at time
session code
seq i64
model code
status code
decision code
input_tokens i64
output_tokens i64
subjects codes
owner code
input code
step i64
part i64
"""
_LOCATION: Final = """\
segment i32
slot i32
chunks i32
"""
SCHEMA_TEXT: Final = f"evidence/events/1\nline bytes\n{_DERIVED}{_LOCATION}"
"""The events schema as text: a version, then name and type of each column. Its SHA-256 stands in partition entries."""
SCHEMA_SHA256: Final = hashlib.sha256(SCHEMA_TEXT.encode()).hexdigest()


def _columns(text: str) -> pa.Schema:
    return pa.schema([(name, _ARROW[kind]) for name, kind in (line.split() for line in text.splitlines())])


DERIVED: Final = _columns(_DERIVED)
"""The typed columns that follow from the line alone (nullable; times in microseconds, cut, UTC)."""

LOCATION: Final = _columns(_LOCATION)
"""Where a row's content is: first segment, index in it, and how many segments an oversized slice takes."""

SCHEMA: Final = pa.schema([pa.field("line", pa.binary(), nullable=False), *DERIVED, *LOCATION])


def length_class(length: int) -> int:
    """The number of bits of a content's length in bytes: its size to a factor of two, and no nearer."""
    return length.bit_length()


def source_key(source: str, source_id: str) -> int:
    """First 8 bytes, big-endian, of SHA-256(source || 0x00 || source_id): the duplicate index's key."""
    return int.from_bytes(hashlib.sha256(f"{source}\0{source_id}".encode()).digest()[:8], "big")


def parse_line(line: bytes) -> dict[str, Any]:
    """A record line as a mapping. Raises FormatError unless the bytes are the canonical form of a record."""
    if not line.startswith(PREFIX) or len(line) > MAX_LINE:
        refuse_version(line, b'{"_":"evidence/record/', "record line")
    value = canonical.decode(line)
    if not isinstance(value, dict) or value.get("_") != TYPE or value.get("kind") not in KINDS:
        raise FormatError("record line of an unknown kind or version")
    return value


def encode_lines(records: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Record lines of mappings that the product built itself (canonical by construction)."""
    option = orjson.OPT_SORT_KEYS
    dumps = orjson.dumps
    return [dumps(record, option=option) for record in records]


def subjects_of(record: Mapping[str, Any]) -> list[str] | None:
    """All subject references of a record whatever their role, sorted, or None."""
    roles = record.get("subjects")
    if not roles:
        return None
    return sorted({reference for references in roles.values() for reference in references})


def derive(records: Sequence[Mapping[str, Any]]) -> list[pa.Array]:
    """The typed columns of DERIVED for parsed lines, in that order: a pure function of the lines."""
    column = {
        name: [record.get(name) for record in records]
        for name in ("kind", "source", "session", "seq", "status", "decision")
    }
    models = [record.get("gen_ai_response_model") or record.get("gen_ai_request_model") for record in records]
    keys = [source_key(record["source"], record["source_id"]) for record in records]
    inputs = [record.get("input") or _NO_INPUT for record in records]
    arrays: dict[str, pa.Array] = {
        **{name: _codes(column[name]) for name in ("kind", "source", "session", "status", "decision")},
        "source_key": pa.array(keys, pa.uint64()),
        "observed_at": _times([record["observed_at"] for record in records]),
        "occurred_at": _times([record.get("occurred_at") for record in records]),
        "ended_at": _times([record.get("ended_at") for record in records]),
        "seq": pa.array(column["seq"], pa.int64()),
        "model": _codes(models),
        "input_tokens": pa.array([r.get("gen_ai_usage_input_tokens") for r in records], pa.int64()),
        "output_tokens": pa.array([r.get("gen_ai_usage_output_tokens") for r in records], pa.int64()),
        "subjects": pa.array([subjects_of(record) for record in records], pa.list_(pa.string())),
        "owner": _codes([record["content"]["owner"] for record in records]),
        "input": _codes([item.get("ref") for item in inputs]),
        "step": pa.array([item.get("step") for item in inputs], pa.int64()),
        "part": pa.array([item.get("part") for item in inputs], pa.int64()),
    }
    return [arrays[field.name] for field in DERIVED]


def summary(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a partition entry says of its rows: counts by kind and source, the time range, the number of rejected.

    At most MAX_SOURCES sources, those with the most rows; ``other_sources`` counts the rest.
    """
    kinds = Counter(record["kind"] for record in records)
    sources = Counter(record["source"] for record in records)
    # Without the Z, RFC 3339 UTC texts sort as times at any precision.
    times = [(record.get("occurred_at") or record["observed_at"])[:-1] for record in records]
    most = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[:MAX_SOURCES]
    return {
        "kinds": dict(sorted(kinds.items())),
        "sources": [{"source": source, "rows": rows} for source, rows in sorted(most)],
        "other_sources": len(sources) - len(most),
        "time": {"from": f"{min(times)}Z", "to": f"{max(times)}Z"},
        "rejected": kinds.get("rejected", 0),
    }


_NO_INPUT: Final[dict[str, Any]] = {}


def _codes(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _times(values: Sequence[str | None]) -> pa.Array:
    """RFC 3339 UTC texts as microseconds, cut not rounded; what Arrow cannot hold becomes null."""
    texts = pa.array(values, pa.string())
    try:
        exact = texts.cast(pa.timestamp("ns", tz="UTC"))
    except pa.ArrowInvalid:
        exact = pa.array([_time_or_none(value) for value in values], pa.timestamp("ns", tz="UTC"))
    return pc.floor_temporal(exact, unit="microsecond").cast(_UTC_MICROSECONDS, safe=False)


def _time_or_none(value: str | None) -> pa.TimestampScalar | None:
    try:
        return pa.scalar(value, pa.string()).cast(pa.timestamp("ns", tz="UTC")) if value else None
    except pa.ArrowInvalid:
        return None
