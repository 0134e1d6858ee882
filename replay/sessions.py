"""Finding sessions: one row a session, filtered by person, model, decision and time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import duckdb
import msgspec

from ledger.errors import NotFoundError, UsageError
from replay.calls import UNCOUNTED
from replay.catalog import Catalog, parameter
from replay.restricted import names_any


class Filter(msgspec.Struct, frozen=True):
    """What is asked for. ``user`` is any identifier value; a session matches a period if it overlaps with it."""

    user: str | None = None
    model: str | None = None
    decision: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int = 100


class SessionRow(msgspec.Struct, frozen=True):
    """One session. Times are RFC 3339 UTC; ``time_known`` is false where no event of it has a time of its own."""

    session: str
    first_at: str
    last_at: str
    time_known: bool
    records: int
    inferences: int
    tools: int
    policies: int
    failures: int
    models: list[str]
    decisions: list[str]
    sources: list[str]
    input_tokens: int | None
    output_tokens: int | None


_COLUMNS: Final = """
session, strftime(begin_at, '%Y-%m-%dT%H:%M:%S.%gZ'), strftime(end_at, '%Y-%m-%dT%H:%M:%S.%gZ'), timed > 0,
records, inferences, tools, policies, failures, models, decisions, sources, input_tokens, output_tokens
"""


def session_table(schema: str = "main", restricted: Collection[str] = ()) -> str:
    """One row a session, as SQL over the catalog's tables in ``schema``.

    A part without a time of its own (an envelope), or of corrections, does not stretch the session to today. What is
    envelopes alone, such as a trace without any model call, is none. Sessions that name ``restricted`` people are left
    out.
    """
    return f"""
SELECT session,
    coalesce(min(first_at) FILTER (timed > 0), min(first_at)) AS begin_at,
    coalesce(max(last_at) FILTER (timed > 0), max(last_at)) AS end_at, sum(timed)::BIGINT AS timed,
    sum(rows)::BIGINT AS records, (sum(inferences) + coalesce(any_value(u.calls), 0))::BIGINT AS inferences,
    sum(tools)::BIGINT AS tools, sum(policies)::BIGINT AS policies, sum(failures)::BIGINT AS failures,
    list_sort(list_distinct(flatten(list(models)))) AS models,
    list_sort(list_distinct(flatten(list(decisions)))) AS decisions,
    list_sort(list_distinct(flatten(list(sources)))) AS sources,
    list_sum([sum(p.input_tokens), any_value(u.input_tokens)])::BIGINT AS input_tokens,
    list_sum([sum(p.output_tokens), any_value(u.output_tokens)])::BIGINT AS output_tokens,
    list_sort(list_distinct(flatten(list(subjects)))) AS subjects
FROM {schema}.session_parts p LEFT JOIN ({UNCOUNTED.format(echoes=f"{schema}.echoes")}) u USING (session)
GROUP BY session HAVING sum(rows) > sum(envelopes){_without(restricted)}
"""


def _without(restricted: Collection[str]) -> str:
    if not restricted:
        return ""
    return f" AND NOT bool_or({names_any('list_concat(p.subjects, p.owners)', restricted)})"


# An owner who is declared but has no role is a person all the same.
_OF_PERSON: Final = """
session IN (SELECT session FROM session_parts WHERE list_has_any(list_concat(subjects, owners), ?::VARCHAR[]))
"""


def find_sessions(catalog: Catalog, wanted: Filter) -> list[SessionRow]:
    """Sessions, the newest first, but for those of people whose processing is restricted.

    Raises NotFoundError for a person whom the keyring does not know, and UsageError for a period that is none.
    """
    where, parameters = _conditions(catalog, wanted)
    table = session_table(restricted=catalog.store.standing.restricted)
    sql = f"SELECT {_COLUMNS} FROM ({table}){where} ORDER BY end_at DESC, session LIMIT ?"
    rows = catalog.connection.execute(sql, [*parameters, wanted.limit]).fetchall()
    return [SessionRow(*row) for row in rows]


def sessions_left_out(catalog: Catalog, wanted: Filter) -> int:
    """How many sessions match, but are not shown because they name people whose processing is restricted."""
    restricted = catalog.store.standing.restricted
    if not restricted:
        return 0
    where, parameters = _conditions(catalog, wanted)
    counts = [
        catalog.connection.execute(f"SELECT count(*) FROM ({table}){where}", parameters).fetchall()[0][0]
        for table in (session_table(), session_table(restricted=restricted))
    ]
    return int(counts[0] - counts[1])


def _conditions(catalog: Catalog, wanted: Filter) -> tuple[str, list[Any]]:
    """The WHERE of a filter, and its parameters."""
    having: list[str] = []
    parameters: list[Any] = []
    if wanted.user is not None:
        references = catalog.store.keyring.lookup(wanted.user)
        if not references:
            raise NotFoundError("the keyring knows no such identifier", hint="Give it as the source wrote it.")
        having.append(_OF_PERSON)
        parameters.append(references)
    if wanted.model is not None:
        having.append("list_contains(models, ?)")
        parameters.append(parameter(wanted.model))
    if wanted.decision is not None:
        having.append("list_contains(decisions, ?)")
        parameters.append(parameter(wanted.decision))
    if wanted.since is not None:
        having.append("end_at >= ?::TIMESTAMPTZ")
        parameters.append(_time(catalog, wanted.since))
    if wanted.until is not None:
        having.append("begin_at < ?::TIMESTAMPTZ")
        parameters.append(_time(catalog, wanted.until))
    return " WHERE " + " AND ".join(having) if having else "", parameters


def _time(catalog: Catalog, text: str) -> str:
    """A time that the catalog can compare with. Raises UsageError."""
    try:
        catalog.connection.execute("SELECT ?::TIMESTAMPTZ::VARCHAR", [parameter(text)]).fetchall()
    except duckdb.ConversionException:
        raise UsageError(f"{text!a} is no time", hint="Write 2026-10-31T09:00:00Z.") from None
    return text


def resolve_session(catalog: Catalog, text: str) -> str:
    """A session by its reference, the source's own id, or a unique beginning. Raises NotFoundError."""
    connection = catalog.connection
    if _has(catalog, parameter(text)):
        return text
    references = [ref for ref in catalog.store.keyring.lookup(text) if _has(catalog, ref)]
    if len(references) == 1:
        return references[0]
    rows = connection.execute(
        "SELECT DISTINCT session FROM session_parts WHERE starts_with(session, ?) LIMIT 3", [parameter(text)]
    ).fetchall()
    if len(rows) == 1 and text:
        return str(rows[0][0])
    problem = "several sessions begin with" if rows else "no session"
    raise NotFoundError(f"{problem} {text!a} in this store")


def _has(catalog: Catalog, session: str) -> bool:
    rows = catalog.connection.execute("SELECT 1 FROM session_parts WHERE session = ? LIMIT 1", [session]).fetchall()
    return bool(rows)
