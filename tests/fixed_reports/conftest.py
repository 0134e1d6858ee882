"""Stores for the fixed reports: the sample data, one that is filled line by line, and how tables are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger.store import Store
from replay import catalog
from replay.catalog import Catalog
from reports.document import Chart, Facts, Report, Table, Text
from reports.published import Published, read_published

Line = dict[str, Any]
ALWAYS = (None, None)
Make = Callable[[Catalog, Published, tuple[str | None, str | None]], Report]


@dataclass
class Bank:
    """A store that is filled with lines of the product's own format, and reported on."""

    installation: Any
    folder: Path
    written: int = field(default=0)

    def ingest(self, *lines: Line) -> None:
        self.written += 1
        path = self.folder / f"log-{self.written}.jsonl"
        path.write_text("".join(json.dumps({"evidence": "event/1", **line}) + "\n" for line in lines))
        self.installation.ingest(path)

    @contextmanager
    def opened(self) -> Iterator[tuple[Store, Catalog]]:
        with self.installation.open() as store, catalog.opened(store) as listed:
            yield store, listed

    def report(self, make: Make, period: tuple[str | None, str | None] = ALWAYS, size: int | None = None) -> Read:
        """The report as of the published checkpoint, or of an earlier one."""
        with self.opened() as (store, listed):
            return Read(make(listed, read_published(store, size), period))

    def person(self, identifier: str) -> str:
        with self.installation.open() as store:
            (reference,) = store.keyring.lookup(identifier)
        return str(reference)


@dataclass
class Read:
    """A report by the names of its parts."""

    report: Report

    def blocks(self) -> Iterator[Any]:
        return (block for section in self.report.sections for block in section.blocks)

    def table(self, name: str) -> Table:
        (found,) = (block for block in self.blocks() if isinstance(block, Table) and block.name == name)
        return found

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A table's rows by the titles of its columns."""
        table = self.table(name)
        titles = [column.title for column in table.columns]
        return [dict(zip(titles, row, strict=True)) for row in table.rows]

    def column(self, name: str, *titles: str) -> list[Any]:
        found = [tuple(row[title] for title in titles) for row in self.rows(name)]
        return [row[0] for row in found] if len(titles) == 1 else found

    def facts(self) -> dict[str, Any]:
        return {label: value for block in self.blocks() if isinstance(block, Facts) for label, value in block.items}

    def chart(self, name: str) -> Chart:
        (found,) = (block for block in self.blocks() if isinstance(block, Chart) and block.name == name)
        return found

    def alerts(self) -> str:
        texts = [block for block in self.blocks() if isinstance(block, Text) and block.tone == "alert"]
        return " ".join(words for block in texts for words in block.paragraphs)


@pytest.fixture
def bank(installation: Any, tmp_path: Path) -> Bank:
    """An empty store to be filled."""
    return Bank(installation, tmp_path)


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory, new_installation: Callable[..., Any], sample_logs: Path) -> Bank:
    """The sample's month, ingested once: for reading only."""
    folder = tmp_path_factory.mktemp("month")
    installation = new_installation(folder / "installation")
    installation.ingest(sample_logs)
    return Bank(installation, folder)


def change(own: str, at: str | None, to: str | None, *, of: str = "model", name: str = "m", **fields: Any) -> Line:
    """A change of ``name`` to a version; ``actor``, ``was`` (the version before) and other fields as given."""
    line: Line = {"kind": "change", "source": "desk", "id": own}
    what = {
        "type": of,
        "name": name,
        "to": to,
        "from": fields.pop("was", None),
        "digest_to": fields.pop("digest", None),
    }
    line["change"] = {key: value for key, value in what.items() if value is not None}
    actor = fields.pop("actor", "author")
    if actor is not None:
        line["subjects"] = {"actor": [{"type": "employee", "id": actor}]}
    return line | ({} if at is None else {"time": at}) | fields


def approval(of: str, at: str | None, by: str | None = "approver", decision: str = "approved", **fields: Any) -> Line:
    line: Line = {"kind": "approval", "source": "desk", "id": f"{of}-{decision}-{at}", "decision": decision}
    line["links"] = [{"relation": "approves", "source": "desk", "id": of}]
    if by is not None:
        line["subjects"] = {"approver": [{"type": "employee", "id": by}]}
    return line | ({} if at is None else {"time": at}) | fields


def call(own: str, at: str | None, user: str | None = "ana", **fields: Any) -> Line:
    """A call of model ``m`` unless ``model`` says otherwise."""
    line: Line = {"kind": "inference", "source": "chat", "id": own, "session": f"s-{own}", "model": {"name": "m"}}
    if user is not None:
        line["subjects"] = {"end_user": [{"type": "email", "id": f"{user}@example.org"}]}
    return line | ({} if at is None else {"time": at}) | fields
