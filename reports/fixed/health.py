"""Ledger health: what the log holds, who may write to it, what was checked, ended and handed out, and what it is worth.

All of it is what the entries state, and whoever committed them. Whether the objects are still there and unchanged is
for ``evidence verify`` to say: this report looks at none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.store import Store
from replay.catalog import Catalog
from reports.document import Chart, Column, Facts, Report, Section, Table, Text
from reports.fixed import asking, health_tables
from reports.fixed.asking import ALWAYS, Asking, Period, at, many
from reports.published import Published

NAME: Final = "health"

SELF_SIGNED: Final = "self-signed"
PINNED: Final = "pinned"
TIMESTAMPED: Final = "timestamped"
WITNESSED: Final = "witnessed"
GRADES: Final = {
    SELF_SIGNED: (
        "The log's own key signs its checkpoints. Whoever holds that key and the store can write another history and "
        "sign it, and nobody could tell who sees only that."
    ),
    PINNED: (
        "Somebody keeps a checkpoint outside the store, and what is there now continues it: since that checkpoint "
        "nothing was taken back or changed unnoticed by whoever holds the pin."
    ),
    TIMESTAMPED: (
        "An authority that is none of this store's has signed that the checkpoint was there at a time (RFC 3161): it "
        "cannot have been made later."
    ),
    WITNESSED: (
        "Others have signed that this checkpoint continues all that they saw before (C2SP): the store cannot show "
        "different histories to different people."
    ),
}

COMMITS: Final = """
    WITH commits AS (SELECT DISTINCT seq, committed_at FROM entries),
    pauses AS (SELECT committed_at, committed_at - lag(committed_at) OVER (ORDER BY seq) AS pause FROM commits)
    SELECT count(*), {first}, {last}, (extract(epoch FROM max(pause)) // 60)::BIGINT, {ended} FROM pauses
"""
PARTITIONS: Final = """
    SELECT count(*), coalesce(sum(rows), 0)::BIGINT, min(date)::VARCHAR, max(date)::VARCHAR,
        coalesce(sum(events_size), 0)::BIGINT, coalesce(sum(content_size), 0)::BIGINT,
        coalesce(sum(rejected), 0)::BIGINT
    FROM partitions
"""
BY_DAY: Final = """
    SELECT strftime(date, '%Y-%m-%dT00:00:00Z'), sum(rows)::BIGINT, 'the day of the record' FROM partitions
    WHERE {of_record} GROUP BY ALL
    UNION ALL
    SELECT strftime(committed_at, '%Y-%m-%dT00:00:00Z'), sum(rows)::BIGINT, 'the day it was taken in' FROM partitions
    WHERE {taken_in} GROUP BY ALL
    ORDER BY 3, 1
"""


def ledger_health(
    catalog: Catalog, published: Published, period: Period = ALWAYS, waiting: int | None = None
) -> Report:
    """The report. ``waiting``: access records in this installation's spool that are in no commit yet, where known.

    States are as of the checkpoint; the period is that in which entries were committed. Raises what reading the
    catalog raises.
    """
    with asking.asked(catalog, published, period) as ask:
        sections = (
            Section("Assurance", tuple(_assurance(ask, published))),
            Section("The ledger", (*_ledger(ask, published), health_tables.entry_types(ask))),
            Section("Keys", (health_tables.keys(ask),)),
            Section("Verification", tuple(_verification(ask))),
            Section("Accesses", (*_accesses(ask, waiting), health_tables.spools(ask))),
            Section("What was taken in", (_by_day(ask), health_tables.classes(ask), health_tables.rejected(ask))),
            Section(
                "What was ended, held or restricted",
                (_ended(ask), health_tables.endings(ask), health_tables.holds(ask)),
            ),
            Section("Handed out", (health_tables.exports(ask), health_tables.filed(ask))),
        )
        return ask.report(NAME, "Ledger health and assurance", sections, NOT_PROVEN)


NOT_PROVEN: Final = (
    (
        "Entries are what those with the keys committed. Whether the objects that they list are there and unchanged is "
        "not looked at: `evidence verify` does."
    ),
    "Objects that no entry lists (orphans of a writer that died) are not looked at: `evidence verify` lists them.",
    "Access records that wait in a spool of another machine are not known here.",
)


def _assurance(ask: Asking, published: Published) -> Iterator[Facts | Table | Text]:
    """Which grade is evidenced by what; what lies outside the store this report cannot see."""
    verified = ask.rows(
        f"SELECT entry, {at('ended_at')} FROM verifications WHERE grade = 'pinned' ORDER BY entry DESC LIMIT 1"
    )
    stamps, cosigned = _anchors(ask.store, ask.as_of.size), _others_signatures(published)
    evidenced = {
        SELF_SIGNED: f"yes: signed by {published.vkey.partition('+')[0]}",
        PINNED: (
            f"a verification against a pin is recorded: entry {verified[0][0]}, {verified[0][1]}"
            if verified
            else "not evidenced here: pins lie outside the store, and no verification against one is recorded"
        ),
        TIMESTAMPED: f"{many(stamps, 'token')} in the store, not checked here" if stamps else asking.NOT_EVIDENCED,
        WITNESSED: f"{many(cosigned, 'signature')} of others, not checked here" if cosigned else asking.NOT_EVIDENCED,
    }
    grade = PINNED if verified else SELF_SIGNED
    yield Facts((("Grade that is evidenced here", grade), ("Which means", GRADES[grade])))
    columns = (Column("Grade"), Column("Means"), Column("Evidenced here"))
    rows = [(name, words, evidenced[name]) for name, words in GRADES.items()]
    yield ask.table("grades", "Grades, each with those before it", columns, rows)
    if grade == SELF_SIGNED:
        yield Text(
            ("Keep a checkpoint outside the store, and verify against it (`evidence verify --pin FILE --record`).",),
            "alert",
        )


def _anchors(store: Store, size: int) -> int:
    """Timestamps and cosignatures that stand in the store for checkpoints up to this one."""
    parts = (info.path.split("/") for info in store.objects.list("ledger/anchor/"))
    return sum(len(part) > 2 and part[2].isdecimal() and int(part[2]) <= size for part in parts)


def _others_signatures(published: Published) -> int:
    """Signatures under the checkpoint by names other than the log's."""
    lines = published.note.decode("utf-8", "replace").splitlines()
    own = f"\u2014 {published.checkpoint.origin} "
    return sum(line.startswith("\u2014 ") and not line.startswith(own) for line in lines)


def _ledger(ask: Asking, published: Published) -> tuple[Facts, ...]:
    ended = at("arg_max(committed_at, pause)")
    sql = COMMITS.format(first=at("min(committed_at)"), last=at("max(committed_at)"), ended=ended)
    ((commits, first, last, pause, until),) = ask.rows(sql)
    ((partitions, rows, begin, end, events, content, rejected),) = ask.rows(PARTITIONS)
    checkpoint = published.checkpoint
    return (
        Facts(
            (
                ("Checkpoint: entries", checkpoint.size),
                ("Root", checkpoint.root.hex()),
                ("Signed by", published.vkey),
                ("Commits", commits),
                ("First commit", first),
                ("Last commit", last),
                (
                    "Longest time without a commit",
                    None if pause is None else f"{asking.in_words(pause)}, until {until}",
                ),
                ("Partitions", partitions),
                ("Records", rows),
                ("Days of the records", None if begin is None else f"{begin} to {end}"),
                ("Size of record lines", asking.size(events)),
                ("Size of sealed content", asking.size(content)),
                ("Records that no adapter understood", rejected),
            )
        ),
    )


def _verification(ask: Asking) -> Iterator[Text | Table]:
    table = health_tables.verifications(ask)
    if not table.rows:
        words = (
            "No verification is recorded in this log up to the checkpoint. One may have run all the same: what it "
            "found stands where it was written to."
        )
        yield Text((words,), "alert")
    yield table


def _accesses(ask: Asking, waiting: int | None) -> tuple[Facts, ...]:
    ((spools, numbers, missing),) = ask.rows(
        "SELECT count(DISTINCT spool), coalesce(sum(last - first + 1), 0)::BIGINT, coalesce(sum(missing), 0)::BIGINT "
        "FROM spools"
    )
    said = "not asked" if waiting is None else waiting
    return (
        Facts(
            (
                ("Spools", spools),
                ("Accesses that have a number", numbers),
                ("Numbers that were taken and never recorded", missing),
                ("Waiting in this installation's spool when this was made", said),
            )
        ),
    )


def _by_day(ask: Asking) -> Chart:
    sql = BY_DAY.format(of_record=ask.within("date::TIMESTAMPTZ"), taken_in=ask.within("committed_at"))
    rows = ask.rows(sql)
    words = "There is none."
    if rows:
        most = max(rows, key=lambda row: row[1])
        words = f"{many(len(rows), 'point')}; the most records on one day: {most[1]:,}, {most[0][:10]} by {most[2]}."
    return Chart("records-by-day", "Records by day", "line", tuple(rows), "Day", "Records", words)


def _ended(ask: Asking) -> Facts:
    """As of the checkpoint, whatever the period."""
    ((subjects, erasures, epochs),) = ask.rows(
        "SELECT len(list_distinct(flatten(list(subjects)))), count(*), count(epoch_ended) FROM erasures"
    )
    ((redacted,),) = ask.rows(
        "SELECT coalesce(sum(json_array_length(value->'$.redacted')), 0)::BIGINT FROM entries WHERE type = 'reseal'"
    )
    ((expired, deleted),) = ask.rows(
        "SELECT count(DISTINCT partition_entry), count(DISTINCT partition_entry) FILTER (deleted) FROM expiries"
    )
    ((held, released),) = ask.rows("SELECT count(*), count(released_at) FROM holds")
    ((restricted,),) = ask.rows(
        "SELECT count(*) FROM (SELECT subject, arg_max(action, entry) AS now FROM "
        "(SELECT entry, action, unnest(subjects) AS subject FROM restrictions) GROUP BY subject) WHERE now = 'restrict'"
    )
    return Facts(
        (
            ("References whose keys were destroyed by erasures", subjects or 0),
            ("Erasure entries", erasures),
            ("Epochs of the keyring that ended", epochs),
            ("Records redacted", redacted),
            ("Partitions expired by a retention policy", expired),
            ("of these: content may be deleted", deleted),
            ("Holds ever, and in force", f"{held}, {held - released}"),
            ("References whose processing is restricted", restricted),
        )
    )
