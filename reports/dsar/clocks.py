"""Deadlines of data subjects' requests, counted as the law counts them. Pure: the day of receipt in, days out.

A period begins with receipt, never with the confirmation of an identity. A deadline is a day: it ends with its last
hour, where the controller is. Regimes are data; where a rule comes from stands beside it.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date, timedelta
from typing import Final, NamedTuple

from ledger.errors import UsageError

NO_HOLIDAYS: Final[frozenset[date]] = frozenset()


class Period(NamedTuple):
    """A length of time, in calendar months or in calendar days."""

    months: int = 0
    days: int = 0


class Regime(NamedTuple):
    """The clock of one law.

    ``answer``: from receipt. ``extended``: from receipt too, in all. ``confirm``: business days in which receipt is to
    be confirmed. ``pauses``: whether doubt about an identity stops the clock. ``rolls``: whether a period that would
    end on a weekend or holiday ends with the next working day. ``since``: the day from which the law applies.
    """

    code: str
    name: str
    answer: Period
    extended: Period
    confirm: int | None
    pauses: bool
    rolls: bool
    since: date
    sources: tuple[str, ...]


REGIMES: Final = {
    regime.code: regime
    for regime in (
        Regime(
            "gdpr",
            "Regulation (EU) 2016/679 (GDPR)",
            answer=Period(months=1),
            extended=Period(months=3),
            confirm=None,
            pauses=True,
            rolls=True,
            since=date(2018, 5, 25),
            sources=(
                "GDPR, Article 12(3): one month from receipt; two more where necessary, told within the first month",
                "GDPR, Article 12(6): further information where there are reasonable doubts about the identity",
                "Regulation (EEC, Euratom) No 1182/71, Article 3(1): the day of receipt is not counted",
                "the same, Article 3(2)(c): months end on the same date, or on the last day of a month without it",
                "the same, Article 3(4): what would end on a weekend or holiday ends with the next working day",
            ),
        ),
        Regime(
            "ccpa",
            "California Consumer Privacy Act, regulations (11 CCR)",
            answer=Period(days=45),
            extended=Period(days=90),
            confirm=10,
            pauses=False,
            rolls=False,
            since=date(2020, 1, 1),
            sources=(
                "11 CCR 7021(a): receipt is confirmed within 10 business days",
                "11 CCR 7021(b): 45 calendar days from receipt, however long verification takes",
                "the same: 90 days in all, with notice and explanation",
            ),
        ),
    )
}
"""By code. Of the CCPA the days are counted after the day of receipt and are not moved: that is never too late."""


class Clock(NamedTuple):
    """What is fixed when a request is opened: the last day to answer, and to confirm receipt where that is asked."""

    due_at: date
    confirm_by: date | None


def regime_of(code: str) -> Regime:
    """The regime of a code. Raises UsageError."""
    try:
        return REGIMES[code]
    except KeyError:
        raise UsageError(f"no regime {code!a}", hint=f"There are: {', '.join(sorted(REGIMES))}.") from None


def start(regime: Regime, received: date, holidays: Collection[date] = NO_HOLIDAYS) -> Clock:
    """The clock of a request received on a day. Raises UsageError for a day before the law applied."""
    if received < regime.since:
        raise UsageError(f"{regime.name} applies since {regime.since}; nothing was received under it on {received}")
    confirm_by = None if regime.confirm is None else business_days_after(received, regime.confirm, holidays)
    return Clock(deadline(regime, received, holidays=holidays), confirm_by)


def deadline(
    regime: Regime,
    received: date,
    *,
    extended: bool = False,
    paused_days: int = 0,
    holidays: Collection[date] = NO_HOLIDAYS,
) -> date:
    """The last day to answer. ``paused_days``: days on which the clock stood still."""
    period = regime.extended if extended else regime.answer
    end = add_months(received, period.months) + timedelta(days=period.days + paused_days)
    return next_working_day(end, holidays) if regime.rolls else end


def add_months(day: date, months: int) -> date:
    """The same date so many months later, or the last day of a month that does not have it."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def next_working_day(day: date, holidays: Collection[date] = NO_HOLIDAYS) -> date:
    """The day itself if it is a working day, else the first one after it."""
    while not is_working_day(day, holidays):
        day += timedelta(days=1)
    return day


def business_days_after(day: date, number: int, holidays: Collection[date] = NO_HOLIDAYS) -> date:
    """The ``number``-th working day after a day, which is not counted itself."""
    while number:
        day += timedelta(days=1)
        number -= is_working_day(day, holidays)
    return day


def is_working_day(day: date, holidays: Collection[date] = NO_HOLIDAYS) -> bool:
    """Monday to Friday and no holiday."""
    return day.weekday() < calendar.SATURDAY and day not in holidays


def read_holidays(text: str) -> frozenset[date]:
    """Public holidays from text: one date (YYYY-MM-DD) a line; what follows a ``#`` is a remark. Raises UsageError."""
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        value = line.partition("#")[0].strip()
        if value:
            try:
                found.add(date.fromisoformat(value))
            except ValueError:
                raise UsageError(f"line {number} of the holidays is no date", hint="Write 2026-12-25.") from None
    return frozenset(found)
