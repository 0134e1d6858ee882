"""A correction stands beside what it corrects, belongs to the same person, and goes with them."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import ErasedError, RequestRefusedError, UsageError
from ledger.verify import Verdict
from replay.records import find_record
from replay.sessions import Filter, find_sessions
from reports.corrections import correct
from reports.dsar.requests import RequestState
from tests.handover.conftest import ANA, Office, chat

HOSTILE = "=1+1 <b>500</b> a \u202eyear\u202c \x1b[2J"


def put_right(office: Office, source_id: str, text: str = "It is 500 a year.", **named: Any) -> str:
    record = office.record_id(source_id)
    with office.listed() as (store, opened):
        done = correct(store, opened, find_record(opened, record), text, "inaccurate", **named)
        store.publish()
    return done.record_ids[0]


def test_it_stands_right_behind_what_it_corrects(office: Office) -> None:
    made = put_right(office, "a-1", HOSTILE)
    events = office.replay("s-ana").events
    assert [event.kind for event in events] == ["inference", "correction", "inference", "policy"]
    correction = events[1]
    assert correction.record_id == made
    facts = dict(correction.rendered.facts)
    assert facts == {"text": HOSTILE, "reason": "inaccurate", "corrects": events[0].record_id}
    assert [event.idle for event in events] == [None] * 4
    assert office.installation.verify("deep").verdict is Verdict.INTACT


def test_a_correction_of_a_correction_stands_behind_it(office: Office) -> None:
    first = put_right(office, "a-1")
    with office.listed() as (store, opened):
        correct(store, opened, find_record(opened, first), "It is 400 a year.", "inaccurate")
    kinds = [event.kind for event in office.replay("s-ana").events]
    assert kinds == ["inference", "correction", "correction", "inference", "policy"]


def test_in_a_session_without_times_too(office: Office) -> None:
    turns = [chat(f"n-{number}", "s-none", ANA, "again", "yes", seq=number) for number in (1, 2)]
    office.ingest(*({name: value for name, value in turn.items() if name != "time"} for turn in turns))
    put_right(office, "n-1")
    assert [event.kind for event in office.replay("s-none").events] == ["inference", "correction", "inference"]


def test_the_session_does_not_become_todays(office: Office) -> None:
    with office.listed() as (_, opened):
        before = {row.session: (row.first_at, row.last_at) for row in find_sessions(opened, Filter())}
    put_right(office, "a-1")
    with office.listed() as (_, opened):
        assert {row.session: (row.first_at, row.last_at) for row in find_sessions(opened, Filter())} == before


def test_it_belongs_to_whoever_owns_the_record(office: Office) -> None:
    (ana,) = office.people(ANA)
    put_right(office, "a-1")
    (line,) = (line for line in office.installation.lines() if line["kind"] == "correction")
    assert line["content"]["owner"] == ana
    assert line["subjects"]["end_user"] == [ana]
    assert line["links"] == [{"relation": "corrects", "source": "chat", "source_id": "a-1"}]
    office.installation.erase(ANA)
    assert {event.state for event in office.replay("s-ana").events} == {"erased"}


def test_what_is_gone_is_not_corrected(office: Office) -> None:
    office.installation.erase(ANA)
    with pytest.raises(ErasedError):
        put_right(office, "a-1")


def test_what_is_no_correction_is_refused(office: Office) -> None:
    with pytest.raises(UsageError, match="1 byte"):
        put_right(office, "a-1", " \n")
    request = RequestState(
        request="ab" * 16, subjects=[], regime="gdpr", kind="erasure", received_at="2026-11-01", due_at="2026-12-01"
    )
    with pytest.raises(RequestRefusedError):
        put_right(office, "a-1", request=request)
    access = office_access_record(office)
    with office.listed() as (store, opened):
        place = find_record(opened, access)
        with pytest.raises(UsageError, match="the store's own"):
            correct(store, opened, place, "No.", "inaccurate")


def office_access_record(office: Office) -> str:
    office.replay("s-ana")
    with office.installation.open() as store:
        store.seal()
    (line,) = (line for line in office.installation.lines() if line["kind"] == "access")
    return office.record_id(line["source_id"])
