"""GitHub webhooks: deployments and their states as changes, reviews as approvals; logins never in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.base import Event, Identifier, RejectedInput
from ingest.formats.github import FORMAT

SHA = "5275a45b7e99c7fd7265b790392c10a74101a67a"
HANA = {"login": "hana-k", "id": 1, "type": "User"}
OMAR = {"login": "omar-d", "id": 2, "type": "User"}
BOT = {"login": "deployer[bot]", "id": 3, "type": "Bot"}
REPOSITORY = {
    "id": 77,
    "full_name": "meridian-bank/assistant",
    "owner": {"login": "meridian-bank", "type": "Organization"},
}
DEPLOYMENT_ITSELF = {
    "id": 145988746,
    "sha": SHA,
    "ref": "hana-k/try",
    "environment": "production",
    "creator": HANA,
    "created_at": "2026-03-02T09:00:00Z",
}
DEPLOYMENT: dict[str, Any] = {
    "action": "created",
    "deployment": DEPLOYMENT_ITSELF,
    "workflow": None,
    "workflow_run": None,
    "repository": REPOSITORY,
    "sender": HANA,
}
STATUS: dict[str, Any] = {
    **DEPLOYMENT,
    "deployment_status": {"id": 9, "state": "success", "creator": BOT, "created_at": "2026-03-02T09:05:00Z"},
    "check_run": {"id": 4},
}
RUN = {"id": 5453085689, "run_attempt": 1, "head_sha": SHA, "triggering_actor": HANA, "display_title": "by @hana-k"}
REQUESTED: dict[str, Any] = {
    "action": "requested",
    "workflow_run": RUN,
    "since": "2026-03-02T08:59:00Z",
    "workflow_job_run": {"environment": "production"},
    "environment": "production",
    "reviewers": [{"type": "Team", "reviewer": {"name": "admins"}}, {"type": "User", "reviewer": OMAR}],
    "requestor": HANA,
    "repository": REPOSITORY,
    "sender": HANA,
}
APPROVED: dict[str, Any] = {
    "action": "approved",
    "approver": OMAR,
    "comment": "Checked with the model risk board.",
    "workflow_run": RUN,
    "since": "2026-03-02T08:59:00Z",
    "workflow_job_runs": [{"environment": "production"}, {"environment": "staging"}],
    "repository": REPOSITORY,
    "sender": OMAR,
}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def record(payload: Any) -> Event:
    """The one record of a payload, which covers all of its bytes."""
    document = encoded(payload)
    (event,) = FORMAT.describe(document).events
    assert (event.start, event.end) == (0, len(document))
    assert (event.session, event.owner) == (None, None)
    return event


def people(event: Event) -> dict[str, list[str]]:
    assert all(person.type == "github_login" for listed in event.subjects.values() for person in listed)
    return {role: [person.value for person in listed] for role, listed in event.subjects.items()}


def test_a_deployment_is_a_change_to_a_commit() -> None:
    event = record(DEPLOYMENT)
    assert event.fields == {
        "kind": "change",
        "source": "github",
        "capture": "complete",
        "change": {"type": "deployment", "name": "meridian-bank/assistant/production", "to": SHA},
        "environment": "production",
        "time_basis": "source",
        "occurred_at": "2026-03-02T09:00:00Z",
        "links": [{"relation": "same_as", "source": "github", "source_id": f"sha:77/{SHA}/production"}],
    }
    assert event.source_id == "deployment:145988746"
    assert people(event) == {"actor": ["hana-k"]}


def test_a_bot_that_deploys_is_a_service_and_whoever_started_its_run_the_requester() -> None:
    event = record({**DEPLOYMENT, "deployment": {**DEPLOYMENT_ITSELF, "creator": BOT}, "workflow_run": RUN})
    assert people(event) == {"service": ["deployer[bot]"], "requester": ["hana-k"]}


@pytest.mark.parametrize(
    ("state", "status"),
    [("success", "ok"), ("failure", "error"), ("error", "error"), ("in_progress", "running"), ("new word", "unknown")],
)
def test_a_deployment_status_is_a_change_with_its_outcome(state: str, status: str) -> None:
    event = record({**STATUS, "deployment_status": {**STATUS["deployment_status"], "state": state}})
    assert event.fields["status"] == status
    assert event.fields["change"] == {"type": "deployment", "name": "meridian-bank/assistant/production", "to": SHA}
    assert event.fields["occurred_at"] == "2026-03-02T09:05:00Z"
    parents = [(link["relation"], link["source_id"]) for link in event.fields["links"]]
    assert parents == [("part_of", "deployment:145988746"), ("part_of", f"sha:77/{SHA}/production")]
    assert event.source_id == "deployment_status:9"
    assert people(event) == {"service": ["deployer[bot]"]}


def test_an_inactive_deployment_is_a_change_away_from_its_commit() -> None:
    event = record({**STATUS, "deployment_status": {**STATUS["deployment_status"], "state": "inactive"}})
    assert event.fields["change"] == {"type": "deployment", "name": "meridian-bank/assistant/production", "from": SHA}


def test_a_requested_review_says_who_asked_and_since_when() -> None:
    event = record(REQUESTED)
    assert event.fields == {
        "kind": "approval",
        "source": "github",
        "capture": "complete",
        "decision": "requested",
        "environment": "production",
        "time_basis": "source",
        "occurred_at": "2026-03-02T08:59:00Z",
        "links": [{"relation": "approves", "source": "github", "source_id": f"sha:77/{SHA}/production"}],
    }
    assert event.source_id == "deployment_review:5453085689/1/production/requested"
    assert people(event) == {"requester": ["hana-k"], "reviewer": ["omar-d"]}


def test_an_approval_names_its_approver_and_no_time_that_the_source_did_not_give() -> None:
    event = record(APPROVED)
    assert event.fields["decision"] == "approved"
    assert event.fields["time_basis"] == "none"
    assert "occurred_at" not in event.fields
    assert [link["source_id"] for link in event.fields["links"]] == [
        f"sha:77/{SHA}/production",
        f"sha:77/{SHA}/staging",
    ]
    assert event.source_id == "deployment_review:5453085689/1/production,staging/approved"
    assert people(event) == {"requester": ["hana-k"], "approver": ["omar-d"]}


def test_an_approval_and_its_deployment_name_the_same_pair() -> None:
    approved = {link["source_id"] for link in record(APPROVED).fields["links"]}
    deployed = {link["source_id"] for link in record(DEPLOYMENT).fields["links"]}
    assert deployed <= approved


def test_a_fork_s_deployment_of_the_same_commit_has_another_name() -> None:
    fork = record({**DEPLOYMENT, "repository": {**REPOSITORY, "id": 78}})
    assert [link["source_id"] for link in fork.fields["links"]] == [f"sha:78/{SHA}/production"]
    unnumbered = record({**DEPLOYMENT, "repository": {**REPOSITORY, "id": None}})
    assert "links" not in unnumbered.fields


def test_a_review_without_a_run_has_no_id_of_its_own() -> None:
    event = record({**APPROVED, "action": "rejected", "workflow_run": None})
    assert (event.fields["decision"], event.source_id) == ("rejected", None)
    assert "links" not in event.fields


def test_a_repository_of_a_person_is_named_by_its_number() -> None:
    event = record({**DEPLOYMENT, "repository": {**REPOSITORY, "owner": HANA, "full_name": "hana-k/assistant"}})
    assert event.fields["change"]["name"] == "77/production"
    assert event.fields["warnings"] == ["field_withheld"]


def test_an_environment_that_is_no_code_stays_in_the_content() -> None:
    named = "preview for hana@example.org"
    event = record({**REQUESTED, "environment": named})
    assert "example.org" not in repr(event)
    assert event.fields["warnings"] == ["field_withheld"]
    assert event.source_id is None
    shown = FORMAT.render(encoded({**REQUESTED, "environment": named}), event.fields)
    assert ("environment", named) in shown.facts


def test_a_receiver_may_wrap_the_body() -> None:
    wrapped = record({"event": "deployment", "delivery": "72d3162e", "payload": DEPLOYMENT})
    assert wrapped.fields == record(DEPLOYMENT).fields
    assert wrapped.source_id == record(DEPLOYMENT).source_id
    assert not FORMAT.matches({"event": "push", "delivery": "72d3162e", "payload": DEPLOYMENT})


def test_a_repeated_key_is_flagged() -> None:
    document = encoded(DEPLOYMENT).replace(b'"sha":', b'"sha": "0", "sha":')
    assert FORMAT.describe(document).events[0].fields["warnings"] == ["duplicate_keys"]


def test_render_shows_what_the_line_may_not() -> None:
    facts = dict(FORMAT.render(encoded(APPROVED), record(APPROVED).fields).facts)
    assert facts["decided by"] == "omar-d"
    assert facts["comment"] == "Checked with the model risk board."
    assert facts["workflow run"] == "by @hana-k"
    assert FORMAT.render(encoded(APPROVED), record(APPROVED).fields).notes == (
        "the source does not say when this was decided",
    )
    assert FORMAT.render(encoded(REQUESTED), record(REQUESTED).fields).notes == ()


def test_real_payloads_are_told_from_all_other_events(shared_data: Path) -> None:
    recognised = set()
    for path in sorted((shared_data / "github-webhooks").glob("*/*.json")):
        document = path.read_bytes()
        if FORMAT.matches(orjson.loads(document)):
            recognised.add(path.parent.name)
            (event,) = FORMAT.describe(document).events
            assert event.source_id is not None
            assert event.source_id.startswith(path.parent.name + ":")
            line = orjson.dumps([event.fields, event.source_id]).decode()
            assert not any(person.value in line for listed in event.subjects.values() for person in listed)
            assert FORMAT.render(document, event.fields).facts
        else:
            with pytest.raises(RejectedInput, match="unknown_shape"):
                FORMAT.describe(document)
            assert path.parent.name not in ("deployment", "deployment_status", "deployment_review")
    assert recognised == {"deployment", "deployment_status", "deployment_review"}


def test_the_real_review_request(shared_data: Path) -> None:
    document = (shared_data / "github-webhooks/deployment_review/requested.payload.json").read_bytes()
    (event,) = FORMAT.describe(document).events
    assert event.source_id == "deployment_review:5453085689/1/TST/requested"
    assert event.subjects == {"requester": (Identifier("github_login", "ilmax"),)}
    assert ("reviewer", "admins (Team)") in FORMAT.render(document, event.fields).facts


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


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every holder and key at which a JSON value can be replaced."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@st.composite
def damaged_payloads(draw: st.DrawFn) -> bytes:
    """A payload with some values replaced by others, then perhaps with some bytes replaced."""
    value = json.loads(
        json.dumps({"event": "", "payload": draw(st.sampled_from([DEPLOYMENT, STATUS, REQUESTED, APPROVED]))})
    )
    for _ in range(draw(st.integers(0, 3))):
        options = places(value["payload"])
        holder, key = options[draw(st.integers(0, len(options) - 1))]
        holder[key] = draw(JSON_VALUES)
    document = encoded(value["payload"])
    if draw(st.booleans()):
        start, length = draw(st.integers(0, len(document))), draw(st.integers(0, 20))
        document = document[:start] + draw(st.binary(max_size=10)) + document[start + length :]
    return document


@given(document=damaged_payloads())
def test_damage_is_rejected_or_described(document: bytes) -> None:
    FORMAT.render(document, {"kind": "approval", "time_basis": "none"})
    try:
        (event,) = FORMAT.describe(document).events
    except RejectedInput:
        return
    assert (event.start, event.end) == (0, len(document))
    assert len(orjson.dumps(event.fields)) < 16_384
    assert None not in event.fields.values()
