"""What the two verifiers are compared on: bundles of a small store that hold every sort of file, and clean ones."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ledger import notes
from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.verify.pin import Pin
from replay import access, catalog
from reports import holds
from reports.bundle.export import PLAIN, ContentGrant, Order, export_bundle, new_reference
from reports.sampling.drawing import SamplingRequest, Seed
from reports.selection.predicates import (
    ModelSelection,
    PeriodSelection,
    Selection,
    SessionSelection,
    SubjectSelection,
    period,
)
from reports.selection.queries import chosen_by
from tests.fixtures_stores import Installation, make_installation

PEOPLE = ("ana", "ben", "cem")
DAYS = ("2026-10-04", "2026-10-05", "2026-10-06")
FRAMEWORK = "sec-17a-4"


class Audited(NamedTuple):
    """The store, the checkpoint that the auditor remembers, and the key that attests to bundles."""

    installation: Installation
    pinned: Checkpoint
    pin: bytes
    bundle_key: notes.Signer

    @property
    def log_vkey(self) -> str:
        return self.installation.log_key.vkey

    def export(
        self, selection: Selection, content: str = "none", order: Order = PLAIN, *, pinned: bool = True
    ) -> bytes:
        """A bundle. ``content``: none, disclosed or sealed."""
        out = io.BytesIO()
        with self.installation.open() as store, catalog.opened(store) as listed:
            receipt = access.record(store, "export", "audit", {})
            reference = new_reference() if content == "sealed" else None
            grant = None if content == "none" else ContentGrant(receipt, reference)
            held = self.pinned if pinned else None
            export_bundle(store, listed, selection, content=grant, out=out, pinned=held, order=order, receipt=receipt)
        return out.getvalue()

    def everything(self) -> bytes:
        """All records of the middle day and after, with content, completeness shown, and a framework's controls."""
        return self.export(period("2026-10-05T00:00:00Z", "2026-10-07T00:00:00Z"), "disclosed", FRAMED)

    def sampled(self) -> bytes:
        """A stratified sample of what a model answered, with content."""
        request = SamplingRequest(Seed("given", "6 2 5 5 1"), 8, "kind")
        return self.export(ModelSelection("mira"), "disclosed", Order(sampling=request, frameworks=()))

    def clean(self) -> Iterator[tuple[str, bytes]]:
        """Some hundred bundles that differ in what is selected, sampled and disclosed."""
        for name, selection in self._selections():
            for content in ("none", "disclosed", "sealed"):
                yield f"{name}, {content}", self.export(selection, content, BARE, pinned=content != "none")
            if selection.evaluated:
                yield f"{name}, complete", self.export(selection, "disclosed", Order(complete=True, frameworks=()))
            for size, field in ((1, None), (2, "model_ref.version"), (3, "kind"), (1000, "status")):
                request = SamplingRequest(Seed("nonce", f"{name} {size}"), size, field)
                content = "disclosed" if size == 3 else "none"
                yield (
                    f"{name}, {size} by {field}",
                    self.export(selection, content, Order(sampling=request, frameworks=())),
                )

    def _selections(self) -> Iterator[tuple[str, Selection]]:
        yield "all", PeriodSelection(None, None)
        for first, last in ((DAYS[0], DAYS[1]), (DAYS[1], "2026-10-07"), (DAYS[2], "2026-10-07")):
            yield f"{first} to {last}", period(f"{first}T00:00:00Z", f"{last}T00:00:00Z")
        yield "an hour", period("2026-10-05T08:01:00Z", "2026-10-05T08:02:00Z")
        for person in PEOPLE:
            yield f"session of {person}", SessionSelection(f"s-{person}")
        with self.installation.open() as store:
            for person in PEOPLE[1:]:
                reference = store.reference("email", f"{person}@example.com")
                yield f"about {person}", SubjectSelection((reference,), start="2026-10-05T00:00:00Z")
            yield "no inference", chosen_by(store, "SELECT record_id FROM records WHERE kind <> 'inference'")
        yield "model", ModelSelection("mira")
        yield "version", ModelSelection("mira", "1.4.1", end="2026-10-06T09:00:00Z")


BARE = Order(frameworks=())
FRAMED = Order(frameworks=(FRAMEWORK,))


def make_audited(folder: Path) -> Audited:
    """Three customers over three days: one is erased, one is held, somebody looked, an auditor took a checkpoint."""
    installation = make_installation(folder)
    for number, day in enumerate(DAYS):
        lines = [line for person in PEOPLE for line in _turns(person, day, f"1.4.{number}")]
        path = folder / f"{day}.jsonl"
        path.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        installation.ingest(path)
        if number == 0:
            with installation.open() as store:
                note = store.checkpoint()[1]
    with installation.open() as store:
        holds.add(store, holds.Wanted(session="s-ben"), "audit", "The auditor asked for it.")
        access.record(store, "replay", "a complaint", {"session": "s-ben"})
        access.record(store, "subject", "a complaint", {"subjects": store.reference("email", "ben@example.com")})
        store.close_spool()
        store.seal()
        store.publish()
        signer = store.signer("bundle")
    installation.erase("ana@example.com")
    pin = Pin(installation.log_key.vkey, note.decode(), 0, "2026-11-01T00:00:00Z").to_bytes()
    return Audited(installation, parse_checkpoint(notes.parse_note(note).text), pin, signer)


def _turns(person: str, day: str, version: str) -> Iterator[dict[str, Any]]:
    """A question with a tool call, an answer, and a decision that blocks a third turn."""
    call = {"type": "tool_call", "id": "c-1", "name": "limits", "arguments": {"card": f"of {person}"}}
    for turn, (asked, answered) in enumerate(
        (
            ([_text("What is my limit?")], [call]),
            ([_text(f"And tomorrow, {person}? \u202e <b>\U0001f600</b>")], [_text("It is 500 a month.")]),
            ([_text("Write a poem.")], [_text("I may not.")]),
        )
    ):
        yield {
            "kind": "inference",
            "source": "chat",
            "id": f"{person}-{day}-{turn}",
            "time": f"{day}T08:0{turn}:00{'.5' if turn == 1 else ''}Z",
            "session": f"s-{person}",
            "status": "refused" if turn == 2 else "ok",
            "subjects": {"end_user": [{"type": "email", "id": f"{person}@example.com"}]},
            "model": {"name": "mira", "version": version},
            "input": [{"role": "user", "parts": asked}],
            "output": [{"role": "assistant", "parts": answered}],
        }


def _text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}
