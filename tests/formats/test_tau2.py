"""tau2 files: each simulation a session, each message in exactly one record, every byte kept."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.base import Described, Identifier, RejectedInput
from ingest.formats.tau2 import FORMAT

USER_ASKS = {"role": "user", "content": "Where is order 7?", "turn_idx": 1, "timestamp": "2025-08-01T16:20:45.582555"}
CALL = {"id": "call_1", "name": "get_order", "arguments": {"order_id": 7}, "requestor": "assistant"}
AGENT_CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [CALL],
    "turn_idx": 2,
    "timestamp": "2025-08-01T16:20:50.283373",
    "usage": {"completion_tokens": 22, "prompt_tokens": 3437},
    "raw_data": {"finish_reason": "tool_calls"},
}
RESULT = {
    "role": "tool",
    "id": "call_1",
    "content": '{"state": "sent"}',
    "requestor": "assistant",
    "error": False,
    "turn_idx": 3,
    "timestamp": "2025-08-01T16:20:50.284163",
}
AGENT_ANSWERS = {"role": "assistant", "content": "It was sent.", "reasoning": "The state is sent.", "turn_idx": 4}
USER_LEAVES = {"role": "user", "content": "###STOP###", "turn_idx": 5}
SIMULATION: dict[str, Any] = {
    "id": "b762699f-cf72-4a2f-b500-5bbe1258209c",
    "task_id": "46",
    "timestamp": "2025-08-01T16:21:03.551563",
    "termination_reason": "user_stop",
    "reward_info": {"reward": 1.0, "db_check": None, "info": {"note": "all well"}},
    "messages": [USER_ASKS, AGENT_CALLS, RESULT, AGENT_ANSWERS, USER_LEAVES],
    "trial": 0,
}
INFO = {"agent_info": {"llm": "ollama_chat/qwen2.5:7b", "llm_args": {"api_key": "secret"}}}
FILE: dict[str, Any] = {"timestamp": "2025-08-01", "info": INFO, "tasks": [USER_ASKS], "simulations": [SIMULATION]}


def encoded(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def file_with(*messages: Any, **changes: Any) -> bytes:
    return encoded({**FILE, "simulations": [{**SIMULATION, "messages": list(messages), **changes}]})


def slices(document: bytes, described: Described) -> list[bytes]:
    return [document[event.start : event.end] for event in described.events]


def assert_every_byte_once(document: bytes, described: Described) -> None:
    rebuilt, at = b"", 0
    for event in described.events:
        assert at <= event.start <= event.end
        rebuilt += document[at : event.start] + document[event.start : event.end]
        at = event.end
    assert rebuilt + document[at:] == document


def real_files(shared_data: Path) -> list[Path]:
    return [path for path in sorted((shared_data / "tau2").glob("*.json")) if path.name != "retail-db.json"]


def test_a_conversation_becomes_answers_tool_results_and_a_verdict() -> None:
    document = encoded(FILE)
    described = FORMAT.describe(document)
    verdict, call, result, answer, last_word = described.events

    assert [json.loads(b"[" + content + b"]") for content in slices(document, described)] == [
        [SIMULATION["reward_info"]],
        [USER_ASKS, AGENT_CALLS],
        [RESULT],
        [AGENT_ANSWERS],
        [USER_LEAVES],
    ]
    assert call.fields == {
        "kind": "inference",
        "source": "tau2",
        "seq": 2,
        "capture": "complete",
        "time_basis": "zone_assumed",
        "occurred_at": "2025-08-01T16:20:45.582555Z",
        "ended_at": "2025-08-01T16:20:50.283373Z",
        "status": "ok",
        "gen_ai_operation_name": "chat",
        "gen_ai_request_model": "ollama_chat/qwen2.5:7b",
        "gen_ai_usage_input_tokens": 3437,
        "gen_ai_usage_output_tokens": 22,
        "gen_ai_response_finish_reasons": ["tool_calls"],
    }
    assert result.fields == {
        "kind": "tool",
        "source": "tau2",
        "seq": 3,
        "capture": "complete",
        "time_basis": "zone_assumed",
        "occurred_at": "2025-08-01T16:20:50.284163Z",
        "status": "ok",
        "gen_ai_operation_name": "execute_tool",
        "gen_ai_tool_call_id": "call_1",
        "gen_ai_tool_name": "get_order",
        "links": [{"relation": "tool_of", "source": "tau2", "source_id": f"{SIMULATION['id']}#1"}],
    }
    assert answer.fields["time_basis"] == "none"
    assert "occurred_at" not in answer.fields
    assert (last_word.fields["status"], last_word.fields["warnings"]) == ("unknown", ["unanswered"])
    assert (verdict.fields["kind"], verdict.fields["seq"]) == ("evaluation", 5)
    assert verdict.fields["occurred_at"] == "2025-08-01T16:21:03.551563Z"
    assert verdict.fields["links"] == [{"relation": "part_of", "source": "tau2", "source_id": "task:46/trial:0"}]


def test_a_simulation_is_a_session_and_owns_its_region() -> None:
    document = encoded(FILE)
    described = FORMAT.describe(document)
    (region,) = described.regions
    assert json.loads(document[region.start : region.end]) == SIMULATION
    assert {event.session for event in described.events} == {region.session} == {SIMULATION["id"]}
    assert [event.source_id for event in described.events] == [
        f"{SIMULATION['id']}#{name}" for name in ("reward", 1, 2, 3, 4)
    ]
    assert {event.owner for event in described.events} == {region.owner} == {None}


def test_a_verdict_after_the_messages_comes_last() -> None:
    verdict = SIMULATION["reward_info"]
    moved = {**{key: value for key, value in SIMULATION.items() if key != "reward_info"}, "reward_info": verdict}
    kinds = [event.fields["kind"] for event in FORMAT.describe(encoded({**FILE, "simulations": [moved]})).events]
    assert kinds == ["inference", "tool", "inference", "inference", "evaluation"]


def test_a_tool_that_the_user_ran_stays_with_the_users_words() -> None:
    asked = {"role": "user", "tool_calls": [{"id": "u1", "name": "reboot", "arguments": {}, "requestor": "user"}]}
    result = {"role": "tool", "id": "u1", "content": "done", "requestor": "user", "error": True}
    document = file_with(asked, result)
    verdict, event = FORMAT.describe(document).events
    assert (event.fields["kind"], event.fields["status"]) == ("tool", "error")
    assert event.fields["warnings"] == ["user_side_tool"]
    shown = FORMAT.render(document[event.start : event.end], event.fields)
    assert [part.name for message in shown.input for part in message.parts] == ["reboot"]
    assert [part.text for message in shown.output for part in message.parts] == ["done"]
    assert verdict.fields["time_basis"] == "none", "a simulation without message times carries placeholders"


def test_an_answer_that_the_environment_refused_is_an_error() -> None:
    refused = {**AGENT_ANSWERS, "errors": ["Invalid message format. Original message: ..."]}
    document = file_with(refused, {**AGENT_ANSWERS, "errors": []}, {**AGENT_ANSWERS, "errors": None})
    events = FORMAT.describe(document).events[1:]
    assert [event.fields["status"] for event in events] == ["error", "ok", "ok"]
    shown = FORMAT.render(document[events[0].start : events[0].end], events[0].fields)
    assert shown.facts == (("errors", '["Invalid message format. Original message: ..."]'),)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("user_stop", {"status": "ok"}),
        ("agent_stop", {"status": "ok"}),
        ("max_steps", {"status": "error", "error_type": "max_steps"}),
        ("too_many_errors", {"status": "error", "error_type": "too_many_errors"}),
        ("agent_error", {"status": "error", "error_type": "agent_error"}),
        ("because of Anna", {"status": "error", "warnings": ["field_withheld"]}),
        (7, {"status": "error", "warnings": ["field_withheld"]}),
        (None, {"status": "unknown"}),
    ],
)
def test_the_verdict_says_how_the_run_ended(reason: Any, said: dict[str, Any]) -> None:
    verdict = FORMAT.describe(file_with(USER_ASKS, AGENT_ANSWERS, termination_reason=reason)).events[0]
    assert {key: verdict.fields[key] for key in ("status", "error_type", "warnings") if key in verdict.fields} == said
    facts = dict(FORMAT.render(b'{"reward":0.0}', verdict.fields).facts)
    assert facts.get("ended by") == said.get("error_type")


@pytest.mark.parametrize(
    ("named", "facts"),
    [
        ({"task_id": "[mobile_data]bad_network[PERSONA:None]"}, ("[mobile_data]bad_network[PERSONA:None]", "0")),
        ({"task_id": 7, "trial": 3}, ("7", "3")),
        ({"task_id": "a/trial:b", "trial": None}, ("a/trial:b", None)),
        ({"task_id": "Anna's task"}, (None, None)),
        ({"task_id": ""}, (None, None)),
    ],
)
def test_the_verdict_names_task_and_trial(named: dict[str, Any], facts: tuple[str | None, str | None]) -> None:
    """They stand outside the verdict's bytes: the line carries them, if they are codes."""
    verdict = FORMAT.describe(file_with(AGENT_ANSWERS, **named)).events[0]
    shown = dict(FORMAT.render(b'{"reward":0.0}', verdict.fields).facts)
    assert (shown.get("task"), shown.get("trial")) == facts
    assert verdict.fields.get("warnings") == (["field_withheld"] if "Anna" in str(named) else None)


def test_real_runs_say_how_they_ended(shared_data: Path) -> None:
    """The data has 448 runs that the user ended, five at the step limit, two of too many errors, nine agent errors."""
    ends: Counter[str] = Counter()
    for path in real_files(shared_data):
        for event in FORMAT.describe(path.read_bytes()).events:
            if event.fields["kind"] == "evaluation":
                ends[event.fields.get("error_type", event.fields["status"])] += 1
    assert ends == {"ok": 448, "max_steps": 5, "too_many_errors": 2, "agent_error": 9}


def test_a_reused_call_id_means_the_latest_call() -> None:
    document = file_with(AGENT_CALLS, RESULT, AGENT_CALLS, RESULT, RESULT)
    links = [link for event in FORMAT.describe(document).events for link in event.fields.get("links", ())]
    assert [link["source_id"].partition("#")[2] for link in links if link["relation"] == "tool_of"] == ["0", "2", "2"]


def test_a_result_without_its_call_is_kept_and_flagged() -> None:
    event = FORMAT.describe(file_with(RESULT)).events[1]
    assert event.fields["warnings"] == ["call_not_found"]
    assert "links" not in event.fields


def test_a_response_says_which_model_answered() -> None:
    raw = {
        "id": "msg_01",
        "model": "claude-sonnet-4-5-20250929",
        "stop_reason": "end_turn",
        "usage": {"cache_read_input_tokens": 10, "cache_creation_input_tokens": 0},
    }
    fields = FORMAT.describe(file_with({**AGENT_CALLS, "raw_data": raw})).events[1].fields
    assert fields["gen_ai_response_model"] == "claude-sonnet-4-5-20250929"
    assert fields["gen_ai_response_id"] == "msg_01"
    assert fields["gen_ai_response_finish_reasons"] == ["end_turn"]
    assert fields["gen_ai_usage_cache_read_input_tokens"] == 10
    assert fields["gen_ai_usage_cache_creation_input_tokens"] == 0


def test_an_agent_that_the_file_does_not_name_has_no_model() -> None:
    fields = FORMAT.describe(encoded({**FILE, "info": {"agent_info": None}})).events[1].fields
    assert "gen_ai_request_model" not in fields


def test_an_id_that_may_name_a_person_is_an_identifier() -> None:
    described = FORMAT.describe(file_with(AGENT_ANSWERS, id="anna@example.org"))
    event = described.events[1]
    assert event.session == described.regions[0].session == Identifier("session:tau2", "anna@example.org")
    assert (event.source_id, event.position) == (None, "0/0")


def test_simulations_without_an_id_are_told_apart() -> None:
    nameless = {key: value for key, value in SIMULATION.items() if key != "id"}
    described = FORMAT.describe(encoded({**FILE, "simulations": [nameless, {**nameless, "trial": 1}]}))
    assert len({region.session for region in described.regions}) == 2
    assert len({event.position for event in described.events}) == len(described.events)


def test_a_slice_is_found_in_its_array_and_not_in_an_earlier_copy() -> None:
    document = encoded({"simulations_": [SIMULATION], "messages": [], **FILE, '"simulations": [': "simulations"})
    described = FORMAT.describe(document)
    assert all(event.start > document.index(b'"simulations":') for event in described.events)
    assert json.loads(b"[" + slices(document, described)[1] + b"]") == [USER_ASKS, AGENT_CALLS]


def test_a_repeated_key_is_flagged_where_it_stands() -> None:
    document = file_with(USER_ASKS, AGENT_ANSWERS, USER_LEAVES).replace(
        b'"content": "It', b'"content": "", "content": "It'
    )
    warnings = [event.fields.get("warnings") for event in FORMAT.describe(document).events]
    assert warnings == [None, ["duplicate_keys"], ["unanswered"]]


def test_a_repeated_key_around_the_messages_makes_the_file_unreadable() -> None:
    document = encoded(FILE).replace(b'"messages":', b'"messages": [], "messages":')
    with pytest.raises(RejectedInput, match="duplicate_keys"):
        FORMAT.describe(document)


def test_other_json_is_not_tau2(shared_data: Path) -> None:
    for name in ("tau2/retail-db.json", "tau-bench/gpt-4o-airline.json", "tau-bench/airline-users.json"):
        document = (shared_data / name).read_bytes()
        assert not FORMAT.matches(orjson.loads(document))
        with pytest.raises(RejectedInput, match="unknown_shape"):
            FORMAT.describe(document)


def test_render_shows_what_was_asked_and_what_came_back() -> None:
    document = encoded(FILE)
    verdict, call, result, answer, last_word = (
        FORMAT.render(document[event.start : event.end], event.fields) for event in FORMAT.describe(document).events
    )
    assert [(message.role, message.parts[0].text) for message in call.input] == [("user", "Where is order 7?")]
    assert call.output[0].parts[0].name == "get_order"
    assert json.loads(call.output[0].parts[0].text) == {"order_id": 7}
    assert (result.output[0].parts[0].name, result.output[0].parts[0].id) == ("get_order", "call_1")
    assert [(part.type, part.text) for part in answer.output[0].parts] == [
        ("reasoning", "The state is sent."),
        ("text", "It was sent."),
    ]
    assert (last_word.output, last_word.notes) == ((), ("no answer is recorded",))
    assert verdict.facts == (("task", "46"), ("trial", "0"), ("reward", "1.0"), ("info", '{"note":"all well"}'))


def test_all_real_files_keep_every_message_once(shared_data: Path) -> None:
    """Counts from the data's own README: 464 sessions, 12,453 messages, 3,886 tool calls."""
    sessions = messages = tools = 0
    for path in real_files(shared_data):
        document = path.read_bytes()
        described = FORMAT.describe(document)
        assert_every_byte_once(document, described)
        listed = [message for simulation in orjson.loads(document)["simulations"] for message in simulation["messages"]]
        contents = [
            document[event.start : event.end] for event in described.events if event.fields["kind"] != "evaluation"
        ]
        assert [message for content in contents for message in orjson.loads(b"[" + content + b"]")] == listed
        sessions += len(described.regions)
        messages += len(listed)
        tools += sum(event.fields["kind"] == "tool" for event in described.events)
    assert (sessions, messages, tools) == (464, 12_453, 3_886)


def test_no_real_line_names_a_customer_or_a_secret(shared_data: Path) -> None:
    customers = orjson.loads((shared_data / "tau2/retail-db.json").read_bytes())["users"].keys()
    customers |= orjson.loads((shared_data / "tau-bench/airline-users.json").read_bytes()).keys()
    assert len(customers) > 500
    for path in real_files(shared_data):
        for event in FORMAT.describe(path.read_bytes()).events:
            line = orjson.dumps([event.fields, event.source_id, event.session]).decode()
            assert not any(name in line for name in ("@", "example.com", "removed"))
            assert not customers & set(line.replace('"', " ").replace("#", " ").split())


def test_every_real_record_can_be_shown(shared_data: Path) -> None:
    for path in real_files(shared_data):
        document = path.read_bytes()
        for event in FORMAT.describe(document).events:
            shown = FORMAT.render(document[event.start : event.end], event.fields)
            assert shown.output or shown.facts or shown.notes == ("no answer is recorded",)


def test_bad_json_is_rejected_and_nothing_else(shared_data: Path) -> None:
    for path in sorted((shared_data / "json-bad-inputs").rglob("*.json")):
        with pytest.raises(RejectedInput):
            FORMAT.describe(path.read_bytes())


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
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
    value = json.loads(json.dumps(FILE))
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


@given(
    content=st.binary(max_size=60) | JSON_VALUES.map(encoded), kind=st.sampled_from(["inference", "tool", "evaluation"])
)
def test_render_never_raises(content: bytes, kind: str) -> None:
    shown = FORMAT.render(content, {"kind": kind})
    assert all(isinstance(part.text, str) for message in (*shown.input, *shown.output) for part in message.parts)


def test_nesting_beyond_measure_is_told_and_not_raised() -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = {"type": "tool_result", "content": [deep]}
    content = encoded({"role": "assistant", "content": [deep]})
    shown = FORMAT.render(content, {"kind": "inference"})
    assert shown.output or shown.notes
    with pytest.raises(RejectedInput):
        FORMAT.describe(b'{"info":{},"simulations":[{"messages":' + b"[" * 5000 + b"]" * 5000 + b"}]}")
