"""What each selection takes in, what stands beside it, and that the same selection gives the same bytes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ledger import records
from ledger.erasing import Erasing, erase
from ledger.errors import NotFoundError, QueryRefusedError, UsageError
from ledger.store import Store
from replay import access
from replay.catalog import opened
from replay.timeline import open_session
from reports import holds
from reports.bundle.export import ContentGrant, Order, export_bundle
from reports.exports.recipients import bundles_with
from reports.exports.register import Words
from reports.published import publish_all, read_published
from reports.sampling.drawing import SamplingRequest, Seed
from reports.selection.predicates import (
    ControlSelection,
    ModelSelection,
    PeriodSelection,
    QuerySelection,
    Selection,
    SessionSelection,
    SubjectSelection,
    of_subjects,
    stated,
)
from reports.selection.queries import chosen_at, chosen_for
from reports.standalone import verify
from tests.reports.bundles import Bank, Files, check, unzip

BARE = Order(frameworks=())
"""Without controls: these tests are about records."""


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def every_line(bank: Bank) -> list[dict[str, Any]]:
    with Store.open(bank.settings) as store, opened(store) as catalog:
        tables = [pq.read_table(path, columns=["line"]) for path in catalog.events_paths()]
    return [records.parse_line(line) for table in tables for line in table["line"].to_pylist()]


def person_of(bank: Bank) -> str:
    """The end user of the bank's session."""
    found = next(line for line in every_line(bank) if line.get("session") == bank.session and "subjects" in line)
    return str(found["subjects"]["end_user"][0])


def described(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["data/bundle.json"])
    return found


# -- the selections


def selections(bank: Bank) -> list[Selection]:
    person = person_of(bank)
    within = {"start": "2026-10-05T13:05:30Z", "end": "2026-10-12T00:00:00Z"}
    every: list[Selection] = [
        SessionSelection(bank.session),
        of_subjects([person]),
        ModelSelection("mira-7b"),
        ModelSelection("mira-7b", "v1.4.0"),
        PeriodSelection("2026-10-05T13:05:30Z", "2026-10-12T00:00:00Z"),
    ]
    return every + [replace(selection, **within) for selection in every]


def test_exporter_and_verifier_choose_the_same_records(bank: Bank) -> None:
    """The predicate is written three times; here the exporter's against that of verify.py, on every line there is."""
    listed = every_line(bank)
    for selection in selections(bank):
        theirs = verify.matcher(selection.as_json())
        assert theirs is not None
        mine = [selection.matches(line) for line in listed]
        assert 0 < sum(mine) < len(listed), selection
        assert mine == [theirs(line) for line in listed]
        assert stated(selection.as_json()) == selection


def test_bytes_that_hint_at_a_match_stand_in_every_line_that_matches(bank: Bank) -> None:
    with Store.open(bank.settings) as store, opened(store) as catalog:
        raw = [line for path in catalog.events_paths() for line in pq.read_table(path)["line"].to_pylist()]
    for selection in selections(bank):
        hints = selection.hints()
        if hints is not None:
            matching = [line for line in raw if selection.matches(records.parse_line(line))]
            assert all(any(hint in line for hint in hints) for line in matching)


@pytest.mark.parametrize("complete", [False, True])
def test_a_person_is_exported_whole_or_shown(bank: Bank, tmp_path: Path, *, complete: bool) -> None:
    person = person_of(bank)
    data, summary = bank.export(of_subjects([person]), order=replace(BARE, complete=complete))
    files = unzip(data)
    expected = [line for line in every_line(bank) if SubjectSelection((person,)).matches(line)]
    assert summary.population == len(expected) == len(lines(files["data/records.jsonl"]))
    assert described(files)["completeness"] == ("whole" if complete else "shown")
    assert check(data, tmp_path, bank.log_vkey).verdict == "intact"


def chosen(bank: Bank, sql: str) -> QuerySelection:
    with Store.open(bank.settings) as store, opened(store) as catalog:
        return chosen_at(catalog, publish_all(store), sql)


def test_a_query_chooses_by_record_id_and_stands_in_the_bundle_alone(bank: Bank, tmp_path: Path) -> None:
    sql = "SELECT record_id FROM records WHERE decision = 'blocked'"
    data, summary = bank.export(chosen(bank, sql), order=BARE)
    files = unzip(data)
    assert summary.records == sum(line.get("decision") == "blocked" for line in every_line(bank)) > 0
    assert {record["decision"] for record in lines(files["data/records.jsonl"])} == {"blocked"}
    assert sql.encode() in files["data/queries.sql"]
    assert described(files)["selection"] == {"type": "query"}
    assert check(data, tmp_path, bank.log_vkey).verdict == "intact"
    with Store.open(bank.settings) as store:
        assert b"blocked" not in store.history.entries[summary.entry].data


def test_a_query_that_names_no_records_is_refused(bank: Bank) -> None:
    for sql in ("SELECT 1 AS one", "SELECT 'x' AS record_id", "DROP TABLE records"):
        with pytest.raises(QueryRefusedError):
            chosen(bank, sql)
    with pytest.raises(NotFoundError):
        bank.export(chosen(bank, f"SELECT '{'0' * 64}' AS record_id"), order=BARE)
    with pytest.raises(UsageError, match="cannot be shown"):
        bank.export(QuerySelection(frozenset()), order=Order(complete=True))


def test_a_control_takes_in_what_its_tests_look_at(bank: Bank, tmp_path: Path) -> None:
    with Store.open(bank.settings) as store, opened(store) as catalog:
        published = publish_all(store)
        selection = chosen_for(catalog, published, "soc2:CC8.1")
        with pytest.raises(UsageError):
            chosen_for(catalog, published, "soc2")
    assert isinstance(selection, ControlSelection)
    data, _ = bank.export(selection, order=Order())
    files = unzip(data)
    assert {"change", "approval"} <= {record["kind"] for record in lines(files["data/records.jsonl"])}
    (control,) = [
        block
        for section in json.loads(files["data/controls.json"])["sections"]
        for block in section["blocks"]
        if block["type"] == "control"
    ]
    shown = {row.split(",")[2] for row in files["data/population.csv"].decode().splitlines()[1:]}
    exceptions = {row[0] for test in control["tests"] for row in test["exceptions"]["rows"]}
    assert control["control"] == "CC8.1"
    assert exceptions <= shown
    assert check(data, tmp_path, bank.log_vkey).verdict == "intact"


def test_a_sample_shows_the_lines_that_were_drawn_and_proves_all(bank: Bank, tmp_path: Path) -> None:
    wanted = SamplingRequest(Seed("given", "6 2 5 5 1"), 7, "kind")
    data, summary = bank.export(ModelSelection("mira-7b"), order=replace(BARE, sampling=wanted))
    files = unzip(data)
    drawn = {row.split(",")[3] for row in files["data/sample.csv"].decode().splitlines()[1:]}
    assert summary.records == len(drawn) == len(lines(files["data/records.jsonl"])) == 7 < summary.population
    assert check(data, tmp_path, bank.log_vkey).verdict == "intact"


# -- beside the records


def sealed_access(bank: Bank, selection: dict[str, str]) -> None:
    with Store.open(bank.settings) as store:
        access.record(store, "replay", "matter-1187", selection)
        store.close_spool()
        store.seal()
        store.publish()


def test_who_looked_is_listed_and_named_only_with_content(fresh_bank: Bank, tmp_path: Path) -> None:
    sealed_access(fresh_bank, {"session": fresh_bank.session})
    sealed_access(fresh_bank, {"session": "another"})
    session = SessionSelection(fresh_bank.session)
    with Store.open(fresh_bank.settings) as store, opened(store) as catalog:
        receipt = access.record(store, "export", "audit", {})
        out = io.BytesIO()
        export_bundle(store, catalog, session, content=None, out=out, order=BARE, receipt=receipt)
    files = unzip(out.getvalue())
    (listed,) = lines(files["data/accesses.jsonl"])
    assert set(listed) == {"at", "record", "state"}
    assert files["data/context.csv"].decode().splitlines()[1].split(",")[2:] == [listed["record"], "access"]
    assert b"matter-1187" not in b"".join(files.values())

    data, _ = fresh_bank.export(session, with_content=True, order=BARE)
    (named,) = lines(unzip(data)["data/accesses.jsonl"])
    assert (named["command"], named["purpose"]) == ("replay", "matter-1187")
    assert check(data, tmp_path, fresh_bank.log_vkey).verdict == "intact"


def test_erasures_and_holds_of_these_people_are_listed_and_proven(fresh_bank: Bank, tmp_path: Path) -> None:
    person = person_of(fresh_bank)
    with Store.open(fresh_bank.settings) as store:
        held = holds.add(store, holds.Wanted(subjects=[person]), "audit")
        elsewhere = holds.add(store, holds.Wanted(session="another"), "audit")
        holds.release(store, store.standing.holds[held.value["hold"]])
        erased = erase(store, Erasing([person]))
    data, _ = fresh_bank.export(of_subjects([person]), order=BARE)
    files = unzip(data)
    assert [item["entry"]["action"] for item in lines(files["data/holds.jsonl"])] == ["add", "release"]
    assert elsewhere.index not in {item["index"] for item in lines(files["data/holds.jsonl"])}
    found = lines(files["data/erasures.jsonl"])
    assert {item["entry"]["type"] for item in found} == {"erasure"}
    assert person in found[0]["entry"]["subjects"]
    assert erased is not None
    assert check(data, tmp_path, fresh_bank.log_vkey).verdict == "intact"


def test_the_replay_of_a_bundle_is_that_of_the_store(bank: Bank, content_bundle: bytes) -> None:
    with Store.open(bank.settings) as store, opened(store) as catalog:
        session = open_session(catalog, bank.session, access.record(store, "replay", "test", {}))
    events = lines(unzip(content_bundle)["data/replay.jsonl"])
    assert [item["record"] for item in events] == [event.record_id for event in session.events]
    texts = [
        [part.text for message in (*e.new_input, *e.rendered.output) for part in message.parts] for e in session.events
    ]
    assert [[part["text"] for part in item["parts"] if part["type"] != "fact"] for item in events] == texts
    assert sum(part["verbatim"] for item in events for part in item["parts"]) > 0


def test_records_as_a_table_are_those_of_the_lines(period_bundle: bytes) -> None:
    files = unzip(period_bundle)
    table = pq.read_table(io.BytesIO(files["data/records.parquet"]))
    rows = [row.split(",") for row in files["data/population.csv"].decode().splitlines()[1:]]
    assert table.select(["partition", "row", "record"]).to_pylist() == [
        {"partition": int(partition), "row": int(row), "record": record} for partition, row, record, _ in rows
    ]
    assert table["kind"].to_pylist() == [line["kind"] for line in lines(files["data/records.jsonl"])]


# -- in the register, and again


def test_every_selection_tells_whose_records_were_handed_out(fresh_bank: Bank) -> None:
    person = person_of(fresh_bank)
    expected = sum(SubjectSelection((person,)).matches(line) for line in every_line(fresh_bank))
    ids = chosen(
        fresh_bank, f"SELECT record_id FROM records WHERE list_contains(subjects, '{person}') OR owner = '{person}'"
    )
    exported = [of_subjects([person]), ids, ModelSelection("mira-7b"), QuerySelection(frozenset(list(ids.records)[:1]))]
    for selection in exported:
        fresh_bank.export(selection, order=replace(BARE, said=Words("test", {})))
    with Store.open(fresh_bank.settings) as store, opened(store) as catalog:
        handed = bundles_with(catalog, [person])
    assert [item.records for item in handed][:2] == [expected, expected]
    assert [item.selection["type"] for item in handed] == ["subject", "query", "model", "query"]
    assert handed[-1].records == 1


def test_the_same_selection_and_checkpoint_give_the_same_bytes_in_any_process(bank: Bank, tmp_path: Path) -> None:
    with Store.open(bank.settings) as store:
        size = publish_all(store).checkpoint.size
        assert read_published(store, size).checkpoint.size == size
    config = next(Path(bank.settings.cache).parents[1].glob("evidence.toml"))
    made = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.zip"
        options = ["--from", "2026-10-13", "--to", "2026-10-15", "--with-content", "--purpose", "test"]
        command = [sys.executable, "-m", "cli.main", "export", *options, "--at", str(size), "-o", str(out)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "EVIDENCE_CONFIG": str(config)}
        subprocess.run(command, env=environment, capture_output=True, check=True)
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_content_that_ended_after_the_checkpoint_is_refused_not_shown_as_lost(fresh_bank: Bank) -> None:
    from ledger.errors import UnverifiableError

    with Store.open(fresh_bank.settings) as store:
        size = publish_all(store).checkpoint.size
        erase(store, Erasing([person_of(fresh_bank)]))
    with pytest.raises(UnverifiableError, match="after the checkpoint"):
        fresh_bank.export(SessionSelection(fresh_bank.session), with_content=True, order=Order(at=size))


def test_content_needs_a_receipt_also_where_it_is_sealed(bank: Bank) -> None:
    from ledger.access import Receipt
    from ledger.errors import AccessNotRecordedError

    grant, session = ContentGrant(Receipt("0" * 32, 1), "0" * 32), SessionSelection(bank.session)
    with Store.open(bank.settings) as store, opened(store) as catalog, pytest.raises(AccessNotRecordedError):
        export_bundle(store, catalog, session, content=grant, out=io.BytesIO())
