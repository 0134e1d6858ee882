"""What model versions served: calls whose records assert a version, and those of which it is inferred from changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from replay.lineage import Span, alias_of, spans
from reports.document import Column, Table
from reports.fixed.asking import Asking, at

ASSERTED: Final = "asserted"
INFERRED: Final = "inferred"
AMBIGUOUS: Final = "ambiguous"
UNKNOWN: Final = "not known"
BASES: Final = (ASSERTED, INFERRED, AMBIGUOUS, UNKNOWN)

AS_CHANGES_SAY: Final = "the same"
ASSERTED_OTHERWISE: Final = "another version"
NO_CHANGE: Final = "nothing"

SERVED: Final = """
    -- in_force: the versions in force as this report lists them, by what calls name (model) and the system they name
    WITH calls AS (FROM model_calls WHERE {within}),
    held AS (
        SELECT c.record_id, list_sort(list_distinct(flatten(list(f.versions)))) AS versions
        FROM calls c JOIN in_force f ON f.model = c.model_name AND f.system IS NOT DISTINCT FROM c.system
            AND c.time_known AND c.called_at >= f.begin_at AND (f.end_at IS NULL OR c.called_at < f.end_at)
        GROUP BY c.record_id
    ),
    judged AS (
        SELECT c.*, h.versions,
            CASE WHEN model_version IS NOT NULL THEN 'asserted' WHEN h.versions IS NULL THEN 'not known'
                WHEN len(h.versions) = 1 THEN 'inferred' ELSE 'ambiguous' END AS basis
        FROM calls c LEFT JOIN held h USING (record_id)
    )
    SELECT model_name, coalesce(model_version, array_to_string(versions, ' or ')) AS version, system, basis,
        CASE WHEN versions IS NULL THEN 'nothing' WHEN model_version IS NULL THEN NULL
            WHEN list_contains(versions, model_version) THEN 'the same' ELSE 'another version' END AS by_changes,
        count(*) AS calls, count(DISTINCT session) AS sessions, count(*) FILTER (status = 'error') AS errors,
        {first}, {last}
    FROM judged GROUP BY ALL ORDER BY model_name NULLS LAST, version NULLS LAST, system NULLS FIRST, basis, by_changes
"""
FIRST_USES: Final = """
    -- spans: the versions in force, numbered as this report lists them
    SELECT s.number, {first}, min(p.seq)
    FROM model_calls c JOIN partitions p USING (partition) JOIN spans s ON s.model = c.model_name
        AND list_contains(s.versions, c.model_version) AND (s.system IS NULL OR c.system IS NULL OR s.system = c.system)
        AND c.called_at >= s.begin_at AND (s.end_at IS NULL OR c.called_at < s.end_at)
    GROUP BY s.number
"""
_TIMES: Final = "model VARCHAR, system VARCHAR, versions VARCHAR[], begin_at TIMESTAMPTZ, end_at TIMESTAMPTZ"


class Served(NamedTuple):
    """Calls of one name, version and basis. ``agrees``: what the changes say was in force, beside what is asserted."""

    model: str | None
    version: str | None
    system: str | None
    basis: str
    agrees: str | None
    calls: int
    sessions: int
    errors: int
    first: str
    last: str


class FirstUse(NamedTuple):
    """The earliest call within a span that asserts its version, and the first commit that brought one."""

    at: str
    seq: int


def served(ask: Asking) -> tuple[list[Served], str]:
    """Calls of the period by name, version and basis; and the query."""
    _keep_in_force(ask)
    sql = SERVED.format(within=ask.within("called_at"), first=at("min(called_at)"), last=at("max(called_at)"))
    return [Served(*row) for row in ask.rows(sql)], sql


def _keep_in_force(ask: Asking) -> None:
    """The spans of models as a table ``in_force``: those of an alias under the model's name, too."""
    systems = {row[0] for row in ask.rows("SELECT DISTINCT system FROM model_calls")}
    ask.execute(f"CREATE TEMP TABLE in_force ({_TIMES})")
    rows = [
        (name, span.system, list(span.versions), span.begin, span.end)
        for span in spans(ask.catalog, "model", systems)
        for name in filter(None, (span.name, alias_of(span.name)))
    ]
    ask.execute("INSERT INTO in_force VALUES (?, ?, ?, ?, ?)", rows)


def first_uses(ask: Asking, found: Sequence[Span]) -> dict[int, FirstUse]:
    """The first use in each span of the version in force, by the span's number; whatever the period."""
    ask.execute(f"CREATE TEMP TABLE spans (number INTEGER, {_TIMES})")
    rows = [
        (number, span.name, span.system, list(span.versions), span.begin, span.end) for number, span in enumerate(found)
    ]
    ask.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?)", rows)
    uses = ask.rows(FIRST_USES.format(first=at("min(called_at)")))
    return {number: FirstUse(first, seq) for number, first, seq in uses}


def served_table(ask: Asking, found: list[Served], sql: str) -> Table:
    """The table of it."""
    rows = [
        (item.model if item.system is None else f"{item.model} ({item.system})", item.version, *item[3:])
        for item in found
    ]
    columns = (
        *(Column("Model", "code"), Column("Version", "code"), Column("Version is")),
        *(Column("The changes say"), Column("Calls", "number"), Column("Sessions", "number")),
        *(Column("Errors", "number"), Column("First", "time"), Column("Last", "time")),
    )
    note = (
        "Asserted: by the record of the call. Inferred: from the last change of that name before the call. Ambiguous: "
        "changes contend. Not known: neither. A call that several records tell of counts once."
    )
    return ask.table("served", "Calls by version", columns, rows, query=sql, note=note)
