"""What the records of a bundle have in common, and which entries and access records of the log are about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger import entry_shapes
from ledger.access import Receipt
from ledger.history import Entry
from replay.accesses import Access, Wanted, accesses
from replay.catalog import Catalog

_ENDING: Final = ("erasure", "reseal", "retention")


@dataclass
class Scope:
    """Facts over the lines of a selection: whom and what they name, between which times, how many of each sort.

    ``people``: references in any role, owners of content included. ``first`` and ``last``: RFC 3339 UTC.
    """

    people: set[str] = field(default_factory=set)
    inputs: set[str] = field(default_factory=set)
    sessions: Counter[str] = field(default_factory=Counter)
    partitions: set[int] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[str, str]] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    days: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: str = "~"
    last: str = ""

    def add(self, line: Mapping[str, Any]) -> None:
        """Take a line of the selection in."""
        self.people.add(line["content"]["owner"])
        for references in line.get("subjects", {}).values():
            self.people.update(references)
        # Without its Z, RFC 3339 UTC text sorts at any precision.
        at = (line.get("occurred_at") or line["observed_at"])[:-1]
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.kinds[line["kind"]] += 1
        self.days[at[:10], line["kind"]] += 1
        self.sources[line["source"]] += 1
        if "session" in line:
            self.sessions[line["session"]] += 1
        if "input" in line:
            self.inputs.add(line["input"]["ref"])
        if "decision" in line:
            self.decisions[line["decision"]] += 1
        if "status" in line:
            self.statuses[line["status"]] += 1
        stated = line.get("model_ref", {})
        model = line.get("gen_ai_response_model") or line.get("gen_ai_request_model") or stated.get("name")
        if model:
            self.models[model, stated.get("version", "")] += 1

    def overlaps(self, start: str | None, end: str | None) -> bool:
        """Whether any of the records can lie in [start, end), RFC 3339 UTC."""
        return (start is None or start.removesuffix("Z") <= self.last) and (
            end is None or self.first < end.removesuffix("Z")
        )


def endings(log: Collection[Entry], scope: Scope) -> list[Entry]:
    """Entries that ended, altered or restricted content of these people, sessions or partitions, or may have."""
    return [entry for entry in log if entry.value["type"] in (*_ENDING, "restriction") and _is_ended(entry, scope)]


def _is_ended(entry: Entry, scope: Scope) -> bool:
    match entry_shapes.read(entry.value):
        case entry_shapes.Erasure() as found:
            hit = not scope.people.isdisjoint(found.subjects) or not scope.sessions.keys().isdisjoint(found.sessions)
            return hit or any(item.partition in scope.partitions for item in found.segments)
        case entry_shapes.Reseal() as found:
            return found.partition in scope.partitions
        case entry_shapes.Retention() as found:
            return any(item.partition in scope.partitions for item in found.partitions)
        case entry_shapes.Restriction() as found:
            return not scope.people.isdisjoint(found.subjects)
    return False


def holds(log: Collection[Entry], scope: Scope) -> list[Entry]:
    """Entries that began or ended a hold which may cover one of these records: each part of its scope fits some."""
    found: list[Entry] = []
    on: set[str] = set()
    for entry in log:
        if entry.value["type"] != "hold":
            continue
        hold = entry_shapes.read(entry.value)
        if hold.action == "add" and hold.scope is not None and _may_cover(hold.scope, scope):
            on.add(hold.hold)
        if hold.hold in on:
            found.append(entry)
    return found


def _may_cover(held: entry_shapes.Scope, scope: Scope) -> bool:
    return (
        (not held.subjects or not scope.people.isdisjoint(held.subjects))
        and held.session in (None, *scope.sessions)
        and scope.overlaps(held.first, held.last)
    )


# ---- who looked


_LOOKS_ELSEWHERE: Final = frozenset({"accesses", "hold add", "hold list", "subjects list", "exports", "keys drill"})
"""Commands that open words about records, or identifiers, and no records."""


@dataclass(frozen=True)
class Looked:
    """Accesses to the records of a scope, by what each says it opened; and how many could not be read."""

    accesses: tuple[Access, ...]
    unread: int


def looked(catalog: Catalog, receipt: Receipt, scope: Scope) -> Looked:
    """The access records that looked at a scope, the oldest first. Raises AccessNotRecordedError without a receipt.

    One whose content is gone says of what it opened no more than when: it is counted.
    """
    requests = _requests(catalog.store.history.entries)
    found, unread = [], 0
    for access in accesses(catalog, receipt, Wanted()):
        if access.command is None:
            unread += 1
        elif _touches(access, scope, requests):
            found.append(access)
    return Looked(tuple(reversed(found)), unread)


def _requests(log: Collection[Entry]) -> dict[str, set[str]]:
    """Whom each request of a data subject is about."""
    found: dict[str, set[str]] = {}
    for entry in log:
        if entry.value["type"] == "request":
            found.setdefault(entry.value["request"], set()).update(entry.value.get("subjects", ()))
    return found


def _touches(access: Access, scope: Scope, requests: Mapping[str, set[str]]) -> bool:
    """Whether an access opened records of the scope. One that names nothing narrower may have opened any."""
    named = access.selection
    if access.command in _LOOKS_ELSEWHERE:
        return False
    sessions = {*named.get("session", "").split(","), *named.get("sessions", "").split(",")} - {""}
    people = {*named.get("subjects", "").split(","), *requests.get(named.get("request", ""), ())} - {""}
    inputs = {named.get("input", "")} - {""}
    if sessions & scope.sessions.keys() or people & scope.people or inputs & scope.inputs:
        return True
    searched = "max_rows" in named and not sessions
    narrow = sessions or inputs or people or "request" in named
    return (searched or not narrow) and scope.overlaps(named.get("from"), named.get("to"))


def access_rows(catalog: Catalog, accesses: Collection[Access]) -> Iterator[tuple[Entry, dict[int, str]]]:
    """Where access records stand: of each partition that holds some the rows and the records' ids."""
    wanted = {access.record_id for access in accesses}
    for entry in catalog.partitions() if wanted else ():
        if "access" in entry.value["kinds"]:
            rows = catalog.connection.execute(
                "SELECT row, id FROM (SELECT file_row_number AS row, lower(sha256('\\x00'::BLOB || line)) AS id "
                "FROM read_parquet(?, file_row_number = true) WHERE kind = 'access') ORDER BY row",
                [str(catalog.mirror.path(entry.value))],
            ).fetchall()
            found = {row: record for row, record in rows if record in wanted}
            if found:
                yield entry, found
