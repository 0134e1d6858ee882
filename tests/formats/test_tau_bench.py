"""tau-bench files: each run a session of its user, without times; each message in exactly one record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.base import Described, Identifier, RejectedInput
from ingest.formats.tau_bench import FORMAT

SYSTEM = {"role": "system", "content": "# Airline Agent Policy"}
USER_ASKS = {"role": "user", "content": "I am mia_li_3668, book me a flight."}
AGENT_CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_user", "arguments": '{"user_id": "mia_li_3668"}'},
        }
    ],
}
RESULT = {"role": "tool", "tool_call_id": "call_1", "name": "get_user", "content": '{"membership": "gold"}'}
RUN: dict[str, Any] = {
    "task_id": 0,
    "reward": 0.0,
    "info": {"task": {"user_id": "mia_li_3668"}, "reward_info": {"reward": 0.0, "info": {"r_actions": 0.0}}},
    "traj": [SYSTEM, USER_ASKS, AGENT_CALLS, RESULT, USER_ASKS],
    "trial": 2,
}
MIA = Identifier("user_id", "mia_li_3668")


def encoded(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def assert_every_byte_once(document: bytes, described: Described) -> None:
    rebuilt, at = b"", 0
    for event in described.events:
        assert at <= event.start <= event.end
        rebuilt += document[at : event.start] + document[event.start : event.end]
        at = event.end
    assert rebuilt + document[at:] == document


def test_a_run_becomes_answers_tool_results_and_a_verdict() -> None:
    document = encoded([RUN])
    described = FORMAT.describe(document)
    assert [json.loads(b"[" + document[event.start : event.end] + b"]") for event in described.events] == [
        [RUN["info"]["reward_info"]],
        [SYSTEM, USER_ASKS, AGENT_CALLS],
        [RESULT],
        [USER_ASKS],
    ]
    verdict, call, result, last_word = described.events
    common = {"source": "tau_bench", "capture": "complete", "time_basis": "none"}
    task = {"relation": "part_of", "source": "tau_bench", "source_id": "task:0/trial:2"}
    assert verdict.fields == {**common, "kind": "evaluation", "seq": 5, "status": "ok", "links": [task]}
    assert call.fields == {**common, "kind": "inference", "seq": 2, "status": "ok", "gen_ai_operation_name": "chat"}
    assert result.fields == {
        **common,
        "kind": "tool",
        "seq": 3,
        "status": "unknown",
        "gen_ai_operation_name": "execute_tool",
        "gen_ai_tool_name": "get_user",
        "gen_ai_tool_call_id": "call_1",
    }
    assert last_word.fields == {
        **common,
        "kind": "inference",
        "seq": 4,
        "status": "unknown",
        "warnings": ["unanswered"],
    }


def test_the_user_of_the_task_owns_the_run() -> None:
    described = FORMAT.describe(encoded([RUN]))
    assert {event.owner for event in described.events} == {described.regions[0].owner} == {MIA}
    assert all(event.subjects == {"end_user": (MIA,)} for event in described.events)


def test_records_are_told_apart_by_task_trial_and_place() -> None:
    described = FORMAT.describe(encoded([RUN, {**RUN, "trial": 3}, {**RUN, "reward": 1.0}]))
    positions = [event.position for event in described.events]
    assert positions[:4] == ["0/2/reward", "0/2/2", "0/2/3", "0/2/4"]
    assert positions[4] == "0/3/reward"
    assert positions[8] == "0/2~2/reward"
    assert len(set(positions)) == len(positions)
    assert {event.source_id for event in described.events} == {None}


def test_a_run_is_the_same_session_in_every_file_and_another_trial_is_not() -> None:
    first, second = FORMAT.describe(encoded([RUN, {**RUN, "trial": 3}])).regions
    again = FORMAT.describe(encoded([{**RUN, "trial": 4}, RUN])).regions[1]
    assert first.session == again.session != second.session
    assert isinstance(first.session, Identifier)


def test_without_a_full_verdict_the_bare_reward_is_sealed() -> None:
    document = encoded([{**RUN, "info": {"task": {}, "reward_info": None}}])
    verdict = FORMAT.describe(document).events[0]
    assert document[verdict.start : verdict.end] == b"0.0"
    assert FORMAT.render(b"0.0", verdict.fields).facts == (("task", "0"), ("trial", "2"), ("reward", "0.0"))
    assert (verdict.owner, verdict.subjects) == (None, {})


@pytest.mark.parametrize(
    ("content", "status"),
    [("Error: payment amount does not add up", "error"), ("No Error: all well", "unknown"), ("", "unknown")],
)
def test_a_tools_result_that_begins_with_error_is_one(content: str, status: str) -> None:
    """tau-bench has no other mark of failure, and none of success."""
    document = encoded([{**RUN, "traj": [AGENT_CALLS, {**RESULT, "content": content}]}])
    result = FORMAT.describe(document).events[2]
    assert (result.fields["kind"], result.fields["status"]) == ("tool", status)


def test_render_shows_the_call_and_its_result() -> None:
    document = encoded([RUN])
    _, call, result, _ = (
        FORMAT.render(document[event.start : event.end], event.fields) for event in FORMAT.describe(document).events
    )
    assert [message.role for message in call.input] == ["system", "user"]
    assert call.output[0].parts[0].text == '{"user_id": "mia_li_3668"}'
    assert result.output[0].parts[0].text == '{"membership": "gold"}'


def test_other_json_is_not_tau_bench(shared_data: Path) -> None:
    for name in ("tau-bench/airline-users.json", "tau2/retail-db.json"):
        assert not FORMAT.matches(orjson.loads((shared_data / name).read_bytes()))
    others: list[Any] = [[], [1], [{"traj": {}, "task_id": 1}], {"traj": []}, None]
    for value in others:
        assert not FORMAT.matches(value)
        with pytest.raises(RejectedInput, match="unknown_shape"):
            FORMAT.describe(encoded(value))


def test_the_real_file_keeps_every_message_once(shared_data: Path) -> None:
    """Counts from the data's own README: 200 sessions, 5,308 messages."""
    document = (shared_data / "tau-bench/gpt-4o-airline.json").read_bytes()
    described = FORMAT.describe(document)
    assert_every_byte_once(document, described)
    listed = [message for run in orjson.loads(document) for message in run["traj"]]
    turns = [event for event in described.events if event.fields["kind"] != "evaluation"]
    sealed = [message for turn in turns for message in orjson.loads(b"[" + document[turn.start : turn.end] + b"]")]
    assert sealed == listed
    assert len(listed) == 5_308
    assert len({region.session for region in described.regions}) == 200
    assert sum(event.fields["kind"] == "evaluation" for event in described.events) == 200
    assert {event.fields["time_basis"] for event in described.events} == {"none"}
    assert sum(event.fields["kind"] == "tool" and event.fields["status"] == "error" for event in turns) == 73


def test_no_real_line_names_a_person(shared_data: Path) -> None:
    people = orjson.loads((shared_data / "tau-bench/airline-users.json").read_bytes()).keys()
    for event in FORMAT.describe((shared_data / "tau-bench/gpt-4o-airline.json").read_bytes()).events:
        assert event.owner is not None
        assert event.owner.value in people
        line = orjson.dumps([event.fields, event.position]).decode()
        assert event.owner.value not in line


def test_bad_json_is_rejected_and_nothing_else(shared_data: Path) -> None:
    for path in sorted((shared_data / "json-bad-inputs").rglob("*.json")):
        with pytest.raises(RejectedInput):
            FORMAT.describe(path.read_bytes())


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every holder and key at which a JSON value can be replaced."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A real shape with some values replaced by others, then perhaps with some bytes replaced."""
    value = json.loads(json.dumps([RUN, RUN]))
    for _ in range(draw(st.integers(0, 3))):
        options = places(value)
        holder, key = options[draw(st.integers(0, len(options) - 1))]
        holder[key] = draw(JSON_VALUES)
    document = encoded(value)
    if draw(st.booleans()):
        start, length = draw(st.integers(0, len(document))), draw(st.integers(0, 40))
        document = document[:start] + draw(st.binary(max_size=20)) + document[start + length :]
    return document


@given(document=damaged_files())
def test_damage_is_rejected_or_described_with_every_byte_once(document: bytes) -> None:
    try:
        described = FORMAT.describe(document)
    except RejectedInput:
        return
    assert_every_byte_once(document, described)
    for event in described.events:
        orjson.dumps(event.fields)
        FORMAT.render(document[event.start : event.end], event.fields)
