"""Stores of a small bank: two customers, an approver, conversations in which they name each other."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger.store import Store
from replay import access, catalog
from replay.catalog import Catalog
from replay.persons import resolve_person
from replay.timeline import Session, open_session
from reports.access_package.package import Delivered, Order, deliver, spans_to_review
from reports.access_package.review import Span
from reports.dsar.register import Opening, identify, open_request, today
from reports.dsar.requests import RequestState

Line = dict[str, Any]
ANA, BEN = "ana@example.com", "ben@example.com"


@dataclass
class Office:
    """A store that is filled with lines of the product's own format and looked into as the commands do it."""

    installation: Any
    folder: Path
    written: int = field(default=0)

    def ingest(self, *lines: Line) -> Path:
        self.written += 1
        path = self.folder / f"log-{self.written}.jsonl"
        path.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        self.installation.ingest(path)
        return path

    @contextmanager
    def listed(self) -> Iterator[tuple[Store, Catalog]]:
        with self.installation.open() as store, catalog.opened(store) as opened:
            yield store, opened

    def replay(self, session: str) -> Session:
        with self.listed() as (store, opened):
            return open_session(opened, session, access.record(store, "test", "a test", {}))

    def people(self, *identifiers: str) -> list[str]:
        with self.installation.open() as store:
            return resolve_person(store, identifiers)

    def record_id(self, source_id: str) -> str:
        """The id of a record by the id that its source gave it."""
        with self.listed() as (_, opened):
            ((found,),) = opened.connection.execute(
                "SELECT lower(sha256('\\x00'::BLOB || line)) FROM read_parquet(?) "
                "WHERE decode(line)::JSON->>'$.source_id' = ?",
                [opened.events_paths(), source_id],
            ).fetchall()
        return str(found)


def chat(ident: str, session: str, person: str, said: str, answered: str, **fields: Any) -> Line:
    """One call of a model by a customer: what they wrote and what came back."""
    return {
        "kind": "inference",
        "source": "chat",
        "id": ident,
        "time": "2026-10-04T08:00:00Z",
        "session": session,
        "subjects": {"end_user": [{"type": "email", "id": person}]},
        "model": {"name": "mira", "version": "1.4.0"},
        "input": [{"role": "user", "parts": [{"type": "text", "content": said}]}],
        "output": [{"role": "assistant", "parts": [{"type": "text", "content": answered}]}],
        **fields,
    }


@pytest.fixture
def office(installation: Any, tmp_path: Path) -> Office:
    """Ana's session with two turns and a verdict, and Ben's with one turn."""
    made = Office(installation, tmp_path)
    made.ingest(
        chat("a-1", "s-ana", ANA, "What is my limit?", "It is 500 a month."),
        chat("a-2", "s-ana", ANA, "And Ben's, ben@example.com?", "I may not say.", time="2026-10-04T08:01:00Z"),
        {
            "kind": "policy",
            "source": "guard",
            "id": "p-1",
            "time": "2026-10-04T08:01:01Z",
            "session": "s-ana",
            "decision": "blocked",
            "subjects": {"end_user": [{"type": "email", "id": ANA}]},
            "text": "asked about another customer",
        },
        chat("b-1", "s-ben", BEN, "Hello, I am Ben.", "Hello Ben."),
    )
    return made


def ask(office: Office, *identifiers: str, kind: str = "access", identified: bool = True) -> RequestState:
    """A request of a person, as it came in and, mostly, after they were identified."""
    references = office.people(*identifiers)
    with office.installation.open() as store:
        said = {"requester": "Ana Example", "channel": "letter"}
        state = open_request(store, Opening(references, "gdpr", kind, today(), said))
        return identify(store, state, "account", None, {}) if identified else state


@dataclass
class Package:
    """An access package as its recipient has it."""

    data: bytes
    made: Delivered
    request: str

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return archive.read(name)

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(name).splitlines()]

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.read(name).decode("utf-8-sig"))))

    @property
    def html(self) -> str:
        return self.read("index.html").decode()

    @property
    def everything(self) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())


def hand_over(office: Office, request: RequestState, **named: Any) -> Package:
    """Make a package of a request; what nobody decided on is withheld."""
    named.setdefault("redact_undecided", True)
    out = io.BytesIO()
    with office.listed() as (store, opened):
        receipt = access.record(store, "dsar export", "test", {})
        made = deliver(store, opened, receipt, Order(request, **named), out)
        store.publish()
    return Package(out.getvalue(), made, request.request)


def to_review(office: Office, request: RequestState, sessions: Sequence[str] = ()) -> list[Span]:
    with office.listed() as (store, opened):
        receipt = access.record(store, "dsar spans", "test", {})
        return spans_to_review(opened, receipt, Order(request, sessions=sessions))
