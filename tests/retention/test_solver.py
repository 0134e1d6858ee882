"""Which rule wins for a record: holds over everything, then the one rule of the policy."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.entry_shapes import Scope
from ledger.history import Entry
from ledger.standing import ActiveHold
from reports.retention import policy as policies
from reports.retention.policy import Content, Policy, Rule
from reports.retention.solver import Facts, covers, decide, expiry

ANA, BEN = "a" * 32, "b" * 32
STRICTER = {"erase": 0, "restrict": 1, "refuse": 2}


def hold(number: int = 1, **scope: Any) -> ActiveHold:
    return ActiveHold(f"{number:032x}", Scope(**scope), "litigation", Entry(number, number, "", b"", {}))


def rule(name: str, **fields: Any) -> Rule:
    lengths = {key: fields.pop(key) for key in ("minimum", "maximum") if key in fields}
    content = Content.model_validate(lengths)
    return Rule(name=name, basis="own-policy", words="Why.", content=content, **fields)


def policy(*rules: Rule) -> Policy:
    return Policy(b"for a test", rules)


FACTS = Facts("inference", "mira", "standard", "2026-01-15T10:00:00Z", "s-1", (ANA,), ANA)


def test_without_rules_and_holds_everything_may_be_erased_and_nothing_expires() -> None:
    decided = decide(policies.DEFAULT, [], FACTS, "2026-01-16")
    expired = expiry(policies.DEFAULT, [], FACTS, "9999-01-01")

    assert (decided.outcome, decided.until, decided.basis, decided.rules) == ("erase", None, "none", ("policy:none",))
    assert (expired.outcome, expired.last_day, expired.basis) == ("keep", None, "none")


def test_a_minimum_restricts_to_the_end_of_its_last_day() -> None:
    six_months = policy(rule("logs", minimum="P6M"))

    on_the_day = decide(six_months, [], FACTS, "2026-07-15T23:59:59Z")
    after = decide(six_months, [], FACTS, "2026-07-16T00:00:00Z")

    assert (on_the_day.outcome, on_the_day.until, on_the_day.basis) == ("restrict", "2026-07-15", "policy:logs")
    assert on_the_day.rules == ("policy:logs:wins", "policy:logs:minimum-not-reached")
    assert (after.outcome, after.rules[-1]) == ("erase", "policy:logs:minimum-reached")


def test_what_is_not_erasable_is_refused_also_after_its_minimum() -> None:
    broker = policy(rule("sec", minimum="P6Y", erasable=False))

    for now in ("2026-02-01", "2040-01-01"):
        decided = decide(broker, [], FACTS, now)
        assert (decided.outcome, decided.until, decided.basis) == ("refuse", None, "policy:sec")
        assert decided.rules[-1] == "policy:sec:not-erasable"


def test_a_maximum_expires_after_its_last_day() -> None:
    month = policy(rule("short", maximum="P30D"))

    on_the_day = expiry(month, [], FACTS, "2026-02-14")
    after = expiry(month, [], FACTS, "2026-02-15")

    assert (on_the_day.outcome, on_the_day.last_day) == ("keep", "2026-02-14")
    assert (after.outcome, after.last_day, after.basis) == ("expire", "2026-02-14", "policy:short")


def test_a_hold_wins_over_erasure_and_over_expiry_and_says_what_it_held_up() -> None:
    month, held = policy(rule("short", maximum="P30D")), [hold(subjects=[ANA])]

    decided = decide(month, held, FACTS, "2026-03-01")
    expired = expiry(month, held, FACTS, "2026-03-01")

    assert (decided.outcome, decided.until, decided.basis) == ("restrict", None, f"hold:{1:032x}")
    assert (expired.outcome, expired.last_day, expired.basis) == ("keep", "2026-02-14", f"hold:{1:032x}")
    assert expired.rules == (f"hold:{1:032x}:covers", "policy:short:wins", "policy:short:maximum-reached")


def test_a_hold_is_on_what_all_of_its_scope_has_in_common() -> None:
    assert covers(hold(subjects=[BEN, ANA]), FACTS)
    assert covers(hold(subjects=[ANA]), FACTS._replace(subjects=()))
    assert covers(hold(subjects=[BEN]), FACTS._replace(subjects=(BEN,)))
    assert not covers(hold(subjects=[BEN]), FACTS)
    assert covers(hold(session="s-1"), FACTS)
    assert not covers(hold(session="s-2"), FACTS)
    assert not covers(hold(session="s-1"), FACTS._replace(session=None))
    assert not covers(hold(subjects=[BEN], session="s-1"), FACTS)
    assert covers(hold(first="2026-01-15T10:00:00.000Z", last="2026-01-15T10:00:00.5Z"), FACTS) is False
    assert covers(hold(first="2026-01-15T10:00:00Z", last="2026-01-15T10:00:00.5Z"), FACTS)
    assert not covers(hold(first="2026-01-01T00:00:00Z", last="2026-01-15T10:00:00Z"), FACTS)


REFS = st.sampled_from([ANA, BEN, "c" * 32])
TIMES = st.sampled_from([f"202{year}-0{month}-15T10:00:00Z" for year in range(4, 8) for month in range(1, 10)])
FACTS_STRATEGY = st.builds(
    Facts,
    kind=st.sampled_from(["inference", "tool", "access"]),
    source=st.sampled_from(["mira", "github"]),
    retention_class=st.sampled_from(["standard", "phi"]),
    at=TIMES,
    session=st.sampled_from([None, "s-1", "s-2"]),
    subjects=st.lists(REFS, max_size=2).map(tuple),
    owner=REFS,
)
SCOPES = st.builds(
    Scope,
    subjects=st.lists(REFS, max_size=2),
    session=st.sampled_from([None, "s-1", "s-2"]),
    first=st.none() | TIMES,
    last=st.none() | TIMES,
)
HOLDS = st.lists(SCOPES, max_size=4).map(
    lambda scopes: [hold(number)._replace(scope=scope) for number, scope in enumerate(scopes)]
)
LENGTHS = ["P1D", "P30D", "P6M", "P1Y", "P6Y"]


@st.composite
def policies_of_rules(draw: st.DrawFn) -> list[Rule]:
    rules = []
    patterns = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["*", "phi", "p*"]),
                st.sampled_from(["*", "mira", "m*"]),
                st.sampled_from(["*", "tool"]),
            ),
            unique=True,
            max_size=4,
        )
    )
    for number, (retention_class, source, kind) in enumerate(patterns):
        shortest, longest = sorted(draw(st.tuples(st.integers(0, 4), st.integers(0, 4))))
        both = {"minimum": LENGTHS[shortest], "maximum": LENGTHS[longest]}
        lengths = {name: length for name, length in both.items() if draw(st.booleans())}
        rules.append(
            rule(
                f"r{number}",
                classes=(retention_class,),
                sources=(source,),
                kinds=(kind,),
                erasable=draw(st.booleans()),
                **lengths,
            )
        )
    return rules


@given(policies_of_rules(), HOLDS, SCOPES, FACTS_STRATEGY, TIMES)
def test_one_more_hold_never_makes_more_erasable_or_more_expired(
    rules: list[Rule], holds: list[ActiveHold], scope: Scope, facts: Facts, now: str
) -> None:
    more = [*holds, hold(99)._replace(scope=scope)]
    before, after = (decide(policy(*rules), some, facts, now) for some in (holds, more))

    assert STRICTER[after.outcome] >= STRICTER[before.outcome]
    if expiry(policy(*rules), holds, facts, now).outcome == "keep":
        assert expiry(policy(*rules), more, facts, now).outcome == "keep"


@given(policies_of_rules(), HOLDS, FACTS_STRATEGY, TIMES)
def test_the_order_of_rules_and_of_holds_does_not_matter(
    rules: list[Rule], holds: list[ActiveHold], facts: Facts, now: str
) -> None:
    found = {
        (decide(policy(*some), reversed_holds, facts, now), expiry(policy(*some), reversed_holds, facts, now))
        for some in permutations(rules)
        for reversed_holds in (holds, holds[::-1])
    }

    assert len(found) == 1


@given(policies_of_rules(), HOLDS, FACTS_STRATEGY, TIMES, TIMES)
def test_time_only_ever_loosens(rules: list[Rule], holds: list[ActiveHold], facts: Facts, one: str, other: str) -> None:
    early, late = sorted((one, other))
    made = policy(*rules)

    assert STRICTER[decide(made, holds, facts, late).outcome] <= STRICTER[decide(made, holds, facts, early).outcome]
    if expiry(made, holds, facts, early).outcome == "expire":
        assert expiry(made, holds, facts, late).outcome == "expire"


@given(policies_of_rules(), HOLDS, FACTS_STRATEGY, TIMES)
def test_what_is_under_a_minimum_or_a_hold_has_not_expired(
    rules: list[Rule], holds: list[ActiveHold], facts: Facts, now: str
) -> None:
    made = policy(*rules)
    if expiry(made, holds, facts, now).outcome == "expire":
        assert decide(made, holds, facts, now).outcome in ("erase", "refuse")
        assert not any(covers(item, facts) for item in holds)


@given(policies_of_rules(), HOLDS, FACTS_STRATEGY, TIMES)
def test_every_rule_and_hold_is_in_the_reasons_and_each_is_a_code(
    rules: list[Rule], holds: list[ActiveHold], facts: Facts, now: str
) -> None:
    import re

    for reasons in (
        decide(policy(*rules), holds, facts, now).rules,
        expiry(policy(*rules), holds, facts, now).rules,
    ):
        assert all(any(code.startswith(f"policy:{rule.name}:") for code in reasons) for rule in rules)
        assert all(any(code.startswith(f"hold:{item.hold}:") for code in reasons) for item in holds)
        assert all(re.fullmatch(r"[a-z][a-z0-9_.:-]{0,63}", code) for code in reasons)
