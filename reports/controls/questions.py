"""Asking the store: a test's SQL put together, run in the guarded process, and its answer as plain values.

Shipped tests and those of users go the same way: one SELECT over the views as of a checkpoint, which reaches nothing
else. A query is complete in itself, so that whoever reads it in a report can run it again with `evidence query`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from ledger.errors import ConfigError, QueryRefusedError
from replay.query import Result, Views, run
from reports.controls.schema import ControlTest, NotApplicable, Value
from reports.document import Cell, Column, Kind

SHOWN: Final = 200
"""Exceptions of one test that a report lists; all are counted."""
_AT_ONCE: Final = 2
"""Queries that run side by side: each is a process of its own, with its own memory."""


@dataclass(frozen=True)
class Asked:
    """A test with the values of its parameters: what is asked, and what two controls can share."""

    name: str
    values: tuple[tuple[str, Value], ...]
    test: ControlTest = field(compare=False, repr=False)


class Moment(NamedTuple):
    """What "now" is, and the period that is asked for: RFC 3339 UTC, since (included) and until (not included)."""

    now: str
    since: str | None = None
    until: str | None = None


class Answer(NamedTuple):
    """What the store said. ``missing``: what the test needs and is not there. ``query``: gives the exceptions."""

    population: int
    exceptions: int
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    missing: tuple[str, ...]
    facts: tuple[tuple[str, Cell], ...]
    query: str


def ask_all(views: Views, asked: Sequence[Asked], moment: Moment) -> dict[Asked, Answer]:
    """The answer to each. Raises QueryRefusedError or ConfigError naming test and reason where one does not work."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(asked, pool.map(lambda one: _ask(views, one, moment), asked), strict=True))


def applies(views: Views, rules: Sequence[NotApplicable], moment: Moment) -> list[bool]:
    """Of each rule whether its control applies. Raises QueryRefusedError."""
    if not rules:
        return []
    columns = ", ".join(f"(\n{rule.when}\n) AS rule_{number}" for number, rule in enumerate(rules))
    sql = f"WITH {_given(moment, ())}\nSELECT {columns}"
    (row,) = _run(views, sql, "not_applicable").rows()
    return [not value for value in row]


def _ask(views: Views, asked: Asked, moment: Moment) -> Answer:
    test = asked.test
    body = _body(asked, moment)
    extra = [f"(\n{need.query}\n)" for need in test.needs]
    extra.append(f"(SELECT to_json(f)::VARCHAR FROM (\n{test.facts}\n) f LIMIT 1)" if test.facts else "NULL")
    counts = ["(SELECT count(*) FROM population)", "(SELECT count(*) FROM exceptions)", *extra]
    sql = (
        f"{body}\nSELECT {', '.join(f'{column} AS _{number}' for number, column in enumerate(counts))}, e.*\n"
        f"FROM (SELECT 1) LEFT JOIN (\n{_listed(SHOWN)}\n) e ON true"
    )
    result = _run(views, sql, f"test {test.name}")
    rows = result.rows()
    population, exceptions, *needed, facts = rows[0][: len(counts)]
    names = result.table.column_names[len(counts) :]
    _check_columns(test, names)
    return Answer(
        population,
        exceptions,
        tuple(Column(name.replace("_", " "), _kind(name, result, len(counts) + at)) for at, name in enumerate(names)),
        tuple(tuple(map(_cell, row[len(counts) :])) for row in rows) if exceptions else (),
        tuple(need.what for need, found in zip(test.needs, needed, strict=True) if not found),
        tuple((name.replace("_", " "), _cell(value)) for name, value in json.loads(facts or "{}").items()),
        f"{body}\n{_listed()}",
    )


def _body(asked: Asked, moment: Moment) -> str:
    test = asked.test
    exceptions = test.exceptions or "SELECT * FROM population WHERE false"
    return (
        f"WITH {_given(moment, asked.values)},\n"
        f"population AS MATERIALIZED (\n{_within(test.population.strip())}\n),\n"
        f"exceptions AS MATERIALIZED (\n{exceptions.strip()}\n)"
    )


def _within(population: str) -> str:
    """The part of a population in the period that is asked for; what has no time is always in it."""
    return (
        f"SELECT p.* FROM (\n{population}\n) p, given g\n"
        "WHERE p.time IS NULL OR ((g.since IS NULL OR p.time >= g.since) AND (g.until IS NULL OR p.time < g.until))"
    )


def _listed(limit: int | None = None) -> str:
    """The exceptions in an order that is the same each time."""
    end = "" if limit is None else f" LIMIT {limit}"
    return f"SELECT e.* FROM exceptions e ORDER BY e.time NULLS LAST, to_json(e)::VARCHAR{end}"


def _given(moment: Moment, values: Sequence[tuple[str, Value]]) -> str:
    times = ((name, getattr(moment, name)) for name in ("now", "since", "until"))
    columns = [f"{'NULL' if at is None else _quoted(at)}::TIMESTAMPTZ AS {name}" for name, at in times]
    columns += [f"{value if isinstance(value, int) else _quoted(value)} AS {name}" for name, value in values]
    return f"given AS (SELECT {', '.join(columns)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _run(views: Views, sql: str, what: str) -> Result:
    try:
        return run(views, sql, limit=SHOWN + 1)
    except QueryRefusedError as error:
        raise QueryRefusedError(f"{what}: {error.message}", hint="See docs/CONTROLS.md and docs/QUERY.md.") from None


def _check_columns(test: ControlTest, names: Sequence[str]) -> None:
    if names[0] not in ("record_id", "entry") or "time" not in names:
        raise ConfigError(
            f"test {test.name}: its rows begin with record_id or entry, and have a column time; these have "
            f"{', '.join(names)}",
            hint="See docs/CONTROLS.md.",
        )


_ID: Final = re.compile(r"(record|approval)(_id)?\Z|record_id\Z|.*_record\Z")


def _kind(name: str, result: Result, at: int) -> Kind:
    if name == "entry" or _ID.match(name):
        return "id"
    found = str(result.table.schema.field(at).type)
    if found.startswith(("timestamp", "date")):
        return "time"
    return "number" if found.startswith(("int", "uint", "double", "decimal")) else "text"


def _cell(value: Any) -> Cell:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return json.dumps(value, default=str) if isinstance(value, Mapping) else str(value)
