"""The product's own JSON Lines, ``event/1``, as docs/EVENT-FORMAT.md specifies it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.formats import FORMATS
from ingest.formats.base import Event, Identifier, RejectedInput, Rendered
from ingest.formats.native import KINDS

FORMAT = FORMATS["evidence"]
SMALLEST: dict[str, Any] = {"evidence": "event/1", "kind": "inference", "source": "bank"}


def event_of(**more: Any) -> Event:
    (event,) = FORMAT.describe(orjson.dumps({**SMALLEST, **more}) + b"\n").events
    return event


def shown(**more: Any) -> Rendered:
    return FORMAT.render(orjson.dumps({**SMALLEST, **more}), event_of(**more).fields)


def refusal(line: dict[str, Any]) -> str:
    with pytest.raises(RejectedInput) as rejected:
        FORMAT.describe(orjson.dumps(line))
    return rejected.value.reason


def test_three_keys_make_an_event_and_its_slice_is_the_whole_line() -> None:
    event = event_of()
    assert event.fields == {
        "kind": "inference",
        "source": "bank",
        "time_basis": "none",
        "capture": "not_captured",
    }
    assert (event.start, event.end) == (0, len(orjson.dumps(SMALLEST)) + 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evidence": "event/2"}, "unknown_shape"),
        ({"kind": None}, "missing_field"),
        ({"source": "Ann's laptop"}, "missing_field"),
        ({"kind": "gossip"}, "unknown_kind"),
        ({"kind": "access"}, "reserved_kind"),
        ({"kind": "envelope"}, "reserved_kind"),
    ],
)
def test_a_line_without_the_required_keys_is_refused(change: dict[str, Any], reason: str) -> None:
    """``access`` is the store's own word: no source may claim that somebody looked or did not."""
    assert refusal({**SMALLEST, **change}) == reason


def test_everything_a_line_may_say_reaches_the_record() -> None:
    event = event_of(
        id="e-1",
        time="2026-10-03T09:15:27.123Z",
        end_time="2026-10-03T11:15:29+02:00",
        session="s-1",
        seq=3,
        trace_id="4BF92F3577B34DA6A3CE929D0E0E4736",
        system="assistant",
        environment="production",
        status="error",
        error_type="timeout",
        capture="truncated",
        model={"name": "m", "version": "2", "digest": "sha256:ab"},
        gen_ai={"operation.name": "chat", "usage.input_tokens": 7, "response.finish_reasons": ["stop", "length"]},
        links=[{"relation": "caused_by", "source": "bank", "id": "e-0"}],
    )
    assert event.source_id == "e-1"
    assert event.session == "s-1"
    assert event.fields == {
        "kind": "inference",
        "source": "bank",
        "time_basis": "source",
        "occurred_at": "2026-10-03T09:15:27.123Z",
        "ended_at": "2026-10-03T09:15:29Z",
        "seq": 3,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "system": "assistant",
        "environment": "production",
        "status": "error",
        "error_type": "timeout",
        "capture": "truncated",
        "model_ref": {"name": "m", "version": "2", "digest": "sha256:ab"},
        "gen_ai_operation_name": "chat",
        "gen_ai_usage_input_tokens": 7,
        "gen_ai_response_finish_reasons": ["stop", "length"],
        "links": [{"relation": "caused_by", "source": "bank", "source_id": "e-0"}],
    }


@pytest.mark.parametrize(
    "more",
    [
        {"id": "ann@example.org"},
        {"system": "Ann's assistant"},
        {"status": "fine"},
        {"seq": -1},
        {"trace_id": "0" * 32},
        {"model": {"name": "a b"}},
        {"model": "m"},
        {"gen_ai": {"usage.input_tokens": 1.5}},
        {"change": {"type": "mood"}},
        {"links": [{"relation": "likes", "source": "bank", "id": "1"}]},
        {"subjects": {"friend": [{"type": "email", "id": "a@b.org"}]}},
        {"subjects": {"end_user": ["ann"]}},
        {"owner": "ann"},
        {"session": {"type": "session", "id": ""}},
        {"session": {}},
        {"id": -1},
    ],
)
def test_what_is_not_as_promised_is_withheld_from_the_line_and_flagged(more: dict[str, Any]) -> None:
    event = event_of(**more)
    assert event.fields["warnings"] == ["field_withheld"]
    assert set(event.fields) == {"kind", "source", "time_basis", "capture", "warnings"}
    assert event.source_id is None
    assert event.owner is None


def test_a_time_without_zone_or_meaning_is_said_to_be_so() -> None:
    assert event_of(time="2026-10-03 09:15:27").fields["time_basis"] == "zone_assumed"
    unreadable = event_of(time="yesterday").fields
    assert (unreadable["time_basis"], unreadable["warnings"]) == ("none", ["time_unreadable"])


def test_a_session_that_may_name_a_person_is_an_identifier() -> None:
    assert event_of(session={"type": "session", "id": "s-1"}).session == Identifier("session", "s-1")
    assert event_of(session="Ann's chat").session == Identifier("session", "Ann's chat")
    assert event_of(session=-1).session == Identifier("session", "-1"), "an opaque id begins with a letter or digit"
    assert event_of(session=0).session == "0"
    assert event_of(session="").session is None
    assert "warnings" not in event_of(session="").fields


def test_the_owner_is_the_declared_one_else_the_data_subject_else_the_end_user() -> None:
    ann, bob, eve = ({"type": "customer_number", "id": name} for name in ("C-1", "C-2", "C-3"))
    roles = {"end_user": [ann], "data_subject": [bob], "approver": [eve]}
    assert event_of(owner=eve, subjects=roles).owner == Identifier("customer_number", "C-3")
    assert event_of(subjects=roles).owner == Identifier("customer_number", "C-2")
    assert event_of(subjects={"end_user": [ann]}).owner == Identifier("customer_number", "C-1")
    assert event_of(subjects={"approver": [eve]}).owner is None


def test_repeated_keys_are_flagged_and_kept() -> None:
    line = b'{"evidence":"event/1","kind":"tool","source":"bank","text":"a","text":"b"}\n'
    assert FORMAT.describe(line).events[0].fields["warnings"] == ["duplicate_keys"]


def test_messages_tools_words_and_unknown_keys_are_shown() -> None:
    asked = {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "hologram", "depth": 3}]}
    told = {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}], "finish_reason": "stop"}
    rendered = shown(input=[asked], output=[told], text="why", facts={"rule": "R1"}, weather={"sun": True})
    (question,), (answer,) = rendered.input, rendered.output
    assert [(part.type, part.text) for part in question.parts] == [
        ("text", "hi"),
        ("hologram", '{"type":"hologram","depth":3}'),
    ]
    assert (answer.parts[0].type, answer.finish_reason) == ("reasoning", "stop")
    assert rendered.facts == (("text", "why"), ("rule", "R1"), ("weather", '{"sun":true}'))


def test_a_tool_shows_its_call_and_its_result() -> None:
    rendered = shown(
        kind="tool",
        gen_ai={"tool.name": "lookup", "tool.call.id": "c-1"},
        tool={"arguments": {"id": 7}, "result": "none", "is_error": True},
    )
    call, response = rendered.input[0].parts[0], rendered.output[0].parts[0]
    assert (call.type, call.name, call.id, call.text) == ("tool_call", "lookup", "c-1", '{"id":7}')
    assert (response.type, response.text, rendered.output[0].finish_reason) == ("tool_call_response", "none", "error")


def test_every_example_of_the_documentation_is_accepted_without_a_warning() -> None:
    text = (Path(__file__).parents[2] / "docs" / "EVENT-FORMAT.md").read_text(encoding="utf-8")
    lines = [line.encode() for line in re.findall(r'^\{"evidence".*$', text, re.MULTILINE)]
    events = [FORMAT.describe(line).events[0] for line in lines]
    assert {event.fields["kind"] for event in events} == KINDS
    assert [event.fields.get("warnings") for event in events] == [None] * len(events)
