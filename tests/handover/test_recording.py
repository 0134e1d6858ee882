"""Records that the store makes itself: sealed and committed together with the entries that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import FORMATS
from ledger.errors import ErasedError, FormatError, UsageError
from ledger.recording import NewRecord, record, words
from ledger.verify import Verdict
from replay import access, catalog
from replay.records import find_record
from replay.timeline import open_session

HOSTILE = "=cmd|'/c calc'!A1 \u202e<script>alert(1)</script>\x1b[2J"


def review(owner: str, text: str = "checked", **fields: Any) -> NewRecord:
    return NewRecord({"kind": "review", **fields}, words(text=text), owner)


def request_entry(ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
    return [("request", {"request": "ab" * 16, "event": "noted", "record": one}) for one in ids]


def test_records_and_entries_stand_in_one_commit_and_verify(installation: Any) -> None:
    with installation.open() as store:
        ana, ben = store.reference("email", "ana@example.com"), store.reference("email", "ben@example.com")
        made = [review(ben, session="s-2"), review(ana, HOSTILE, session="s-1"), review(ana)]
        done = record(store, made, request_entry)
        store.publish()
    partition, *entries = done.entries
    assert partition.value["rows"] == 3
    assert partition.value["kinds"] == {"review": 3}
    assert [entry.value["record"] for entry in entries] == done.record_ids
    assert {entry.seq for entry in done.entries} == {partition.seq}
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings


def test_ids_come_in_the_order_given_though_rows_are_sorted(installation: Any) -> None:
    with installation.open() as store:
        owner = store.reference("email", "ana@example.com")
        sessions = ["s-3", "s-1", "s-2"]
        done = record(store, [review(owner, session=name) for name in sessions])
        with catalog.opened(store) as listed:
            places = [find_record(listed, one) for one in done.record_ids]
    assert [place.row for place in places] == [2, 0, 1]


def test_the_words_are_read_back_in_the_session(installation: Any) -> None:
    with installation.open() as store, catalog.opened(store):
        record(store, [review(store.reference("email", "ana@example.com"), HOSTILE, session="s-1")])
        receipt = access.record(store, "test", "test", {})
    with installation.open() as store, catalog.opened(store) as listed:
        receipt = access.record(store, "test", "test", {})
        (event,) = open_session(listed, "s-1", receipt).events
    assert event.kind == "review"
    assert event.rendered.facts == (("text", HOSTILE),)
    assert event.line["source"] == "evidence"


def test_no_word_stands_outside_the_encrypted_content(installation: Any) -> None:
    with installation.open() as store:
        record(store, [review(store.reference("email", "ana@example.com"), "a secret word")], request_entry)
    stored = b"".join(path.read_bytes() for path in Path(installation.folder).rglob("*") if path.is_file())
    assert b"evidence/commit/1" in stored
    assert b"secret word" not in stored


def test_nothing_is_sealed_for_somebody_who_was_erased(installation: Any) -> None:
    with installation.open() as store:
        owner = store.reference("email", "ana@example.com")
        record(store, [review(owner)])
    installation.erase("ana@example.com")
    with installation.open() as store:
        before = len(store.history.entries)
        with pytest.raises(ErasedError):
            record(store, [review(owner)])
        store.refresh()
        assert len(store.history.entries) == before


def test_an_erasure_that_comes_between_keys_and_commit_wins(installation: Any, monkeypatch: Any) -> None:
    """The key was still there when the content was sealed; at the commit it is not."""
    with installation.open() as store:
        owner = store.reference("email", "ana@example.com")
        record(store, [review(owner)])
        append = store.append

        def meanwhile(*arguments: Any, **named: Any) -> Any:
            installation.erase("ana@example.com")
            return append(*arguments, **named)

        monkeypatch.setattr(store, "append", meanwhile)
        with pytest.raises(ErasedError):
            record(store, [review(owner)])
        store.publish()
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings


def test_no_record_and_one_id_twice_are_mistakes(installation: Any) -> None:
    with installation.open() as store:
        owner = store.reference("email", "ana@example.com")
        with pytest.raises(UsageError):
            record(store, [])
        with pytest.raises(UsageError):
            record(store, [review(owner, source_id="x-1"), review(owner, source_id="x-1")])
        with pytest.raises(FormatError):
            record(store, [review(owner, favourite_colour="green")])


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(UsageError):
        words(text="\ud800")


@given(value=st.dictionaries(st.sampled_from(["text", "reason", "operator"]), st.text() | st.integers(0, 9)))
def test_what_was_worded_is_shown(value: dict[str, Any]) -> None:
    shown = FORMATS["note"].render(words(**value), {})
    assert dict(shown.facts) == {name: str(item) for name, item in value.items() if item != ""}
    assert not shown.notes


def test_an_object_is_shown_by_its_keys() -> None:
    shown = FORMATS["note"].render(words(operator={"name": "ann", "host": "desk"}), {})
    assert shown.facts == (("operator.host", "desk"), ("operator.name", "ann"))
