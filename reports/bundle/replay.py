"""``replay.jsonl``: the sessions of a bundle as people read them, arranged by the exporter from content in the bundle.

A reader needs no adapter: roles, turns and tools are named here. Whether a text really stands in the record's content
is said for each part, and both verifiers look for it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.access import Receipt
from ledger.history import Entry
from ledger.revealed import Revealed
from replay.catalog import Catalog
from replay.lineage import InForce, Lineage
from replay.timeline import Row, TimelineEvent, arranged
from reports.selection.choosing import ROWS_AT_ONCE, Part, batches
from reports.standalone import verify


class Replay:
    """Arranges the sessions of a bundle, as many in memory at a time as have about a row group's records."""

    def __init__(self, catalog: Catalog, receipt: Receipt, parts: Sequence[Part]) -> None:
        self._catalog = catalog
        self._receipt = receipt
        self._lineage = Lineage(catalog)
        self._places = _places(catalog, parts)

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of each session in the order of replay, as ``replay.jsonl`` has them."""
        for sessions in self._together():
            rows: dict[str, list[Row]] = {session: [] for session in sessions}
            for entry, item in self._open(sessions):
                rows[item.line["session"]].append((entry.seq, item))
            for session in sessions:
                contents = {item.record.hex(): item.bytes for _, item in rows[session]}
                for event in arranged(rows.pop(session), self._lineage):
                    yield _event(session, event, contents[event.record_id])

    def _together(self) -> Iterator[list[str]]:
        """Sessions in order, those together whose records are opened together: neighbours stand side by side."""
        sessions: list[str] = []
        rows = 0
        for session in sorted(self._places, key=str.encode):
            count = sum(len(found) for _, found in self._places[session])
            if sessions and rows + count > ROWS_AT_ONCE:
                yield sessions
                sessions, rows = [], 0
            sessions.append(session)
            rows += count
        if sessions:
            yield sessions

    def _open(self, sessions: Sequence[str]) -> Iterator[tuple[Entry, Revealed]]:
        """The records of some sessions, partition by partition in the order of the log."""
        wanted: dict[int, tuple[Entry, list[int]]] = {}
        for session in sessions:
            for entry, rows in self._places[session]:
                wanted.setdefault(entry.index, (entry, []))[1].extend(rows)
        for _, (entry, rows) in sorted(wanted.items()):
            path = self._catalog.mirror.path(entry.value)
            for batch in batches(sorted(rows)):
                for item in self._catalog.store.reveal(self._receipt, entry.value, batch, path):
                    yield entry, item


def _places(catalog: Catalog, parts: Sequence[Part]) -> dict[str, list[tuple[Entry, list[int]]]]:
    """Where the lines of each session stand that the bundle shows, in the order of the log."""
    found: dict[str, list[tuple[Entry, list[int]]]] = {}
    for part in parts:
        if not part.lined:
            continue
        shown = set(part.lined)
        sessions = catalog.connection.execute(
            "SELECT session, list(file_row_number ORDER BY file_row_number) "
            "FROM read_parquet(?, file_row_number = true) WHERE session IS NOT NULL GROUP BY session",
            [str(catalog.mirror.path(part.entry.value))],
        ).fetchall()
        for session, rows in sessions:
            mine = [row for row in rows if row in shown]
            if mine:
                found.setdefault(session, []).append((part.entry, mine))
    return found


def _event(session: str, event: TimelineEvent, content: bytes | None) -> dict[str, Any]:
    texts = [] if content is None else verify.texts_of(content)
    return {
        "at": event.at,
        "duplicate": event.duplicate,
        "idle": None if event.idle is None else _seconds(event.idle),
        "in_force": [_in_force(item) for item in event.in_force],
        "kind": event.kind,
        "notes": [_text(note) for note in event.rendered.notes],
        "parts": [] if content is None else [_checked(part, texts) for part in _parts(event)],
        "record": event.record_id,
        "repeated": event.repeated,
        "session": session,
        "state": event.state,
        "time_basis": event.time_basis,
    }


def _in_force(item: InForce) -> dict[str, Any]:
    return {
        "approval": item.approval,
        "approved_at": item.approved_at,
        "basis": item.basis,
        "kind": item.type,
        "name": item.name,
        "recorded_later": item.recorded_later,
        "version": item.version,
    }


def _parts(event: TimelineEvent) -> Iterator[dict[str, Any]]:
    """What there is to read of an event: new turns in, turns out, and labelled values as parts of the type fact."""
    for message in (*event.new_input, *event.rendered.output):
        for part in message.parts:
            named = {"name": _text(part.name)} if part.name else {}
            yield {"role": _text(message.role), "text": _text(part.text), "type": _text(part.type), **named}
    for label, value in event.rendered.facts:
        yield {"name": _text(label), "role": event.kind, "text": _text(value), "type": "fact"}


def _checked(part: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    return part | {"verbatim": any(part["text"] in text for text in texts)}


def _text(text: str) -> str:
    """Text that UTF-8 holds: a lone surrogate, which an escape in JSON can name, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _seconds(pause: float) -> str:
    return f"{pause:.6f}".rstrip("0").rstrip(".")
