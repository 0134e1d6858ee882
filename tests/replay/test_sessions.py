"""Finding sessions: by person, model, decision and period; naming one by what one has of its id."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ledger.errors import NotFoundError, UsageError
from replay.query import query
from replay.sessions import Filter, find_sessions, resolve_session

Turn = Callable[..., dict[str, Any]]


def found(desk: Any, **wanted: Any) -> list[str]:
    with desk.listed() as (_, opened):
        return [row.session for row in find_sessions(opened, Filter(**wanted))]


@pytest.fixture
def three(desk: Any, turn: Turn) -> Any:
    """Three sessions on 1 March: 10:00 to 10:30, 10:20 to 11:00, and 12:00."""
    times = {"a": ("10:00", "10:30"), "b": ("10:20", "11:00"), "c": ("12:00", "12:00")}
    for name, (begin, end) in times.items():
        desk.ingest(
            turn(
                "q",
                "a",
                id=f"{name}1",
                session=name,
                time=f"2025-03-01T{begin}:00Z",
                gen_ai={"request.model": f"m-{name}"},
            ),
            turn("q", "a", id=f"{name}2", session=name, time=f"2025-03-01T{end}:00Z", decision="flagged"),
        )
    desk.ingest(
        {"kind": "policy", "source": "guard", "id": "p", "session": "b", "decision": "blocked", "status": "error"}
    )
    return desk


def test_the_newest_stands_first_and_a_limit_holds(three: Any) -> None:
    assert found(three) == ["c", "b", "a"]
    assert found(three, limit=2) == ["c", "b"]


def test_a_session_over_two_partitions_is_one_row_with_all_of_its_records(three: Any) -> None:
    with three.listed() as (_, opened):
        row = next(row for row in find_sessions(opened, Filter()) if row.session == "b")

    assert (row.records, row.inferences, row.policies, row.failures) == (3, 2, 1, 1)
    assert (row.first_at, row.last_at) == ("2025-03-01T10:20:00.000Z", "2025-03-01T11:00:00.000Z")
    assert (row.time_known, row.models, row.decisions) == (True, ["m-b"], ["blocked", "flagged"])
    assert row.sources == ["chat", "guard"]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("10:30:00", None, ["c", "b", "a"]),
        ("10:30:00.001", None, ["c", "b"]),
        (None, "10:20:00", ["a"]),
        (None, "10:20:00.001", ["b", "a"]),
        ("10:25:00", "10:26:00", ["b", "a"]),
        ("11:01:00", "11:59:00", []),
        ("12:00:00", "12:00:00.001", ["c"]),
    ],
)
def test_a_session_matches_a_period_that_it_overlaps(
    three: Any, since: str | None, until: str | None, expected: list[str]
) -> None:
    period = {name: f"2025-03-01T{at}Z" for name, at in (("since", since), ("until", until)) if at}

    assert found(three, **period) == expected


def test_a_period_at_the_end_of_time_is_one_and_what_is_no_time_is_refused(three: Any) -> None:
    assert found(three, until="9999-12-31T23:59:59Z", since="0001-01-01T00:00:00Z") == ["c", "b", "a"]
    assert found(three, since="10000-01-01T00:00:00Z") == []
    for text in ("yesterday", "", "2026-02-30", "294300-01-01T00:00:00Z"):
        with pytest.raises(UsageError, match="is no time"):
            found(three, since=text)


def test_filters_are_joined(three: Any) -> None:
    assert found(three, decision="blocked") == ["b"]
    assert found(three, model="m-a") == ["a"]
    assert found(three, model="m-a", decision="blocked") == []


def test_a_person_is_found_by_any_identifier_however_a_source_wrote_it(desk: Any, turn: Turn) -> None:
    def of(name: str, role: str, kind: str, value: str) -> dict[str, Any]:
        return turn("q", "a", id=name, session=name, subjects={role: [{"type": kind, "id": value}]})

    desk.ingest(
        of("first", "end_user", "email", "Ana@Example.com"),
        of("second", "mentioned", "user_id", "ana@example.com"),
        of("third", "end_user", "phone", "+44 20 7946 0000"),
        of("other", "end_user", "email", "ben@example.com"),
        turn("q", "a", id="owned", session="owned", owner={"type": "email", "id": "ANA@example.com"}),
    )

    assert sorted(found(desk, user="ana@example.com")) == ["first", "owned", "second"]
    assert found(desk, user="0044 (20) 79460000") == ["third"]
    with pytest.raises(NotFoundError, match="no such identifier"):
        found(desk, user="nobody@example.com")


def test_leonie_s_sessions_in_the_sample(sample: Any) -> None:
    """Five sessions of her own, four of the chat service and one of the gateway (sample_data/README.md)."""
    assert len(found(sample, user="HV-104417")) == 5


def test_a_trace_without_a_model_call_is_no_session_and_its_file_comes_back(desk: Any, turn: Turn) -> None:
    span = {"traceId": "1" * 32, "spanId": "a" * 16, "name": "GET /", "startTimeUnixNano": "1760000000000000000"}
    path = desk.folder / "trace.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    desk.installation.ingest(path)
    desk.ingest(turn("q", "a", id="e1"))

    with desk.installation.open() as store:
        listed = query(store, "SELECT session FROM sessions").rows()

    assert found(desk) == ["s1"]
    assert listed == [["s1"]]
    assert desk.installation.reconstruct(path) == [path.read_bytes()]


def test_a_session_is_named_by_a_unique_beginning(sample: Any) -> None:
    with sample.listed() as (_, opened):
        assert resolve_session(opened, "mira-34a7fff4") == "mira-34a7fff4"
        assert resolve_session(opened, "mira-34") == "mira-34a7fff4"
        for text, problem in (("mira-", "several sessions"), ("", "several sessions"), ("nora", "no session")):
            with pytest.raises(NotFoundError, match=problem):
                resolve_session(opened, text)


def test_a_session_whose_id_may_name_a_person_is_found_by_the_source_s_id(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1", session={"type": "session", "id": "chat of Ana Pereira"}))

    with desk.listed() as (_, opened):
        reference = resolve_session(opened, "Chat of ana pereira")

    assert len(reference) == 32
    assert [event.line["session"] for event in desk.replay(reference).events] == [reference]
