"""Lengths of time as a retention policy states them: ISO 8601 durations of whole days, counted by the calendar."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Final, NamedTuple

_ISO: Final = re.compile(r"P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?\Z")


class Duration(NamedTuple):
    """Calendar months, then days."""

    months: int
    days: int

    def __str__(self) -> str:
        """As a policy may write it."""
        years, months = divmod(self.months, 12)
        parts = ((years, "Y"), (months, "M"), (self.days, "D"))
        return "P" + "".join(f"{number}{unit}" for number, unit in parts if number)

    @classmethod
    def parse(cls, text: str) -> Duration:
        """``P6M``, ``P6Y``, ``P1Y6M``, ``P2W``, ``P30D``. Raises ValueError, also for one of no length."""
        found = _ISO.match(text)
        if found is None:
            raise ValueError(f"{text[:40]!a} is no ISO 8601 duration of whole days, such as P6M, P6Y or P30D")
        years, months, weeks, days = (int(part or 0) for part in found.groups())
        duration = cls(12 * years + months, 7 * weeks + days)
        if duration == (0, 0):
            raise ValueError(f"{text[:40]!a} has no length")
        return duration

    def last_day(self, begun: date) -> date:
        """The day with whose end the period is over that began in the course of ``begun``.

        Regulation (EEC, Euratom) No 1182/71, Article 3: the day of the event is not counted, and months end on the same
        date, or on the last day of a month without it. What lies beyond the calendar is its last day.
        """
        months = begun.year * 12 + begun.month - 1 + self.months
        year, month = divmod(months, 12)
        try:
            day = min(begun.day, calendar.monthrange(year, month + 1)[1])
            return date(year, month + 1, day) + timedelta(days=self.days)
        except (OverflowError, ValueError):
            return date.max
