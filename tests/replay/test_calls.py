"""A call that several records tell of is one call, and its tokens are counted once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from replay import views
from replay.query import query
from replay.sessions import Filter, SessionRow, find_sessions

Turn = Callable[..., dict[str, Any]]
Line = dict[str, Any]
CALL: Line = {
    "litellm_call_id": "call-1",
    "session_id": "sess-A",
    "call_type": "acompletion",
    "status": "success",
    "model": "gpt-4o",
    "startTime": 1760000000.5,
    "prompt_tokens": 100,
    "completion_tokens": 10,
}
PAYLOAD = CALL | {"id": "chatcmpl-1", "messages": [{"role": "user", "content": "hi"}], "response": {}}
SPEND = CALL | {"request_id": "chatcmpl-1", "spend": 0.1, "metadata": "{}", "messages": "{}", "response": "{}"}

ONE_BY_ONE = """
SELECT session, count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM model_calls
GROUP BY session ORDER BY session
"""


def sessions(desk: Any) -> dict[str, SessionRow]:
    """The sessions as they are listed; the view of single calls has to come to the same numbers."""
    with desk.listed() as (_, opened):
        found = {row.session: row for row in find_sessions(opened, Filter())}
        with views.on(opened) as connection:
            calls = connection.execute(ONE_BY_ONE).fetchall()
    assert calls == sorted(
        (row.session, row.inferences, row.input_tokens, row.output_tokens) for row in found.values() if row.inferences
    )
    return found


def counted(desk: Any) -> tuple[int, int | None, int | None]:
    (row,) = sessions(desk).values()
    return row.inferences, row.input_tokens, row.output_tokens


def log(desk: Any, name: str, *lines: Line) -> None:
    path = desk.folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    desk.installation.ingest(path)


def linked(relation: str, to: str, **fields: Any) -> Line:
    return {"links": [{"relation": relation, "source": "chat", "id": to}], **fields}


@pytest.fixture
def call(turn: Turn) -> Callable[..., Line]:
    """``call("a")``: a model call with 10 and 2 tokens."""

    def made(own_id: str, *, usage: bool = True, **fields: Any) -> Line:
        tokens = {"gen_ai": {"usage.input_tokens": 10, "usage.output_tokens": 2}} if usage else {}
        return turn("q", "a", id=own_id, time="2025-03-01T10:00:00Z", **tokens, **fields)

    return made


@pytest.mark.parametrize("order", [("payload", "spend"), ("spend", "payload")])
def test_a_gateway_s_payload_and_its_spend_row_are_one_call_whichever_came_first(
    desk: Any, order: tuple[str, str]
) -> None:
    logs = {"payload": PAYLOAD, "spend": SPEND}
    for name in order:
        log(desk, f"{name}.jsonl", logs[name])
        assert counted(desk) == (1, 100, 10)


def test_spend_rows_alone_are_counted_and_twice_the_same_call_is_one(desk: Any) -> None:
    again = SPEND | {"request_id": "chatcmpl-1-again"}
    log(desk, "spend.jsonl", SPEND, again, SPEND | {"request_id": "chatcmpl-2", "litellm_call_id": "call-2"})

    assert counted(desk) == (2, 200, 20)


def test_an_event_of_the_same_call_and_events_of_its_messages_add_nothing(desk: Any, call: Any) -> None:
    desk.ingest(
        call("span"),
        call("details", **linked("same_as", "span")),
        *(call(name, usage=False, **linked("part_of", "span")) for name in ("system", "user", "choice")),
    )

    assert counted(desk) == (1, 10, 2)


def test_messages_whose_call_is_not_there_are_one_call_without_tokens(desk: Any, call: Any) -> None:
    desk.ingest(*(call(name, usage=False, **linked("part_of", "span")) for name in ("system", "user", "choice")))

    assert counted(desk) == (1, None, None)


def test_calls_that_are_part_of_what_is_no_call_are_each_counted(desk: Any, call: Any) -> None:
    desk.ingest(call("a", **linked("part_of", "run-7")), call("b", **linked("part_of", "run-7")))

    assert counted(desk) == (2, 20, 4)


def test_links_of_another_kind_make_no_echo(desk: Any, call: Any) -> None:
    desk.ingest(call("a"), call("b", **linked("caused_by", "a")))

    assert counted(desk) == (2, 20, 4)


def test_records_that_name_each_other_are_one_call(desk: Any, call: Any) -> None:
    desk.ingest(call("a", **linked("same_as", "b")), call("b", **linked("same_as", "a")))

    assert counted(desk) == (1, 10, 2)


def test_a_call_of_another_session_is_counted_there(desk: Any, call: Any) -> None:
    desk.ingest(call("a"), call("b", session="s2", **linked("same_as", "a")))

    found = sessions(desk)

    assert (found["s1"].inferences, found["s2"].inferences) == (1, 1)


def test_a_query_counts_alike(desk: Any, call: Any) -> None:
    desk.ingest(call("a"), call("b", **linked("same_as", "a")))

    with desk.installation.open() as store:
        found = query(store, "SELECT records, inferences, input_tokens FROM sessions").rows()

    assert found == [[2, 1, 10]]
