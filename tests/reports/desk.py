"""A small store of two customers, and exports of it as register and grants see them: rows, entry, sealed content."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ledger.clock import utc_now
from ledger.content import Revealed
from ledger.store import Store
from replay import access, catalog
from replay.catalog import Catalog
from reports.bundle import attestation
from reports.bundle.export import ContentGrant, export_bundle, new_reference
from reports.bundle.rows import store_rows
from reports.exports import register as exports
from reports.exports.grants import Granted, grant
from reports.exports.sealed_bundle import Opening, open_sealed
from reports.exports.sealed_content import seal
from reports.published import publish_all
from reports.selection.choosing import Part, choose
from reports.selection.predicates import PeriodSelection, SubjectSelection, period
from reports.standalone import verify
from tests.fixtures_stores import Installation, make_installation
from tests.reports.bundles import Files, rezip, unzip

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
        with self.opened() as (store, listed):
            return grant(listed, access.record(store, "exports grant", "a test", {}), item, until)


# ---- bundles of it, as files


class Sealed(NamedTuple):
    """A revocable bundle with the store that it came from."""

    desk: Desk
    path: Path
    item: exports.Exported

    def check(self) -> verify.Result:
        key = verify.parse_key(self.desk.installation.log_key.vkey)
        return verify.check(str(self.path), [key])

    def grant(self, folder: Path) -> Path:
        path = folder / "grant.json"
        path.write_bytes(self.desk.grant(self.item, soon()).note)
        return path

    def opened(self, folder: Path, now: str | None = None) -> tuple[Opening | None, verify.Result]:
        result = self.check()
        return open_sealed(self.path, self.grant(folder), result, now=now), result

    def changed(self, change: Callable[[Files], Files], folder: Path) -> Sealed:
        """The bundle as an exporter would hand it out who holds the bundle key and puts something else into it."""
        files = change(unzip(self.path.read_bytes()))
        payload = {name: data for name, data in files.items() if name.startswith("data/")}
        manifest = _manifest(payload)
        with self.desk.installation.open() as store:
            signer = store.signer("bundle")
        said = attestation.open_envelope(files[attestation.FILE], [signer.verifier])["predicate"]
        files[attestation.FILE] = attestation.envelope(attestation.statement(manifest, said), signer)
        files["manifest-sha256.txt"] = manifest
        tags = {name: data for name, data in files.items() if name not in payload and not name.startswith("tagm")}
        files["tagmanifest-sha256.txt"] = _manifest(tags)
        path = folder / "changed.zip"
        path.write_bytes(rezip(files))
        return self._replace(path=path)


def found(result: verify.Result) -> list[dict[str, str]]:
    """What was found, but that the auditor remembers no earlier checkpoint."""
    return [finding for finding in result.findings if finding["verdict"] != verify.UNPINNED]


def _manifest(files: Files) -> bytes:
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def hand_out(desk: Desk, path: Path, *, revocable: bool = True, person: str | None = None) -> Sealed:
    selection = period(None, "2026-11-01T00:00:00Z") if person is None else SubjectSelection((desk.reference(person),))
    with desk.opened() as (store, listed):
        receipt = access.record(store, "export", "a test", {})
        content = ContentGrant(receipt, new_reference() if revocable else None)
        out = io.BytesIO()
        export_bundle(store, listed, selection, content=content, out=out)
        store.publish()
        item = exports.exports(store)[-1]
    path.write_bytes(out.getvalue())
    return Sealed(desk, path, item)


# ---- how it is filled


def soon(days: float = 7) -> str:
    return (datetime.fromisoformat(utc_now()) + timedelta(days=days)).isoformat().replace("+00:00", "Z")


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
