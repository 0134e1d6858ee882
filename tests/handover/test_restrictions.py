"""Restriction of processing: what is about a person is kept, and no view, list, replay or export shows it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import app
from ledger.errors import ConfigError, NotFoundError, RequestRefusedError, RestrictedError, UsageError
from ledger.verify import Verdict
from replay import access
from replay.query import query
from replay.reconstruct import reconstruct
from replay.sessions import Filter, find_sessions, sessions_left_out
from reports import restrictions
from reports.bundle.export import ContentGrant, export_bundle
from reports.selection.predicates import period
from tests.handover.conftest import ANA, BEN, Office, ask


def restrict(office: Office, *people: str, **named: Any) -> restrictions.Changed:
    references = office.people(*people)
    with office.installation.open() as store:
        changed = restrictions.restrict(store, references, "art18-1-a", **named)
        store.publish()
    return changed


def lift(office: Office, person: str) -> None:
    references = office.people(person)
    with office.installation.open() as store:
        restrictions.lift(store, references, "accuracy-verified")


def asked(office: Office, sql: str) -> tuple[list[Any], int]:
    with office.installation.open() as store:
        result = query(store, sql)
    return [row[0] for row in result.rows()], result.left_out


def test_views_leave_the_person_out_and_say_how_much(office: Office) -> None:
    everything, none = asked(office, "SELECT source_id FROM records ORDER BY 1")
    assert ({"a-1", "a-2", "b-1", "p-1"} <= set(everything), none) == (True, 0)
    restrict(office, ANA)
    (ana,) = office.people(ANA)
    left, left_out = asked(office, "SELECT source_id FROM records ORDER BY 1")
    assert "b-1" in left
    assert not {"a-1", "a-2", "p-1"} & set(left)
    assert left_out == len(everything) - len(left) >= 3
    assert asked(office, "SELECT session FROM sessions")[0] == ["s-ben"]
    for view in ("records", "sessions", "changes"):
        shown = asked(office, f"SELECT to_json(v)::VARCHAR FROM {view} v")[0]
        assert not any(ana in row for row in shown)
    lift(office, ANA)
    assert asked(office, "SELECT source_id FROM records ORDER BY 1") == (everything, 0)


def test_sessions_are_left_out_and_counted_where_they_match(office: Office) -> None:
    restrict(office, ANA)
    with office.listed() as (_, opened):
        assert [row.session for row in find_sessions(opened, Filter())] == ["s-ben"]
        assert sessions_left_out(opened, Filter()) == 1
        assert find_sessions(opened, Filter(user=ANA)) == []
        assert sessions_left_out(opened, Filter(user=ANA)) == 1
        assert sessions_left_out(opened, Filter(user=BEN)) == 0


def test_replay_and_reconstruction_withhold_it(office: Office) -> None:
    path = office.folder / "log-1.jsonl"
    restrict(office, ANA)
    events = office.replay("s-ana").events
    assert {event.state for event in events} == {"restricted"}
    assert not any(event.rendered.input or event.rendered.output for event in events)
    assert {event.state for event in office.replay("s-ben").events} == {"verified"}
    with office.listed() as (store, opened):
        receipt = access.record(store, "test", "test", {})
        (ref,) = [known.ref for known in store.bookmarks.inputs_at(str(path.resolve()))]
        with pytest.raises(RestrictedError):
            list(reconstruct(opened, ref, receipt))


def test_an_export_withholds_content_and_keeps_lines(office: Office) -> None:
    restrict(office, ANA)
    out = io.BytesIO()
    with office.listed() as (store, opened):
        grant = ContentGrant(access.record(store, "export", "test", {}))
        summary = export_bundle(store, opened, period("2026-10-01T00:00:00Z", None), content=grant, out=out)
    assert summary.contents["restricted"] == 3
    assert summary.contents["verified"] >= 1
    bundle = out.getvalue()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        names = archive.namelist()
        contents = b"".join(archive.read(name) for name in names if name.startswith("data/content/"))
        lines = b"".join(archive.read(name) for name in names if name == "data/records.jsonl")
    assert b"Hello, I am Ben." in contents
    assert b"What is my limit?" not in contents
    assert b'"a-1"' in lines


def test_it_verifies_and_is_in_force_beyond_its_day(office: Office) -> None:
    restrict(office, ANA, until="2020-01-01")
    assert asked(office, "SELECT session FROM sessions")[0] == ["s-ben"]
    assert office.installation.verify("deep").verdict is Verdict.INTACT


def test_the_same_again_changes_nothing(office: Office) -> None:
    assert len(restrict(office, ANA).entries) == 1
    assert restrict(office, ANA).entries == []
    assert restrict(office, ANA, BEN).subjects == office.people(BEN)
    assert len(restrict(office, ANA, until="2027-01-01").entries) == 1


def test_what_is_no_restriction_is_refused(office: Office) -> None:
    with pytest.raises(UsageError, match="code"), office.installation.open() as store:
        restrictions.restrict(store, office.people(ANA), "because Ana said so")
    for day in ("soon", "2026-02-30", "20270101", "2027-01-01T00:00:00Z"):
        with pytest.raises(UsageError, match="day"):
            restrict(office, ANA, until=day)
    with pytest.raises(NotFoundError):
        lift(office, ANA)


def test_an_installation_without_the_privacy_key_cannot(office: Office) -> None:
    settings = office.installation.settings.model_copy(update={"privacy_key": office.installation.settings.writer_key})
    with office.installation.open() as store:
        store.settings = settings
        before = len(store.history.entries)
        with pytest.raises(ConfigError):
            restrictions.restrict(store, ["ab" * 16], "art18-1-a")
        store.refresh()
        assert len(store.history.entries) == before


def test_a_reference_in_an_entry_that_is_none_reaches_no_sql(office: Office) -> None:
    """The views are made of text: what is put into them is a reference or nothing."""
    from replay.restricted import names_any

    assert names_any("subjects", ["x'] OR true --", "ab" * 16]) == f"list_has_any(subjects, ['{'ab' * 16}']::VARCHAR[])"
    assert json.dumps(names_any("subjects", [])) == '"list_has_any(subjects, []::VARCHAR[])"'


def test_a_request_for_restriction_is_executed_by_it(office: Office) -> None:
    from reports.dsar.requests import find_request

    request = ask(office, ANA, kind="restriction")
    with office.installation.open() as store:
        restrictions.restrict(store, request.subjects, "art18-1-a", request=request)
        assert find_request(store, request.request).status == "executed"
        assert set(store.standing.restricted) == set(request.subjects)


def test_one_whose_requester_is_not_identified_restricts_nothing(office: Office) -> None:
    request = ask(office, ANA, kind="restriction", identified=False)
    with office.installation.open() as store:
        with pytest.raises(RequestRefusedError, match="not identified"):
            restrictions.restrict(store, request.subjects, "art18-1-a", request=request)
        assert not store.standing.restricted


def test_the_app_leaves_them_out_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    restrict(office, ANA)
    monkeypatch.setenv("EVIDENCE_CONFIG", str(office.installation.config))
    at = AppTest.from_file(str(Path(app.__file__).parent / "page_sessions.py"), default_timeout=60)
    at.run()
    assert not at.exception
    assert at.dataframe[0].value["Session"].to_list() == ["s-ben"]
    assert any("1 session left out" in caption.value for caption in at.caption)
