"""Making a plan part of the record: kept in the ledger's blobs, then named by an entry that the privacy key signs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from ledger import notes
from ledger.errors import RequestRefusedError
from replay.catalog import Catalog
from replay.mentions import Mention
from reports.dsar import register, statements
from reports.dsar.mentioned import SEARCHED
from reports.dsar.plan import Plan, digest, keep, make_plan
from reports.dsar.requests import RequestState
from reports.retention.policy import Policy

PLANNED_KINDS: Final = ("erasure", "objection")
"""Requests that end in an erasure (GDPR, Article 17(1)(c) for an objection); others need no plan."""


class Planned(NamedTuple):
    """The request after planning, and the plan."""

    state: RequestState
    plan: Plan


class Outcome(NamedTuple):
    """How many records or mentions come out alike. ``what``: ``row`` or ``mention``."""

    what: str
    outcome: str
    until: str | None
    basis: str
    number: int


def plan_request(
    catalog: Catalog,
    state: RequestState,
    policy: Policy,
    mentions: Sequence[Mention],
    planner: notes.Signer | None = None,
    *,
    searched: bool = False,
) -> Planned:
    """Plan what is to become of a person's records; nothing is carried out. Planning again gives a plan anew.

    ``planner``: the planner's own key, which signs the plan's statement and may then not approve it. Where nothing has
    changed the newest plan stays, with its approvals. ``searched``: the mentions are also from a search of all content,
    which is made again before the plan is carried out. Raises RequestRefusedError where there is nothing to plan.
    """
    store = catalog.store
    if state.kind not in PLANNED_KINDS:
        raise RequestRefusedError(
            f"a plan says what an erasure does; this request is of kind {state.kind}",
            hint="`evidence dsar export` hands a copy over; `correct` and `restrict` need no plan.",
        )
    plan = make_plan(catalog, state, policy, mentions, register.today())
    if plan.count == 0:
        raise RequestRefusedError(
            "nothing of this person is here to plan for", hint="Close it: `evidence dsar close --reason no_data`."
        )
    found = digest(plan)
    if found == state.plan:
        return Planned(state, plan)
    keep(store, plan)
    details: dict[str, str | int | bool | None] = {
        "planned_by": store.signer("privacy").vkey,
        "population": plan.population,
        "policy": plan.policy,
        SEARCHED: searched,
    }
    if planner is not None:
        text = statements.statement(store.history.origin, state.request, found)
        details |= {"signed_by": planner.vkey, "signature": statements.sign(text, planner).signature}
    step = register.Step("planned", details, (found, plan.count))
    return Planned(register.advance(store, state, [step], by=("writer", "privacy")), plan)


def outcomes(plan: Plan) -> list[Outcome]:
    """The plan by outcome, day and basis."""
    counted = Counter(("row", item.outcome, item.until, item.basis) for item in plan.rows)
    counted.update(("mention", item.outcome, item.until, item.basis) for item in plan.redactions)
    order = sorted(counted, key=lambda key: (key[0] != "row", _ORDER.index(key[1]), key[2] or "", key[3]))
    return [Outcome(*key, counted[key]) for key in order]


_ORDER: Final = ("erase", "redact", "restrict", "refuse", "keep")
