"""Counting a call once, however many records tell of it, as SQL over the catalog and an events file.

A gateway logs a call as a payload and as a spend row; OpenTelemetry as a span, an event with its details and, from
older senders, one for each message. All of them are inference records of one session; the second kind is linked to
the first (``same_as``, ``part_of``) and is here called an echo. It counts where the record that it is linked to is not
in the session, and then all echoes of one call count as one.

Links can lead to records of other partitions, earlier or later. Lines are parsed for what is linked, and otherwise only
in partitions that share a session with an echo whose call is not found yet: most stores have none.
"""

from __future__ import annotations

from typing import Final

import duckdb

_NAME: Final = "concat(source, '/', json->>'$.source_id')"

_LINKS: Final = """[concat(l->>'$.source', '/', l->>'$.source_id') FOR l IN (json->'$.links')::JSON[]
    IF l->>'$.relation' = '{}']"""

ECHOES: Final = f"""
INSERT INTO echoes
SELECT session, $partition, row, own, list_concat(same, parts), coalesce(same[1], if(measured, own, parts[1])),
    input_tokens, output_tokens, false
FROM (
    SELECT session, file_row_number AS row, {_NAME} AS own, {_LINKS.format("same_as")} AS same,
        {_LINKS.format("part_of")} AS parts, input_tokens, output_tokens,
        coalesce(input_tokens, output_tokens) IS NOT NULL AS measured
    FROM (
        SELECT *, text::JSON AS json
        FROM (SELECT *, decode(line) AS text FROM read_parquet($path, file_row_number = true)
              WHERE kind = 'inference' AND session IS NOT NULL)
        WHERE contains(text, '"links":[')
    )
)
WHERE len(same) + len(parts) > 0
"""
"""The echoes of a partition. A part with token counts of its own is a call where what it is part of is none."""

UNCOUNTED: Final = """
SELECT session, count(*) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens FROM (
    SELECT session, call, max(input_tokens) AS input_tokens, max(output_tokens) AS output_tokens FROM {echoes}
    WHERE NOT counted GROUP BY session, call
) GROUP BY session
"""
"""By session, the calls that have no record but echoes."""

ONE_EACH: Final = """
SELECT lower(sha256('\\x00'::BLOB || line)) AS record_id, r.source, json->>'$.source_id' AS source_id, r.session,
    r.owner, coalesce(r.occurred_at, r.observed_at) AS called_at, r.occurred_at IS NOT NULL AS time_known,
    r.file_index::INTEGER AS partition, json->>'$.system' AS system,
    json->>'$.environment' AS environment, r.model,
    coalesce(json->>'$.model_ref.name', json->>'$.gen_ai_request_model') AS model_name,
    json->>'$.model_ref.version' AS model_version, r.status, json->>'$.error_type' AS error_type,
    coalesce(e.input_tokens, r.input_tokens) AS input_tokens,
    coalesce(e.output_tokens, r.output_tokens) AS output_tokens,
    coalesce((json->'$.subjects.end_user')::VARCHAR[], []) AS end_users
FROM (SELECT *, decode(line)::JSON AS json FROM {inferences}) r LEFT JOIN (
    SELECT partition, row, counted, row_number() OVER one AS number, max(input_tokens) OVER one_call AS input_tokens,
        max(output_tokens) OVER one_call AS output_tokens
    FROM {echoes}
    WINDOW one AS (PARTITION BY session, call ORDER BY partition, row), one_call AS (PARTITION BY session, call)
) e ON e.partition = r.file_index AND e.row = r.file_row_number
WHERE e.row IS NULL OR (NOT e.counted AND e.number = 1)
"""
"""One row a call, from ``inferences``: rows of events files with the number of their file and their own."""

_UNREAD: Final = """
SELECT DISTINCT partition FROM session_parts
WHERE session IN (SELECT session FROM echoes WHERE NOT counted) AND partition NOT IN (FROM calls_read)
ORDER BY partition
"""

_CALLS: Final = f"""
INSERT INTO calls
SELECT session, {_NAME} FROM (
    SELECT *, decode(line)::JSON AS json FROM read_parquet($path) WHERE kind = 'inference' AND session IS NOT NULL
)
"""

_COUNT: Final = """
UPDATE echoes SET counted = true
WHERE NOT counted AND (partition, row) IN (
    SELECT (e.partition, e.row)
    FROM (SELECT session, partition, row, own, unnest(targets) AS target FROM echoes WHERE NOT counted) e
    JOIN calls c ON c.session = e.session AND c.call = e.target
    WHERE e.target <> e.own AND NOT EXISTS (
        FROM echoes b WHERE b.session = e.session AND b.own = e.target AND list_contains(b.targets, e.own)
            AND e.own < e.target
    )
)
"""
"""Of two records that name each other, one counts."""


def unread(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """The partitions that may hold the calls of echoes and have not been read for them."""
    return [row[0] for row in connection.execute(_UNREAD).fetchall()]


def read(connection: duckdb.DuckDBPyConnection, partition: int, path: str) -> None:
    """Note the calls of a partition whose events file is at ``path``."""
    connection.execute(_CALLS, {"path": path})
    connection.execute("INSERT INTO calls_read VALUES (?)", [partition])


def settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Find the echoes whose calls are counted by their own records."""
    connection.execute(_COUNT)
