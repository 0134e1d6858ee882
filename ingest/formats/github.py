"""GitHub webhooks that change what runs or say who let it run: deployment, deployment_status, deployment_review.

A payload stands alone, or under ``payload`` in what a receiver wrote around it: ``{"event", "delivery", "payload"}``.
A deployment and the reviews of it share no id, so both name what is deployed and where, as ``sha:<repository's number>/
<commit>/<environment>``: the deployment as ``same_as``, its states as what they are ``part_of``, the review as what it
``approves``. A fork has the same commits, so without a repository nothing is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ingest.formats.base import Described, Event, Format, Framing, Identifier, RejectedInput, Rendered
from ingest.formats.fields import has_duplicate_keys, load_object, mapping, opaque, rfc3339
from ingest.formats.messages import as_text, unreadable

SOURCE = "github"

Json = Mapping[str, Any]

_DECISIONS = frozenset(("requested", "approved", "rejected"))
_STATES = {
    "success": "ok",
    "inactive": "ok",
    "failure": "error",
    "error": "error",
    "pending": "running",
    "queued": "running",
    "in_progress": "running",
    "waiting": "running",
}
_NOT_A_DEPLOYMENT = ("workflow_job", "check_run", "check_suite", "deployment_callback_url")
"""Keys of other events that carry the deployment they belong to."""

_MAX_NAMED = 32
"""Environments or reviewers of one review that its line names: GitHub allows fewer, and a line has a bound."""

_FACTS = (
    ("action", ("action",)),
    ("state", ("deployment_status", "state")),
    ("state description", ("deployment_status", "description")),
    ("repository", ("repository", "full_name")),
    ("environment", ("environment",)),
    ("environment", ("deployment", "environment")),
    ("commit", ("deployment", "sha")),
    ("commit of the run", ("workflow_run", "head_sha")),
    ("ref", ("deployment", "ref")),
    ("task", ("deployment", "task")),
    ("description", ("deployment", "description")),
    ("payload", ("deployment", "payload")),
    ("creator", ("deployment", "creator", "login")),
    ("reported by", ("deployment_status", "creator", "login")),
    ("requested by", ("requestor", "login")),
    ("decided by", ("approver", "login")),
    ("comment", ("comment",)),
    ("waiting since", ("since",)),
    ("workflow run", ("workflow_run", "display_title")),
    ("run started by", ("workflow_run", "triggering_actor", "login")),
    ("run", ("workflow_run", "html_url")),
    ("sent by", ("sender", "login")),
)


def matches(value: Any) -> bool:
    """Whether a parsed JSON value is one of the three events, bare or in a receiver's wrapper."""
    payload = _payload(value)
    return payload is not None and _event_name(payload) is not None


def describe(document: bytes) -> Described:
    """One payload as one record. Raises RejectedInput."""
    value = load_object(document)
    payload = _payload(value)
    name = _event_name(payload) if payload is not None else None
    if payload is None or name is None:
        raise RejectedInput("unknown_shape")
    warnings = {"duplicate_keys"} if has_duplicate_keys(document, value) else set()
    fields: dict[str, Any] = {"source": SOURCE, "capture": "complete"}
    read = {"deployment": _deployment, "deployment_status": _status, "deployment_review": _review}[name]
    source_id = read(payload, fields, warnings)
    if warnings:
        fields["warnings"] = sorted(warnings)
    subjects = _subjects(payload, name)
    return Described([Event(0, len(document), fields, subjects=subjects, source_id=source_id)])


def render(content: bytes, fields: Mapping[str, Any]) -> Rendered:
    """The payload's facts, in words that do not depend on the event."""
    try:
        payload = _payload(load_object(content))
    except RejectedInput as rejected:
        return unreadable(content, rejected.reason)
    if payload is None or _event_name(payload) is None:
        return unreadable(content, "unknown_shape")
    facts = [(label, as_text(value)) for label, path in _FACTS if (value := _at(payload, path))]
    facts += [("environment", as_text(name)) for name in _run_environments(payload)]
    facts += [("reviewer", text) for text in _reviewer_names(payload)]
    notes = () if fields.get("time_basis") != "none" else ("the source does not say when this was decided",)
    return Rendered(facts=tuple(dict.fromkeys(facts)), notes=notes if fields.get("kind") == "approval" else ())


def _payload(value: Any) -> dict[str, Any] | None:
    """The webhook's body, out of the wrapper if it is in one that names the event which the body is."""
    if type(value) is not dict:
        return None
    inner = value.get("payload")
    if type(inner) is not dict or "event" not in value or "repository" in value:
        return value
    return inner if _event_name(inner) == value["event"] else None


def _event_name(payload: Json) -> str | None:
    if type(payload.get("repository")) is not dict or type(payload.get("action")) is not str:
        return None
    if type(payload.get("deployment")) is dict:
        if type(payload.get("deployment_status")) is dict:
            return "deployment_status"
        if not any(key in payload for key in _NOT_A_DEPLOYMENT):
            return "deployment"
        return None
    is_review = payload["action"] in _DECISIONS and "since" in payload and "workflow_run" in payload
    return "deployment_review" if is_review else None


def _deployment(payload: Json, fields: dict[str, Any], warnings: set[str]) -> str | None:
    deployment = payload["deployment"]
    environment = _code(deployment.get("environment"), warnings)
    commit = _code(deployment.get("sha"), warnings)
    fields["kind"] = "change"
    fields["change"] = _change(payload, environment, commit, warnings)
    _set_time(fields, warnings, deployment.get("created_at"))
    if environment:
        fields["environment"] = environment
        links = _rollout("same_as", payload, commit, [environment])
        if links:
            fields["links"] = links
    return _numbered("deployment", deployment)


def _status(payload: Json, fields: dict[str, Any], warnings: set[str]) -> str | None:
    """A state of a deployment. ``inactive`` says that the commit is no longer what runs there."""
    status, deployment = payload["deployment_status"], payload["deployment"]
    environment = _code(status.get("environment") or deployment.get("environment"), warnings)
    commit = _code(deployment.get("sha"), warnings)
    state = status.get("state")
    change = _change(payload, environment, commit, warnings)
    if state == "inactive" and "to" in change:
        change["from"] = change.pop("to")
    fields["kind"] = "change"
    fields["change"] = change
    fields["status"] = _STATES.get(state, "unknown") if type(state) is str else "unknown"
    _set_time(fields, warnings, status.get("created_at"))
    if environment:
        fields["environment"] = environment
    parent = _numbered("deployment", deployment)
    links = [_link("part_of", parent)] if parent else []
    links += _rollout("part_of", payload, commit, [environment] if environment else [])
    if links:
        fields["links"] = links
    return _numbered("deployment_status", status)


def _review(payload: Json, fields: dict[str, Any], warnings: set[str]) -> str | None:
    """One step of a review. Only a request says when: ``since`` is when the waiting began, not when it ended."""
    run, action = mapping(payload.get("workflow_run")), payload["action"]
    named = [payload["environment"]] if payload.get("environment") else _run_environments(payload)
    environments = sorted({code for name in named if (code := _code(name, warnings))})
    if len(environments) > _MAX_NAMED:
        environments = []
        warnings.add("field_withheld")
    commit = _code(run.get("head_sha"), warnings)
    fields["kind"] = "approval"
    fields["decision"] = action
    if action == "requested":
        _set_time(fields, warnings, payload.get("since"))
    else:
        fields["time_basis"] = "none"
    if len(environments) == 1:
        fields["environment"] = environments[0]
    links = _rollout("approves", payload, commit, environments)
    if links:
        fields["links"] = links
    run_id, attempt = opaque(run.get("id")), opaque(run.get("run_attempt"))
    if run_id is None or attempt is None or not environments or "field_withheld" in warnings:
        return None
    return f"deployment_review:{run_id}/{attempt}/{','.join(environments)}/{action}"


def _rollout(relation: str, payload: Json, commit: str | None, environments: Iterable[str]) -> list[dict[str, str]]:
    """Links to a commit of this repository in each environment: what deployments and reviews both know."""
    repository = opaque(payload["repository"].get("id"))
    if repository is None or commit is None:
        return []
    return [_link(relation, f"sha:{repository}/{commit}/{environment}") for environment in environments]


def _change(payload: Json, environment: str | None, commit: str | None, warnings: set[str]) -> dict[str, str]:
    change = {"type": "deployment"}
    repository = _repository(payload["repository"], warnings)
    if repository and environment:
        change["name"] = f"{repository}/{environment}"
    if commit:
        change["to"] = commit
    return change


def _repository(repository: Json, warnings: set[str]) -> str | None:
    """The repository's full name; its number where the name begins with a person's login, or is no code."""
    if mapping(repository.get("owner")).get("type") == "Organization":
        full_name = _code(repository.get("full_name"), warnings)
        if full_name:
            return full_name
    warnings.add("field_withheld")
    return opaque(repository.get("id"))


def _subjects(payload: Json, name: str) -> dict[str, tuple[Identifier, ...]]:
    """Accounts by role. A bot's account is a service; a team is no person."""
    run = mapping(payload.get("workflow_run"))
    roles: list[tuple[str, Any]] = []
    if name == "deployment_review":
        roles.append(("requester", payload.get("requestor") or run.get("triggering_actor")))
        roles.append(("approver", payload.get("approver")))
        people = (reviewer for kind, reviewer in _reviewers(payload) if kind == "User")
        roles.extend(("reviewer", reviewer) for reviewer in islice(people, _MAX_NAMED))
    else:
        creator = mapping(payload[name]).get("creator")
        roles.append(("actor", creator or payload.get("sender")))
        roles.append(("requester", run.get("triggering_actor")))
    subjects: dict[str, tuple[Identifier, ...]] = {}
    for role, account in roles:
        login = mapping(account).get("login")
        if type(login) is str and login:
            kept = "service" if mapping(account).get("type") == "Bot" else role
            subjects[kept] = tuple(dict.fromkeys((*subjects.get(kept, ()), Identifier("github_login", login))))
    return subjects


def _reviewers(payload: Json) -> Iterator[tuple[Any, Json]]:
    for item in _list(payload.get("reviewers")):
        yield mapping(item).get("type"), mapping(mapping(item).get("reviewer"))


def _reviewer_names(payload: Json) -> Iterable[str]:
    for kind, reviewer in _reviewers(payload):
        yield f"{as_text(reviewer.get('login') or reviewer.get('name'))} ({as_text(kind)})"


def _run_environments(payload: Json) -> list[Any]:
    jobs = [payload.get("workflow_job_run"), *_list(payload.get("workflow_job_runs"))]
    return [mapping(job)["environment"] for job in jobs if mapping(job).get("environment")]


def _numbered(prefix: str, item: Json) -> str | None:
    number = opaque(item.get("id"))
    return f"{prefix}:{number}" if number else None


def _link(relation: str, source_id: str) -> dict[str, str]:
    return {"relation": relation, "source": SOURCE, "source_id": source_id}


def _set_time(fields: dict[str, Any], warnings: set[str], value: Any) -> None:
    moment, basis = rfc3339(value)
    fields["time_basis"] = basis
    if moment is not None:
        fields["occurred_at"] = moment
    elif value:
        warnings.add("time_unreadable")


def _code(value: Any, warnings: set[str]) -> str | None:
    text = opaque(value)
    if text is None and value:
        warnings.add("field_withheld")
    return text


def _at(payload: Json, path: tuple[str, ...]) -> Any:
    value: Any = payload
    for key in path:
        value = mapping(value).get(key)
    return value


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


FORMAT = Format(SOURCE, 1, (Framing.LINES, Framing.DOCUMENT), matches, describe, render)
