"""A session as people read it: events in order, no history twice, pauses, and the state of every content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete

from ingest import formats
from ledger.erasing import Erasing, erase
from ledger.errors import AccessNotRecordedError, NotFoundError
from ledger.keyring import tables
from ledger.keyring.destruction import Destruction
from replay.timeline import Session, open_session

Turn = Callable[..., dict[str, Any]]
CALL = {"type": "tool_call", "id": "c1", "name": "balance", "arguments": {"account": 7}}


def ids(session: Session) -> list[str]:
    return [event.line["source_id"] for event in session.events]


def said(session: Session) -> list[list[str]]:
    """The texts shown for each event, given and made."""
    return [
        [part.text for message in (*event.new_input, *event.rendered.output) for part in message.parts]
        for event in session.events
    ]


def message(role: str, *parts: dict[str, Any] | str) -> dict[str, Any]:
    return {
        "role": role,
        "parts": [{"type": "text", "content": part} if isinstance(part, str) else part for part in parts],
    }


def test_events_stand_in_the_order_of_their_times_to_the_last_digit(desk: Any, turn: Turn) -> None:
    times = ["10:00:00.5", "10:00:00", "10:00:00.123456789", "10:00:00.45", "09:59:59.999"]
    desk.ingest(*(turn("q", "a", id=f"e{at}", time=f"2025-03-01T{time}Z") for at, time in enumerate(times)))

    assert ids(desk.replay("s1")) == ["e4", "e1", "e2", "e3", "e0"]


def test_equal_times_stand_in_the_source_s_own_sequence(desk: Any, turn: Turn) -> None:
    desk.ingest(*(turn("q", "a", id=f"e{seq}", seq=seq, time="2025-03-01T10:00:00Z") for seq in (2, 10, 1)))

    assert ids(desk.replay("s1")) == ["e1", "e2", "e10"]


def test_where_a_time_is_missing_the_sequence_decides(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("q", "a", id="first", seq=1, time="2025-03-01T10:00:00Z"),
        turn("q", "a", id="third", seq=3, time="2025-03-01T10:02:00Z"),
        turn("q", "a", id="second", seq=2),
    )

    session = desk.replay("s1")

    assert ids(session) == ["first", "second", "third"]
    assert [(event.at is None, event.time_basis) for event in session.events][1] == (True, "none")


def test_without_times_and_sequence_the_order_of_the_input_stays(desk: Any, turn: Turn) -> None:
    desk.ingest(*(turn("q", "a", id=name) for name in ("b", "c", "a")))

    assert ids(desk.replay("s1")) == ["b", "c", "a"]


def untimed(own_id: str, relation: str, to: str, kind: str = "policy") -> dict[str, Any]:
    link = {"relation": relation, "source": "chat", "id": to}
    return {"kind": kind, "source": "chat", "id": own_id, "session": "s1", "links": [link]}


def test_what_has_no_time_stands_right_behind_the_record_that_it_belongs_to(desk: Any, turn: Turn) -> None:
    desk.ingest(
        untimed("verdict-on-2", "part_of", "call-2"),
        untimed("tool-of-1", "tool_of", "call-1", "tool"),
        untimed("verdict-on-the-tool", "caused_by", "tool-of-1"),
        untimed("another-on-2", "part_of", "call-2"),
        untimed("of-a-call-that-is-not-here", "part_of", "call-9"),
        turn("q", "a", id="call-1", time="2025-03-01T10:00:00Z"),
        turn("q", "a", id="call-2", time="2025-03-01T10:01:00Z"),
        turn("q", "a", id="call-3", time="2025-03-01T10:02:00Z"),
    )

    assert ids(desk.replay("s1")) == [
        "of-a-call-that-is-not-here",
        *("call-1", "tool-of-1", "verdict-on-the-tool"),
        *("call-2", "verdict-on-2", "another-on-2"),
        "call-3",
    ]


def test_records_that_belong_to_each_other_in_a_circle_are_all_shown(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("q", "a", id="call", time="2025-03-01T10:00:00Z"),
        untimed("itself", "part_of", "itself"),
        untimed("a", "part_of", "b"),
        untimed("b", "part_of", "a"),
        untimed("c", "part_of", "a"),
    )

    shown = ids(desk.replay("s1"))

    assert sorted(shown) == ["a", "b", "c", "call", "itself"]
    assert shown[-1] == "call"


def test_a_session_over_several_partitions_is_one(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="late", time="2025-03-02T10:00:00Z"))
    desk.ingest(turn("q", "a", id="early", time="2025-03-01T10:00:00Z"))

    assert ids(desk.replay("s1")) == ["early", "late"]


def test_the_history_that_every_request_repeats_is_shown_once(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("u1", "a1", id="e1", time="2025-03-01T10:00:01Z"),
        turn("u1", "a1", "u2", "a2", id="e2", time="2025-03-01T10:00:02Z"),
        turn("u1", "a1", "u2", "a2", "u3", "a3", id="e3", time="2025-03-01T10:00:03Z"),
    )

    session = desk.replay("s1")

    assert said(session) == [["u1", "a1"], ["u2", "a2"], ["u3", "a3"]]
    assert [event.repeated for event in session.events] == [0, 2, 4]


def test_an_edited_history_is_shown_from_where_it_differs(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("u1", "a1", id="e1", time="2025-03-01T10:00:01Z"),
        turn("u1", "a1, edited", "u2", "a2", id="e2", time="2025-03-01T10:00:02Z"),
    )

    assert said(desk.replay("s1")) == [["u1", "a1"], ["a1, edited", "u2", "a2"]]


def test_a_reordered_history_is_shown(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("u1", "a1", "u2", "a2", id="e1", time="2025-03-01T10:00:01Z"),
        turn("u2", "a2", "u1", "a1", "u3", "a3", id="e2", time="2025-03-01T10:00:02Z"),
    )

    assert said(desk.replay("s1"))[1] == ["u1", "a1", "u3", "a3"]


def test_a_user_who_says_the_same_again_is_shown_again(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("yes", "a1", id="e1", time="2025-03-01T10:00:01Z"),
        turn("yes", "a1", "yes", "a2", id="e2", time="2025-03-01T10:00:02Z"),
        turn("yes", "a3", id="e3", time="2025-03-01T10:00:03Z"),
    )

    assert said(desk.replay("s1")) == [["yes", "a1"], ["yes", "a2"], ["yes", "a3"]]


def test_a_reminder_after_a_repeated_turn_hides_neither(desk: Any, turn: Turn) -> None:
    first = [message("user", "yes"), message("system", "be brief")]
    desk.ingest(
        turn("", "a1", id="e1", time="2025-03-01T10:00:01Z", input=first),
        turn("", "a2", id="e2", time="2025-03-01T10:00:02Z", input=[*first, message("assistant", "a1"), *first]),
    )

    assert said(desk.replay("s1"))[1] == ["yes", "be brief", "a2"]


def test_a_tool_s_call_and_result_are_shown_once(desk: Any, turn: Turn) -> None:
    """The gateway sees the call in an answer and the result in the next request; the tool logs both itself."""
    response = {"type": "tool_call_response", "id": "c1", "response": '{"balance":1}'}
    calls = [message("assistant", CALL)]
    desk.ingest(
        turn("", "", id="ask", time="2025-03-01T10:00:01Z", input=[message("user", "u1")], output=calls),
        {
            "kind": "tool",
            "source": "tools",
            "id": "run",
            "session": "s1",
            "time": "2025-03-01T10:00:02Z",
            "gen_ai": {"tool.name": "balance", "tool.call.id": "c1"},
            "tool": {"arguments": {"account": 7}, "result": {"balance": 1}},
        },
        turn(
            *("", "You have 1."),
            id="tell",
            time="2025-03-01T10:00:03Z",
            input=[message("user", "u1"), *calls, message("tool", response)],
        ),
    )

    session = desk.replay("s1")

    assert said(session) == [["u1", '{"account":7}'], ['{"balance":1}'], ["You have 1."]]
    assert [event.repeated for event in session.events] == [0, 1, 3]


def test_a_pause_of_more_than_five_minutes_is_an_idle_gap(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("q", "a", id="e1", time="2025-03-01T10:00:00Z", end_time="2025-03-01T10:01:00Z"),
        turn("q", "a", id="e2", time="2025-03-01T10:06:00Z"),
        turn("q", "a", id="e3", time="2025-03-01T10:11:00.001Z"),
    )

    assert [event.idle for event in desk.replay("s1").events] == [None, None, pytest.approx(300.001)]


def test_records_with_one_id_are_all_shown_and_marked(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn("q", "a", id="same", time="2025-03-01T10:00:00Z"),
        turn("q", "another answer", id="same", time="2025-03-01T10:00:01Z"),
        turn("q", "a", id="same", source="other", time="2025-03-01T10:00:02Z"),
    )

    assert [event.duplicate for event in desk.replay("s1").events] == [False, True, False]


@pytest.mark.parametrize("state", ["erased", "lost", "unverifiable"])
def test_content_without_a_key_is_named_for_what_it_is(desk: Any, turn: Turn, state: str) -> None:
    person = {"end_user": [{"type": "customer_number", "id": "K1"}]}
    desk.ingest(
        turn("q", "a", id="hers", time="2025-03-01T10:00:00Z", subjects=person),
        turn("q", "b", id="nobody's", time="2025-03-01T10:00:01Z"),
    )
    with desk.installation.open() as store:
        (reference,) = store.keyring.lookup("K1")
        if state == "erased":
            erase(store, Erasing([reference]))
        elif state == "lost":
            Destruction(store.keyring).subjects([reference])
        else:
            with store.keyring.engine.begin() as connection:
                connection.execute(delete(tables.data_keys).where(tables.data_keys.c.ref == reference))

    hers, other = desk.replay("s1").events

    assert (hers.state, hers.rendered.notes, hers.new_input) == (state, (f"content {state}",), ())
    assert hers.line["source_id"] == "hers"
    assert (other.state, other.rendered.output[0].parts[0].text) == ("verified", "b")


def test_content_that_was_altered_is_not_shown(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))
    (content,) = (desk.installation.folder / "content").rglob("*.parquet")
    data = bytearray(content.read_bytes())
    data[len(data) // 4] ^= 1
    content.write_bytes(data)

    (event,) = desk.replay("s1").events

    assert event.state == "tampered"
    assert event.rendered.notes == ("content tampered",)


def test_content_of_an_adapter_that_is_not_shipped_is_checked_but_not_read(
    desk: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))
    newer = formats.FORMATS["evidence"]._replace(version=2)
    monkeypatch.setattr(formats, "FORMATS", {"evidence": newer})

    (event,) = desk.replay("s1").events

    assert event.state == "verified"
    assert event.rendered.notes == ("No adapter 'evidence/1' in this release.",)


def test_without_a_receipt_or_a_session_nothing_is_opened(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1"))

    with desk.listed() as (_, opened):
        with pytest.raises(NotFoundError, match="no session 'other'"):
            open_session(opened, "other", None)  # type: ignore[arg-type]  # it does not come to that
        with pytest.raises(AccessNotRecordedError):
            open_session(opened, "s1", None)  # type: ignore[arg-type]  # what a careless caller would give
