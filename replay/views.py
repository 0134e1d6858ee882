"""The views that people query. Their columns are documented in docs/QUERY.md and are a stable contract."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import duckdb

from replay.calls import ONE_EACH
from replay.catalog import Catalog
from replay.entry_views import APPROVALS, ENTRY_VIEWS, entry_views
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

_TYPES: Final = {
    **dict.fromkeys(("observed_at", "occurred_at", "ended_at"), "TIMESTAMPTZ"),
    **dict.fromkeys(("seq", "input_tokens", "output_tokens", "step", "part"), "BIGINT"),
    "subjects": "VARCHAR[]",
}

_EMPTY: Final = f"""
(SELECT NULL::BLOB AS line, NULL::VARCHAR AS filename, NULL::BIGINT AS file_index, NULL::BIGINT AS file_row_number,
 {", ".join(f"NULL::{_TYPES.get(name, 'VARCHAR')} AS {name}" for name in _COLUMNS.split(", "))} WHERE false)
"""

_OF_EVERYTHING: Final = (
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
    SELECT record_id, occurred_at, subject_roles, source_id, owner, warnings, partition FROM records
    WHERE kind = 'access'
    """,
)


def statements(paths: Sequence[str], restricted: Collection[str] = (), size: int | None = None) -> list[str]:
    """The statements that make the views over events files at ``paths``, the catalog attached as ``catalog``.

    Records, sessions and changes that name ``restricted`` people are left out; entries from ``size`` on, too.
    """

    def without(references: str) -> str:
        return f" WHERE NOT {names_any(references, restricted)}" if restricted else ""

    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    source = f"read_parquet([{files}], filename = true)" if paths else _EMPTY
    numbered = f"(SELECT *, file_index FROM read_parquet([{files}], file_row_number = true))" if paths else _EMPTY
    people = "list_append(coalesce(subjects, []), owner)"
    inferences = f"(FROM {numbered}{without(people)}{' AND' if restricted else ' WHERE'} kind = 'inference')"
    fields = ", ".join(f"json->>'$.{name}' AS {name}" for name in _JSON_TEXT)

    return [
        f"""
        CREATE TEMP VIEW records AS
        SELECT lower(sha256('\\x00'::BLOB || line)) AS record_id, {_COLUMNS}, {fields},
            json->'$.model_ref' AS model_ref, json->'$.change' AS change, json->'$.links' AS links,
            json->'$.warnings' AS warnings, json->'$.subjects' AS subject_roles,
            json->>'$.content.commitment' AS commitment, decode(line) AS line, file_index AS partition,
            filename AS events_file
        FROM (
            SELECT *, file_index, decode(line)::JSON AS json
            FROM {source}{without(people)}
        )
        """,
        f"CREATE TEMP VIEW model_calls AS {ONE_EACH.format(inferences=inferences, echoes='catalog.echoes')}",
        f"CREATE TEMP VIEW sessions AS {session_table('catalog', restricted)}",
        f"""
        CREATE TEMP VIEW changes AS
        SELECT *{_hidden(restricted)} FROM catalog.change_state{without("coalesce(subjects, [])")}
        """,
        *_OF_EVERYTHING,
        f"CREATE TEMP VIEW approvals AS {APPROVALS}{without('coalesce(subjects, [])')}",
        *(f"CREATE TEMP VIEW {name} AS {select}" for name, select in entry_views(size).items()),
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
        for statement in statements(catalog.events_paths(), catalog.store.standing.restricted, catalog.size):
            connection.execute(statement)
        yield connection


NAMES: Final = (
    "records",
    "model_calls",
    "sessions",
    "changes",
    "partitions",
    "inputs",
    "accesses",
    "approvals",
    *ENTRY_VIEWS,
)
