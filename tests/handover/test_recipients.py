"""Exports name their recipients by a reference, and each says by itself which records of a person it held."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import UsageError
from reports.bundle.export import export_bundle
from reports.exports.recipients import HandedOut, bundles_with, recipient_names, recipient_reference
from reports.selection.predicates import Selection, SessionSelection, period
from tests.handover.conftest import ANA, BEN, Office, chat

AUDITOR = "Müller & Partner, Ms Weiß"


def export(office: Office, selection: Selection, recipient: str | None = None) -> None:
    with office.listed() as (store, opened):
        named = None if recipient is None else recipient_reference(store, recipient)
        export_bundle(store, opened, selection, content=None, out=io.BytesIO(), recipient=named)
        store.publish()


def handed(office: Office, person: str) -> list[HandedOut]:
    references = office.people(person)
    with office.listed() as (_, opened):
        return bundles_with(opened, references)


def test_an_export_lists_whom_it_held(office: Office) -> None:
    export(office, SessionSelection("s-ana"), AUDITOR)
    export(office, period("2026-10-04T08:01:00Z", None))
    export(office, period(None, "2026-10-04T08:00:30Z"), AUDITOR)
    export(office, SessionSelection("s-ben"))
    ana, ben = handed(office, ANA), handed(office, BEN)
    assert [(item.records, item.selection["type"]) for item in ana] == [(3, "session"), (2, "time"), (1, "time")]
    assert [(item.records, item.selection["type"]) for item in ben] == [(1, "time"), (1, "session")]
    assert [item.recipient is None for item in ana] == [False, True, False]
    with office.installation.open() as store:
        assert set(recipient_names(store, ana).values()) == {"müller & partner, ms weiss"}


def test_what_came_after_an_export_is_not_in_it(office: Office) -> None:
    export(office, SessionSelection("s-ana"))
    office.ingest(chat("a-9", "s-ana", ANA, "more", "yes"))
    assert [item.records for item in handed(office, ANA)] == [3]


def test_the_answer_is_the_same_after_an_erasure(office: Office) -> None:
    """Whoever erases has to tell the recipients, and may come to it later."""
    export(office, SessionSelection("s-ana"), AUDITOR)
    references = office.people(ANA)
    before = handed(office, ANA)
    office.installation.erase(ANA)
    with office.listed() as (_, opened):
        assert bundles_with(opened, references) == before


def test_no_name_stands_in_the_store(office: Office) -> None:
    export(office, SessionSelection("s-ana"), AUDITOR)
    files = [path for path in Path(office.installation.folder).rglob("*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    assert b"evidence/checkpoint" in stored or files
    assert "Müller".encode() not in stored
    (entry,) = [item for item in entries_of(office) if item["type"] == "export"]
    assert len(entry["recipient"]) == 32


def entries_of(office: Office) -> list[dict[str, Any]]:
    with office.installation.open() as store:
        return [dict(entry.value) for entry in store.history.entries]


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_recipient_has_a_name(office: Office, name: str) -> None:
    with office.installation.open() as store, pytest.raises(UsageError):
        recipient_reference(store, name)


def test_without_an_export_there_is_none(office: Office) -> None:
    assert handed(office, ANA) == []
