"""Bounds on the rate of exceptions: against published values, and against the definition, summed term by term."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from reports.sampling.exception_rate import clopper_pearson, upper_bound

pytestmark = pytest.mark.wheel


@pytest.mark.parametrize(
    ("exceptions", "size", "confidence", "percent"),
    [
        (0, 25, 0.95, 11.3),
        (1, 25, 0.95, 17.7),
        (0, 60, 0.95, 4.9),
        (1, 60, 0.95, 7.7),
        (2, 60, 0.95, 10.2),
        (0, 100, 0.95, 3.0),
        (3, 100, 0.95, 7.6),
        (0, 45, 0.90, 5.0),
        (1, 100, 0.90, 3.9),
    ],
)
def test_the_upper_limits_of_tables_for_attribute_sampling(
    exceptions: int, size: int, confidence: float, percent: float
) -> None:
    """As tables for auditors print them, rounded up to a tenth."""
    assert percent - 0.1 <= 100 * upper_bound(exceptions, size, confidence) <= percent + 0.05


def test_the_two_sided_interval_of_a_published_example() -> None:
    """682 of 925: the example in the documentation of R's binom.test."""
    found = clopper_pearson(682, 925, 0.95)

    assert found == pytest.approx((0.7076683, 0.7654066), abs=1e-7)


def test_no_exception_has_a_formula() -> None:
    """1 - (1 - confidence)^(1/n)."""
    for size in (1, 25, 59, 299, 10_000):
        assert upper_bound(0, size, 0.95) == pytest.approx(1 - 0.05 ** (1 / size), rel=1e-12)
    assert upper_bound(0, 59, 0.95) < 0.05 < upper_bound(0, 58, 0.95)


def at_most(exceptions: int, size: int, rate: float) -> float:
    """The chance of so few exceptions, or fewer, among independent draws."""
    return sum(comb(size, k) * rate**k * (1 - rate) ** (size - k) for k in range(exceptions + 1))


@given(size=st.integers(1, 120), data=st.data(), confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_bounds_are_where_their_definition_puts_them(size: int, data: st.DataObject, confidence: float) -> None:
    exceptions = data.draw(st.integers(0, size))
    upper, (low, high) = upper_bound(exceptions, size, confidence), clopper_pearson(exceptions, size, confidence)
    tail = (1 - confidence) / 2

    assert 0 <= low <= exceptions / size <= upper <= high <= 1
    if exceptions < size:
        assert at_most(exceptions, size, upper) == pytest.approx(1 - confidence, rel=1e-6)
        assert at_most(exceptions, size, high) == pytest.approx(tail, rel=1e-6)
    else:
        assert (upper, high) == (1, 1)
    if exceptions > 0:
        assert 1 - at_most(exceptions - 1, size, low) == pytest.approx(tail, rel=1e-6)
    else:
        assert low == 0


@pytest.mark.parametrize(("exceptions", "size"), [(-1, 5), (6, 5), (0, 0)])
def test_no_sample_has_such_numbers(exceptions: int, size: int) -> None:
    with pytest.raises(UsageError, match="no more exceptions than records"):
        upper_bound(exceptions, size, 0.95)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, float("nan")])
def test_no_such_confidence(confidence: float) -> None:
    with pytest.raises(UsageError, match="confidence"):
        clopper_pearson(0, 5, confidence)
