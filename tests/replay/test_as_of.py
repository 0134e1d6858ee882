"""The catalog as of a checkpoint: what was committed later is not in it, nor any trace of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from replay import catalog, views
from replay.approvals import APPROVED, NOT_EVIDENCED
from replay.catalog import Catalog
from replay.sessions import Filter, find_sessions
from reports import restrictions

Turn = Callable[..., dict[str, Any]]


def change(to: str, **fields: Any) -> dict[str, Any]:
    line = {"kind": "change", "source": "desk", "id": f"chg-{to}", "time": "2025-03-01T00:00:00Z"}
    return line | {"change": {"type": "prompt", "name": "p", "to": to, "digest_to": f"sha256:{to}"}} | fields


def approval(of: str) -> dict[str, Any]:
    people = {"approver": [{"type": "employee", "id": "E-1"}], "requester": [{"type": "employee", "id": "E-2"}]}
    line = {"kind": "approval", "source": "desk", "id": f"ok-{of}", "time": "2025-02-28T00:00:00Z", "subjects": people}
    return line | {"decision": "approved", "links": [{"relation": "approves", "source": "desk", "id": of}]}


def asked(of: Catalog, sql: str) -> list[Any]:
    with views.on(of) as connection:
        return connection.execute(sql).fetchall()


def test_what_was_committed_later_is_not_there(desk: Any, turn: Turn) -> None:
    desk.ingest(change("p-1"), turn("q", "a", id="e1", session="s1"))
    with desk.listed() as (store, _):
        size = len(store.history.entries)
    later = [turn("q", "a", id="e2", session="s1"), turn("q", "a", id="e3", session="s2")]
    desk.ingest(approval("chg-p-1"), change("p-2"), *later)

    with desk.listed() as (store, everything):
        with catalog.as_of(everything, size) as before:
            assert asked(before, "SELECT source_id, approval FROM changes") == [("chg-p-1", NOT_EVIDENCED)]
            assert asked(before, "SELECT session, inferences FROM sessions") == [("s1", 1)]
            assert asked(before, "SELECT source_id FROM records WHERE kind = 'inference'") == [("e1",)]
            assert [row.session for row in find_sessions(before, Filter())] == ["s1"]
            assert len(before.partitions()) < len(everything.partitions())
        with catalog.as_of(everything, len(store.history.entries)) as same:
            assert same.connection is everything.connection
        assert asked(everything, "SELECT source_id, approval FROM changes ORDER BY 1") == [
            ("chg-p-1", APPROVED),
            ("chg-p-2", NOT_EVIDENCED),
        ]


def test_a_change_says_who_made_asked_for_and_approved_it(desk: Any) -> None:
    made_by = {"subjects": {"actor": [{"type": "employee", "id": "E-2"}]}, "environment": "production"}
    undone = {"links": [{"relation": "rolls_back", "source": "desk", "id": "chg-p-0"}]}
    desk.ingest(change("p-1", **made_by, **undone), approval("chg-p-1"))
    with desk.listed() as (store, opened):
        (approver,), (author,) = store.keyring.lookup("E-1"), store.keyring.lookup("E-2")
        columns = "actors, requesters, approvers, rolls_back, digest_from, digest_to, environment"
        (row,) = asked(opened, f"SELECT {columns} FROM changes")
    assert row == ([author], [author], [approver], ["desk/chg-p-0"], None, "sha256:p-1", "production")


def test_an_approver_whose_processing_is_restricted_is_not_named(desk: Any) -> None:
    desk.ingest(change("p-1"), approval("chg-p-1"))
    with desk.installation.open() as store:
        restrictions.restrict(store, store.keyring.lookup("E-1"), "art18-1-a")
    with desk.listed() as (store, opened):
        (author,) = store.keyring.lookup("E-2")
        assert asked(opened, "SELECT approval, approvers, requesters FROM changes") == [
            (APPROVED, [views.HIDDEN], [author])
        ]
