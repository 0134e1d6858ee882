"""Everything about one person, opened: the records, what is withheld of them, in which order, and their context."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from ledger.access import Receipt
from ledger.history import Entry
from ledger.revealed import Revealed
from replay.catalog import Catalog, session_parts
from replay.lineage import Lineage
from replay.mentions import Mention
from replay.persons import person_rows
from replay.records import Place, line_of
from replay.third_parties import Others
from replay.timeline import TimelineEvent, arranged

_ROWS_AT_ONCE: Final = 2048
MENTIONED: Final = "mentioned"
"""The role of a person who is only named inside the content."""
IN_SESSION: Final = "in_session"
"""The role in a record that the reviewer has counted to the person with its whole session."""


class Held(msgspec.Struct, frozen=True):
    """One record about the person: where it is, the person's roles in it, and its content as it was opened."""

    partition: int
    row: int
    seq: int
    roles: tuple[str, ...]
    revealed: Revealed
    withheld: tuple[int, ...] = ()
    """The numbers of the spans that were taken out of it."""

    @property
    def record_id(self) -> str:
        """The record's id, hex."""
        return self.revealed.record.hex()


def hold(
    catalog: Catalog,
    receipt: Receipt,
    subjects: Sequence[str],
    mentions: Sequence[Mention] = (),
    sessions: Sequence[str] = (),
) -> list[Held]:
    """Every record about a person, opened despite a restriction of their own (GDPR, Article 18(2)).

    That is: records in which they have a role or whose content is theirs; of the ``mentions`` those in content which is
    nobody else's; and all records of the ``sessions`` given. Where processing of what is about somebody else in a
    record is restricted, its content stays closed.
    """
    others = Others(catalog.store, subjects)
    roles: dict[tuple[int, int], tuple[str, ...]] = {
        (row.partition, row.row): row.roles for row in person_rows(catalog, subjects)
    }
    for mention in mentions:
        if not others.is_person(mention.owner):
            roles.setdefault((mention.partition, mention.row), (MENTIONED,))
    for session in sessions:
        for part in session_parts(catalog, session):
            for row in range(part.first_row, part.first_row + part.rows):
                known = roles.get((part.partition, row), ())
                if known in ((), (MENTIONED,)):
                    roles[part.partition, row] = (*known, IN_SESSION)
    return list(_opened(catalog, receipt, frozenset(subjects), roles))


class Elsewhere(msgspec.Struct, frozen=True, order=True):
    """A record of somebody else whose content names the person: when it was, and by which types of identifiers."""

    at: str
    record_id: str
    types: tuple[str, ...]


def elsewhere(catalog: Catalog, mentions: Sequence[Mention], held: Sequence[Held]) -> list[Elsewhere]:
    """The mentions that are in no record of the package: their content is that of other people."""
    here = {(item.partition, item.row) for item in held}
    types: dict[Place, set[str]] = defaultdict(set)
    for mention in mentions:
        if (mention.partition, mention.row) not in here:
            types[Place(mention.record_id, mention.partition, mention.row)].add(mention.type)
    lines = {place: line_of(catalog, place) for place in types}
    return sorted(
        Elsewhere(lines[place].get("occurred_at", lines[place]["observed_at"]), place.record_id, tuple(sorted(found)))
        for place, found in types.items()
    )


def _opened(
    catalog: Catalog, receipt: Receipt, subjects: frozenset[str], roles: Mapping[tuple[int, int], tuple[str, ...]]
) -> Iterator[Held]:
    partitions = catalog.partitions()
    others = frozenset(catalog.store.standing.restricted) - subjects
    by_partition: dict[int, list[int]] = defaultdict(list)
    for partition, row in sorted(roles):
        by_partition[partition].append(row)
    for partition, rows in by_partition.items():
        entry: Entry = partitions[partition]
        events = catalog.mirror.path(entry.value)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            opened = catalog.store.reveal(receipt, entry.value, some, events, despite_restriction=True)
            for row, revealed in zip(some, opened, strict=True):
                shown = revealed if others.isdisjoint(named(revealed.line)) else _closed(revealed)
                yield Held(partition, row, entry.seq, roles[partition, row], shown)


def _closed(revealed: Revealed) -> Revealed:
    return revealed._replace(bytes=None, row_key=None, state="restricted")


def named(line: Mapping[str, Any]) -> set[str]:
    """The references of everybody whom a line names, the owner of its content included."""
    people = {reference for references in line.get("subjects", {}).values() for reference in references}
    return people | {line["content"]["owner"]}


class Told(msgspec.Struct, frozen=True):
    """The records of one session in order, or those of none; ``events`` lack envelopes, ``held`` are all of it."""

    session: str | None
    events: tuple[TimelineEvent, ...]
    held: tuple[Held, ...]


def told(catalog: Catalog, held: Sequence[Held]) -> list[Told]:
    """The records by session, the oldest first, what belongs to no session last."""
    lineage = Lineage(catalog)
    by_session: dict[str | None, list[Held]] = defaultdict(list)
    for item in held:
        by_session[item.revealed.line.get("session")].append(item)
    stories = [
        Told(session, arranged([(item.seq, item.revealed) for item in items], lineage), tuple(items))
        for session, items in by_session.items()
    ]
    return sorted(stories, key=lambda story: (story.session is None, _begin(story), story.session or ""))


def _begin(story: Told) -> str:
    return min((event.at for event in story.events if event.at), default="")
