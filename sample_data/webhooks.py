"""The model roll-outs as other systems saw them: GitHub deployments with their reviews, and the MLflow registry."""

from __future__ import annotations

from typing import Any, NamedTuple

from sample_data.native import delivery_id, rfc3339
from sample_data.people import PEOPLE
from sample_data.play import SECOND, microseconds
from sample_data.script import opaque_id
from sample_data.story import CHANGES, MODEL, Change

Payload = dict[str, Any]

_REGISTERED_NAME = "retail.assistants.mira-7b"
_REGISTRY_VERSIONS = {"v1.4.0": "14", "v1.5.0": "15", "v1.5.1": "16"}
_TRAINED = {"v1.5.0": "2026-10-08 17:22:06.113000", "v1.5.1": "2026-10-19 21:47:33.902000"}
_REPOSITORY = {
    "id": 730118204,
    "name": "mira-serving",
    "full_name": "harbour-vale/mira-serving",
    "private": True,
    "owner": {"login": "harbour-vale", "id": 88120417, "type": "Organization"},
}


class _Rollout(NamedTuple):
    """One release on its way: the change it belongs to and the numbers that GitHub gave it."""

    change: Change
    deployment: int
    run: int


def rollouts() -> list[_Rollout]:
    """The three roll-outs of October, in order: v1.5.0, back to v1.4.0, v1.5.1."""
    october = [change for change in CHANGES if change.type == "model" and change.at >= "2026-10"]
    return [_Rollout(change, 2_731_440_100 + 611 * n, 11_804_226_000 + 7919 * n) for n, change in enumerate(october)]


def github_files() -> dict[str, Payload]:
    """File name → webhook payload: reviews, deployments and their states."""
    files: dict[str, Payload] = {}
    for rollout in rollouts():
        change = rollout.change
        reviews = (("requested", change.requested), ("rejected", change.rejected), ("approved", change.approved))
        for action, at in reviews:
            if at:
                files[_name(at, f"deployment_review.{action}", change)] = _review(rollout, action, at)
        files[_name(change.at, "deployment", change)] = _sent(rollout, {"action": "created"}, change.at)
        for state, delay in (("in_progress", 4), ("success", 96)):
            sent = {"action": "created", "deployment_status": _status(rollout, state, delay)}
            files[_name(change.at, f"deployment_status.{state}", change)] = _sent(rollout, sent, change.at)
    return files


def mlflow_lines() -> list[tuple[int, Payload]]:
    """Registry webhooks as (time, delivery): versions created, and the alias ``production`` moved."""
    lines = []
    for release, at in _TRAINED.items():
        data = {
            "name": _REGISTERED_NAME,
            "version": _REGISTRY_VERSIONS[release],
            "source": f"models:/m-{opaque_id(release, 'artifact', size=32)}",
            "run_id": opaque_id(release, "run", size=32),
            "tags": {"release": release},
            "description": None,
        }
        lines.append(_registry("model_version", at, data, opaque_id(release, "delivery", size=32)))
    for rollout in rollouts():
        data = {"name": _REGISTERED_NAME, "alias": "production", "version": _REGISTRY_VERSIONS[rollout.change.after]}
        lines.append(_registry("model_version_alias", rollout.change.at, data, delivery_id(rollout.change)))
    return sorted(lines, key=lambda line: line[0])


def _registry(entity: str, at: str, data: Payload, delivery: str) -> tuple[int, Payload]:
    moment = microseconds(at)
    body = {"entity": entity, "action": "created", "timestamp": rfc3339(moment).replace("Z", "+00:00"), "data": data}
    return moment, {"delivery_id": delivery, "body": body}


def _name(at: str, event: str, change: Change) -> str:
    return f"{at[:10]}T{at[11:13]}{at[14:16]}-{event}.{change.after}.json"


def _user(key: str) -> Payload:
    return {
        "login": PEOPLE[key].email.partition("@")[0].replace(".", "-"),
        "id": 90_000 + int(PEOPLE[key].number[2:]),
        "type": "User",
    }


def _seconds(at: str, delay: int = 0) -> str:
    return f"{rfc3339(microseconds(at) + delay * SECOND)[:19]}Z"


def _sha(rollout: _Rollout) -> str:
    return opaque_id(rollout.change.after, rollout.change.id, "commit", size=40)


def _deployment(rollout: _Rollout) -> Payload:
    change = rollout.change
    return {
        "id": rollout.deployment,
        "sha": _sha(rollout),
        "ref": f"{MODEL}-{change.after}",
        "task": "deploy",
        "payload": {"model": MODEL, "version": change.after, "change": change.id},
        "environment": "production",
        "original_environment": "production",
        "description": change.why,
        "creator": _user(change.by),
        "created_at": _seconds(change.at),
        "updated_at": _seconds(change.at),
    }


def _status(rollout: _Rollout, state: str, delay: int) -> Payload:
    return {
        "id": rollout.deployment * 10 + delay,
        "state": state,
        "environment": "production",
        "creator": _user(rollout.change.by),
        "description": "",
        "target_url": f"https://ci.harbour-vale.test/runs/{rollout.run}",
        "created_at": _seconds(rollout.change.at, delay),
        "updated_at": _seconds(rollout.change.at, delay),
    }


def _sent(rollout: _Rollout, payload: Payload, at: str) -> Payload:
    sent = payload | {"deployment": _deployment(rollout), "workflow": None, "workflow_run": _run(rollout, at)}
    return sent | {"repository": _REPOSITORY, "sender": _user(rollout.change.by)}


def _run(rollout: _Rollout, at: str) -> Payload:
    change = rollout.change
    return {
        "id": rollout.run,
        "name": f"Deploy {MODEL} {change.after}",
        "head_branch": "main",
        "head_sha": _sha(rollout),
        "event": "workflow_dispatch",
        "status": "in_progress" if at == change.at else "waiting",
        "conclusion": None,
        "run_attempt": 2 if change.rejected and at > change.rejected else 1,
        "created_at": _seconds(change.requested),
        "updated_at": _seconds(at),
        "triggering_actor": _user(change.by),
    }


def _review(rollout: _Rollout, action: str, at: str) -> Payload:
    change = rollout.change
    job = {"id": rollout.run + 3, "name": "deploy", "status": "waiting", "environment": "production"}
    team = {"type": "Team", "reviewer": {"id": 5120, "name": "model-risk", "slug": "model-risk"}}
    payload: Payload = {"action": action, "environment": "production", "since": _seconds(at)}
    if action == "requested":
        payload |= {"workflow_job_run": job, "reviewers": [team], "requestor": _user(change.by)}
        sender = change.by
    else:
        comment = change.rejected_why if action == "rejected" else change.verdict
        payload |= {"workflow_job_runs": [job], "approver": _user("sunniva"), "comment": comment}
        sender = "sunniva"
    return payload | {"workflow_run": _run(rollout, at), "repository": _REPOSITORY, "sender": _user(sender)}
