"""Spans of content that may be about other people, for a person to decide on, and what was decided (Article 15(4)).

A review is a file of JSON Lines: a head, then one span a line with ``decision``, ``reason`` and ``reviewer`` to be
filled in. It holds content, so it is written for its owner alone and belongs nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import orjson

from ledger.errors import UsageError
from ledger.revealed import Revealed
from replay.redacting import redacted
from replay.third_parties import WHOLE, Others
from reports.access_package.gathering import Held
from reports.codes import check_code

HEAD: Final = "evidence/span-review/1"
UNDECIDED: Final = "undecided"
"""The reason of what was withheld because nobody decided on it."""
MAX_BYTES: Final = 256 * 1024 * 1024
_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of content that are searched together."""
_AROUND: Final = 60
"""Bytes before and after a span that its snippet shows."""


class Head(msgspec.Struct, frozen=True, rename={"type": "_"}):
    """The first line: whose request the review is for."""

    type: str
    request: str


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a record's content, in bytes. ``decision``: keep or redact; None is undecided.

    ``snippet`` is for the reviewer and is not read back. ``reason`` is a code, asked for where it is redacted;
    ``reviewer`` names who decided.
    """

    record: str
    start: int
    end: int
    type: str
    detector: str = "reviewer"
    snippet: str = ""
    decision: Literal["keep", "redact"] | None = None
    reason: str | None = None
    reviewer: str | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        """What tells a span from others."""
        return self.record, self.start, self.end


class Withheld(msgspec.Struct, frozen=True):
    """A span that is not in the package: its number there, why, by whom (a reference), and a commitment to its bytes.

    ``commitment`` is SHA-256 of salt and bytes; the salt is HMAC-SHA256 of the record's row key over the place, so that
    the controller can disclose it for as long as the record can be opened, and nobody can guess it before.
    """

    number: int
    record_id: str
    type: str
    reason: str
    reviewer: str | None
    commitment: str


def find_spans(others: Others, held: Sequence[Held]) -> list[Span]:
    """Every span of the opened records that is somebody else's, as far as is known; undecided."""
    return [
        Span(
            record=record_id,
            start=found.start,
            end=found.end,
            type=found.type,
            detector=found.detector,
            snippet=_snippet(content, found.start, found.end),
        )
        for batch in _batches(held)
        for (record_id, _, content), spans in zip(
            batch, others.spans([(line, content) for _, line, content in batch]), strict=True
        )
        for found in spans
    ]


def _batches(held: Sequence[Held]) -> Iterator[list[tuple[str, dict[str, Any], bytes]]]:
    """Id, line and content of the records that have content, so many bytes together."""
    batch: list[tuple[str, dict[str, Any], bytes]] = []
    size = 0
    for item in held:
        if item.revealed.bytes:
            batch.append((item.record_id, item.revealed.line, item.revealed.bytes))
            size += len(item.revealed.bytes)
        if size > _AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _snippet(content: bytes, start: int, end: int) -> str:
    """The span between marks, with what stands around it."""
    before = content[max(start - _AROUND, 0) : start].decode(errors="replace")
    after = content[end : end + _AROUND].decode(errors="replace")
    middle = content[start : min(end, start + 4 * _AROUND)].decode(errors="replace")
    return f"{before}>>>{middle}<<<{after}"


def encode(request: str, spans: Sequence[Span]) -> bytes:
    """A review file."""
    return msgspec.json.Encoder().encode_lines([Head(HEAD, request), *spans])


def read(path: Path, request: str) -> list[Span]:
    """The spans of a review file for this request. Raises UsageError that names the line that is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES} bytes")
    lines = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    try:
        head = msgspec.json.decode(lines[0][1] if lines else b"", type=Head)
        valid = head.type == HEAD and head.request == request
    except msgspec.DecodeError:
        valid = False
    if not valid:
        raise UsageError(f"{path} is no review for request {request[:8]}", hint="Make one: `evidence dsar spans`.")
    return [_span(path, number, line) for number, line in lines[1:]]


def _span(path: Path, number: int, line: bytes) -> Span:
    try:
        span = msgspec.json.decode(line, type=Span)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}, line {number}, is no span: {error}") from None
    if not 0 <= span.start < span.end:
        raise UsageError(f"{path}, line {number}: a span begins before it ends")
    if span.decision is not None and not (span.reviewer or "").strip():
        raise UsageError(f"{path}, line {number}: a decision names its reviewer")
    if span.decision == "redact":
        check_code(span.reason or "", f"{path}, line {number}: the reason")
    return span


def settle(found: Sequence[Span], reviewed: Sequence[Span], *, redact_undecided: bool) -> list[Span]:
    """The spans to be redacted. Raises UsageError while one is undecided, unless those are to be redacted.

    A reviewer may add spans of their own: a name that no detector knows. Where the whole content is redacted, nothing
    within it needs a decision.
    """
    decided = {span.place: span for span in reviewed if span.decision is not None}
    every = {span.place: span for span in (*found, *reviewed)} | decided
    gone = {
        span.record
        for span in every.values()
        if span.type == WHOLE and (span.decision == "redact" or (span.decision is None and redact_undecided))
    }
    every = {place: span for place, span in every.items() if span.type == WHOLE or span.record not in gone}
    undecided = [span for span in every.values() if span.decision is None]
    if undecided and not redact_undecided:
        raise UsageError(
            f"{len(undecided)} of {len(every)} spans that may be about other people are undecided",
            hint="Decide in the file of `evidence dsar spans` (--review), or withhold them all: --redact-undecided.",
        )
    withheld = [msgspec.structs.replace(span, decision="redact", reason=UNDECIDED) for span in undecided]
    return [*(span for span in every.values() if span.decision == "redact"), *withheld]


def withhold(
    held: Sequence[Held], spans: Sequence[Span], reviewers: Mapping[str, str]
) -> tuple[list[Held], list[Withheld]]:
    """The records without the spans, and the list of what was taken out. ``reviewers``: name → reference.

    Raises UsageError for a span of a record that is not among them, or outside its content.
    """
    by_record: dict[str, list[Span]] = {}
    for span in spans:
        by_record.setdefault(span.record, []).append(span)
    unknown = by_record.keys() - {item.record_id for item in held if item.revealed.bytes is not None}
    if unknown:
        raise UsageError(f"the review is about record {min(unknown)[:12]!a}, which is not among the opened ones")
    left: list[Held] = []
    listed: list[Withheld] = []
    for item in held:
        mine = sorted(by_record.get(item.record_id, ()), key=lambda span: (span.start, span.end))
        numbers = range(len(listed) + 1, len(listed) + 1 + len(mine))
        left.append(_without(item, mine, tuple(numbers)) if mine else item)
        for number, span in zip(numbers, mine, strict=True):
            reviewer = None if span.reviewer is None else reviewers[span.reviewer.strip()]
            made = _commitment(item.revealed, span)
            listed.append(Withheld(number, item.record_id, span.type, span.reason or UNDECIDED, reviewer, made))
    return left, listed


def _without(item: Held, spans: Sequence[Span], numbers: tuple[int, ...]) -> Held:
    content = item.revealed.bytes or b""
    if max(span.end for span in spans) > len(content):
        raise UsageError(f"the review names a span beyond the end of record {item.record_id[:12]}")
    if any(span.type == WHOLE for span in spans):
        left = item.revealed._replace(bytes=None, state="withheld")
    else:
        masked = redacted(content, [(span.start, span.end) for span in spans])
        left = item.revealed._replace(bytes=masked, state="part_withheld")
    return msgspec.structs.replace(item, revealed=left, withheld=numbers)


def _commitment(revealed: Revealed, span: Span) -> str:
    content = (revealed.bytes or b"")[span.start : span.end]
    return hashlib.sha256(withheld_salt(revealed.row_key or b"", span.start, span.end) + content).hexdigest()


def withheld_salt(row_key: bytes, start: int, end: int) -> bytes:
    """The salt of a commitment to a span: known to whoever can open the record, and to whom they disclose it."""
    place = f"evidence/v1/withheld/{start}/{end}"
    return hmac.digest(row_key, place.encode(), "sha256")


def reviewers_of(spans: Sequence[Span]) -> Iterator[str]:
    """The names of whoever decided, each once."""
    yield from dict.fromkeys(span.reviewer.strip() for span in spans if span.reviewer is not None)


def as_plain(withheld: Sequence[Withheld]) -> list[dict[str, Any]]:
    """For JSON."""
    plain: list[dict[str, Any]] = orjson.loads(msgspec.json.encode(withheld))
    return plain
