"""Searching content for a person stays within its bounds, says what it left out, and finds every known spelling."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ledger.access import Receipt
from ledger.errors import AccessNotRecordedError
from ledger.keyring.identifiers import Identifier
from replay.findings import find
from replay.persons import resolve_person
from replay.search import Scope, Searched, matches, search_mentions
from replay.spelling import terms
from tests.replay.conftest import receipt

Turn = Callable[..., dict[str, Any]]
ANA = {"end_user": [{"type": "user_id", "id": "HV-104417"}]}


@pytest.fixture
def told(desk: Any, turn: Turn) -> Any:
    """Four sessions on three days speak of Ana, whose own is the first."""
    said = "Ana Ruiz, hv-104417"
    desk.ingest(
        turn(said, "ok", id="a1", session="s1", time="2025-03-01T10:00:00Z", subjects=ANA),
        turn(said, "ok", id="b1", session="s2", time="2025-03-01T11:00:00Z"),
        turn(said, "ok", id="c1", session="s3", time="2025-03-02T10:00:00Z"),
        turn(said, "ok", id="d1", session="s4", time="2025-03-03T10:00:00Z"),
        turn("no", "one", id="e1", session="s5", time="2025-03-03T10:00:00Z"),
    )
    return desk


def search(desk: Any, scope: Scope, *names: str) -> tuple[Searched, set[str]]:
    with desk.listed() as (store, opened):
        references = resolve_person(store, ["HV-104417"])
        searched = search_mentions(opened, receipt(store), references, scope, names)
        places = {(item.partition, item.row) for item in searched.mentions}
        found = set()
        for partition, row in places:
            (shown,) = store.reveal(receipt(store), opened.partitions()[partition].value, [row])
            found.add(shown.line["source_id"])
    return searched, found


def test_it_finds_them_everywhere_but_in_their_own_content(told: Any) -> None:
    searched, found = search(told, Scope())

    assert found == {"b1", "c1", "d1"}
    assert (searched.records, searched.left, searched.values, searched.unread) == (4, 0, 1, {})
    assert {item.type for item in searched.mentions} == {"user_id"}


def test_names_are_looked_for_when_they_are_given(told: Any) -> None:
    searched, _ = search(told, Scope(), "ruiz, ana")

    assert {item.type for item in searched.mentions} == {"user_id", "name"}


@pytest.mark.parametrize(
    ("scope", "expected", "records"),
    [
        (Scope(sessions=("s2", "s4")), {"b1", "d1"}, 2),
        (Scope(sessions=("nowhere",)), set(), 0),
        (Scope(since="2025-03-02T00:00:00Z"), {"c1", "d1"}, 3),
        (Scope(since="2025-03-01T11:00:00Z", until="2025-03-02T10:00:00Z"), {"b1"}, 1),
        (Scope(sessions=("s2",), since="2025-03-02T00:00:00Z"), set(), 0),
        (Scope(partitions=(1,)), {"c1"}, 1),
        (Scope(partitions=(1,), sessions=("s2",)), set(), 0),
    ],
)
def test_only_what_is_in_the_bounds_is_opened(told: Any, scope: Scope, expected: set[str], records: int) -> None:
    searched, found = search(told, scope)

    assert found == expected
    assert searched.records == records


def test_it_opens_no_more_than_it_may_and_says_how_much_is_left(told: Any) -> None:
    searched, found = search(told, Scope(max_rows=2))

    assert (searched.records, searched.left) == (2, 2)
    assert found == {"b1", "c1"}


def test_many_scattered_rows_are_opened_like_few(desk: Any, turn: Turn) -> None:
    desk.ingest(
        *(
            turn(
                "HV-104417",
                "ok",
                id=f"e{n}",
                session=f"s{n:03}",
                time="2025-03-01T10:00:00Z",
                subjects=ANA if n % 2 else {},
            )
            for n in range(200)
        )
    )
    searched, found = search(desk, Scope())

    assert found == {f"e{n}" for n in range(0, 200, 2)}
    assert searched.records == 100


def test_a_search_needs_an_access_record(told: Any) -> None:
    with told.listed() as (store, opened):
        references = resolve_person(store, ["HV-104417"])
        for act in (
            lambda: search_mentions(opened, Receipt("0" * 32, 1), references, Scope()),
            lambda: find(opened, Receipt("0" * 32, 1), ["HV-104417"]),
        ):
            with pytest.raises(AccessNotRecordedError):
                act()


def test_what_is_erased_is_not_there_and_what_is_restricted_is_said(told: Any) -> None:
    with told.listed() as (store, _):
        owner = next(line["content"]["owner"] for line in told.installation.lines() if line["source_id"] == "b1")
        store.append(
            [("restriction", {"action": "restrict", "subjects": [owner], "basis": "accuracy"})], by=("privacy",)
        )

    searched, found = search(told, Scope())

    assert found == {"c1", "d1"}
    assert searched.unread == {"restricted": 1}


def test_findings_are_records_mentions_and_what_was_not_looked_at(told: Any) -> None:
    with told.listed() as (store, opened):
        found = find(opened, receipt(store), ["HV-104417"], Scope(), ["Ana Ruiz"])

    assert [(item.session, item.records, item.roles) for item in found.sessions] == [("s1", 1, ("end_user", "owner"))]
    assert found.counts() == {"inference": {"end_user": 1, "owner": 1}}
    assert {found.sessions_of_mentions[item.record_id] for item in found.mentions} == {"s2", "s3", "s4"}
    assert (found.state.scanned, found.state.partitions, len(found.state.missing)) == (
        0,
        4,
        4,
    ) or found.state.scanned == 0


def test_somebody_whom_no_record_names_is_found_where_others_speak_of_them(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("call 0151 2345678", "ok", id="a1", session="s1", time="2025-03-01T10:00:00Z"))
    with desk.listed() as (store, opened):
        found = find(opened, receipt(store), ["+491512345678"], Scope())

    assert not found.references
    assert {found.sessions_of_mentions[item.record_id] for item in found.mentions} == {"s1"}


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        (Identifier("user_id", "ana"), "banana anaconda Diana"),
        (Identifier("user_id", "HV-104417"), "HV-1044170 xHV-104417"),
        (Identifier("name", "Ana Ruiz"), "Diana Ruiz Anabel, Ana and Ruiz; Ana\n\n\n\n\n\nRuiz, anaruiz"),
        (Identifier("phone", "+44 20 7946 0958"), "442079460958123, 1020 7946 0958, 20 7946 0959"),
        (Identifier("card", "4111 1111 1111 1111"), "14111111111111111 4111111111111112"),
        (Identifier("email", "a.b@c.de"), "axb@c.de a.b@c.dex"),
    ],
)
def test_what_only_looks_alike_is_not_found(identifier: Identifier, text: str) -> None:
    assert not list(matches(text.encode(), terms([identifier], [])))


def test_values_too_short_to_mean_anybody_are_not_looked_for() -> None:
    assert terms([Identifier("user_id", "7"), Identifier("user_id", "  ")], ["Al"]) == []


@pytest.mark.parametrize("value", ["(a+)+$", "\\d+", "a" * 500, ".*", "[", "x" * 600])
def test_what_is_looked_for_is_never_a_pattern(value: str) -> None:
    wanted = terms([Identifier("user_id", value)], [value])
    text = f"x {value} y aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"
    started = time.process_time()

    assert bool(list(matches(text.encode(), wanted))) == (3 <= len(value) <= 512)
    assert time.process_time() - started < 1


def test_no_content_makes_a_search_slow() -> None:
    wanted = terms([Identifier("phone", "+1 1111 111111"), Identifier("card", "1" * 16)], ["a a a", "Ana"])
    started = time.process_time()
    for text in ("1" * 200_000, "1 " * 100_000, "a " * 100_000, '"a", "a": ' * 20_000, "a\n" * 100_000, " " * 200_000):
        list(matches(text.encode(), wanted))

    assert time.process_time() - started < 20
