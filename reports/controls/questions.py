"""Asking the store: a test's SQL put together, run in the guarded process, and its answer as plain values.

Shipped tests and those of users go the same way: one SELECT over the views as of a checkpoint, which reaches nothing
else. A query is complete in itself, so that whoever reads it in a report can run it again with `evidence query`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from ledger.errors import ConfigError, QueryRefusedError
from replay.query import MAX_ROWS, Result, Views, run_all
from reports.controls.schema import ControlTest, NotApplicable, Value
from reports.document import Cell, Column, Kind

SHOWN: Final = 200
"""Exceptions of one test that a report lists; all are counted."""


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
    queries = [_query(one, moment) for one in asked]
    results = _run(views, queries, [f"test {one.name}" for one in asked])
    bodies = (_body(one, moment) for one in asked)
    return {one: _answer(one, body, result) for one, body, result in zip(asked, bodies, results, strict=True)}


def applies(views: Views, rules: Sequence[NotApplicable], moment: Moment) -> list[bool]:
    """Of each rule whether its control applies. Raises QueryRefusedError."""
    given = _given(moment, ())
    queries = [f"WITH {given}\nSELECT (\n{rule.when}\n) AS rule" for rule in rules]
    results = _run(views, queries, [f"not_applicable: {rule.why}" for rule in rules])
    return [not result.rows()[0][0] for result in results]


def records_of(views: Views, asked: Sequence[Asked], moment: Moment) -> set[str]:
    """The ids of all records that tests look at, and of the approvals that these rest on.

    Raises QueryRefusedError where there are more than a query gives.
    """
    named = "unnest([to_json(p)->>'$.record_id', to_json(p)->>'$.approval_record']) AS record_id FROM"
    queries = [f"{_body(one, moment)}\nSELECT {named} population p UNION SELECT {named} exceptions p" for one in asked]
    results = run_all(views, [(sql, ()) for sql in queries], limit=MAX_ROWS) if queries else []
    if any(result.more for result in results):
        raise QueryRefusedError(f"the control looks at more than {MAX_ROWS:,} records", hint="Name a shorter period.")
    return {record for result in results for (record,) in result.rows() if record is not None}


def _query(asked: Asked, moment: Moment) -> str:
    """How many there are, how many exceptions, what is needed, facts; and beside them, row by row, the exceptions."""
    listed = ", ".join(f"{column} AS _{number}" for number, column in enumerate(_counts(asked.test)))
    return f"{_body(asked, moment)}\nSELECT {listed}, e.*\nFROM (SELECT 1) LEFT JOIN (\n{_listed(SHOWN)}\n) e ON true"


def _counts(test: ControlTest) -> list[str]:
    facts = f"(SELECT to_json(f)::VARCHAR FROM (\n{test.facts}\n) f LIMIT 1)" if test.facts else "NULL"
    needs = [f"(\n{need.query}\n)" for need in test.needs]
    return ["(SELECT count(*) FROM population)", "(SELECT count(*) FROM exceptions)", *needs, facts]


def _answer(asked: Asked, body: str, result: Result) -> Answer:
    test, rows, counted = asked.test, result.rows(), len(asked.test.needs) + 3
    population, exceptions, *needed, facts = rows[0][:counted]
    names = result.table.column_names[counted:]
    _check_columns(test, names)
    return Answer(
        population,
        exceptions,
        tuple(Column(name.replace("_", " "), _kind(name, result, counted + at)) for at, name in enumerate(names)),
        tuple(tuple(map(_cell, row[counted:])) for row in rows) if exceptions else (),
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


def _run(views: Views, queries: Sequence[str], named: Sequence[str]) -> list[Result]:
    """The results of queries; ``named``: what each is, for an error."""
    if not queries:
        return []
    try:
        return run_all(views, [(sql, ()) for sql in queries], limit=SHOWN + 1)
    except QueryRefusedError as error:
        number = error.where.get("number")
        what = named[number] if isinstance(number, int) else "the tests"
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
