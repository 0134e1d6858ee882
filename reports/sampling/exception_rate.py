"""What a sample says of the population that it was drawn from: bounds on the rate of exceptions (Clopper-Pearson).

Exact for independent draws; a sample without replacement of a finite population is at least as informative, so the
bounds err on the safe side. Nothing here says how large a sample ought to be: that is the auditor's judgement.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.errors import UsageError


class Interval(NamedTuple):
    """Bounds on a rate, from 0 to 1."""

    low: float
    high: float


def clopper_pearson(exceptions: int, size: int, confidence: float) -> Interval:
    """The two-sided interval for the rate of exceptions, by Clopper and Pearson (1934). ``confidence``: such as 0.95.

    Raises UsageError for numbers that no sample has.
    """
    return _interval(exceptions, size, confidence, "two-sided")


def upper_bound(exceptions: int, size: int, confidence: float) -> float:
    """The one-sided upper bound: the "upper deviation limit" of attribute sampling. Raises UsageError likewise."""
    return _interval(exceptions, size, confidence, "less").high


def _interval(exceptions: int, size: int, confidence: float, alternative: str) -> Interval:
    if not 0 <= exceptions <= size or size < 1:
        raise UsageError("a sample has at least one record, and no more exceptions than records")
    if not 0 < confidence < 1:
        raise UsageError("a confidence lies between 0 and 100 percent")
    from scipy.stats import binomtest

    found = binomtest(exceptions, size, alternative=alternative).proportion_ci(confidence, method="exact")
    return Interval(float(found.low), float(found.high))
