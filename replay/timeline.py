"""One session as people read it: events in order, new turns only, idle gaps, what was in force at each moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest import formats
from ingest.formats.base import Message, Rendered
from ledger.access import Receipt
from ledger.errors import NotFoundError, UnverifiableError
from ledger.revealed import Revealed
from replay.catalog import Catalog, session_parts
from replay.lineage import InForce, Lineage

IDLE_SECONDS: Final = 300
"""A pause longer than this is shown as an idle gap."""

_BELONGS: Final = frozenset(("part_of", "tool_of", "caused_by", "same_as"))
_BEHIND: Final = "corrects"
"""A correction stands behind what it corrects whenever it was made: read apart from it, the record would mislead."""

Row = tuple[int, Revealed]
"""A record with the number of the commit that brought it."""


class TimelineEvent(msgspec.Struct, frozen=True):
    """One record of a session. ``state`` says whether its content was opened and matched its commitment.

    ``new_input`` leaves out the history that an earlier event of the session showed already (``repeated`` messages).
    ``idle`` is the pause before it in seconds, where that is a gap. Times are RFC 3339 UTC, None where unknown.
    """

    record_id: str
    kind: str
    at: str | None
    time_basis: str
    idle: float | None
    line: dict[str, Any]
    state: str
    rendered: Rendered
    new_input: tuple[Message, ...]
    repeated: int
    in_force: tuple[InForce, ...]
    duplicate: bool


class Session(msgspec.Struct, frozen=True):
    """A session's events in order, and where they came from."""

    session: str
    events: tuple[TimelineEvent, ...]


def open_session(catalog: Catalog, session: str, receipt: Receipt) -> Session:
    """Read, decrypt and render a session. Raises NotFoundError, and AccessNotRecordedError without a receipt."""
    parts = session_parts(catalog, session)
    if not parts:
        raise NotFoundError(f"no session {session!a} in this store")
    partitions = catalog.partitions()
    rows: list[Row] = []
    for part in parts:
        entry = partitions[part.partition]
        events = catalog.mirror.path(entry.value)
        revealed = catalog.store.reveal(receipt, entry.value, range(part.first_row, part.first_row + part.rows), events)
        rows += [(entry.seq, row) for row in revealed]
    return Session(session, arranged(rows, Lineage(catalog)))


def arranged(rows: Sequence[Row], lineage: Lineage) -> tuple[TimelineEvent, ...]:
    """Opened records of one session as its events, envelopes left out."""
    shown = [(seq, row) for seq, row in rows if row.line["kind"] != "envelope"]
    return tuple(_events(_beside_their_targets(*_in_order(shown)), lineage))


def _in_order(rows: Sequence[Row]) -> tuple[list[Row], bool]:
    """By time, or by the source's sequence where only that is known of all but corrections, which say when they came.

    The second value says that it was by sequence.
    """
    lines = [row.line for _, row in rows if not _corrects(row.line)]
    by_sequence = all("seq" in line for line in lines) and not all("occurred_at" in line for line in lines)
    return sorted(rows, key=lambda item: _order(item[1].line, by_sequence)), by_sequence


def _corrects(line: Mapping[str, Any]) -> bool:
    return any(link["relation"] == _BEHIND for link in line.get("links", ()))


def _order(line: Mapping[str, Any], by_sequence: bool) -> tuple[str, int, str, int, int]:
    """Time where every event has one, else the source's sequence; equal ones in the order of their input.

    Where some events have neither, those without a time stand first, if they do not belong to one that has.
    """
    place = line.get("input", {})
    at = "" if by_sequence else line.get("occurred_at", "")[:-1]
    return at, line.get("seq", 1 << 53), place.get("ref", ""), place.get("step", 0), place.get("part", 1 << 53)


def _beside_their_targets(rows: Sequence[Row], by_sequence: bool) -> list[Row]:
    """What has no time of its own, such as a guardrail's verdict, stands right behind the record that it belongs to.

    So does a correction. Where a sequence orders the rest, it alone is moved.
    """
    places = {_own_id(row.line): place for place, (_, row) in reversed(list(enumerate(rows)))}
    behind: dict[int, list[int]] = {}
    first: list[int] = []
    for place, (_, row) in enumerate(rows):
        moves = _corrects(row.line) or not (by_sequence or "occurred_at" in row.line)
        target = _target(row.line, places) if moves else None
        (first if target in (None, place) else behind.setdefault(target, [])).append(place)
    order: list[int] = []
    waiting = first[::-1]
    while waiting:
        place = waiting.pop()
        order.append(place)
        waiting += behind.pop(place, [])[::-1]
    # Records that belong to each other in a circle belong nowhere.
    left = sorted(place for group in behind.values() for place in group)
    return [rows[place] for place in (*left, *order)]


def _target(line: Mapping[str, Any], places: Mapping[tuple[str, str], int]) -> int | None:
    """The place of the first record of the session that a line says it belongs to."""
    wanted = (_BEHIND,) if _corrects(line) else _BELONGS
    links = (link for link in line.get("links", ()) if link["relation"] in wanted)
    found = (places.get((link["source"], link["source_id"])) for link in links)
    return next((place for place in found if place is not None), None)


def _own_id(line: Mapping[str, Any]) -> tuple[str, str]:
    return line["source"], line["source_id"]


def _events(rows: Sequence[Row], lineage: Lineage) -> Iterable[TimelineEvent]:
    shown: list[Essence] = []
    seen: set[tuple[str, str]] = set()
    before: str | None = None
    for seq, row in rows:
        line = row.line
        content = rendered(row)
        new, repeated = _without_history(content.input, shown)
        shown.extend(_essence(message) for message in (*new, *content.output))
        own_id = _own_id(line)
        at, later = line.get("occurred_at"), _corrects(line)
        yield TimelineEvent(
            row.record.hex(),
            line["kind"],
            at,
            line.get("time_basis", "none"),
            None if later else _gap(before, at),
            line,
            row.state,
            content,
            new,
            repeated,
            tuple(lineage.at(line, seq)),
            own_id in seen,
        )
        seen.add(own_id)
        before = before if later else line.get("ended_at") or at or before


def rendered(row: Revealed) -> Rendered:
    """What the bytes of an opened record mean, by its adapter; where they are not there, why."""
    if row.bytes is None:
        return Rendered(notes=(f"content {row.state}",))
    if not row.bytes:
        return Rendered()
    try:
        return formats.by_adapter(row.line["adapter"]).render(row.bytes, row.line)
    except UnverifiableError as error:
        return Rendered(notes=(error.message,))


Essence = tuple[str, tuple[str, ...]]
"""A message's role and the texts of its parts."""


def _without_history(messages: Sequence[Message], shown: Sequence[Essence]) -> tuple[tuple[Message, ...], int]:
    """Messages not shown yet: gateways log every request with the whole conversation before it.

    The longest beginning of ``messages`` that was shown already, in this order, is left out. A system message that
    differs, or an edited or reordered history, is shown again in full from where it differs.
    """
    earlier = iter(shown)
    count = 0
    while count < len(messages) and _essence(messages[count]) in earlier:
        count += 1
    if count == len(messages) and count and messages[-1].role == "user":
        count -= 1
    return tuple(messages[count:]), count


def _essence(message: Message) -> Essence:
    """What makes two messages the same to a reader: sources name calls and tools differently in each place."""
    return message.role, tuple(part.text for part in message.parts)


def _gap(before: str | None, at: str | None) -> float | None:
    if before is None or at is None:
        return None
    try:
        pause = (_moment(at) - _moment(before)).total_seconds()
    except ValueError:  # a leap second, or a year that Python has not: a pause cannot be told
        return None
    return pause if pause > IDLE_SECONDS else None


def _moment(text: str) -> datetime:
    """A time to the microsecond: enough for a pause."""
    head, dot, fraction = text[:-1].partition(".")
    return datetime.fromisoformat(f"{head}{dot}{fraction[:6]}+00:00")
