"""What the fixed reports have in common: the state that they speak of, and how they ask it.

Everything is asked of what the entries under the checkpoint hold, through the views of docs/QUERY.md: whoever has the
store can repeat the SQL that a table names with ``evidence query``. A period is [from, to), RFC 3339 UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from textwrap import dedent
from typing import Any, Final

import duckdb

from ledger.history import Entry
from ledger.store import Store
from replay import catalog as catalogs
from replay import views
from replay.catalog import Catalog
from replay.restricted import records_left_out
from reports.document import AsOf, Cell, Column, Report, Section, Table
from reports.published import Published, as_of

Period = tuple[str | None, str | None]
ALWAYS: Final[Period] = (None, None)

MAX_ROWS: Final = 10_000
"""Rows of a table; how many there are is said."""

DIGITS: Final = 12
"""Digits by which ids are shown where a table has several, or is wide."""

NOT_EVIDENCED: Final = "not evidenced here"


class Asking:
    """A store as of a checkpoint, ready to be asked. ``left_out``: records that name people who are restricted."""

    def __init__(
        self, catalog: Catalog, connection: duckdb.DuckDBPyConnection, published: Published, period: Period
    ) -> None:
        self.catalog = catalog
        self.period = period
        self.as_of: AsOf = as_of(catalog.store, published)
        self.entries: list[Entry] = catalog.store.history.entries[: published.checkpoint.size]
        self.left_out = records_left_out(catalog)
        self._connection = connection
        self._values = {"since": period[0], "until": period[1]}

    @property
    def store(self) -> Store:
        """The store that is asked."""
        return self.catalog.store

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query; ``$since`` and ``$until`` in it are the period's bounds."""
        named = {name: value for name, value in self._values.items() if f"${name}" in sql}
        return self._connection.execute(sql, named).fetchall() if named else self._connection.execute(sql).fetchall()

    def execute(self, sql: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        """A statement for tables of its own, with ``rows`` where it takes values."""
        if rows:
            self._connection.executemany(sql, rows)
        elif "?" not in sql:
            self._connection.execute(sql)

    def within(self, column: str) -> str:
        """SQL: whether a time lies in the period."""
        bounds = ((">=", "since"), ("<", "until"))
        return (
            " AND ".join(
                f"{column} {sign} $since".replace("since", name) for sign, name in bounds if self._values[name]
            )
            or "true"
        )

    def is_within(self, time: str) -> bool:
        """The same for RFC 3339 UTC text. Without its Z it sorts at any precision."""
        since, until = self.period
        return (since is None or since[:-1] <= time[:-1]) and (until is None or time[:-1] < until[:-1])

    def as_written(self, sql: str) -> str:
        """A query as one types it: the period's bounds stand in it."""
        return re.sub(r"\$(since|until)\b", lambda name: f"TIMESTAMPTZ '{self._values[name[1]]}'", dedent(sql).strip())

    def table(
        self,
        name: str,
        title: str,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Any]],
        *,
        query: str | None = None,
        note: str | None = None,
        most: int = MAX_ROWS,
    ) -> Table:
        """A table of values as they come from a query, as far as the first ``most`` rows."""
        return Table(
            name,
            title,
            tuple(columns),
            tuple(tuple(map(cell, row)) for row in rows[:most]),
            note,
            None if query is None else self.as_written(query),
            len(rows) if len(rows) > most else None,
        )

    def report(self, name: str, title: str, sections: Sequence[Section], not_proven: Sequence[str]) -> Report:
        """The report, with what it was asked for."""
        since, until = self.period
        parameters = (("from", since or "the beginning"), ("until before", until or "the checkpoint"))
        return Report(name, title, self.as_of, tuple(sections), parameters, (*not_proven, *GENERAL))


GENERAL: Final = (
    "That a record is unchanged since it was taken in says nothing of whether it was true.",
    "What was never brought to this store is not in it: nothing here shows that the records of a source are all there.",
)


@contextmanager
def asked(catalog: Catalog, published: Published, period: Period) -> Iterator[Asking]:
    """The store as of a checkpoint."""
    with catalogs.as_of(catalog, published.checkpoint.size) as bounded, views.on(bounded) as connection:
        yield Asking(bounded, connection, published, period)


def short(reference: str | None) -> str | None:
    """The first digits of a record's id or of a reference; ``RECORDS`` and tables of people have them in full."""
    return None if reference is None else reference[:DIGITS]


def shorts(references: Iterable[str]) -> list[str]:
    """The same of several."""
    return [reference[:DIGITS] for reference in references]


def at(column: str) -> str:
    """SQL: a time as RFC 3339 UTC text, to the second."""
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ')"


def seconds(time: str | None) -> str | None:
    """RFC 3339 UTC text to the second."""
    return None if time is None else f"{time[:19]}Z"


def length(begin: str, end: str) -> str:
    """The time between two RFC 3339 UTC times, in the largest unit of which it has two."""
    minutes = int((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()) // 60
    return in_words(minutes)


def in_words(minutes: int) -> str:
    """A length of time in the largest unit of which it has two."""
    for size, name in ((1440, "days"), (60, "hours")):
        if minutes >= 2 * size:
            return f"{minutes // size} {name}"
    return many(minutes, "minute")


def cell(value: Any) -> Cell:
    """A value of a query as a cell."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or None
    return str(value)


def size(number: int) -> str:
    """Bytes in the largest unit of which there is one."""
    amount = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{number:,} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"


def many(number: int, what: str, plural: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {what if number == 1 else plural or what + 's'}"
