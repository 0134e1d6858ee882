"""The register of requests: late ones stand out, an approval counts by the rules, and nobody is named."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from ledger.history import Entry
from reports.dsar import register
from reports.dsar.requests import RequestState, after, fold
from reports.fixed.requests import IN_TIME, LATE, OPEN, OVERDUE, PAUSED, judge, requests_register
from tests.fixed_reports.conftest import call

TODAY = register.today()


def opened(bank: Any, days_ago: int, regime: str = "gdpr", kind: str = "access") -> str:
    person = bank.person("ana@example.org")
    with bank.installation.open() as store:
        opening = register.Opening(
            [person], regime, kind, TODAY - timedelta(days=days_ago), {"requester": "Ana Secret"}
        )
        state = register.open_request(store, opening)
        store.publish()
    return state.request


def advanced(bank: Any, request: str, *steps: register.Step) -> None:
    with bank.installation.open() as store:
        state = fold(store.history.entries)[request]
        register.advance(store, state, list(steps))
        store.publish()


@pytest.fixture
def office(bank: Any) -> Any:
    bank.ingest(call("e1", "2026-03-01T12:00:00Z"))
    return bank


def test_late_overdue_and_unconfirmed_requests_stand_out(office: Any) -> None:
    overdue, fresh, done = opened(office, 100), opened(office, 1), opened(office, 60)
    confirmed, unconfirmed = opened(office, 20, "ccpa"), opened(office, 30, "ccpa")
    advanced(office, done, register.Step("closed", {"reason": "withdrawn"}))
    late = {"told_at": TODAY.isoformat()}
    advanced(office, confirmed, register.Step("confirmed", late))
    read = office.report(requests_register)

    assert dict(read.column("register", "Request", "Stands")) == {
        overdue: OVERDUE,
        fresh: OPEN,
        done: LATE,
        confirmed: OPEN,
        unconfirmed: OPEN,
    }
    what = {(row["Request"], row["What"]) for row in read.rows("late")}
    assert what == {
        (overdue, OVERDUE),
        (done, LATE),
        (confirmed, "receipt confirmed: late"),
        (unconfirmed, "receipt confirmed: overdue"),
    }
    assert all(days > 0 for days in read.column("late", "Days late"))
    assert "2 requests answered late or overdue" in read.alerts()


def test_nobody_is_named(office: Any) -> None:
    request = opened(office, 1)
    report = office.report(requests_register).report
    encoded = msgspec.json.encode(report).decode()
    assert request in encoded
    assert "Ana Secret" not in encoded
    assert office.person("ana@example.org") not in encoded


def test_extensions_and_pauses_move_the_deadline_and_show_the_first(office: Any) -> None:
    request = opened(office, 5)
    told = {"reason": "complexity", "told_at": TODAY.isoformat(), "due": "2099-01-02", "before": TODAY.isoformat()}
    advanced(office, request, register.Step("extended", told), register.Step("paused", _paused()))
    read = office.report(requests_register)
    ((stands,),) = [(row["Stands"],) for row in read.rows("register")]
    (row,) = read.rows("course")
    assert (stands, row["Due"], row["Extended for"]) == (PAUSED, "2099-01-02", "complexity")
    assert str(row["Due at first"]) < "2099-01-02"


def _paused() -> dict[str, Any]:
    return {"reason": "identity", "since": TODAY.isoformat()}


def test_an_answer_on_the_last_day_is_in_time() -> None:
    state = RequestState(
        request="r", subjects=[], regime="gdpr", kind="access", received_at="2026-01-01", due_at="2026-02-02"
    )
    for day, standing in (("2026-02-02", IN_TIME), ("2026-02-03", LATE)):
        closed = [_closed(state, f"{day}T23:59:59Z")]
        assert judge(closed[0], date(2026, 3, 1)).standing == standing
    assert judge(state, date(2026, 2, 2)).standing == OPEN
    assert judge(state, date(2026, 2, 3))[1:3] == (OVERDUE, 1)


def _closed(state: RequestState, at: str) -> RequestState:
    body = {"type": "request", "request": "ab" * 16, "event": "closed", "details": {"reason": "withdrawn"}}
    return after(state, Entry(9, 9, at, b"", body))


def test_an_event_out_of_place_is_listed(office: Any) -> None:
    request = opened(office, 1)
    with office.installation.open() as store:
        body = {"request": request, "event": "executed", "details": {"plan": "00"}}
        store.append([("request", body)])
        store.publish()
    read = office.report(requests_register)
    assert read.column("refused", "Request", "Event") == [(request, "executed")]


def test_a_period_takes_what_was_open_in_it(office: Any) -> None:
    old, new = opened(office, 60), opened(office, 1)
    before = (TODAY - timedelta(days=10)).isoformat() + "T00:00:00Z"
    assert office.report(requests_register, (None, before)).column("register", "Request") == [old]
    assert office.report(requests_register, (before, None)).column("register", "Request") == [old, new]


def test_without_a_request_nothing_is_praised(office: Any) -> None:
    read = office.report(requests_register)
    assert read.rows("register") == []
    assert "No request was answered late" not in str(read.report)
