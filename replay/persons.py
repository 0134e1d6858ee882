"""Where a person acts or is the data subject: a look-up in the catalog, then reads of those rows alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from ledger import merkle, records
from ledger.errors import NotFoundError
from ledger.partition_reader import PartitionReader
from ledger.store import Store
from replay.catalog import Catalog

_REFERENCE: Final = re.compile(r"[0-9a-f]{32}\Z")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_:-]{0,63}\Z")
_NEAR: Final = 1024
"""Rows between two runs that are read along with them: row groups are read whole."""

OWNER: Final = "owner"
"""The role of whoever's key protects the content."""


class PersonRow(msgspec.Struct, frozen=True):
    """One record in which a person has a role, or whose content is theirs.

    ``partition`` is a number in ``Catalog.partitions``, ``entry`` the index of its entry. ``at`` is when it happened,
    else when it came in (RFC 3339 UTC). ``roles`` are the person's own, ``owner`` among them.
    """

    record_id: str
    partition: int
    entry: int
    row: int
    segment: int
    chunks: int
    session: str | None
    kind: str
    at: str
    roles: tuple[str, ...]
    owner: str
    source: str
    source_id: str
    input: str | None
    step: int | None
    retention_class: str
    model: str | None
    status: str | None
    decision: str | None


def resolve_person(store: Store, identifiers: Sequence[str]) -> list[str]:
    """The references of one person by identifiers, as ``type:value`` or a bare value, with all that is linked.

    Raises NotFoundError where the keyring knows one of the identifiers under no type.
    """
    found: set[str] = set()
    for number, text in enumerate(identifiers, 1):
        references = known_references(store, text)
        if not references:
            which = f" (number {number})" if len(identifiers) > 1 else ""
            raise NotFoundError(
                f"the keyring knows no such identifier{which}", hint="Give it as the source wrote it, or as type:value."
            )
        found.update(references)
    return store.links.group(found)


def known_references(store: Store, text: str) -> list[str]:
    """The references that one text can stand for: of ``type:value``, of the bare value, or a reference itself."""
    if _REFERENCE.match(text) and _is_known(store, text):
        return [text]
    found = set(store.keyring.lookup(text))
    for kind, value in readings(text):
        found.update(store.keyring.lookup(value, [kind]))
    identities = store.identities.of(found)
    return sorted(ref for ref in found if any(not is_session(item.type) for item in identities[ref]))


def _is_known(store: Store, reference: str) -> bool:
    """Whether the keyring has a reference: with a key, live or destroyed, or, where nothing is sealed, identifiers."""
    return store.keyring.state(reference) != "never existed" or bool(store.identities.of([reference])[reference])


def readings(text: str) -> Iterator[tuple[str, str]]:
    """The ways to read a text as ``type:value``: types can hold a colon themselves."""
    for match in re.finditer(":", text):
        kind, value = text[: match.start()], text[match.end() :]
        if _TYPE.match(kind) and value:
            yield kind, value


def is_session(kind: str) -> bool:
    """Whether identifiers of a type name conversations, not people."""
    return kind.partition(":")[0] == "session"


def person_rows(catalog: Catalog, references: Sequence[str]) -> list[PersonRow]:
    """Every record in which one of the references has a role or owns the content, in the order of the log.

    Only the row groups that hold such records are read. Raises what reading a partition's lines raises.
    """
    wanted = frozenset(references)
    if not wanted:
        return []
    runs = catalog.connection.execute(
        "SELECT DISTINCT partition, first_row, rows FROM subject_runs "
        f"WHERE subject IN ({', '.join('?' * len(wanted))}) ORDER BY partition, first_row",
        sorted(wanted),
    ).fetchall()
    by_partition: dict[int, list[tuple[int, int]]] = {}
    for partition, first, count in runs:
        by_partition.setdefault(partition, []).append((first, count))
    return [
        row for partition, ranges in by_partition.items() for row in _partition_rows(catalog, partition, ranges, wanted)
    ]


def _partition_rows(
    catalog: Catalog, partition: int, ranges: Sequence[tuple[int, int]], wanted: frozenset[str]
) -> Iterator[PersonRow]:
    entry = catalog.partitions()[partition]
    reader = PartitionReader(catalog.store.objects, entry.value, catalog.mirror.path(entry.value))
    numbers = {row for first, count in ranges for row in range(first, first + count)}
    for first, count in _spans(ranges):
        table = reader.rows(first, count, ("line", "segment", "chunks"))
        columns = (table.column(name).to_pylist() for name in ("line", "segment", "chunks"))
        for row, (line, segment, chunks) in enumerate(zip(*columns, strict=True), first):
            if row in numbers:
                place = (partition, entry.index, row, segment, chunks)
                yield _person_row(merkle.leaf_hash(line).hex(), place, records.parse_line(line), wanted)


def _spans(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges (first, count) in ascending order, those that lie near each other or overlap as one."""
    first, end = ranges[0][0], 0
    for start, count in ranges:
        if start - max(end, first) > _NEAR:
            yield first, end - first
            first = start
        end = max(end, start + count)
    yield first, end - first


def _person_row(
    record_id: str, place: tuple[int, int, int, int, int], line: dict[str, Any], wanted: frozenset[str]
) -> PersonRow:
    roles = [role for role, people in line.get("subjects", {}).items() if not wanted.isdisjoint(people)]
    owner = line["content"]["owner"]
    came_from = line.get("input", {})
    return PersonRow(
        record_id,
        *place,
        session=line.get("session"),
        kind=line["kind"],
        at=line.get("occurred_at", line["observed_at"]),
        roles=(*sorted(roles), *((OWNER,) if owner in wanted else ())),
        owner=owner,
        source=line["source"],
        source_id=line["source_id"],
        input=came_from.get("ref"),
        step=came_from.get("step"),
        retention_class=line["retention_class"],
        model=model_of(line),
        status=line.get("status"),
        decision=line.get("decision"),
    )


def model_of(line: dict[str, Any]) -> str | None:
    """The model that answered, as the typed column ``model`` has it."""
    names = (line.get("gen_ai_response_model"), line.get("gen_ai_request_model"), line.get("model_ref", {}).get("name"))
    return next((str(name) for name in names if name), None)


def own_sessions(catalog: Catalog, references: Sequence[str]) -> list[str]:
    """The conversations of one person alone that have a reference: where a source's own id may name somebody.

    Content that belongs to nobody, but to the conversation, does not make it somebody else's.
    """
    rows = catalog.connection.execute(
        "SELECT session, list_distinct(flatten(list(owners))) FROM session_parts WHERE session IN "
        "(SELECT session FROM session_parts WHERE list_has_any(owners, ?::VARCHAR[])) GROUP BY session",
        [list(references)],
    ).fetchall()
    own = set(references)
    return sorted(session for session, owners in rows if _REFERENCE.match(session) and set(owners) <= own | {session})
