"""What was in force at an event, and who approved it: asserted, inferred, ambiguous, recorded later, approved late."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from replay.approvals import APPROVED, APPROVED_LATE, NOT_EVIDENCED, REJECTED, TIME_UNKNOWN
from replay.lineage import InForce, changes

Turn = Callable[..., dict[str, Any]]
Line = dict[str, Any]
NOON = "2025-03-01T12:00:00Z"


def change(to: str, at: str, *, name: str = "guard", of: str = "policy", **fields: Any) -> Line:
    own_id = f"chg-{name}-{to}"
    return {
        "kind": "change",
        "source": "desk",
        "id": own_id,
        "time": at,
        "change": {"type": of, "name": name, "to": to},
        **fields,
    }


def verdict(decision: str, about: str, at: str | None) -> Line:
    line: Line = {"kind": "approval", "source": "desk", "id": f"{about}-{decision}-{at}", "decision": decision}
    line["links"] = [{"relation": "approves", "source": "desk", "id": about}]
    return line if at is None else line | {"time": at}


def brief(found: tuple[InForce, ...]) -> list[tuple[str, str | None, str, str | None]]:
    return [(item.name, item.version, item.basis, item.approval) for item in found]


def approval_of(desk: Any, own_id: str) -> str:
    with desk.listed() as (_, opened):
        found: str = next(item.approval for item in changes(opened) if item.source_id == own_id)
    return found


def test_a_version_on_the_record_is_asserted_and_the_change_that_brought_it_is_named(desk: Any, turn: Turn) -> None:
    desk.ingest(
        change("v1", "2025-02-01T00:00:00Z", name="m", of="model"),
        verdict("approved", "chg-m-v1", "2025-01-31T00:00:00Z"),
        turn("q", "a", id="e1", time=NOON, model={"name": "m", "version": "v1"}),
        turn("q", "a", id="e2", time=NOON, model={"name": "m", "version": "v9"}, session="s2"),
    )

    ((brought,),) = desk.in_force("s1")
    ((unknown,),) = desk.in_force("s2")

    assert (brought.basis, brought.version, brought.approval) == ("asserted", "v1", APPROVED)
    assert brought.approved_at == "2025-01-31T00:00:00.000000Z"
    assert brought.change is not None
    assert (unknown.basis, unknown.version, unknown.approval, unknown.change) == ("asserted", "v9", NOT_EVIDENCED, None)


def test_without_a_version_the_latest_change_before_the_event_is_inferred(desk: Any, turn: Turn) -> None:
    desk.ingest(
        change("g-1", "2025-02-01T00:00:00Z"),
        change("g-2", "2025-03-01T12:00:00.000000Z"),
        change("g-3", "2025-03-01T12:00:00.000001Z"),
        change("v1", "2025-02-01T00:00:00Z", name="m", of="model"),
        change("x9", "2025-02-01T00:00:00Z", name="another model", of="model"),
        turn("q", "a", id="e1", time=NOON, gen_ai={"request.model": "m"}),
    )

    (found,) = desk.in_force("s1")

    assert brief(found) == [("m", "v1", "inferred", NOT_EVIDENCED), ("guard", "g-2", "inferred", NOT_EVIDENCED)]


def test_two_changes_at_one_instant_are_ambiguous(desk: Any, turn: Turn) -> None:
    desk.ingest(
        change("g-1", "2025-02-01T00:00:00Z"),
        change("g-2", "2025-02-01T00:00:00Z"),
        turn("q", "a", id="e1", time=NOON),
    )

    ((found,),) = desk.in_force("s1")

    assert (found.version, found.basis, found.approval) == ("g-1 or g-2", "ambiguous", None)


def test_a_change_that_was_committed_after_the_event_was_recorded_later(desk: Any, turn: Turn) -> None:
    desk.ingest(change("g-1", "2025-01-01T00:00:00Z"))
    desk.ingest(turn("q", "a", id="e1", time="2025-01-15T00:00:00Z"), turn("q", "b", id="e2", time=NOON))
    desk.ingest(change("g-2", "2025-02-01T00:00:00Z"))

    (before,), (after,) = desk.in_force("s1")

    assert (before.version, before.recorded_later) == ("g-1", False)
    assert (after.version, after.recorded_later) == ("g-2", True)


def test_a_change_of_one_system_does_not_hold_in_another(desk: Any, turn: Turn) -> None:
    desk.ingest(
        change("g-1", "2025-01-01T00:00:00Z", system="retail"),
        change("g-2", "2025-02-01T00:00:00Z", system="trading"),
        turn("q", "a", id="e1", time=NOON, session="retail", system="retail"),
        turn("q", "a", id="e2", time=NOON, session="trading", system="trading"),
        turn("q", "a", id="e3", time=NOON, session="third", system="third"),
        turn("q", "a", id="e4", time=NOON, session="unnamed"),
    )

    held = {name: brief(desk.in_force(name)[0]) for name in ("retail", "trading", "third", "unnamed")}

    assert held == {
        "retail": [("guard", "g-1", "inferred", NOT_EVIDENCED)],
        "trading": [("guard", "g-2", "inferred", NOT_EVIDENCED)],
        "third": [],
        "unnamed": [("guard", "g-1 or g-2", "ambiguous", None)],
    }


def test_a_change_that_names_no_system_holds_in_every(desk: Any, turn: Turn) -> None:
    desk.ingest(
        change("g-1", "2025-01-01T00:00:00Z", system="retail"),
        change("g-2", "2025-02-01T00:00:00Z"),
        turn("q", "a", id="e1", time=NOON, system="retail"),
    )

    assert brief(desk.in_force("s1")[0]) == [("guard", "g-2", "inferred", NOT_EVIDENCED)]


def registry(desk: Any, *events: tuple[str, str, Line]) -> None:
    """Webhooks of the MLflow registry as (event, day of January, data), ingested as one log."""
    bodies = []
    for event, day, data in events:
        entity, _, action = event.partition(".")
        body = {"entity": entity, "action": action, "timestamp": f"2025-01-{day}T00:00:00Z", "data": data}
        bodies.append(json.dumps({"delivery_id": f"{event}-{day}", "body": body}) + "\n")
    path = desk.folder / "registry.jsonl"
    path.write_text("".join(bodies))
    desk.installation.ingest(path)


def test_registering_a_model_version_does_not_put_it_in_force_and_moving_the_alias_does(desk: Any, turn: Turn) -> None:
    registry(
        desk,
        ("registered_model.created", "01", {"name": "fraud"}),
        ("model_version.created", "02", {"name": "fraud", "version": "1"}),
        ("model_version_alias.created", "03", {"name": "fraud", "alias": "production", "version": "1"}),
        ("model_version.created", "04", {"name": "fraud", "version": "2"}),
        ("model_version_tag.set", "05", {"name": "fraud", "version": "2", "key": "owner", "value": "risk"}),
        ("model_version_alias.created", "10", {"name": "other", "alias": "production", "version": "9"}),
        ("model_version_alias.created", "20", {"name": "fraud", "alias": "production", "version": "2"}),
    )
    desk.ingest(
        turn("q", "a", id="e1", time="2025-01-02T12:00:00Z", model={"name": "fraud"}),
        turn("q", "a", id="e2", time="2025-01-12T12:00:00Z", model={"name": "fraud"}),
        turn("q", "a", id="e3", time=NOON, gen_ai={"request.model": "fraud"}),
    )

    found = [brief(at) for at in desk.in_force("s1")]

    assert found == [
        [],
        [("fraud@production", "1", "inferred", NOT_EVIDENCED)],
        [("fraud@production", "2", "inferred", NOT_EVIDENCED)],
    ]


def test_two_aliases_of_a_model_on_different_versions_are_ambiguous(desk: Any, turn: Turn) -> None:
    registry(
        desk,
        ("model_version_alias.created", "01", {"name": "fraud", "alias": "production", "version": "1"}),
        ("model_version_alias.created", "02", {"name": "fraud", "alias": "shadow", "version": "2"}),
    )
    desk.ingest(
        turn("q", "a", id="e1", time="2025-01-01T12:00:00Z", model={"name": "fraud"}),
        turn("q", "a", id="e2", time=NOON, model={"name": "fraud"}),
    )

    assert [brief(at) for at in desk.in_force("s1")] == [
        [("fraud@production", "1", "inferred", NOT_EVIDENCED)],
        [("fraud@production", "1", "ambiguous", None), ("fraud@shadow", "2", "ambiguous", None)],
    ]


def test_an_asserted_version_names_the_move_of_the_alias_that_brought_it(desk: Any, turn: Turn) -> None:
    registry(
        desk,
        ("model_version_alias.created", "03", {"name": "fraud", "alias": "production", "version": "1"}),
        ("model_version.created", "04", {"name": "fraud", "version": "1"}),
    )
    approved = verdict("approved", "x", "2025-01-02T00:00:00Z")
    approved["links"] = [{"relation": "approves", "source": "mlflow", "id": "model_version_alias.created-03"}]
    desk.ingest(approved, turn("q", "a", id="e1", time=NOON, model={"name": "fraud", "version": "1"}))

    ((found,),) = desk.in_force("s1")

    assert (found.version, found.basis, found.approval) == ("1", "asserted", APPROVED)


def test_a_tag_does_not_wipe_a_prompt_s_version_and_a_deleted_alias_holds_nothing(desk: Any, turn: Turn) -> None:
    registry(
        desk,
        ("prompt_version.created", "01", {"name": "sys", "version": "1", "template": "Be kind"}),
        ("prompt_alias.created", "02", {"name": "sys", "alias": "live", "version": "1"}),
        ("prompt_version.created", "03", {"name": "sys", "version": "2", "template": "Be brief"}),
        ("prompt_tag.set", "04", {"name": "sys", "key": "team", "value": "risk"}),
        ("prompt_alias.deleted", "20", {"name": "sys", "alias": "live"}),
    )
    desk.ingest(
        turn("q", "a", id="e1", time="2025-01-12T00:00:00Z"),
        turn("q", "a", id="e2", time=NOON),
    )

    assert [brief(at) for at in desk.in_force("s1")] == [[("sys@live", "1", "inferred", NOT_EVIDENCED)], []]


@pytest.mark.parametrize(("ended", "expected"), [("g-1", []), ("g-0", [("guard", "g-1", "inferred", NOT_EVIDENCED)])])
def test_a_change_to_nothing_ends_the_version_that_it_comes_from(
    desk: Any, turn: Turn, ended: str, expected: list[Any]
) -> None:
    desk.ingest(
        change("g-1", "2025-01-01T00:00:00Z"),
        change("none", "2025-02-01T00:00:00Z") | {"change": {"type": "policy", "name": "guard", "from": ended}},
        turn("q", "a", id="e1", time=NOON),
    )

    assert brief(desk.in_force("s1")[0]) == expected


@pytest.mark.parametrize("fields", [{}, {"time": NOON, "kind": "review"}])
def test_an_event_without_a_time_or_of_a_person_has_nothing_in_force(desk: Any, turn: Turn, fields: Line) -> None:
    desk.ingest(change("g-1", "2025-01-01T00:00:00Z"), turn("q", "a", id="e1", **fields))

    assert desk.in_force("s1") == [()]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], NOT_EVIDENCED),
        ([("requested", "2025-01-01T00:00:00Z")], NOT_EVIDENCED),
        ([("approved", "2025-01-01T00:00:00Z")], APPROVED),
        ([("approved", "2025-02-01T00:00:00Z")], APPROVED),
        ([("approved", "2025-02-01T00:00:00.000001Z")], APPROVED_LATE),
        ([("approved", "2025-03-01T00:00:00Z"), ("approved", "2025-01-01T00:00:00Z")], APPROVED),
        ([("approved", None)], TIME_UNKNOWN),
        ([("rejected", "2025-01-01T00:00:00Z")], REJECTED),
        ([("rejected", "2025-01-01T00:00:00Z"), ("approved", "2025-01-02T00:00:00Z")], APPROVED),
        ([("approved", "2025-01-01T00:00:00Z"), ("revoked", "2025-01-02T00:00:00Z")], REJECTED),
        ([("approved", "2025-01-01T00:00:00Z"), ("rejected", "2025-01-02T00:00:00Z")], REJECTED),
        ([("approved", "2025-01-01T00:00:00Z"), ("revoked", "2025-03-02T00:00:00Z")], APPROVED),
    ],
)
def test_the_approval_of_a_change_of_1_february(
    desk: Any, verdicts: list[tuple[str, str | None]], expected: str
) -> None:
    desk.ingest(
        change("g-1", "2025-02-01T00:00:00Z"),
        verdict("approved", "chg-other", "2025-01-01T00:00:00Z"),
        *(verdict(decision, "chg-guard-g-1", at) for decision, at in verdicts),
    )

    assert approval_of(desk, "chg-guard-g-1") == expected


def test_an_approval_by_another_name_of_the_same_change_counts(desk: Any) -> None:
    same: Line = {"links": [{"relation": "same_as", "source": "github", "id": "deployment-7"}]}
    approved = verdict("approved", "x", "2025-01-01T00:00:00Z")
    approved["links"] = [{"relation": "approves", "source": "github", "id": "deployment-7"}]
    desk.ingest(change("g-1", "2025-02-01T00:00:00Z", **same), approved)

    assert approval_of(desk, "chg-guard-g-1") == APPROVED


def webhook(repository: int, **payload: Any) -> str:
    """A webhook of a GitHub repository as its receiver logs it."""
    people = {"sender": {"login": "omar-d", "type": "User"}}
    return json.dumps({"action": "created", "repository": {"id": repository}, **people, **payload}) + "\n"


def test_an_approval_in_one_repository_approves_its_deployment_and_its_states_and_no_fork_s(desk: Any) -> None:
    deployment = {"sha": "5275a45b", "environment": "production", "created_at": "2025-03-01T09:00:00Z"}
    run = {"id": 5, "run_attempt": 1, "head_sha": "5275a45b"}
    path = desk.folder / "hooks.jsonl"
    path.write_text(
        webhook(1, action="approved", workflow_run=run, since="2025-03-01T08:00:00Z", environment="production")
        + webhook(1, deployment={"id": 10, **deployment})
        + webhook(1, deployment={"id": 10, **deployment}, deployment_status={"id": 100, "state": "success"})
        + webhook(2, deployment={"id": 20, **deployment})
    )
    desk.installation.ingest(path)

    assert approval_of(desk, "deployment:10") == TIME_UNKNOWN
    assert approval_of(desk, "deployment_status:100") == TIME_UNKNOWN
    assert approval_of(desk, "deployment:20") == NOT_EVIDENCED


@pytest.mark.parametrize(
    ("own_id", "expected"),
    [
        ("chg-2026-0312", APPROVED),
        ("chg-2026-0327", NOT_EVIDENCED),
        ("chg-2026-0335", APPROVED_LATE),
        ("chg-2026-0338", APPROVED),
    ],
)
def test_the_sample_s_prompt_that_nobody_approved_and_dataset_that_was_approved_late(
    sample: Any, own_id: str, expected: str
) -> None:
    assert approval_of(sample, own_id) == expected


def test_the_sample_s_session_of_14_october_ran_on_the_unapproved_prompt(sample: Any) -> None:
    found = {item.type: item for item in sample.in_force("mira-99adde2d")[0]}

    assert (found["prompt"].version, found["prompt"].approval) == ("p-08", NOT_EVIDENCED)
    assert (found["model"].version, found["model"].basis, found["model"].approval) == ("v1.5.0", "asserted", APPROVED)
