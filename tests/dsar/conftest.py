"""A privacy desk: a store with people in it, and requests about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ledger.store import Store
from reports.dsar import register
from reports.dsar.requests import RequestState

Line = dict[str, Any]


@dataclass
class Office:
    """A store that is filled with lines of the product's own format; requests are opened in it."""

    installation: Any
    folder: Path
    written: int = field(default=0)

    def ingest(self, *lines: Line) -> None:
        self.written += 1
        path = self.folder / f"log-{self.written}.jsonl"
        path.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        self.installation.ingest(path)

    def said(self, person: str, text: str = "hello", **fields: Any) -> Line:
        """One model call of a person."""
        turns = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
        line = {"kind": "inference", "source": "chat", "session": f"s-{person}", "input": turns, "output": []}
        return line | {"subjects": {"end_user": [{"type": "email", "id": f"{person}@example.org"}]}} | fields


@pytest.fixture
def office(installation: Any, tmp_path: Path) -> Office:
    """An empty store."""
    return Office(installation, tmp_path)


@pytest.fixture
def store(office: Office) -> Iterator[Store]:
    """The office's store, open."""
    with office.installation.open() as opened:
        yield opened


@pytest.fixture
def opened(store: Store) -> Callable[..., RequestState]:
    """``opened(kind=..., regime=...)``: a request of one person."""

    def make(person: str = "nadia", **changes: Any) -> RequestState:
        subjects = [store.reference("email", f"{person}@example.org")]
        given = {
            "regime": "gdpr",
            "kind": "erasure",
            "received": date(2026, 11, 2),
            "said": {"words": "forget me, says Nadia Canary"},
        }
        return register.open_request(store, register.Opening(subjects, **{**given, **changes}))

    return make


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """``on(day)``: from now on it is that day at the desk."""

    def set_day(day: date) -> None:
        monkeypatch.setattr(register, "today", lambda: day)

    return set_day
