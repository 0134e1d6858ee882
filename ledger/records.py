"""The record line and the typed columns that index it.

A record is one line of canonical JSON, stored verbatim; its Merkle leaf and its id are over exactly these bytes.
The typed columns are derived from the line by one function, which both the writer and deep verification call.
See docs/FORMAT.md, "Records".
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ledger import canonical, record_line
from ledger.entries import refuse_version
from ledger.errors import FormatError
from ledger.record_line import TYPE as TYPE
from ledger.record_line import RecordLine

PREFIX: Final = b'{"_":"evidence/record/1"'
MAX_LINE: Final = 65_536
"""Bytes a record line may have; what is longer belongs in the content."""
BLOCK: Final = 512
"""Rows that the hot loops hold parsed at a time: with more than a processor's cache holds they are half as fast."""
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
    "code": pa.string(),
    "time": _UTC_MICROSECONDS,
    "u64": pa.uint64(),
    "i64": pa.int64(),
    "i32": pa.int32(),
    "codes": pa.list_(pa.string()),
    "bytes": pa.binary(),
    "bytes12": pa.binary(12),
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
_CONTENT: Final = """\
segment i32
owner code
version i32
nonce bytes12
ciphertext bytes
"""
SCHEMA_TEXT: Final = f"evidence/events/1\nline bytes\n{_DERIVED}{_LOCATION}evidence/content/1\n{_CONTENT}"
"""Both files' columns as text: a version, then name and type of each. Its SHA-256 stands in partition entries."""
SCHEMA_SHA256: Final = hashlib.sha256(SCHEMA_TEXT.encode()).hexdigest()


def _columns(text: str) -> pa.Schema:
    return pa.schema([(name, _ARROW[kind]) for name, kind in (line.split() for line in text.splitlines())])


DERIVED: Final = _columns(_DERIVED)
"""The typed columns that follow from the line alone (nullable; times in microseconds, cut, UTC)."""

CODES: Final = [name for name, kind in (line.split() for line in _DERIVED.splitlines()) if kind == "code"]
"""Typed columns with few different values."""

LOCATION: Final = _columns(_LOCATION)
"""Where a row's content is: first segment, index in it, and how many segments an oversized slice takes."""

SCHEMA: Final = pa.schema([pa.field("line", pa.binary(), nullable=False), *DERIVED, *LOCATION])
"""The columns of an events file."""

CONTENT_SCHEMA: Final = pa.schema([field.with_nullable(False) for field in _columns(_CONTENT)])
"""The columns of a content file: one row a sealed segment."""


def length_class(length: int) -> int:
    """The number of bits of a content's length in bytes: its size to a factor of two, and no nearer."""
    return length.bit_length()


def source_keys(ids: Iterable[tuple[str, str]]) -> npt.NDArray[np.uint64]:
    """First 8 bytes, big-endian, of each SHA-256(source || 0x00 || source_id): the duplicate index's keys."""
    digests = [hashlib.sha256(f"{source}\0{source_id}".encode()).digest() for source, source_id in ids]
    return np.frombuffer(b"".join(digests), ">u8")[::4].astype(np.uint64)


def parse_line(line: bytes) -> dict[str, Any]:
    """A record line as a mapping. Raises FormatError unless the bytes are the canonical form of a record."""
    if not line.startswith(PREFIX) or len(line) > MAX_LINE:
        refuse_version(line, b'{"_":"evidence/record/', "record line")
    value = canonical.decode(line)
    if not isinstance(value, dict) or value.get("_") != TYPE or value.get("kind") not in KINDS:
        raise FormatError("record line of an unknown kind or version")
    return value


def read_lines(lines: Sequence[bytes]) -> list[RecordLine]:
    """The typed fields of record lines. Raises FormatError, or UnverifiableError for a line of a later version."""
    found = record_line.read_block(lines) if max(map(len, lines), default=0) <= MAX_LINE else None
    if found is None or any(line.type_ != TYPE or line.kind not in KINDS for line in found):
        found = [read_line(line) for line in lines]
    return found


def read_line(line: bytes) -> RecordLine:
    """The typed fields of one record line, which may hold fields of a later release. Raises like read_lines."""
    parse_line(line)
    return record_line.read(line)


def derive(lines: Sequence[RecordLine]) -> list[pa.Array]:
    """The typed columns of DERIVED for record lines, in that order: a pure function of the lines."""
    texts = pa.string()
    inputs = [line.input or _NO_INPUT for line in lines]
    return [
        pa.array([line.kind for line in lines], texts),
        pa.array([line.source for line in lines], texts),
        pa.array(source_keys([(line.source, line.source_id) for line in lines])),
        _times([line.observed_at for line in lines]),
        _times([line.occurred_at for line in lines]),
        _times([line.ended_at for line in lines]),
        pa.array([line.session for line in lines], texts),
        pa.array([line.seq for line in lines], pa.int64()),
        pa.array([_model(line) for line in lines], texts),
        pa.array([line.status for line in lines], texts),
        pa.array([line.decision for line in lines], texts),
        pa.array([line.gen_ai_usage_input_tokens for line in lines], pa.int64()),
        pa.array([line.gen_ai_usage_output_tokens for line in lines], pa.int64()),
        pa.array([_references(line.subjects) for line in lines], pa.list_(texts)),
        pa.array([line.content.owner for line in lines], texts),
        pa.array([place.ref for place in inputs], texts),
        pa.array([place.step for place in inputs], pa.int64()),
        pa.array([place.part for place in inputs], pa.int64()),
    ]


def _model(line: RecordLine) -> str | None:
    """The model that answered, else the one that was asked, else the one that the record names."""
    named = line.gen_ai_response_model or line.gen_ai_request_model
    return named or (line.model_ref.name if line.model_ref else None)


def _references(subjects: Mapping[str, list[str]] | None) -> list[str] | None:
    """All subject references whatever their role, sorted, or None."""
    if not subjects:
        return None
    if len(subjects) == 1:
        (references,) = subjects.values()
        if len(references) == 1:
            return references
    return sorted({reference for references in subjects.values() for reference in references})


Portion = tuple[str, int]
"""A portion of an input: its reference and step."""


def portions(lines: Sequence[RecordLine]) -> dict[Portion, list[tuple[int, str]]]:
    """For each portion of an input the part (-1 for none) and commitment of its lines, of which digests are made."""
    found: dict[Portion, list[tuple[int, str]]] = {}
    for line in lines:
        place = line.input
        if place is not None:
            piece = (-1 if place.part is None else place.part, line.content.commitment)
            found.setdefault((place.ref, place.step), []).append(piece)
    return found


class Summary:
    """What a partition entry says of its rows: counts by kind and source, the time range, the number of rejected.

    At most MAX_SOURCES sources, those with the most rows; ``other_sources`` counts the rest.
    """

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._first = "~"
        self._last = ""

    def add(self, lines: Sequence[RecordLine]) -> None:
        """Count some rows."""
        self._kinds.update([line.kind for line in lines])
        self._sources.update([line.source for line in lines])
        # Without the Z, RFC 3339 UTC texts sort as times at any precision.
        times = [(line.occurred_at or line.observed_at)[:-1] for line in lines]
        self._first, self._last = min(self._first, *times), max(self._last, *times)

    def as_entry(self) -> dict[str, Any]:
        """The fields of the entry."""
        most = sorted(self._sources.items(), key=lambda item: (-item[1], item[0]))[:MAX_SOURCES]
        return {
            "kinds": dict(sorted(self._kinds.items())),
            "sources": [{"source": source, "rows": rows} for source, rows in sorted(most)],
            "other_sources": len(self._sources) - len(most),
            "time": {"from": f"{self._first}Z", "to": f"{self._last}Z"},
            "rejected": self._kinds.get("rejected", 0),
        }


class _NoInput(NamedTuple):
    ref: str | None = None
    step: int | None = None
    part: int | None = None


_NO_INPUT: Final = _NoInput()


def _times(values: Sequence[str | None]) -> pa.Array:
    """RFC 3339 UTC texts as microseconds, cut not rounded; what Arrow cannot hold becomes null."""
    texts = pa.array(values, pa.string())
    try:
        exact = texts.cast(pa.timestamp("ns", tz="UTC"))
    except pa.ArrowInvalid:
        exact = pa.array([_time_or_none(value) for value in values], pa.timestamp("ns", tz="UTC"))
    # From 1970 on the cast cuts the same way, and costs a sixth.
    if (pc.min(exact.view(pa.int64())).as_py() or 0) < 0:
        exact = pc.floor_temporal(exact, unit="microsecond")
    return exact.cast(_UTC_MICROSECONDS, safe=False)


def _time_or_none(value: str | None) -> pa.TimestampScalar | None:
    try:
        return pa.scalar(value, pa.string()).cast(pa.timestamp("ns", tz="UTC")) if value else None
    except pa.ArrowInvalid:
        return None
