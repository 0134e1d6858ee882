"""``replay.jsonl``: the sessions of a bundle as people read them, arranged by the exporter from content in the bundle.

A reader needs no adapter: roles, turns and tools are named here. Whether a text really stands in the record's content
is said for each part, and both verifiers look for it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.access import Receipt
from ledger.revealed import Revealed
from replay.catalog import Catalog
from replay.lineage import InForce, Lineage
from replay.timeline import TimelineEvent, arranged
from reports.selecting import Part, batches
from reports.standalone import verify


class Replay:
    """Arranges the sessions of a bundle, one in memory at a time."""

    def __init__(self, catalog: Catalog, receipt: Receipt, parts: Sequence[Part]) -> None:
        self._catalog = catalog
        self._receipt = receipt
        self._lineage = Lineage(catalog)
        self._places = _places(catalog, parts)

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of each session in the order of replay, as ``replay.jsonl`` has them."""
        for session in sorted(self._places, key=str.encode):
            rows = [(part.entry.seq, item) for part, at in self._places[session] for item in self._open(part, at)]
            contents = {item.record.hex(): item.bytes for _, item in rows}
            for event in arranged(rows, self._lineage):
                yield _event(session, event, contents[event.record_id])

    def _open(self, part: Part, rows: Sequence[int]) -> Iterator[Revealed]:
        path = self._catalog.mirror.path(part.entry.value)
        for batch in batches(rows):
            yield from self._catalog.store.reveal(self._receipt, part.entry.value, batch, path)


def _places(catalog: Catalog, parts: Sequence[Part]) -> dict[str, list[tuple[Part, list[int]]]]:
    """Where the lines of each session stand that the bundle shows."""
    found: dict[str, list[tuple[Part, list[int]]]] = {}
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
                found.setdefault(session, []).append((part, mine))
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
