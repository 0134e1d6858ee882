"""A small store of two customers, and exports of it as register and grants see them: rows, entry, sealed content."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ledger.content import Revealed
from ledger.store import Store
from replay import access, catalog
from replay.catalog import Catalog
from reports import exports
from reports.bundle_rows import store_rows
from reports.grants import Granted, grant
from reports.published import publish_all
from reports.sealed_content import seal
from reports.selecting import Part, choose
from reports.selection import PeriodSelection
from tests.fixtures_stores import Installation, make_installation

ANA, BEN = "ana@example.com", "ben@example.com"
PURPOSE = "audit of Example & Sons, 2026"
WORDS = exports.Words(PURPOSE, {"subject": "Ana Example"}, "Müller & Partner")
LATE = "2027-02-20T00:00:00Z"


class Handed(NamedTuple):
    """An export: how the register lists it, and its sealed content by record, with what it was sealed from."""

    item: exports.Exported
    sealed: dict[bytes, bytes]
    contents: dict[bytes, Revealed]


@dataclass(frozen=True)
class Desk:
    """The store, and whoever exports from it."""

    installation: Installation

    @contextmanager
    def opened(self) -> Iterator[tuple[Store, Catalog]]:
        with self.installation.open() as store, catalog.opened(store) as listed:
            yield store, listed

    def reference(self, person: str) -> str:
        with self.installation.open() as store:
            return store.reference("email", person)

    def export(self, *, revocable: bool = True, words: exports.Words = WORDS) -> Handed:
        """Everything that is there, recorded as an export; content is sealed for it as a bundle has it."""
        reference = secrets.token_hex(16)
        with self.opened() as (store, listed):
            published = publish_all(store)
            receipt = access.record(store, "export", "a test", {})
            chosen = choose(listed, PeriodSelection(None, None), complete=False)
            parts = [Part(entry, [row.row for row in rows]) for entry, rows in chosen]
            revealed = [row for part in parts for row in store.reveal(receipt, part.entry.value, part.rows)]
            outgoing = exports.Outgoing(
                sha256=secrets.token_hex(32),
                size=1000,
                checkpoint_size=published.checkpoint.size,
                selection={"type": "time"},
                partitions=len(parts),
                records=len(revealed),
                contents={"verified": len(revealed)},
                with_content=True,
                revocable=revocable,
                export=reference if revocable else None,
                rows=store_rows(store, parts) if revocable else None,
            )
            entry = exports.record_export(store, outgoing, words)
            (item,) = [item for item in exports.exports(store) if item.entry == entry.index]
        contents = {row.record: row for row in revealed}
        return Handed(item, dict(_sealed(bytes.fromhex(reference), contents)), contents)

    def grant(self, item: exports.Exported, until: str) -> Granted:
        with self.installation.open() as store:
            receipt = access.record(store, "exports grant", "a test", {})
            return grant(store, receipt, item, until)


def _sealed(export: bytes, contents: Mapping[bytes, Revealed]) -> Iterator[tuple[bytes, bytes]]:
    for record, row in contents.items():
        if row.bytes is not None and row.row_key is not None:
            yield record, seal(export, record, row.row_key, b"[]", row.bytes)


def make_desk(folder: Path) -> Desk:
    """Ana's session of three turns, and Ben's of two, on two days."""
    installation = make_installation(folder)
    for day, turns in (("2026-10-04", 1), ("2026-10-05", 2)):
        lines = [*_turns("s-ana", ANA, day, turns), *_turns("s-ben", BEN, day, 1)]
        path = folder / f"{day}.jsonl"
        path.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        installation.ingest(path)
    return Desk(installation)


def _turns(session: str, person: str, day: str, count: int) -> Iterator[dict[str, Any]]:
    for turn in range(count):
        yield {
            "kind": "inference",
            "source": "chat",
            "id": f"{session}-{day}-{turn}",
            "time": f"{day}T08:0{turn}:00Z",
            "session": session,
            "subjects": {"end_user": [{"type": "email", "id": person}]},
            "model": {"name": "mira", "version": "1.4.0"},
            "input": [{"role": "user", "parts": [{"type": "text", "content": f"What is my limit? ({turn})"}]}],
            "output": [{"role": "assistant", "parts": [{"type": "text", "content": "It is 500 a month."}]}],
        }
