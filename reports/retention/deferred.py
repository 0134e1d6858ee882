"""What erasure requests had to leave for later: records that were restricted until a day, or until a hold ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from replay.catalog import Catalog
from replay.facts import LineFacts, line_facts
from reports.dsar.plan import Plan, load_plan
from reports.dsar.requests import RequestState, requests
from reports.retention.policy import Policy
from reports.retention.solver import Decision, Facts, decide


class Deferred(msgspec.Struct, frozen=True):
    """A request of which an executed plan restricted records.

    ``due``: how many of them may be erased or redacted now. ``waiting``: how many may not yet; ``until``: the first day
    with whose end one of them may, None where all wait for a hold. ``holds``: which holds they wait for. What is left
    of a ``closed`` request needs another one.
    """

    request: str
    plan: str
    closed: bool
    due: int
    waiting: int
    until: str | None
    holds: tuple[str, ...]


def deferred(catalog: Catalog, policy: Policy, now: str) -> list[Deferred]:
    """The requests that something is left of, in the order in which they were opened. Raises as ``load_plan``."""
    found = []
    for state in requests(catalog.store).values():
        if state.executed is not None and len(state.executed) == 64:
            left = _left(catalog, policy, load_plan(catalog.store, state.executed), now)
            if left:
                found.append(_counted(state, state.executed, left))
    return found


def _counted(state: RequestState, plan: str, left: Sequence[Decision]) -> Deferred:
    waiting = [item for item in left if item.outcome != "erase"]
    days = [item.until for item in waiting if item.until is not None]
    holds = sorted({item.basis.removeprefix("hold:") for item in waiting if item.basis.startswith("hold:")})
    closed = state.closed is not None
    return Deferred(
        state.request, plan, closed, len(left) - len(waiting), len(waiting), min(days, default=None), tuple(holds)
    )


def _left(catalog: Catalog, policy: Policy, plan: Plan, now: str) -> list[Decision]:
    """What is decided now of each record that was restricted and whose content is there still.

    Records of one segment are erased together, so each is decided like the one that may least be.
    """
    segments: dict[tuple[int, int], list[Decision]] = defaultdict(list)
    holds = list(catalog.store.standing.holds.values())
    for facts in _restricted(catalog, plan):
        by = Facts(
            facts.kind, facts.source, facts.retention_class, facts.at, facts.session, facts.subjects, facts.owner
        )
        segments[facts.entry, facts.segment].append(decide(policy, holds, by, now))
    return [max(together, key=_strictness) for together in segments.values() for _ in together]


def _restricted(catalog: Catalog, plan: Plan) -> Iterator[LineFacts]:
    numbers = {entry.index: number for number, entry in enumerate(catalog.partitions())}
    places: dict[int, list[int]] = defaultdict(list)
    rows = [(item.entry, item.row) for item in plan.rows if item.outcome == "restrict"]
    rows += [(item.entry, item.row) for item in plan.redactions if item.outcome == "restrict"]
    for entry, row in rows:
        places[numbers[entry]].append(row)
    endings = catalog.store.endings
    for (number, _), facts in sorted(line_facts(catalog, places).items()):
        path = catalog.partitions()[number].value["content"]["path"]
        if endings.ended(path, facts.segment, facts.owner) is None:
            yield facts


def _strictness(item: Decision) -> tuple[int, str]:
    """Above all others what has no day."""
    order = {"erase": 0, "restrict": 1 if item.until is not None else 2, "refuse": 3}
    return order[item.outcome], item.until or ""
