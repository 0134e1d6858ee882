"""The views over the log's entries: what was exported, erased, held, asked for, verified, and by which keys.

As the entries state it, in SQL over the catalog's ``entry_list`` and ``change_list``. An entry holds random references,
closed codes, numbers and times: none is left out for a person's sake.
"""

from __future__ import annotations

from typing import Final

_ENTRY: Final = "SELECT entry, seq, committed_at, {fields} FROM entries WHERE type = '{type}'"


def _texts(*names: str) -> str:
    return ", ".join(f"value->>'$.{name}' AS {name}" for name in names)


def _numbers(*names: str) -> str:
    return ", ".join(f"(value->>'$.{name}')::BIGINT AS {name}" for name in names)


def _list(path: str, name: str) -> str:
    return f"coalesce((value->'$.{path}')::VARCHAR[], []) AS {name}"


_DUE: Final = "event IN ('opened', 'resumed') OR (event = 'extended' AND nth = 1)"
"""The events that set a deadline; the law allows one extension."""

_REQUESTS: Final = f"""
SELECT request, min(entry) FILTER (event = 'opened') AS entry,
    arg_min(details->>'$.regime', entry) FILTER (event = 'opened') AS regime,
    arg_min(details->>'$.kind', entry) FILTER (event = 'opened') AS kind,
    arg_min(TRY_CAST(details->>'$.received' AS DATE), entry) FILTER (event = 'opened') AS received_at,
    arg_max(TRY_CAST(details->>'$.due' AS DATE), entry) FILTER ({_DUE}) AS due_at,
    arg_min(TRY_CAST(details->>'$.confirm_by' AS DATE), entry) FILTER (event = 'opened') AS confirm_by,
    arg_min(TRY_CAST(details->>'$.told_at' AS DATE), entry) FILTER (event = 'confirmed') AS confirmed_at,
    min(committed_at) FILTER (event = 'identified') AS identified_at,
    arg_min(details->>'$.method', entry) FILTER (event = 'identified') AS identified_by,
    count(*) FILTER (event = 'paused') > count(*) FILTER (event = 'resumed') AS paused,
    count(*) FILTER (event = 'extended') > 0 AS extended,
    arg_min(details->>'$.reason', entry) FILTER (event = 'extended') AS extended_because,
    count(*) FILTER (event = 'approved') AS approvals,
    min(committed_at) FILTER (event = 'executed') AS executed_at,
    min(committed_at) FILTER (event = 'delivered') AS delivered_at,
    min(committed_at) FILTER (event = 'certified') AS certified_at,
    min(committed_at) FILTER (event = 'closed') AS closed_at,
    arg_min(details->>'$.reason', entry) FILTER (event = 'closed') AS closed_as,
    any_value(subjects ORDER BY entry) FILTER (event = 'opened') AS subjects
FROM (
    SELECT entry, committed_at, value->>'$.request' AS request, value->>'$.event' AS event,
        value->'$.details' AS details, {_list("subjects", "subjects")},
        row_number() OVER (PARTITION BY value->>'$.request', value->>'$.event' ORDER BY entry) AS nth
    FROM entries WHERE type = 'request'
)
GROUP BY request HAVING count(*) FILTER (event = 'opened') > 0
"""

_HOLDS: Final = """
SELECT value->>'$.hold' AS hold, min(entry) FILTER ((value->>'$.action') = 'add') AS entry,
    min(committed_at) FILTER ((value->>'$.action') = 'add') AS added_at,
    arg_min(value->>'$.basis', entry) FILTER ((value->>'$.action') = 'add') AS basis,
    arg_min(value->'$.scope', entry) FILTER ((value->>'$.action') = 'add') AS scope,
    arg_min(value->>'$.record', entry) FILTER ((value->>'$.action') = 'add') AS record,
    min(entry) FILTER ((value->>'$.action') = 'release') AS released_entry,
    min(committed_at) FILTER ((value->>'$.action') = 'release') AS released_at
FROM entries WHERE type = 'hold' GROUP BY hold
"""

_EXPIRIES: Final = """
SELECT entry, seq, committed_at, value->>'$.policy' AS policy, value->>'$.what' AS what,
    (item->>'$.partition')::BIGINT AS partition_entry, coalesce(json_array_length(item->'$.kept'), 0) > 0 AS kept_some,
    coalesce((value->>'$.deleted')::BOOLEAN, false) AS deleted
FROM (SELECT *, unnest((value->'$.partitions')::JSON[]) AS item FROM entries WHERE type = 'retention')
"""

_KEYS: Final = """
SELECT split_part(vkey, '+', 1) AS name, split_part(vkey, '+', 2) AS key_id, vkey,
    list_sort(list_distinct(flatten(list(roles)))) AS roles, min(entry) FILTER (action = 'enrol') AS entry,
    min(committed_at) FILTER (action = 'enrol') AS enrolled_at, max(entry) FILTER (action = 'retire') AS retired_entry,
    max(committed_at) FILTER (action = 'retire') AS retired_at
FROM (
    SELECT entry, committed_at, 'enrol' AS action, value->>'$.admin' AS vkey, ['admin'] AS roles
    FROM entries WHERE type = 'genesis'
    UNION ALL
    SELECT entry, committed_at, value->>'$.action', value->>'$.vkey', coalesce((value->'$.roles')::VARCHAR[], [])
    FROM entries WHERE type = 'key'
)
GROUP BY vkey
"""

_SPOOLS: Final = """
SELECT entry, committed_at, item->>'$.spool' AS spool, (item->>'$.first')::BIGINT AS first,
    (item->>'$.last')::BIGINT AS last,
    coalesce(list_sum([r[2] - r[1] + 1 FOR r IN coalesce((item->'$.missing')::BIGINT[][], [])]), 0)::BIGINT AS missing
FROM (SELECT *, unnest((value->'$.spools')::JSON[]) AS item FROM entries WHERE (value->'$.spools') IS NOT NULL)
"""

APPROVALS: Final = """
SELECT * FROM (
    SELECT record_id, partition, seq, source, source_id, occurred_at, observed_at, decision, approves, requesters,
        approvers, system, environment, subjects
    FROM catalog.change_list WHERE kind = 'approval'
)
"""

_ERASURES: Final = _ENTRY.format(
    type="erasure",
    fields=f"""{_list("subjects", "subjects")}, coalesce(json_array_length(value->'$.segments'), 0) AS partitions,
    {_texts("request", "plan")}, (value->>'$.epoch.ended')::BIGINT AS epoch_ended,
    (value->>'$.epoch.unreadable_at')::TIMESTAMPTZ AS backups_unreadable_at""",
)
_RESTRICTIONS: Final = _ENTRY.format(
    type="restriction", fields=f"{_texts('action', 'basis', 'request', 'until')}, {_list('subjects', 'subjects')}"
)
_EXPORTS: Final = _ENTRY.format(
    type="export",
    fields=f"""value->>'$.bundle.sha256' AS bundle, value->'$.selection' AS selection,
    (value->>'$.with_content')::BOOLEAN AS with_content, {_numbers("partitions", "records", "checkpoint_size")},
    value->'$.contents' AS contents, {_texts("recipient", "record", "export")},
    coalesce((value->>'$.revocable')::BOOLEAN, false) AS revocable""",
)
_REPORTS: Final = _ENTRY.format(
    type="report",
    fields=f"{_texts('name')}, {_numbers('checkpoint_size')}, value->'$.parameters' AS parameters, "
    "value->'$.verdicts' AS verdicts",
)
_VERIFICATIONS: Final = _ENTRY.format(
    type="verification",
    fields=f"""{_texts("level", "verdict", "grade")}, {_numbers("exit_code", "checkpoint_size")},
    (value->>'$.begun_at')::TIMESTAMPTZ AS begun_at, (value->>'$.ended_at')::TIMESTAMPTZ AS ended_at,
    {_numbers("partitions", "records", "contents", "bytes")}""",
)

ENTRY_VIEWS: Final = {
    "entries": "SELECT entry, seq, committed_at, type, value::JSON AS value FROM catalog.entry_list",
    "requests": _REQUESTS,
    "erasures": _ERASURES,
    "expiries": _EXPIRIES,
    "holds": _HOLDS,
    "restrictions": _RESTRICTIONS,
    "exports": _EXPORTS,
    "reports": _REPORTS,
    "verifications": _VERIFICATIONS,
    "keys": _KEYS,
    "spools": _SPOOLS,
}
"""By name; ``entries`` comes first, since the others read it."""


def entry_views(size: int | None) -> dict[str, str]:
    """The views over the entries below ``size``, or over all of them."""
    if size is None:
        return dict(ENTRY_VIEWS)
    return {**ENTRY_VIEWS, "entries": f"{ENTRY_VIEWS['entries']} WHERE entry < {size}"}
