"""The tables of the ledger's health, each from the views over the log's entries."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from reports.document import Column, Table
from reports.fixed.asking import Asking, at, in_words

TYPES: Final = """
    SELECT type, count(*), count(*) FILTER ({within}), {first}, {last} FROM entries GROUP BY type ORDER BY type
"""
KEYS: Final = """
    SELECT name, key_id, roles, {enrolled}, entry, {retired}, retired_entry FROM keys ORDER BY entry, vkey
"""
VERIFICATIONS: Final = """
    SELECT entry, {ended}, level, verdict, grade, checkpoint_size, partitions, records, contents
    FROM verifications WHERE {within} ORDER BY entry DESC
"""
SPOOLS: Final = """
    SELECT spool, min(first), max(last), sum(last - first + 1)::BIGINT, sum(missing)::BIGINT, count(*), {last}
    FROM spools GROUP BY spool
    HAVING sum(missing) > 0 OR min(first) <> 1 OR max(last) <> sum(last - first + 1) ORDER BY spool
"""
CLASSES: Final = """
    SELECT retention_class, count(*), sum(rows)::BIGINT, min(date)::VARCHAR, max(date)::VARCHAR,
        sum(events_size)::BIGINT, sum(content_size)::BIGINT
    FROM partitions GROUP BY retention_class ORDER BY retention_class
"""
REJECTED: Final = """
    SELECT coalesce(error_type, 'not stated'), count(*), count(DISTINCT input), {first}, {last}
    FROM records WHERE kind = 'rejected' AND {within} GROUP BY 1 ORDER BY 2 DESC, 1
"""
ENDINGS: Final = """
    SELECT entry, {time}, type,
        CASE WHEN type = 'reseal' THEN 'redacts'
            WHEN type <> 'erasure' THEN coalesce(value->>'$.action', value->>'$.what')
            WHEN (value->'$.epoch') IS NOT NULL THEN 'ends an epoch' ELSE 'destroys keys' END,
        coalesce(value->>'$.basis', value->>'$.redacted[0].reason'), json_array_length(value->'$.subjects'),
        json_array_length(value->'$.sessions'), CASE type WHEN 'reseal' THEN json_array_length(value->'$.redacted') END,
        CASE type WHEN 'retention' THEN json_array_length(value->'$.partitions')
            WHEN 'erasure' THEN json_array_length(value->'$.segments') END,
        left(value->>'$.request', 12)
    FROM entries WHERE type IN ('erasure', 'reseal', 'retention', 'hold', 'restriction') AND {within}
    ORDER BY entry
"""
HOLDS: Final = """
    SELECT left(hold, 12), basis, {added}, {released}, json_array_length(scope->'$.subjects'),
        (scope->>'$.session') IS NOT NULL, scope->>'$.from', scope->>'$.to'
    FROM holds ORDER BY entry
"""
EXPORTS: Final = """
    SELECT entry, {time}, selection->>'$.type', with_content, revocable, records, checkpoint_size, left(recipient, 12),
        bundle
    FROM exports WHERE {within} ORDER BY entry
"""
FILED: Final = """
    SELECT entry, {time}, name, checkpoint_size, verdicts::VARCHAR FROM reports WHERE {within} ORDER BY entry
"""


def entry_types(ask: Asking) -> Table:
    """How many entries of each type."""
    sql = TYPES.format(within=ask.within("committed_at"), first=at("min(committed_at)"), last=at("max(committed_at)"))
    columns = (
        *(Column("Type", "code"), Column("Entries", "number"), Column("In the period", "number")),
        *(Column("First", "time"), Column("Last", "time")),
    )
    return ask.table("entry-types", "Entries by type", columns, ask.rows(sql), query=sql)


def keys(ask: Asking) -> Table:
    """Which keys may do what, since when."""
    sql = KEYS.format(enrolled=at("enrolled_at"), retired=at("retired_at"))
    columns = (
        *(Column("Key", "code"), Column("Id", "code"), Column("Roles", "code"), Column("Enrolled", "time")),
        *(Column("Entry", "number"), Column("Retired", "time"), Column("Entry of that", "number")),
    )
    note = "A retired key commits nothing later; what it signed before stays good."
    return ask.table("keys", "Keys and their roles", columns, ask.rows(sql), query=sql, note=note)


def verifications(ask: Asking) -> Table:
    """What ran, the newest first, and how old it is at the checkpoint."""
    sql = VERIFICATIONS.format(ended=at("ended_at"), within=ask.within("committed_at"))
    columns = (
        *(Column("Entry", "number"), Column("Ended", "time"), Column("Level", "code"), Column("Verdict")),
        *(Column("Grade"), Column("Entries checked", "number"), Column("Partitions", "number")),
        *(Column("Records", "number"), Column("Contents", "number"), Column("Age at the checkpoint")),
    )
    now = datetime.fromisoformat(ask.as_of.time)
    rows = [(*row, _age(now, row[1])) for row in ask.rows(sql)]
    note = "As whoever ran it states it."
    return ask.table("verifications", "Verifications that are recorded", columns, rows, query=sql, note=note)


def _age(now: datetime, then: str | None) -> str | None:
    return None if then is None else in_words(max(int((now - datetime.fromisoformat(then)).total_seconds()) // 60, 0))


def spools(ask: Asking) -> Table:
    """Where accesses have numbers and no record, or a number was never stated."""
    sql = SPOOLS.format(last=at("max(committed_at)"))
    columns = (
        *(Column("Spool", "id"), Column("First", "number"), Column("Last", "number"), Column("Numbers", "number")),
        *(Column("Never recorded", "number"), Column("Statements", "number"), Column("Last stated", "time")),
    )
    note = "Never recorded: a number was taken before content was to be shown, and its record never came."
    return ask.table("spools", "Spools with gaps in their access numbers", columns, ask.rows(sql), query=sql, note=note)


def classes(ask: Asking) -> Table:
    """What is kept under which rule."""
    columns = (
        *(Column("Retention class", "code"), Column("Partitions", "number"), Column("Records", "number")),
        *(Column("First day"), Column("Last day"), Column("Lines", "bytes"), Column("Content", "bytes")),
    )
    return ask.table("classes", "Partitions by retention class", columns, ask.rows(CLASSES), query=CLASSES)


def rejected(ask: Asking) -> Table:
    """Input that was sealed, but that no adapter understood."""
    time = "coalesce(occurred_at, observed_at)"
    sql = REJECTED.format(first=at(f"min({time})"), last=at(f"max({time})"), within=ask.within(time))
    columns = (
        *(Column("Reason", "code"), Column("Records", "number"), Column("Inputs", "number")),
        *(Column("First", "time"), Column("Last", "time")),
    )
    note = "Rejected input is kept byte for byte, and can be read again by a later adapter."
    return ask.table("rejected", "Rejected input", columns, ask.rows(sql), query=sql, note=note)


def endings(ask: Asking) -> Table:
    """What explains that content is gone, or may not be shown."""
    sql = ENDINGS.format(time=at("committed_at"), within=ask.within("committed_at"))
    columns = (
        *(Column("Entry", "number"), Column("Committed", "time"), Column("Type", "code"), Column("Does", "code")),
        *(Column("Basis", "code"), Column("References", "number"), Column("Sessions", "number")),
        *(Column("Records redacted", "number"), Column("Partitions", "number"), Column("Request", "id")),
    )
    return ask.table("endings", "Entries that end, hold or restrict", columns, ask.rows(sql), query=sql)


def holds(ask: Asking) -> Table:
    """Holds, those that were released too."""
    sql = HOLDS.format(added=at("added_at"), released=at("released_at"))
    columns = (
        *(Column("Hold", "id"), Column("Basis", "code"), Column("Since", "time"), Column("Released", "time")),
        *(Column("References", "number"), Column("A session"), Column("From", "time"), Column("To", "time")),
    )
    return ask.table("holds", "Legal holds", columns, ask.rows(sql), query=sql)


def exports(ask: Asking) -> Table:
    """Bundles that were handed out."""
    sql = EXPORTS.format(time=at("committed_at"), within=ask.within("committed_at"))
    columns = (
        *(Column("Entry", "number"), Column("Committed", "time"), Column("Selection", "code"), Column("With content")),
        *(Column("Revocable"), Column("Records", "number"), Column("Checkpoint", "number")),
        *(Column("Recipient", "id"), Column("Bundle (SHA-256)", "id")),
    )
    note = "Who asked, why and for whom in words is sealed: `evidence exports` opens it, and records that."
    return ask.table("exports", "Exports", columns, ask.rows(sql), query=sql, note=note)


def filed(ask: Asking) -> Table:
    """Reports that were put into the store."""
    sql = FILED.format(time=at("committed_at"), within=ask.within("committed_at"))
    columns = (
        *(Column("Entry", "number"), Column("Committed", "time"), Column("Report", "code")),
        *(Column("Checkpoint", "number"), Column("Verdicts", "code")),
    )
    return ask.table("reports", "Reports in the store", columns, ask.rows(sql), query=sql)
