"""The policy file: what it may say, which rule wins, and errors that name file, rule and field."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ConfigError
from reports.retention import policy as policies
from reports.retention.durations import Duration
from reports.retention.patterns import fits, overlap

HEAD = 'format = "evidence/retention-policy/1"\n'
PATTERNS = st.text("ab*", min_size=1, max_size=5)


def rule(name: str, *lines: str) -> str:
    return "\n".join(["[[rule]]", f'name = "{name}"', 'basis = "own-policy"', 'words = "Why."', *lines, ""])


def parse(*rules: str) -> policies.Policy:
    return policies.parse((HEAD + "".join(rules)).encode(), "policy.toml")


def winner(policy: policies.Policy, retention_class: str = "standard", source: str = "mira", kind: str = "tool") -> str:
    won = policy.winner(retention_class, source, kind)
    return won.name if won else "none"


def test_the_most_specific_rule_wins_and_class_counts_before_source_before_kind() -> None:
    policy = parse(
        rule("any"),
        rule("tools", 'kinds = ["tool"]'),
        rule("mira", 'sources = ["mira"]'),
        rule("models", 'sources = ["m*"]'),
        rule("phi", 'classes = ["phi"]'),
        rule("phi-tools", 'classes = ["phi"]', 'kinds = ["tool"]'),
    )

    assert winner(policy, source="github", kind="change") == "any"
    assert winner(policy, source="github") == "tools"
    assert winner(policy) == "mira"
    assert winner(policy, source="mlflow") == "models"
    assert winner(policy, "phi", kind="change") == "phi"
    assert winner(policy, "phi") == "phi-tools"
    assert winner(parse(rule("phi", 'classes = ["phi"]'))) == "none"


def test_a_longer_pattern_is_more_specific_than_a_shorter_one() -> None:
    policy = parse(rule("short", 'sources = ["m*"]'), rule("long", 'sources = ["mir*"]'))

    assert winner(policy) == "long"
    assert winner(policy, source="mlflow") == "short"


def test_every_rule_is_accounted_for() -> None:
    policy = parse(rule("any"), rule("phi", 'classes = ["phi"]'), rule("tools", 'kinds = ["tool"]'))

    codes = [item.code for item in policy.look("standard", "mira", "tool")]

    assert codes == ["policy:any:less-specific", "policy:phi:other-class", "policy:tools:wins"]


def test_the_policy_is_named_by_the_bytes_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(HEAD + rule("any"))
    first = policies.load(file)
    file.write_text(HEAD + "# another comment\n" + rule("any"))

    assert policies.load(file).rules == first.rules
    assert policies.load(file).sha256 != first.sha256


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has 1 to 65536 bytes, this one 0"),
        ("[[rule]", "cannot be read as TOML"),
        (rule("any"), "format: Field required"),
        (HEAD.replace("/1", "/2"), "format: Input should be"),
        (HEAD + "rules = []\n", "rules: Extra inputs are not permitted"),
        (HEAD + rule("any", "minimum = 'P6M'"), "rule 'any', minimum: Extra inputs are not permitted"),
        (
            HEAD + rule("any", "content.minimum = 'six months'"),
            "rule 'any', content.minimum: 'six months' is no ISO 8601",
        ),
        (HEAD + rule("any", "content.minimum = 'PT6H'"), "rule 'any', content.minimum: 'PT6H' is no ISO 8601"),
        (HEAD + rule("any", "content.maximum = 'P0D'"), "rule 'any', content.maximum: 'P0D' has no length"),
        (HEAD + rule("any", "content.maximum = 30"), "rule 'any', content.maximum: a duration is text"),
        (
            HEAD + rule("any", "content.minimum = 'P1Y'", "content.maximum = 'P11M'"),
            "rule 'any', content: minimum is longer than maximum",
        ),
        (
            HEAD + rule("any", "content.minimum = 'P1M'", "content.maximum = 'P30D'"),
            "rule 'any', content: minimum is longer than maximum",
        ),
        (HEAD + rule("any", "metadata.maximum = 'P6Y'"), "rule 'any', metadata: maximum is not supported"),
        (HEAD + rule("any", "kinds = ['inferense']"), "rule 'any', as a whole"),
        (HEAD + rule("any", "kinds = ['inferense']"), "kinds: 'inferense' fits no kind of record"),
        (HEAD + rule("any", "classes = []"), "rule 'any', classes"),
        (HEAD + rule("any", "sources = 'mira'"), "rule 'any', sources"),
        (HEAD + rule("Any"), "rule 'Any', name"),
        (HEAD + "[[rule]]\nbasis = 'x'\nwords = 'y'\n", "rule 1, name: Field required"),
        (HEAD + "rule = [1]\n", "rule 1, as a whole"),
        (HEAD + "rule = 1\n", "rule: Input should be"),
        (HEAD + rule("any") + rule("any", 'kinds = ["tool"]'), "two rules have the name 'any'"),
        (HEAD + rule("one") + rule("two"), "rules 'one' and 'two' fit the same records"),
        (
            HEAD + rule("one", 'sources = ["a*"]') + rule("two", 'sources = ["*b"]'),
            "classes '*' and '*', sources 'a*' and '*b'",
        ),
        (HEAD + rule("any", r'basis = "Héctor"').replace('basis = "own-policy"\n', ""), "rule 'any', basis"),
    ],
)
def test_what_is_wrong_is_named_with_file_rule_and_field(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policies.parse(text.encode(), "policy.toml")

    assert caught.value.message.startswith("policy.toml")
    assert says in caught.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the retention policy .*absent.toml: No such file"):
        policies.load(tmp_path / "absent.toml")


@given(st.binary(min_size=1, max_size=200))
def test_bytes_of_any_kind_are_a_policy_or_a_clear_error(data: bytes) -> None:
    with suppress(ConfigError):
        policies.parse(HEAD.encode() + data, "policy.toml")


def test_a_rule_that_undercuts_another_one_is_pointed_out() -> None:
    policy = parse(
        rule("any", "content.minimum = 'P6M'"),
        rule("sec", 'classes = ["phi"]', "erasable = false", "content.minimum = 'P6Y'"),
        rule("phi-tools", 'classes = ["p*", "phi"]', 'kinds = ["tool"]', "content.minimum = 'P1Y'"),
        rule("tools", 'kinds = ["tool"]', "content.minimum = 'P6M'"),
    )

    assert policies.warnings(policy) == [
        "where rule 'phi-tools' wins, the minimum P6Y of 'sec' does not hold",
        "where rule 'phi-tools' wins, what 'sec' protects from erasure is erasable",
    ]
    assert policies.warnings(parse(rule("any"), rule("tools", 'kinds = ["tool"]'))) == []


def test_rules_that_share_no_record_may_be_equally_specific() -> None:
    parse(rule("one", 'sources = ["a*"]'), rule("two", 'sources = ["b*"]'), rule("three", 'kinds = ["tool"]'))


@given(PATTERNS, st.text("ab", max_size=6))
def test_a_star_stands_for_any_letters(pattern: str, text: str) -> None:
    assert fits(pattern, text) == fnmatchcase(text, pattern)


def test_a_pattern_cannot_make_matching_slow() -> None:
    started = time.process_time()

    assert not fits("*a" * 60 + "*b", "a" * 64)
    assert time.process_time() - started < 1


TEXTS = ["".join(letters) for size in range(7) for letters in product("ab", repeat=size)]


@given(PATTERNS, PATTERNS)
def test_two_patterns_overlap_if_some_text_fits_both(one: str, other: str) -> None:
    """Patterns of at most five letters that fit a text in common fit one that is as short as both together."""
    common = [text for text in TEXTS if fnmatchcase(text, one) and fnmatchcase(text, other)]

    assert overlap(one, other) == overlap(other, one)
    if common:
        assert overlap(one, other)
    elif len(one.replace("*", "")) + len(other.replace("*", "")) <= 6:
        assert not overlap(one, other)


def test_the_shipped_examples_are_policies() -> None:
    assert set(policies.examples()) >= {"ai-act-six-months", "hipaa-six-years", "sec-17a-4"}
    for name, data in policies.examples().items():
        assert policies.parse(data, name).rules


def test_the_shipped_examples_say_what_their_names_say() -> None:
    found = {name: policies.parse(data, name) for name, data in policies.examples().items()}

    six_months = found["ai-act-six-months"].winner("standard", "mira", "inference")
    six_years = found["hipaa-six-years"].winner("phi", "mira", "inference")
    broker = found["sec-17a-4"].winner("broker-dealer", "mira", "inference")
    assert six_months is not None
    assert six_years is not None
    assert broker is not None
    assert six_months.content.minimum == Duration(6, 0)
    assert six_years.content.minimum == Duration(72, 0)
    assert "not settled" in six_years.words
    assert broker.erasable is False
    assert found["sec-17a-4"].winner("standard", "mira", "inference") is None


@pytest.mark.parametrize(
    ("begun", "length", "last"),
    [
        ("2026-01-15", "P6M", "2026-07-15"),
        ("2026-08-31", "P6M", "2027-02-28"),
        ("2027-08-31", "P6M", "2028-02-29"),
        ("2024-02-29", "P6Y", "2030-02-28"),
        ("2024-02-29", "P4Y", "2028-02-29"),
        ("2026-01-31", "P1M1D", "2026-03-01"),
        ("2026-01-15", "P2W", "2026-01-29"),
        ("2026-12-31", "P30D", "2027-01-30"),
        ("2026-12-31", "P1Y6M", "2028-06-30"),
        ("9990-01-01", "P100Y", "9999-12-31"),
        ("2026-01-01", "P9999Y", "9999-12-31"),
    ],
)
def test_periods_are_counted_by_the_calendar(begun: str, length: str, last: str) -> None:
    assert Duration.parse(length).last_day(date.fromisoformat(begun)).isoformat() == last


@given(st.dates(), st.dates(), st.integers(0, 2000), st.integers(0, 2000))
def test_what_begins_later_never_ends_earlier(one: date, other: date, months: int, days: int) -> None:
    duration = Duration(months, days)
    early, late = sorted((one, other))

    assert duration.last_day(early) <= duration.last_day(late)
    assert duration.last_day(early) >= early


@given(st.dates(max_value=date(2200, 1, 1)), st.integers(1, 20_000))
def test_days_are_days(begun: date, days: int) -> None:
    assert Duration.parse(f"P{days}D").last_day(begun) == begun + timedelta(days=days)
