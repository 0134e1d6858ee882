"""Finding sessions: one row a session, filtered by person, model, decision and time."""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.errors import NotFoundError
from ledger.store import Store
from replay.catalog import Catalog


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


_COLUMNS = """
session, strftime(min(first_at), '%Y-%m-%dT%H:%M:%S.%gZ') AS first_at, strftime(max(last_at), '%Y-%m-%dT%H:%M:%S.%gZ'),
sum(rows), sum(inferences), sum(tools), sum(policies), sum(failures),
list_sort(list_distinct(flatten(list(models)))), list_sort(list_distinct(flatten(list(decisions)))),
list_sort(list_distinct(flatten(list(sources)))), sum(input_tokens), sum(output_tokens)
"""


def find_sessions(catalog: Catalog, wanted: Filter) -> list[SessionRow]:
    """Sessions, the newest first. Raises NotFoundError for a person whom the keyring does not know."""
    having, parameters = _conditions(catalog.store, wanted)
    sql = f"SELECT {_COLUMNS} FROM session_parts GROUP BY session"
    if having:
        sql += " HAVING " + " AND ".join(having)
    sql += " ORDER BY max(last_at) DESC, session LIMIT ?"
    rows = catalog.connection.execute(sql, [*parameters, wanted.limit]).fetchall()
    return [_row(row) for row in rows]


def _conditions(store: Store, wanted: Filter) -> tuple[list[str], list[Any]]:
    having: list[str] = []
    parameters: list[Any] = []
    if wanted.user is not None:
        references = store.keyring.lookup(wanted.user)
        if not references:
            raise NotFoundError("the keyring knows no such identifier", hint="Give it as the source wrote it.")
        having.append("list_has_any(flatten(list(subjects)), ?::VARCHAR[])")
        parameters.append(references)
    if wanted.model is not None:
        having.append("list_contains(flatten(list(models)), ?)")
        parameters.append(wanted.model)
    if wanted.decision is not None:
        having.append("list_contains(flatten(list(decisions)), ?)")
        parameters.append(wanted.decision)
    if wanted.since is not None:
        having.append("max(last_at) >= ?::TIMESTAMPTZ")
        parameters.append(wanted.since)
    if wanted.until is not None:
        having.append("min(first_at) < ?::TIMESTAMPTZ")
        parameters.append(wanted.until)
    return having, parameters


def _row(row: tuple[Any, ...]) -> SessionRow:
    return SessionRow(
        *row[:3], *(int(value or 0) for value in row[3:8]), *(value or [] for value in row[8:11]), *row[11:]
    )


def resolve_session(catalog: Catalog, text: str) -> str:
    """A session by its reference, the source's own id, or a unique beginning. Raises NotFoundError."""
    connection = catalog.connection
    exact = connection.execute("SELECT 1 FROM session_parts WHERE session = ? LIMIT 1", [text]).fetchone()
    if exact:
        return text
    references = [ref for ref in catalog.store.keyring.lookup(text) if _has(catalog, ref)]
    if len(references) == 1:
        return references[0]
    rows = connection.execute(
        "SELECT DISTINCT session FROM session_parts WHERE starts_with(session, ?) LIMIT 3", [text]
    ).fetchall()
    if len(rows) == 1 and text:
        return str(rows[0][0])
    problem = "several sessions begin with" if rows else "no session"
    raise NotFoundError(f"{problem} {text!a} in this store")


def _has(catalog: Catalog, session: str) -> bool:
    row = catalog.connection.execute("SELECT 1 FROM session_parts WHERE session = ? LIMIT 1", [session]).fetchone()
    return row is not None
