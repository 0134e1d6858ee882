"""MLflow webhooks. The bodies follow the payload tables of MLflow 3.17; no public sample of deliveries exists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.base import Event, Identifier, RejectedInput
from ingest.formats.mlflow import FORMAT

TIME = "2026-03-02T08:27:32.080000+00:00"
MODEL_VERSION = {
    "name": "credit-assistant",
    "version": "7",
    "source": "models:/m-123",
    "run_id": "abcd1234abcd5678",
    "tags": {"owner": "hana@example.org"},
    "description": "Trained by Hana",
}
ALIAS_MOVED = {"name": "credit-assistant", "alias": "champion", "version": "7"}
BUDGET = {
    "budget_policy_id": "bp-1",
    "budget_unit": "USD",
    "budget_amount": 100.0,
    "current_spend": 104.5,
    "target_scope": "USER",
    "target_value": "hana@example.org",
    "window_start": 1772438400000,
}


def body(event: str, data: Any) -> dict[str, Any]:
    entity, _, action = event.partition(".")
    return {"entity": entity, "action": action, "timestamp": TIME, "data": data}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def record(value: Any) -> Event:
    """The one record of a body, which covers all of its bytes."""
    document = encoded(value)
    (event,) = FORMAT.describe(document).events
    assert (event.start, event.end) == (0, len(document))
    return event


def test_a_version_that_was_created_is_a_change_to_nothing_whose_actor_nobody_recorded() -> None:
    event = record(body("model_version.created", MODEL_VERSION))
    assert event.fields == {
        "kind": "change",
        "source": "mlflow",
        "capture": "complete",
        "time_basis": "source",
        "occurred_at": "2026-03-02T08:27:32.080000Z",
        "change": {"type": "model", "name": "credit-assistant/7"},
        "warnings": ["actor_not_recorded"],
    }
    assert (event.source_id, event.position, event.owner, event.subjects) == (None, "", None, {})


@pytest.mark.parametrize(
    ("event", "data", "change"),
    [
        ("registered_model.created", {"name": "m", "tags": {}}, {"type": "model", "name": "m"}),
        ("model_version_alias.created", ALIAS_MOVED, {"type": "model", "name": "credit-assistant@champion", "to": "7"}),
        ("model_version_alias.deleted", {"name": "m", "alias": "a"}, {"type": "model", "name": "m@a"}),
        (
            "model_version_tag.set",
            {"name": "m", "version": "7", "key": "k", "value": "v"},
            {"type": "model", "name": "m/7"},
        ),
        ("model_version_tag.deleted", {"name": "m", "version": "7", "key": "k"}, {"type": "model", "name": "m/7"}),
        ("prompt.created", {"name": "p", "tags": {}}, {"type": "prompt", "name": "p"}),
        (
            "prompt_version.created",
            {"name": "p", "version": 3, "template": "Be kind"},
            {"type": "prompt", "name": "p/3"},
        ),
        ("prompt_tag.set", {"name": "p", "key": "k", "value": "v"}, {"type": "prompt", "name": "p"}),
        ("prompt_tag.deleted", {"name": "p", "key": "k"}, {"type": "prompt", "name": "p"}),
        ("prompt_version_tag.set", {"name": "p", "version": "3", "key": "k"}, {"type": "prompt", "name": "p/3"}),
        ("prompt_version_tag.deleted", {"name": "p", "version": "3", "key": "k"}, {"type": "prompt", "name": "p/3"}),
        (
            "prompt_alias.created",
            {"name": "p", "alias": "live", "version": "3"},
            {"type": "prompt", "name": "p@live", "to": "3"},
        ),
        ("prompt_alias.deleted", {"name": "p", "alias": "live"}, {"type": "prompt", "name": "p@live"}),
    ],
)
def test_every_registry_event_is_a_change(event: str, data: dict[str, Any], change: dict[str, str]) -> None:
    fields = record(body(event, data)).fields
    assert (fields["kind"], fields["change"]) == ("change", change)
    assert fields["warnings"] == ["actor_not_recorded"]


def test_an_exceeded_budget_flags_the_user_whose_it_is() -> None:
    event = record(body("budget_policy.exceeded", BUDGET))
    hana = Identifier("user_id", "hana@example.org")
    assert (event.fields["kind"], event.fields["decision"]) == ("policy", "flagged")
    assert (event.owner, event.subjects) == (hana, {"end_user": (hana,)})
    assert "warnings" not in event.fields
    shared = record(body("budget_policy.exceeded", {**BUDGET, "target_scope": "WORKSPACE"}))
    assert (shared.owner, shared.subjects) == (None, {})


def test_a_receiver_may_add_the_delivery_id() -> None:
    event = record({"delivery_id": "d1f0-77", "body": body("model_version.created", MODEL_VERSION)})
    assert event.source_id == "d1f0-77"
    assert event.fields == record(body("model_version.created", MODEL_VERSION)).fields


def test_an_action_newer_than_the_adapter_is_kept_and_flagged() -> None:
    fields = record(body("model_version.deleted", MODEL_VERSION)).fields
    assert fields["change"] == {"type": "model", "name": "credit-assistant/7"}
    assert fields["warnings"] == ["actor_not_recorded", "unknown_action"]


def test_a_name_that_is_no_code_stays_in_the_content() -> None:
    event = record(body("model_version.created", {**MODEL_VERSION, "name": "hana@example.org's model"}))
    assert event.fields["change"] == {"type": "model"}
    assert event.fields["warnings"] == ["actor_not_recorded", "field_withheld"]


def test_tags_and_descriptions_stay_in_the_content() -> None:
    value = body("model_version.created", MODEL_VERSION)
    event = record(value)
    assert not any(word in repr(event) for word in ("hana", "Hana", "m-123"))
    shown = FORMAT.render(encoded(value), event.fields)
    assert shown.facts[0] == ("event", "model_version.created")
    assert ("description", "Trained by Hana") in shown.facts
    assert shown.notes == ("the source does not record who did this",)


def test_a_time_without_a_zone_or_without_sense_is_said_to_be_so() -> None:
    assumed = record({**body("prompt.created", {"name": "p"}), "timestamp": "2026-03-02T08:27:32"}).fields
    assert (assumed["time_basis"], assumed["occurred_at"]) == ("zone_assumed", "2026-03-02T08:27:32Z")
    unreadable = record({**body("prompt.created", {"name": "p"}), "timestamp": "yesterday"}).fields
    assert unreadable["time_basis"] == "none"
    assert "time_unreadable" in unreadable["warnings"]


def test_a_repeated_key_is_flagged() -> None:
    document = encoded(body("model_version.created", MODEL_VERSION)).replace(
        b'"version":', b'"version": "6", "version":'
    )
    assert "duplicate_keys" in FORMAT.describe(document).events[0].fields["warnings"]


def test_other_json_is_not_a_webhook_of_mlflow(shared_data: Path) -> None:
    for path in sorted((shared_data / "github-webhooks").glob("*/*.json")):
        assert not FORMAT.matches(orjson.loads(path.read_bytes()))
    others: list[Any] = [None, [], {}, body("experiment.created", {}), {**body("prompt.created", {}), "data": None}]
    for value in others:
        assert not FORMAT.matches(value)
        with pytest.raises(RejectedInput):
            FORMAT.describe(encoded(value))


def test_bad_json_is_rejected_and_nothing_else(shared_data: Path) -> None:
    for path in sorted((shared_data / "json-bad-inputs").rglob("*.json")):
        with pytest.raises(RejectedInput):
            FORMAT.describe(path.read_bytes())
        assert FORMAT.render(path.read_bytes(), {}).notes


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.sampled_from(
    [
        ("model_version.created", MODEL_VERSION),
        ("prompt_alias.created", ALIAS_MOVED),
        ("budget_policy.exceeded", BUDGET),
    ]
)


@given(
    event=EVENTS,
    keys=st.dictionaries(st.sampled_from(["entity", "action", "timestamp", "data"]), JSON_VALUES, max_size=2),
    data=st.dictionaries(st.sampled_from(["name", "version", "alias", "target_value", "target_scope"]), JSON_VALUES),
    cut=st.none() | st.integers(0, 300),
)
def test_damage_is_rejected_or_described(
    event: tuple[str, Any], keys: dict[str, Any], data: dict[str, Any], cut: int | None
) -> None:
    document = encoded({**body(event[0], {**event[1], **data}), **keys})[:cut]
    FORMAT.render(document, {"kind": "change"})
    try:
        (described,) = FORMAT.describe(document).events
    except RejectedInput:
        return
    assert (described.start, described.end) == (0, len(document))
    assert len(orjson.dumps(described.fields)) < 16_384
    assert None not in described.fields.values()
