"""What the package says beside the copy: sources, models, verdicts, recipients, periods, requests, rights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from ledger.store import Store
from replay.lineage import InForce
from replay.timeline import TimelineEvent
from reports.access_package.context import NOT_STATED, Context
from reports.access_package.gathering import Told
from reports.access_package.portability import model_ref
from reports.dsar.requests import RequestState
from reports.exports.recipients import HandedOut
from reports.retention.durations import Duration
from reports.retention.policy import Policy


class Model(msgspec.Struct, frozen=True, order=True):
    """A model that answered, in which version and on which ground that is known, and how often."""

    name: str
    version: str
    basis: str
    approval: str
    records: int


class Source(msgspec.Struct, frozen=True, order=True):
    """A system that the records came from."""

    code: str
    words: str
    records: int


class Period(msgspec.Struct, frozen=True, order=True):
    """A retention class and how long its records are kept, in words."""

    code: str
    words: str
    records: int


class Verdict(msgspec.Struct, frozen=True):
    """A decision that a rule or filter made: the record says which and about what."""

    record_id: str
    at: str
    source: str
    decision: str


class Recipient(msgspec.Struct, frozen=True):
    """Somebody who was handed records: when, who as far as recorded, how many of the person's, with content or not."""

    at: str
    name: str
    records: int
    with_content: bool
    sha256: str


def models(stories: Sequence[Told]) -> list[Model]:
    """Which models and versions answered in the person's records."""
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for event in _events(stories):
        if event.kind == "inference":
            counted[_model(event)] += 1
    return sorted(Model(*key, number) for key, number in counted.items())


def model_words(event: TimelineEvent) -> str:
    """The model of one record in words; nothing where none is known."""
    name, version, basis, _ = _model(event)
    if name == _UNKNOWN:
        return ""
    return f"{name}, version {version}" + ("" if basis == _UNKNOWN else f" ({basis})")


_UNKNOWN: Final = "not recorded"
_BASES: Final = {
    "asserted": "stated by the record itself",
    "inferred": "what was in force then",
    "ambiguous": "several were in force",
}


def _model(event: TimelineEvent) -> tuple[str, str, str, str]:
    line = event.line
    held: InForce | None = next((item for item in event.in_force if item.type == "model"), None)
    name = line.get("gen_ai_response_model") or line.get("gen_ai_request_model") or model_ref(line).get("name")
    if held is None:
        return name or _UNKNOWN, model_ref(line).get("version") or _UNKNOWN, _UNKNOWN, _UNKNOWN
    return name or held.name, held.version or _UNKNOWN, _BASES.get(held.basis, held.basis), held.approval or _UNKNOWN


def sources(stories: Sequence[Told], context: Context) -> list[Source]:
    """Where the records came from."""
    counted = Counter(str(event.line["source"]) for event in _events(stories))
    return sorted(
        Source(code, context.sources.get(code, _OWN_SOURCE if code == "evidence" else NOT_STATED), number)
        for code, number in counted.items()
    )


_OWN_SOURCE: Final = "this store itself: who looked, requests, corrections"


def periods(stories: Sequence[Told], context: Context, policy: Policy) -> list[Period]:
    """How long the records are kept, by class: in the controller's words, else in those of the policy's rule."""
    counted = Counter(_period(item.revealed.line, context, policy) for story in stories for item in story.held)
    return sorted(Period(code, words, number) for (code, words), number in counted.items())


def _period(line: Mapping[str, Any], context: Context, policy: Policy) -> tuple[str, str]:
    code = str(line["retention_class"])
    if code in context.retention:
        return code, context.retention[code]
    rule = policy.winner(code, line["source"], line["kind"])
    if rule is None:
        return code, NOT_STATED
    bounds = [
        f"{name} {_length(value)}"
        for name, value in (("at least", rule.content.minimum), ("at most", rule.content.maximum))
        if value is not None
    ]
    return code, f"{rule.words} ({', '.join(bounds)})" if bounds else rule.words


def _length(duration: Duration) -> str:
    parts = [(duration.months, "month"), (duration.days, "day")]
    return " and ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number)


def verdicts(stories: Sequence[Told]) -> list[Verdict]:
    """The verdicts of filters and rules about what the person said or was told."""
    return [
        Verdict(event.record_id, event.at or "", str(event.line["source"]), str(event.line["decision"]))
        for event in _events(stories)
        if event.kind == "policy" and event.line.get("decision")
    ]


def states(stories: Sequence[Told]) -> dict[str, int]:
    """How many records are in which state."""
    return dict(sorted(Counter(item.revealed.state for story in stories for item in story.held).items()))


def recipients(
    handed: Sequence[HandedOut], names: Mapping[str, str], every: Mapping[str, RequestState], subjects: Iterable[str]
) -> list[Recipient]:
    """Whom earlier exports were for, and who was handed earlier packages, in the order of time."""
    bundles = [
        Recipient(item.at, names.get(item.recipient or "", _UNKNOWN), item.records, item.with_content, item.sha256)
        for item in handed
    ]
    wanted = set(subjects)
    packages = [
        Recipient(
            event.at, _handed_to(event.details), int(event.details["records"]), True, str(event.details["package"])
        )
        for state in every.values()
        if not wanted.isdisjoint(state.subjects)
        for event in state.events
        if event.event == "delivered" and event.refused is None and {"package", "records"} <= event.details.keys()
    ]
    return sorted([*bundles, *packages], key=lambda item: item.at)


_PACKAGE_FOR: Final = {"person": "you", "agent": "your agent"}


def _handed_to(details: Mapping[str, Any]) -> str:
    who = str(details.get("recipient"))
    return f"{_PACKAGE_FOR.get(who, who)}, a copy like this one"


def restrictions(store: Store, subjects: Iterable[str]) -> list[dict[str, str | None]]:
    """The restrictions that are in force for the person."""
    standing = store.standing.restricted
    found = (standing[reference] for reference in sorted(subjects) if reference in standing)
    return [
        {"basis": item.basis, "since": item.entry.time, "until": item.until}
        for item in {item.entry.index: item for item in found}.values()
    ]


def request_facts(every: Mapping[str, RequestState], subjects: Iterable[str]) -> list[dict[str, Any]]:
    """The person's requests, this one and those before, with what happened to each."""
    wanted = set(subjects)
    return [
        {
            "request": state.request,
            "kind": state.kind,
            "regime": state.regime,
            "received": state.received_at,
            "due": state.due_at,
            "status": state.status,
            "closed": state.closed,
            "events": [{"at": item.at, "event": item.event} for item in state.events],
        }
        for state in every.values()
        if not wanted.isdisjoint(state.subjects)
    ]


def _events(stories: Sequence[Told]) -> Iterable[TimelineEvent]:
    return (event for story in stories for event in story.events)


RIGHTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "gdpr": (
        ("Correction (Article 16)", "Have what is wrong put right, and what is incomplete completed."),
        ("Erasure (Article 17)", "Have your data erased, where no law or legal claim asks to keep it."),
        ("Restriction (Article 18)", "Have your data kept but not used, for example while you contest it."),
        ("Being told (Article 19)", "Hear to whom your data was given, when it is corrected, erased or restricted."),
        ("Taking it with you (Article 20)", "Receive what you provided in a form that machines read: provided.jsonl."),
        ("Objection (Article 21)", "Object, on grounds of your own situation, to what rests on legitimate interests."),
        ("Automated decisions (Article 22)", "Not be subject to decisions by machines alone that weigh on you."),
        ("Complaint (Article 77)", "Complain to a supervisory authority, where you live, work, or were wronged."),
    ),
    "ccpa": (
        ("Correction (1798.106)", "Have inaccurate personal information corrected."),
        ("Deletion (1798.105)", "Have personal information deleted, with the exceptions that the law names."),
        ("Opting out (1798.120)", "Say that your personal information is not to be sold or shared."),
        ("Limiting (1798.121)", "Limit the use of sensitive personal information."),
        ("No retaliation (1798.125)", "Use these rights without being treated worse for it."),
    ),
}
"""What a person may ask for, in plain words, by the regime of the request."""
