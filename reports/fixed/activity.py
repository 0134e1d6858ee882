"""Activity: calls of models by day, model and user, what they cost in tokens, and what was blocked, masked or failed.

Users are random references: who they are stands in the keyring, and not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from replay.catalog import Catalog
from reports.document import Chart, Column, Facts, Report, Section, Table, Text
from reports.fixed import asking
from reports.fixed.asking import ALWAYS, Asking, Period, at, many
from reports.published import Published

NAME: Final = "activity"

SERIES: Final = 5
"""Models that a chart shows by name; the others are one line."""
TOP: Final = 50
"""Users that a table shows."""
SMALL: Final = 5
"""Below so many people a number can tell of one of them."""
MAX_DAYS: Final = 400
"""Days of a chart; longer periods are shown by month."""

TOTALS: Final = """
    SELECT count(*), count(DISTINCT session), coalesce(sum(input_tokens), 0)::BIGINT,
        coalesce(sum(output_tokens), 0)::BIGINT, count(*) FILTER (status = 'error'),
        count(*) FILTER (end_users = []), count(*) FILTER (coalesce(input_tokens, output_tokens) IS NULL),
        count(*) FILTER (NOT time_known), {first}, {last}
    FROM model_calls WHERE {within}
"""
USERS: Final = """
    SELECT count(DISTINCT person) FROM (SELECT unnest(end_users) AS person FROM model_calls WHERE {within})
"""
MODELS: Final = """
    WITH calls AS (FROM model_calls WHERE {within}),
    people AS (
        SELECT model, count(DISTINCT person) AS users FROM (SELECT model, unnest(end_users) AS person FROM calls)
        GROUP BY model
    )
    SELECT c.model, count(*) AS calls, count(DISTINCT session), coalesce(any_value(p.users), 0),
        sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, count(*) FILTER (status = 'error'), {first}, {last}
    FROM calls c LEFT JOIN people p ON p.model IS NOT DISTINCT FROM c.model
    GROUP BY c.model ORDER BY calls DESC, c.model NULLS LAST
"""
BY_DAY: Final = """
    SELECT strftime(called_at, '%Y-%m-%d') AS day, model, count(*), count(DISTINCT session),
        sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, count(*) FILTER (status = 'error')
    FROM model_calls WHERE {within} GROUP BY day, model ORDER BY day, model NULLS LAST
"""
BY_USER: Final = """
    WITH calls AS (SELECT *, unnest(end_users) AS person FROM model_calls WHERE {within}),
    verdicts AS (
        SELECT unnest(subjects) AS person, decision FROM records
        WHERE kind = 'policy' AND decision IS NOT NULL AND {decided}
    ),
    judged AS (
        SELECT person, count(*) FILTER (decision = 'blocked') AS blocked,
            count(*) FILTER (decision = 'masked') AS masked, count(*) FILTER (decision = 'flagged') AS flagged
        FROM verdicts GROUP BY person
    ),
    gone AS (SELECT DISTINCT unnest(subjects) AS person FROM erasures)
    SELECT person, count(*) AS calls, count(DISTINCT session), list_sort(list(DISTINCT model)),
        sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, count(*) FILTER (status = 'error'),
        coalesce(any_value(j.blocked), 0), coalesce(any_value(j.masked), 0), coalesce(any_value(j.flagged), 0),
        {first}, {last}, CASE WHEN person IN (FROM gone) THEN 'keys destroyed' ELSE 'kept' END
    FROM calls LEFT JOIN judged j USING (person) GROUP BY person ORDER BY calls DESC, person
"""
DECISIONS: Final = """
    SELECT decision, kind, source, count(*) AS records, count(DISTINCT session), {first}, {last}
    FROM records WHERE decision IS NOT NULL AND kind IN ('policy', 'tool', 'inference') AND {within}
    GROUP BY decision, kind, source ORDER BY decision, kind, source
"""
ERRORS: Final = """
    SELECT coalesce(error_type, 'not stated'), model, count(*) AS calls, count(DISTINCT session), {first}, {last}
    FROM model_calls WHERE status = 'error' AND {within} GROUP BY 1, model ORDER BY calls DESC, 1, model NULLS LAST
"""

Row = tuple[Any, ...]


def activity(catalog: Catalog, published: Published, period: Period = ALWAYS) -> Report:
    """The report. Raises what reading the catalog raises."""
    with asking.asked(catalog, published, period) as ask:
        models_sql, models = _asked(ask, MODELS, "called_at")
        days_sql, days = _asked(ask, BY_DAY, "called_at")
        users_sql, users = _asked(ask, BY_USER, "called_at")
        named = [row[0] for row in models[:SERIES]]
        sections = (
            Section("Summary", (_facts(ask), *_warnings(ask))),
            Section("By day", (*_charts(days, named), _by_day(ask, days, days_sql))),
            Section("By model", (_by_model(ask, models, models_sql), _errors(ask))),
            Section(
                "By user", (_by_user(ask, users, users_sql), _verdicts(ask, users, users_sql), _small(models, users))
            ),
            Section("Decisions", (_decisions(ask),)),
        )
        return ask.report(NAME, "Activity by user and model", sections, NOT_PROVEN)


NOT_PROVEN: Final = (
    "Calls, tokens and errors are as the sources recorded them. A call that no source recorded is not here.",
    "A person whom sources know by several identifiers is several references; a reference is one person.",
)


def _asked(ask: Asking, sql: str, time: str) -> tuple[str, list[Row]]:
    """A query with its times and period filled in, and its rows."""
    filled = sql.format(
        within=ask.within(time),
        decided=ask.within("coalesce(occurred_at, observed_at)"),
        first=at(f"min({time})"),
        last=at(f"max({time})"),
    )
    return filled, ask.rows(filled)


def _facts(ask: Asking) -> Facts:
    ((calls, sessions, given, made, errors, nobody, uncounted, untimed, first, last),) = _asked(
        ask, TOTALS, "called_at"
    )[1]
    ((users,),) = _asked(ask, USERS, "called_at")[1]
    return Facts(
        (
            ("Calls of models", calls),
            ("Sessions with calls", sessions),
            ("Users, by reference", users),
            ("Calls that name no user", nobody),
            ("Input tokens", given),
            ("Output tokens", made),
            ("Calls without any count of tokens", uncounted),
            ("Calls that failed", errors),
            ("Calls without a time of their own (here: when taken in)", untimed),
            ("First call", first),
            ("Last call", last),
            ("Records left out because they name restricted people", ask.left_out),
        )
    )


def _warnings(ask: Asking) -> tuple[Text, ...]:
    if not ask.left_out:
        return ()
    words = f"{many(ask.left_out, 'record')} of people whose processing is restricted are in none of these numbers."
    return (Text((words,), "alert"),)


def _charts(days: Sequence[Row], named: Sequence[str | None]) -> tuple[Chart, ...]:
    """Calls, tokens and errors by day, a line a model."""
    return tuple(
        _chart(days, named, name, title, what, values)
        for name, title, what, values in (
            ("calls-by-day", "Calls", "Calls", (2,)),
            ("tokens-by-day", "Tokens, in and out", "Tokens", (4, 5)),
            ("errors-by-day", "Calls that failed", "Calls", (6,)),
        )
    )


def _chart(
    days: Sequence[Row], named: Sequence[str | None], name: str, title: str, what: str, values: Sequence[int]
) -> Chart:
    """Each line has every day (or month) between the first and the last: without a call it is 0."""
    every = _steps([row[0] for row in days])
    monthly = bool(every) and len(every[0]) == len("2026-01")
    counts: dict[str, dict[str, int]] = {}
    for row in days:
        series = "others" if row[1] not in named else _model(row[1])
        line = counts.setdefault(series, dict.fromkeys(every, 0))
        line[row[0][:7] if monthly else row[0]] += sum(row[value] or 0 for value in values)
    totals = {series: sum(numbers.values()) for series, numbers in counts.items()}
    order = sorted(
        (series for series, total in totals.items() if total),
        key=lambda series: (series == "others", -totals[series], series),
    )
    rows = [
        (f"{day}-01T00:00:00Z" if monthly else f"{day}T00:00:00Z", number, series)
        for series in order
        for day, number in counts[series].items()
    ]
    told = "; ".join(f"{series}: {totals[series]:,} in all" for series in order) or "There is none."
    unit = "Month" if monthly else "Day"
    return Chart(name, f"{title} by {unit.lower()} and model", "line", tuple(rows), unit, what, told)


def _steps(days: Sequence[str]) -> list[str]:
    """Every day from the first to the last, as YYYY-MM-DD; over a long time every month, as YYYY-MM."""
    if not days:
        return []
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    if (last - first).days > MAX_DAYS:
        return [
            f"{month // 12:04d}-{month % 12 + 1:02d}"
            for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        ]
    return [(first + timedelta(number)).isoformat() for number in range((last - first).days + 1)]


def _model(name: str | None) -> str:
    return "(not named)" if name is None else name


def _by_day(ask: Asking, days: Sequence[Row], sql: str) -> Table:
    columns = (
        *(Column("Day"), Column("Model", "code"), Column("Calls", "number"), Column("Sessions", "number")),
        *(Column("Input tokens", "number"), Column("Output tokens", "number"), Column("Failed", "number")),
    )
    return ask.table("by-day", "Calls by day and model", columns, days, query=sql)


def _by_model(ask: Asking, models: Sequence[Row], sql: str) -> Table:
    columns = (
        *(Column("Model", "code"), Column("Calls", "number"), Column("Sessions", "number")),
        *(Column("Users", "number"), Column("Input tokens", "number"), Column("Output tokens", "number")),
        *(Column("Failed", "number"), Column("First", "time"), Column("Last", "time")),
    )
    note = "By the model that answered, as the record names it; which version that was: see the report on lineage."
    return ask.table("by-model", "Models", columns, models, query=sql, note=note)


def _errors(ask: Asking) -> Table:
    sql, rows = _asked(ask, ERRORS, "called_at")
    columns = (
        *(Column("Error", "code"), Column("Model", "code"), Column("Calls", "number"), Column("Sessions", "number")),
        *(Column("First", "time"), Column("Last", "time")),
    )
    return ask.table("errors", "Failed calls", columns, rows, query=sql)


def _by_user(ask: Asking, users: Sequence[Row], sql: str) -> Table:
    columns = (
        *(Column("Reference", "id"), Column("Calls", "number"), Column("Sessions", "number")),
        *(Column("Input tokens", "number"), Column("Output tokens", "number"), Column("Failed", "number")),
        *(Column("First", "time"), Column("Last", "time"), Column("Content")),
    )
    rows = [(*row[:3], *row[4:7], *row[10:]) for row in users]
    note = (
        "Content: whether an erasure has destroyed the keys of what came before it. A call that names several users "
        "counts for each."
    )
    return ask.table("by-user", f"The {TOP} users with the most calls", columns, rows, query=sql, note=note, most=TOP)


def _verdicts(ask: Asking, users: Sequence[Row], sql: str) -> Table:
    columns = (
        *(Column("Reference", "id"), Column("Models", "code"), Column("Blocked", "number")),
        *(Column("Masked", "number"), Column("Flagged", "number")),
    )
    rows = [(row[0], row[3], *row[7:10]) for row in users if any(row[7:10])]
    rows.sort(key=lambda row: (-sum(row[2:]), row[0]))
    title = "Users about whom a filter gave a verdict"
    note = "Verdicts of filters that name the user, of users with a call in the period."
    return ask.table("verdicts-by-user", title, columns, rows, query=sql, note=note, most=TOP)


def _small(models: Sequence[Row], users: Sequence[Row]) -> Text:
    few = sum(row[3] < SMALL for row in models)
    words = (
        f"Rows by user are about one person each, though they name nobody. {few} of {many(len(models), 'model')} had "
        f"fewer than {SMALL} users: whoever knows who used such a model learns from its row what they did. Keep this "
        "report among those who may know."
    )
    return Text((words,) if users else ("No call names a user.",), "limit")


def _decisions(ask: Asking) -> Table:
    sql, rows = _asked(ask, DECISIONS, "coalesce(occurred_at, observed_at)")
    columns = (
        *(Column("Decision", "code"), Column("Kind", "code"), Column("Source", "code"), Column("Records", "number")),
        *(Column("Sessions", "number"), Column("First", "time"), Column("Last", "time")),
    )
    note = "Approvals of changes are in the report on changes."
    return ask.table("decisions", "Decisions by source", columns, rows, query=sql, note=note)
