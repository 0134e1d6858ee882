"""Which rule wins for a record, and why: holds over everything, then the policy's one rule. Pure.

``decide`` answers a person's erasure request, ``expiry`` whether content has expired. Both say every rule that was
looked at, as closed codes:

``hold:<reference>:covers`` or ``:elsewhere`` · ``restriction:covers`` · ``policy:<rule>:wins``, ``:less-specific``,
``:other-class``, ``:other-source``, ``:other-kind``; then of the winner ``:not-erasable``, ``:no-minimum``,
``:minimum-not-reached``, ``:minimum-reached``, or ``:no-maximum``, ``:maximum-not-reached``, ``:maximum-reached`` ·
``policy:none`` where no rule fits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Final, NamedTuple

import msgspec

from ledger.standing import ActiveHold
from reports.retention.policy import Policy, Rule

NO_RULE: Final = "none"
"""The basis where neither a hold nor a rule stands against something, or for it."""

RESTRICTED: Final = "restriction"


class Facts(NamedTuple):
    """What is decided by of a record. ``at``: when it occurred, else when it was observed, RFC 3339 UTC.

    ``subjects``: every reference that the record names; ``owner``: whose key protects its content.
    """

    kind: str
    source: str
    retention_class: str
    at: str
    session: str | None
    subjects: Collection[str]
    owner: str


class Decision(msgspec.Struct, frozen=True):
    """What an erasure request may do with a record.

    ``outcome``: ``erase``; ``restrict`` until the end of the day ``until``, or of a hold, where there is no date; or
    ``refuse``. ``basis``: a hold or rule as a code, or ``none``. ``rules``: every rule looked at.
    """

    outcome: str
    until: str | None
    basis: str
    rules: tuple[str, ...]


class Expiry(msgspec.Struct, frozen=True):
    """Whether content has expired: ``outcome`` is ``expire`` or ``keep``.

    ``last_day``: the day with whose end the policy's time for it is over, whatever is on hold; None for never.
    """

    outcome: str
    last_day: str | None
    basis: str
    rules: tuple[str, ...]


def covers(hold: ActiveHold, facts: Facts) -> bool:
    """Whether a hold is on a record: everything that its scope names must fit. A period is [from, to)."""
    scope = hold.scope
    if scope.subjects and facts.owner not in scope.subjects and not set(scope.subjects) & set(facts.subjects):
        return False
    if scope.session is not None and scope.session != facts.session:
        return False
    # Without its Z, RFC 3339 UTC text sorts at any precision.
    at = facts.at.removesuffix("Z")
    if scope.first is not None and at < scope.first.removesuffix("Z"):
        return False
    return scope.last is None or at < scope.last.removesuffix("Z")


def decide(policy: Policy, holds: Collection[ActiveHold], facts: Facts, now: str) -> Decision:
    """Whether an erasure request may erase a record's content ``now`` (a day or a time, UTC)."""
    held, looked = _holds(holds, facts)
    rule, rules = _rule(policy, facts)
    looked += rules
    if rule is not None and not rule.erasable:
        return Decision("refuse", None, f"policy:{rule.name}", (*looked, f"policy:{rule.name}:not-erasable"))
    until = None if rule is None else _last_day(rule, facts, maximum=False)
    short = until is not None and now[:10] <= until.isoformat()
    if rule is not None:
        state = "no-minimum" if until is None else "minimum-not-reached" if short else "minimum-reached"
        looked.append(f"policy:{rule.name}:{state}")
    if held is not None:
        return Decision("restrict", None, f"hold:{held}", tuple(looked))
    if rule is not None and until is not None and short:
        return Decision("restrict", until.isoformat(), f"policy:{rule.name}", tuple(looked))
    return Decision("erase", None, NO_RULE, tuple(looked))


def expiry(
    policy: Policy, holds: Collection[ActiveHold], facts: Facts, now: str, restricted: Collection[str] = ()
) -> Expiry:
    """Whether a record's content has expired ``now`` (a day or a time, UTC).

    ``restricted``: people whose processing is restricted. What names them may be stored and nothing else (GDPR, Article
    18(2)), and destroying it is processing.
    """
    held, looked = _holds(holds, facts)
    storing = bool(restricted) and (facts.owner in restricted or any(name in restricted for name in facts.subjects))
    looked += [RESTRICTED + ":covers"] if storing else []
    rule, rules = _rule(policy, facts)
    looked += rules
    last = None if rule is None else _last_day(rule, facts, maximum=True)
    over = last is not None and now[:10] > last.isoformat()
    if rule is not None:
        state = "no-maximum" if last is None else "maximum-reached" if over else "maximum-not-reached"
        looked.append(f"policy:{rule.name}:{state}")
    basis = NO_RULE if rule is None else f"policy:{rule.name}"
    outcome = "expire" if over and held is None and not storing else "keep"
    if held is not None or storing:
        basis = RESTRICTED if held is None else f"hold:{held}"
    return Expiry(outcome, None if last is None else last.isoformat(), basis, tuple(looked))


def _holds(holds: Iterable[ActiveHold], facts: Facts) -> tuple[str | None, list[str]]:
    """The first hold that covers a record, by reference; and all as codes."""
    every = sorted((hold.hold, covers(hold, facts)) for hold in holds)
    codes = [f"hold:{reference}:{'covers' if covering else 'elsewhere'}" for reference, covering in every]
    return next((reference for reference, covering in every if covering), None), codes


def _rule(policy: Policy, facts: Facts) -> tuple[Rule | None, list[str]]:
    looked = policy.look(facts.retention_class, facts.source, facts.kind)
    winner = next((item.rule for item in looked if item.why == "wins"), None)
    return winner, [item.code for item in looked] + ([] if winner else ["policy:none"])


def _last_day(rule: Rule, facts: Facts, *, maximum: bool) -> date | None:
    """The last day of a rule's maximum or minimum; a maximum never ends before the minimum does."""
    begun = date.fromisoformat(facts.at[:10])
    content = rule.content
    shortest = None if content.minimum is None else content.minimum.last_day(begun)
    if not maximum:
        return shortest
    if content.maximum is None:
        return None
    longest = content.maximum.last_day(begun)
    return longest if shortest is None else max(longest, shortest)
