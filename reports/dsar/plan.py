"""The plan of an erasure: what becomes of each record, and why. Made by rules alone: same population, same bytes.

A plan holds no personal data: record ids, places, spans, closed codes. It is canonical JSON and stands in the ledger as
a blob named by its SHA-256, which is what a second person approves. See docs/FORMAT.md, "Plans".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Final

import msgspec

from ledger import canonical, entries
from ledger.endings import Ended
from ledger.errors import FormatError, MissingObjectError, NotFoundError, StorageError, TamperedError
from ledger.standing import ActiveHold
from ledger.store import Store
from replay.catalog import Catalog
from replay.facts import LineFacts, line_facts
from replay.mentions import Mention
from replay.persons import OWNER, PersonRow, person_rows
from reports.dsar.requests import RequestState
from reports.retention.policy import Policy
from reports.retention.solver import Decision, Facts, decide

TYPE: Final = "evidence/plan/1"
ACTS: Final = "acts"
"""The person only acts in the record: its content is somebody else's, the reference is pseudonymous and stays."""
SEGMENT: Final = "segment"
"""The record shares a segment with one that may not be erased, and is decided like that one."""
OVERSIZED: Final = "oversized"
"""A record of more than 16 MiB, which cannot be sealed again without a part of it."""
ALREADY: Final = "already-"
"""Begins the basis of a record whose content has ended before: ``already-erased``, ``already-expired``."""
MENTION: Final = "mention"


class PlannedRow(msgspec.Struct, frozen=True):
    """A record in which the person has a role. ``outcome``: ``erase``, ``restrict``, ``refuse`` or ``keep``.

    ``until``: the last day of a restriction; None where a hold has no end yet. ``basis``: the code of what decided.
    """

    record_id: str
    entry: int
    row: int
    segment: int
    chunks: int
    outcome: str
    until: str | None
    basis: str


class PlannedRedaction(msgspec.Struct, frozen=True):
    """Spans in the content of somebody else's record that name the person. ``outcome``: ``redact``, ``restrict`` or
    ``refuse``; ``reason`` is the code of why they are taken out.
    """

    record_id: str
    entry: int
    row: int
    spans: list[tuple[int, int]]
    reason: str
    outcome: str
    until: str | None
    basis: str


class Plan(msgspec.Struct, frozen=True):
    """What is to be done for a request.

    ``policy``: SHA-256 of the retention policy that decided. ``population``: SHA-256 over every record and indexed
    mention that was found. Rows and redactions stand in the order of the log.
    """

    request: str
    subjects: list[str]
    policy: str
    population: str
    rows: list[PlannedRow]
    redactions: list[PlannedRedaction]
    type: str = msgspec.field(default=TYPE, name="_")

    @property
    def count(self) -> int:
        """Rows and redactions."""
        return len(self.rows) + len(self.redactions)


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(Plan, strict=True)


def encode(plan: Plan) -> bytes:
    """The canonical bytes of a plan."""
    return _ENCODER.encode(plan)


def digest(plan: Plan) -> str:
    """SHA-256 of the canonical bytes, in hex: what is approved."""
    return entries.sha256(encode(plan))


def decode(data: bytes) -> Plan:
    """A plan from its canonical bytes. Raises FormatError for anything that ``encode`` does not write."""
    try:
        plan = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(f"not a plan: {error}") from None
    if plan.type != TYPE or encode(plan) != data:
        raise FormatError("not a plan of a known version in its canonical form")
    return plan


def keep(store: Store, plan: Plan) -> str:
    """Make a plan durable in the ledger's blobs; its SHA-256. Raises StorageError."""
    data = encode(plan)
    path = entries.blob_path(entries.sha256(data))
    if not store.objects.put_if_absent(path, data):
        raise StorageError("a blob with other bytes stands under this name", path=path)
    return entries.sha256(data)


def load_plan(store: Store, sha256: str) -> Plan:
    """The plan of this SHA-256. Raises NotFoundError if it is not there, TamperedError if its bytes are others."""
    path = entries.blob_path(sha256)
    try:
        data = store.objects.get(path)
    except MissingObjectError:
        raise NotFoundError("the plan is not in the store", hint="Make the plan again.", path=path) from None
    if entries.sha256(data) != sha256:
        raise TamperedError("the plan's bytes are not those of its name", path=path)
    return decode(data)


def make_plan(
    catalog: Catalog, request: RequestState, policy: Policy, mentions: Sequence[Mention], as_of: date
) -> Plan:
    """What is to become of every record of the request's subjects, and of every mention of them in others' content.

    ``as_of``: the day for which retention is asked. The same store, mentions and day give the same bytes.
    """
    rows = person_rows(catalog, request.subjects)
    decider = _Decider(catalog, policy, as_of)
    return Plan(
        request=request.request,
        subjects=sorted(request.subjects),
        policy=policy.sha256,
        population=_population(rows, mentions, request.request),
        rows=decider.rows(rows),
        redactions=decider.redactions(mentions, request.subjects),
    )


def changes_since(
    catalog: Catalog, request: RequestState, plan: Plan, policy: Policy, mentions: Sequence[Mention]
) -> list[str]:
    """What is no longer as planned: ``policy``, ``population``, ``outcomes`` (a hold came or went); none if all is.

    The population is the person's records and mentions; what the request itself adds (its words, records of who
    looked) does not count.

    Retention is asked for the day of the plan: that time passes changes no plan. What was carried out of it by a run
    that did not finish is as planned.
    """
    name = digest(plan)
    as_of = next(date.fromisoformat(item.at[:10]) for item in reversed(request.events) if item.plan == name)
    now = make_plan(catalog, request, policy, mentions, as_of)
    found = ["policy"] if now.policy != plan.policy else []
    if now.population != plan.population:
        found.append("population")
    if _differ(now.rows, plan.rows) or _differ(now.redactions, plan.redactions):
        found.append("outcomes")
    return found


def _differ(
    now: Sequence[PlannedRow] | Sequence[PlannedRedaction], then: Sequence[PlannedRow] | Sequence[PlannedRedaction]
) -> bool:
    """Whether something is decided otherwise; what was not planned at all is for the population to tell."""
    planned = {item.record_id: item for item in then}
    return any(item != planned.get(item.record_id, item) and not item.basis.startswith(ALREADY) for item in now)


def _population(rows: Iterable[PersonRow], mentions: Iterable[Mention], request: str) -> str:
    items = [["row", row.record_id, *row.roles] for row in rows if not _of_the_request(row, request)]
    items += [["mention", item.record_id, f"{item.start:016d}", f"{item.end:016d}"] for item in mentions]
    return entries.sha256(canonical.encode(sorted(items)))


def _of_the_request(row: PersonRow, request: str) -> bool:
    """Whether a record comes about by dealing with requests."""
    own = row.kind == "review" and row.source_id.startswith(f"{request}/")
    return row.source == "evidence" and (row.kind == "access" or own)


_Place = tuple[int, int]
"""Partition and row, or the entry of a partition and a segment."""


class _Decider:
    """Decides rows and mentions by holds and policy."""

    def __init__(self, catalog: Catalog, policy: Policy, as_of: date) -> None:
        self._catalog = catalog
        self._policy = policy
        self._now = as_of.isoformat()
        standing = catalog.store.standing
        self._holds: Collection[ActiveHold] = list(standing.holds.values())
        self._by_subject = any(hold.scope.subjects for hold in self._holds)

    def rows(self, found: Sequence[PersonRow]) -> list[PlannedRow]:
        """Each record of the person, those that share a segment decided alike."""
        named = self._named(found)
        return by_segment([self._row(row, named.get((row.partition, row.row), frozenset())) for row in found])

    def redactions(self, mentions: Iterable[Mention], subjects: Collection[str]) -> list[PlannedRedaction]:
        """Each record of others that names the person; what is the person's own is decided as a row."""
        spans: dict[_Place, list[tuple[int, int]]] = {}
        for item in mentions:
            if item.owner not in subjects:
                spans.setdefault((item.partition, item.row), []).append((item.start, item.end))
        places: dict[int, list[int]] = {}
        for partition, row in spans:
            places.setdefault(partition, []).append(row)
        facts = line_facts(self._catalog, places)
        return [
            self._redaction(facts[place], _merged(spans[place]), subjects)
            for place in sorted(spans)
            if self._ended(place[0], facts[place].segment, facts[place].owner) is None
        ]

    def _named(self, found: Iterable[PersonRow]) -> dict[_Place, frozenset[str]]:
        """Everybody whom the lines name, where a hold asks for it."""
        if not self._by_subject:
            return {}
        places: dict[int, list[int]] = {}
        for row in found:
            if OWNER in row.roles:
                places.setdefault(row.partition, []).append(row.row)
        return {place: facts.subjects for place, facts in line_facts(self._catalog, places).items()}

    def _row(self, row: PersonRow, named: frozenset[str]) -> PlannedRow:
        if OWNER not in row.roles:
            decided = Decision("keep", None, ACTS, ())
        elif (ended := self._ended(row.partition, row.segment, row.owner)) is not None:
            decided = Decision("keep", None, f"{ALREADY}{ended.state}", ())
        else:
            facts = Facts(row.kind, row.source, row.retention_class, row.at, row.session, named, row.owner)
            decided = decide(self._policy, self._holds, facts, self._now)
        place = (row.record_id, row.entry, row.row, row.segment, row.chunks)
        return PlannedRow(*place, decided.outcome, decided.until, decided.basis)

    def _redaction(self, facts: LineFacts, spans: list[tuple[int, int]], subjects: Collection[str]) -> PlannedRedaction:
        # A hold on the person who is mentioned is one on what names them.
        named = facts.subjects.union(subjects)
        by = Facts(facts.kind, facts.source, facts.retention_class, facts.at, facts.session, named, facts.owner)
        decided = decide(self._policy, self._holds, by, self._now)
        outcome, until, basis = decided.outcome, decided.until, decided.basis
        if outcome == "erase":
            outcome, basis = ("redact", basis) if facts.chunks == 1 else ("restrict", OVERSIZED)
        return PlannedRedaction(facts.record_id, facts.entry, facts.row, spans, MENTION, outcome, until, basis)

    def _ended(self, partition: int, segment: int, owner: str) -> Ended | None:
        path = self._catalog.partitions()[partition].value["content"]["path"]
        return self._catalog.store.endings.ended(path, segment, owner)


def by_segment(planned: Sequence[PlannedRow]) -> list[PlannedRow]:
    """Rows that share a segment decided like the strictest of them: content is erased by segment, or not at all."""
    strictest: dict[_Place, PlannedRow] = {}
    for item in planned:
        known = strictest.get((item.entry, item.segment))
        if item.outcome != "keep" and (known is None or _strictness(item) > _strictness(known)):
            strictest[item.entry, item.segment] = item
    return [_alike(item, strictest.get((item.entry, item.segment))) for item in planned]


def _strictness(item: PlannedRow) -> tuple[int, str]:
    """Refused above restricted without an end (a hold) above restricted until a day above erased."""
    if item.outcome == "restrict" and item.until is None:
        return 2, ""
    return {"erase": 0, "restrict": 1, "refuse": 3}[item.outcome], item.until or ""


def _alike(item: PlannedRow, strictest: PlannedRow | None) -> PlannedRow:
    if strictest is None or item.outcome == "keep" or _strictness(item) == _strictness(strictest):
        return item
    return msgspec.structs.replace(item, outcome=strictest.outcome, until=strictest.until, basis=SEGMENT)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
