"""The views that people query. Their columns are documented in docs/QUERY.md and are a stable contract."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import duckdb

from replay.catalog import Catalog
from replay.restricted import names_any
from replay.sessions import session_table

HIDDEN: Final = "restricted"
"""Stands for the reference of a person whose processing is restricted."""

_JSON_TEXT: Final = (
    "adapter",
    "source_id",
    "time_basis",
    "trace_id",
    "span_id",
    "parent_span_id",
    "system",
    "environment",
    "error_type",
    "capture",
    "retention_class",
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_response_model",
    "gen_ai_response_id",
    "gen_ai_tool_name",
    "gen_ai_tool_call_id",
)

_COLUMNS: Final = (
    "kind, source, observed_at, occurred_at, ended_at, session, seq, model, status, decision, input_tokens, "
    "output_tokens, subjects, owner, input, step, part"
)

_EMPTY: Final = f"""
(SELECT NULL::BLOB AS line, NULL::VARCHAR AS filename, {", ".join(f"NULL AS {name}" for name in _COLUMNS.split(", "))}
 WHERE false)
"""


def statements(paths: Sequence[str], restricted: Collection[str] = ()) -> list[str]:
    """The statements that make the views over events files at ``paths``, the catalog attached as ``catalog``.

    Records, sessions and changes that name ``restricted`` people are left out.
    """
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    source = f"read_parquet([{files}], filename = true)" if paths else _EMPTY
    fields = ", ".join(f"json->>'$.{name}' AS {name}" for name in _JSON_TEXT)

    def without(references: str) -> str:
        return f" WHERE NOT {names_any(references, restricted)}" if restricted else ""

    return [
        f"""
        CREATE TEMP VIEW records AS
        SELECT lower(sha256('\\x00'::BLOB || line)) AS record_id, {_COLUMNS}, {fields},
            json->'$.model_ref' AS model_ref, json->'$.change' AS change, json->'$.links' AS links,
            json->'$.warnings' AS warnings, json->'$.subjects' AS subject_roles,
            json->>'$.content.commitment' AS commitment, decode(line) AS line, filename AS events_file
        FROM (SELECT *, decode(line)::JSON AS json FROM {source}{without("list_append(coalesce(subjects, []), owner)")})
        """,
        f"CREATE TEMP VIEW sessions AS {session_table('catalog', restricted)}",
        f"""
        CREATE TEMP VIEW changes AS
        SELECT *{_hidden(restricted)} FROM catalog.change_state{without("coalesce(subjects, [])")}
        """,
        """
        CREATE TEMP VIEW partitions AS
        SELECT partition, entry, seq, committed_at, date, rows, segments, root, retention_class, from_time, to_time,
            rejected, events, events_size, content, content_size
        FROM catalog.partition_list
        """,
        """
        CREATE TEMP VIEW inputs AS
        SELECT i.input, count(DISTINCT i.step) AS steps, sum(i.rows)::BIGINT AS records,
            list_sort(list(DISTINCT i.partition)) AS partitions, min(p.committed_at) AS first_committed_at
        FROM catalog.input_parts i JOIN catalog.partition_list p USING (partition) GROUP BY i.input
        """,
        """
        CREATE TEMP VIEW accesses AS
        SELECT record_id, occurred_at, subject_roles, source_id, owner FROM records WHERE kind = 'access'
        """,
    ]


def _hidden(restricted: Collection[str]) -> str:
    """People whom a change's approval names, not the change itself: the change stays, they are not named."""
    if not restricted:
        return ""
    columns = ("requesters", "approvers")
    hidden = (f"[if({names_any('[r]', restricted)}, '{HIDDEN}', r) FOR r IN {name}] AS {name}" for name in columns)
    return f" REPLACE ({', '.join(hidden)})"


@contextmanager
def on(catalog: Catalog) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the views, for statements of this program's own: what people write goes by ``replay.query``."""
    with catalog.connection.cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for statement in statements(catalog.events_paths(), catalog.store.standing.restricted):
            connection.execute(statement)
        yield connection


NAMES: Final = ("records", "sessions", "changes", "partitions", "inputs", "accesses")
