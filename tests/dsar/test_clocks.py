"""Deadlines as a regulator counts them: from receipt, by the calendar, never by what the controller did meanwhile."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from reports.dsar import clocks
from reports.dsar.clocks import REGIMES, business_days_after, deadline, is_working_day, read_holidays, start

GDPR, CCPA = REGIMES["gdpr"], REGIMES["ccpa"]
DAYS = st.dates(date(2020, 1, 1), date(2099, 12, 31))
HOLIDAYS = st.frozensets(st.dates(date(2020, 1, 1), date(2100, 12, 31)), max_size=20)
REGIME = st.sampled_from(sorted(REGIMES.values()))


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2026, 3, 5), date(2026, 4, 6)),  # 5 April is a Sunday
        (date(2026, 11, 24), date(2026, 12, 24)),
        (date(2026, 8, 31), date(2026, 9, 30)),  # September has no 31st
        (date(2027, 1, 31), date(2027, 3, 1)),  # the last day of February is a Sunday
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 12, 31), date(2027, 2, 1)),  # 31 January is a Sunday
    ],
)
def test_one_month_by_the_gdpr(received: date, due: date) -> None:
    assert start(GDPR, received).due_at == due


def test_a_holiday_moves_the_end_to_the_next_working_day() -> None:
    christmas = frozenset({date(2026, 12, 25), date(2026, 12, 26)})

    assert start(GDPR, date(2026, 11, 25)).due_at == date(2026, 12, 25)
    assert start(GDPR, date(2026, 11, 25), christmas).due_at == date(2026, 12, 28)


def test_the_extension_is_three_months_from_receipt_not_two_from_the_first_deadline() -> None:
    """31 January: one month ends on 28 February, and two more from there would end on 28 April."""
    assert deadline(GDPR, date(2025, 1, 31), extended=True) == date(2025, 4, 30)


def test_forty_five_and_ninety_calendar_days_by_the_ccpa() -> None:
    received = date(2026, 11, 24)

    assert start(CCPA, received) == (date(2027, 1, 8), date(2026, 12, 8))
    assert deadline(CCPA, received, extended=True) == date(2027, 2, 22)


def test_ten_business_days_skip_weekends_and_holidays() -> None:
    thanksgiving = frozenset({date(2026, 11, 26)})

    assert start(CCPA, date(2026, 11, 24), thanksgiving).confirm_by == date(2026, 12, 9)


def test_only_doubt_under_the_gdpr_stops_a_clock() -> None:
    assert GDPR.pauses
    assert not CCPA.pauses


def test_nothing_is_received_before_the_law_applied() -> None:
    with pytest.raises(UsageError, match="applies since 2018-05-25"):
        start(GDPR, date(2018, 5, 24))


def test_an_unknown_regime_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        clocks.regime_of("lgpd")
    assert "ccpa, gdpr" in refused.value.next_step


@given(DAYS, st.integers(0, 600))
def test_months_are_added_as_a_database_adds_them(day: date, months: int) -> None:
    ((expected,),) = duckdb.execute("SELECT CAST(? + to_months(?) AS DATE)", [day, months]).fetchall()

    assert clocks.add_months(day, months) == expected


@given(DAYS, HOLIDAYS, st.integers(0, 60))
def test_under_the_gdpr_a_period_ends_on_a_working_day_and_none_was_skipped(
    received: date, holidays: frozenset[date], paused: int
) -> None:
    plain = clocks.add_months(received, 1) + timedelta(days=paused)
    due = deadline(GDPR, received, paused_days=paused, holidays=holidays)

    assert is_working_day(due, holidays)
    assert not any(is_working_day(plain + timedelta(days=n), holidays) for n in range((due - plain).days))


@given(REGIME, DAYS, st.integers(0, 400), HOLIDAYS)
def test_who_asks_later_is_not_answered_earlier(
    regime: clocks.Regime, received: date, later: int, holidays: frozenset[date]
) -> None:
    first, second = (deadline(regime, day, holidays=holidays) for day in (received, received + timedelta(days=later)))

    assert first <= second


@given(REGIME, DAYS, HOLIDAYS)
def test_an_extension_gives_time_and_never_takes_it(
    regime: clocks.Regime, received: date, holidays: frozenset[date]
) -> None:
    first = deadline(regime, received, holidays=holidays)

    assert received < first < deadline(regime, received, extended=True, holidays=holidays)


@given(DAYS, HOLIDAYS)
def test_holidays_never_move_a_deadline_of_the_ccpa(received: date, holidays: frozenset[date]) -> None:
    assert start(CCPA, received, holidays).due_at == received + timedelta(days=45)


@given(DAYS, st.integers(0, 40), HOLIDAYS)
def test_business_days_are_counted_one_by_one(day: date, number: int, holidays: frozenset[date]) -> None:
    end = business_days_after(day, number, holidays)
    between = [day + timedelta(days=n) for n in range(1, (end - day).days + 1)]

    assert sum(is_working_day(each, holidays) for each in between) == number
    assert number == 0 or is_working_day(end, holidays)


def test_holidays_are_dates_with_remarks() -> None:
    assert read_holidays("# Portugal\n2026-12-25  # Christmas\n\n2027-01-01") == {date(2026, 12, 25), date(2027, 1, 1)}


def test_a_line_that_is_no_date_is_named() -> None:
    with pytest.raises(UsageError, match="line 2"):
        read_holidays("2026-12-25\nChristmas")
