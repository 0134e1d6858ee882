"""Stores for the tests of replay: one filled line by line, one with the sample data that nobody may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger.access import Receipt
from ledger.store import Store
from replay import access, catalog
from replay.catalog import Catalog
from replay.lineage import InForce
from replay.timeline import Session, open_session

Line = dict[str, Any]


@dataclass
class Desk:
    """A store that is filled with lines of the product's own format and looked into as the commands do it."""

    installation: Any
    folder: Path
    written: int = field(default=0)

    def ingest(self, *lines: Line, name: str | None = None) -> Path:
        """Take in one file with these lines; returns where it is."""
        self.written += 1
        path = self.folder / (name or f"log-{self.written}.jsonl")
        path.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        self.installation.ingest(path)
        return path

    @contextmanager
    def listed(self) -> Iterator[tuple[Store, Catalog]]:
        with self.installation.open() as store, catalog.opened(store) as opened:
            yield store, opened

    def replay(self, session: str) -> Session:
        with self.listed() as (store, opened):
            return open_session(opened, session, receipt(store))

    def in_force(self, session: str) -> list[tuple[InForce, ...]]:
        """What was in force at each event of a session, in order."""
        return [event.in_force for event in self.replay(session).events]


def receipt(store: Store) -> Receipt:
    return access.record(store, "test", "a test", {})


@pytest.fixture
def desk(installation: Any, tmp_path: Path) -> Desk:
    """An empty store to be filled."""
    return Desk(installation, tmp_path)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory, new_installation: Callable[..., Any], sample_logs: Path) -> Desk:
    """The sample data, ingested once: for reading only."""
    folder = tmp_path_factory.mktemp("sample")
    installation = new_installation(folder / "installation")
    installation.ingest(sample_logs)
    return Desk(installation, folder)


@pytest.fixture
def turn() -> Callable[..., Line]:
    """``turn("u1", "a1", id=..., time=...)``: one model call, what it was given and what it said."""
    return _turn


def _turn(*said: str, **fields: Any) -> Line:
    """Texts in turn from user and assistant; the last is the output. ``given`` replaces the input messages."""
    messages = [_message(("user", "assistant")[at % 2], text) for at, text in enumerate(said)]
    line = {"kind": "inference", "source": "chat", "session": "s1", "input": messages[:-1], "output": messages[-1:]}
    return line | fields


def _message(role: str, text: str) -> Line:
    return {"role": role, "parts": [{"type": "text", "content": text}]}
