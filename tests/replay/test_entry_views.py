"""The views over the log's entries say what the register of requests says, and which accesses had no purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from replay import access
from replay.query import query
from reports.dsar import register
from reports.dsar.register import Opening, Step
from reports.dsar.requests import RequestState, requests

Turn = Callable[..., dict[str, Any]]


def open_request(store: Any, kind: str, received: date, regime: str = "gdpr") -> RequestState:
    subjects = [store.reference("email", f"{kind}@example.org")]
    return register.open_request(store, Opening(subjects, regime, kind, received))


def test_requests_are_what_the_register_says(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.installation.open() as store:
        monkeypatch.setattr(register, "today", lambda: date(2026, 11, 5))
        open_request(store, "access", date(2026, 11, 2), "ccpa")
        paused = register.pause(store, open_request(store, "erasure", date(2026, 11, 2)), "identity", {})
        monkeypatch.setattr(register, "today", lambda: date(2026, 11, 9))
        resumed = register.resume(store, paused, {})
        extended = register.extend(store, resumed, "complexity", date(2026, 11, 9), {})
        register.advance(store, extended, [Step("closed", {"reason": "withdrawn"})])
        portable = register.identify(store, open_request(store, "portability", date(2026, 11, 2)), "account", None, {})
        register.advance(store, portable, [Step("delivered")])
        register.pause(store, open_request(store, "objection", date(2026, 11, 2)), "identity", {})

        rows = query(store, "FROM requests ORDER BY entry").table.to_pylist()
        states = list(requests(store).values())
    assert len(rows) == len(states) == 4
    for row, state in zip(rows, states, strict=True):
        days = [str(row[name]) if row[name] else None for name in ("received_at", "due_at", "confirm_by")]
        assert days == [state.received_at, state.due_at, state.confirm_by]
        stated = (row["request"], row["subjects"], row["kind"], row["regime"], row["extended"], row["closed_as"])
        assert stated == (state.request, state.subjects, state.kind, state.regime, state.extended, state.closed)
        assert row["paused"] == (state.paused_since is not None)
        assert (row["delivered_at"] is not None) == state.delivered
        assert (row["identified_at"] is not None) == (state.identified_at is not None)


def test_a_second_extension_moves_no_deadline(desk: Any) -> None:
    with desk.installation.open() as store:
        state = open_request(store, "access", date(2026, 11, 2))
        for due in ("2027-01-01", "2030-01-01"):
            details = {"reason": "complexity", "told_at": "2026-11-03", "due": due}
            store.append([("request", {"request": state.request, "event": "extended", "details": details})])
        ((due_at,),) = query(store, "SELECT due_at FROM requests").rows()
        assert str(due_at) == requests(store)[state.request].due_at == "2027-01-01"


@pytest.mark.parametrize("purpose", ["not stated", "", "  Not stated "])
def test_an_access_without_a_purpose_says_so_in_its_line(desk: Any, turn: Turn, purpose: str) -> None:
    desk.ingest(turn("q", "a", id="e1"))
    with desk.installation.open() as store:
        access.record(store, "replay", purpose, {})
        access.record(store, "replay", "ticket 4711", {})
        store.close_spool()
        store.seal()
        rows = query(store, "SELECT warnings FROM accesses ORDER BY occurred_at").rows()
        store.publish()
    assert rows == [['["purpose_not_stated"]'], [None]]
    assert desk.installation.verify("deep").verdict == "intact"


def test_entries_are_all_there_and_taken_in_as_they_come(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1"))
    for _ in range(2):
        with desk.installation.open() as store:
            found = query(store, "SELECT entry, seq, type, value FROM entries ORDER BY entry").rows()
            known = [[e.index, e.seq, e.value["type"], e.data.decode()] for e in store.history.entries]
            assert found == known
            store.append([("heartbeat", {"spools": [{"spool": "5" * 32, "first": 1, "last": 1, "missing": [[1, 1]]}]})])
