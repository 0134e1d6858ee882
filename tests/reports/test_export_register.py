"""The register of exports: the ledger says when, of what and how much; who, why and for whom is sealed beside it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from ledger import entries, entry_shapes
from ledger.access import Receipt
from ledger.errors import AccessNotRecordedError, FormatError, NotFoundError, StorageError, TamperedError, UsageError
from ledger.recording import NewRecord, record, words
from ledger.store import Store
from ledger.verify import Verdict
from replay import access
from reports import restrictions
from reports.exports import register as exports
from tests.reports.desk import PURPOSE, WORDS, Desk, make_desk

SQL = "SELECT * FROM records WHERE session = 'Ana Example'"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "desk")


def outgoing(**changes: Any) -> exports.Outgoing:
    plain: dict[str, Any] = {
        "sha256": secrets.token_hex(32),
        "size": 1000,
        "checkpoint_size": 3,
        "selection": {"type": "session", "session": "s-1"},
        "partitions": 1,
        "records": 3,
        "contents": {},
        "with_content": False,
    }
    return exports.Outgoing(**(plain | changes))


def told(store: Store, item: exports.Exported) -> exports.Details | None:
    return exports.details(store, access.record(store, "exports", "a test", {}), item)


def test_an_export_is_listed_as_it_was_recorded(desk: Desk) -> None:
    item = desk.export().item

    assert (item.records, item.partitions, item.with_content, item.revocable) == (5, 2, True, True)
    assert item.selection == {"type": "time"}
    with desk.installation.open() as store:
        assert [listed.entry for listed in exports.exports(store)] == [item.entry]


def test_the_words_open_after_an_access_record_and_not_without(desk: Desk) -> None:
    item = desk.export().item
    with desk.installation.open() as store:
        found = told(store, item)
        who = access.who()
        with pytest.raises(AccessNotRecordedError):
            exports.details(store, Receipt("0" * 32, 1), item)

    assert found is not None
    assert (found.purpose, found.asked, found.recipient) == (PURPOSE, {"subject": "Ana Example"}, "Müller & Partner")
    assert (found.operator, found.host) == (who["name"], who["host"])
    assert (found.state, found.same_bundle) == ("verified", True)


def test_no_word_of_it_stands_in_the_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in an entry, a line, a blob nor the name of an object; what is sealed cannot be searched for."""
    operator = "operator-of-this-test"
    monkeypatch.setenv("LOGNAME", operator)
    assert access.who()["name"] == operator
    with desk.installation.open() as store:
        said = exports.Words(PURPOSE, {"query": SQL}, WORDS.recipient)
        rows = {"blob": "0" * 64, "count": 1}
        exports.record_export(store, outgoing(selection={"type": "query", "words": SQL}, rows=rows), said)
        assert exports.exports(store)[0].selection == {"type": "query"}

    files = [path for path in desk.installation.folder.rglob("*") if path.is_file()]
    for path in files:
        everything = path.read_bytes() + str(path.relative_to(desk.installation.folder)).encode()
        for word in (PURPOSE, SQL, "Ana Example", "Müller", operator):
            assert word.encode() not in everything, path
    assert len(files) > 10


def test_what_was_recorded_verifies_deeply(desk: Desk) -> None:
    desk.export()
    report = desk.installation.verify("deep")

    assert report.verdict is Verdict.INTACT, report.findings


def test_the_note_is_a_record_that_no_person_owns(desk: Desk) -> None:
    """An erasure of somebody who is in the bundle leaves what was said of the export."""
    item = desk.export().item
    desk.installation.erase("ana@example.com", "ben@example.com")
    with desk.installation.open() as store:
        found = told(store, item)
    lines = [line for line in desk.installation.lines() if line["adapter"] == "note/1"]

    assert found is not None
    assert found.purpose == PURPOSE
    assert [(line["kind"], line["content"]["owner"]) for line in lines] == [("review", item.export)]


def test_an_export_that_cannot_be_recorded_raises_and_leaves_no_entry(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.installation.open() as store:

        def refuse(*_: object) -> bool:
            raise StorageError("the disk is full")

        monkeypatch.setattr(store.objects, "put_if_absent", refuse)
        with pytest.raises(StorageError, match="the disk is full"):
            exports.record_export(store, outgoing(), WORDS)
    with desk.installation.open() as store:
        assert exports.exports(store) == []


@pytest.mark.parametrize("changes", [{"revocable": True, "export": "0" * 32}, {"selection": {"type": "query"}}])
def test_an_export_that_its_selection_does_not_tell_states_its_rows(desk: Desk, changes: dict[str, Any]) -> None:
    with desk.installation.open() as store, pytest.raises(UsageError, match="states its rows"):
        exports.record_export(store, outgoing(**changes), WORDS)


def test_words_that_are_no_unicode_are_refused(desk: Desk) -> None:
    with desk.installation.open() as store, pytest.raises(UsageError, match="cannot be recorded"):
        exports.record_export(store, outgoing(), exports.Words("\udcff", {}))


def test_an_export_is_found_by_entry_reference_or_bundle(desk: Desk) -> None:
    first, second = desk.export().item, desk.export().item
    with desk.installation.open() as store:
        assert exports.find(store, str(second.entry)) == second
        assert exports.find(store, (first.export or "")[:12]) == first
        assert exports.find(store, first.sha256) == first
        for text in ("", "999", "abc", "zzzz"):
            with pytest.raises(NotFoundError):
                exports.find(store, text)


def test_a_restricted_operator_is_not_shown(desk: Desk) -> None:
    item = desk.export().item
    with desk.installation.open() as store:
        restrictions.restrict(store, [access.operator(store)], "art18-1-a")
        assert told(store, item) == exports.Details("restricted")


# ---- an entry that says what is not so


def test_words_about_another_bundle_are_noticed(desk: Desk) -> None:
    """Whoever holds the writer key can commit an entry with another digest; the sealed digest has a key of its own."""
    with desk.installation.open() as store:
        real = exports.record_export(store, outgoing(), WORDS).value
        note = words(
            about="export", asked={}, bundle_mac="0" * 64, operator=access.who(), purpose="none", recipient="nobody"
        )
        body = {name: value for name, value in real.items() if name not in ("_", "type", "record")}
        made = NewRecord({"kind": "review"}, note, "0" * 32)
        record(store, [made], lambda ids: [("export", {**body, "record": ids[0]})])
        found = [told(store, item) for item in exports.exports(store)]

    assert [item.same_bundle for item in found if item is not None] == [True, False]


@pytest.mark.parametrize("note", [b"not JSON", b"{}", words(about="export", purpose=7)])
def test_a_note_of_another_shape_says_nothing(desk: Desk, note: bytes) -> None:
    with desk.installation.open() as store:
        real = exports.record_export(store, outgoing(), WORDS).value
        body = {name: value for name, value in real.items() if name not in ("_", "type", "record")}
        made = NewRecord({"kind": "review"}, note, "0" * 32)
        record(store, [made], lambda ids: [("export", {**body, "record": ids[0]})])

        assert told(store, exports.exports(store)[-1]) == exports.Details("unverifiable")


def test_an_entry_that_names_the_words_of_another_is_noticed(desk: Desk) -> None:
    with desk.installation.open() as store:
        real = exports.record_export(store, outgoing(), WORDS).value
        body = {name: value for name, value in real.items() if name not in ("_", "type")}
        store.append([("export", body)])

        with pytest.raises(TamperedError, match="does not hold"):
            told(store, exports.exports(store)[-1])


def test_an_export_without_words_has_none(desk: Desk) -> None:
    with desk.installation.open() as store:
        real = exports.record_export(store, outgoing(), WORDS).value
        body = {name: value for name, value in real.items() if name not in ("_", "type", "record", "export")}
        store.append([("export", body)])
        item = exports.exports(store)[-1]

        assert told(store, item) is None
        assert item.export is None
        assert entry_shapes.read(store.history.entries[item.entry].value).record is None


@pytest.mark.parametrize(
    "listed",
    [
        b"[1]",
        b'[{"partition":1,"ranges":[]}]',
        b'[{"partition":1,"ranges":[[0]]}]',
        b'[{"partition":1,"ranges":[[0,0]]}]',
        b'[{"partition":1,"ranges":[[2,2],[3,1]]}]',
        b'[{"more":1,"partition":1,"ranges":[[0,1]]}]',
    ],
)
def test_a_list_of_rows_of_another_shape_is_refused(desk: Desk, listed: bytes) -> None:
    with desk.installation.open() as store, pytest.raises(FormatError, match="malformed list of rows"):
        list(exports.rows_of(store, with_rows(store, listed)))


@pytest.mark.parametrize("where", ["genesis", "no entry", "one row too many"])
def test_rows_that_no_partition_has_are_refused(desk: Desk, where: str) -> None:
    with desk.installation.open() as store:
        first = store.history.partitions()[0]
        rows = first.value["rows"]
        index, number = {"genesis": (0, 1), "no entry": (10**9, 1), "one row too many": (first.index, rows + 1)}[where]
        listed = f'[{{"partition":{index},"ranges":[[0,{number}]]}}]'.encode()
        with pytest.raises(TamperedError, match="no partition has"):
            list(exports.rows_of(store, with_rows(store, listed)))


def with_rows(store: Store, listed: bytes) -> exports.Exported:
    """An export whose entry names this list; whoever holds the writer key can commit any."""
    digest = entries.sha256(listed)
    store.objects.put_if_absent(entries.blob_path(digest), listed)
    exports.record_export(store, outgoing(rows={"blob": digest, "count": 1}), WORDS)
    return exports.exports(store)[-1]
