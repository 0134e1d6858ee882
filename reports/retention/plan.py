"""What has expired: exactly the segments whose content a run of ``evidence retention apply`` ends, and why.

A segment ends as a whole, so it stays while any row of it does: one on hold, or one that another rule keeps longer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from ledger import canonical
from ledger.endings import Endings
from ledger.entry_shapes import runs
from ledger.errors import PlanChangedError
from ledger.expiring import Expired, Expiring, expire
from ledger.history import Entry
from replay.catalog import Catalog
from reports.dsar.execute import DEFERRED
from reports.retention.policy import Policy
from reports.retention.rows import facts_of
from reports.retention.solver import Expiry, Facts, expiry

SHARED: Final = "segment"
"""The basis on which a row stays that has itself expired: it shares a segment with one that stays."""


class PartitionPlan(msgspec.Struct, frozen=True):
    """What happens to one partition, by the index of its ``entry``.

    ``ending`` and ``staying``: rows by the basis on which their content ends, or does not. Rows whose content was ended
    before are in neither. ``kept``: ranges of segments that stay.
    """

    entry: int
    date: str
    retention_class: str
    rows: int
    segments: int
    ending: dict[str, int]
    staying: dict[str, int]
    kept: list[list[int]]

    def kept_segments(self) -> list[int]:
        """The segments that stay, one by one."""
        return [number for first, last in self.kept for number in range(first, last + 1)]


class RetentionPlan(msgspec.Struct, frozen=True):
    """A selection: of which store, by which policy (SHA-256), and whether objects of which nothing stays may go."""

    store: str
    policy: str
    deleted: bool
    partitions: list[PartitionPlan]

    @property
    def digest(self) -> str:
        """SHA-256 over the selection: equal for equal selections, whenever they are made."""
        listed = [{"kept": item.kept, "partition": item.entry} for item in self.partitions]
        body = {"_": "evidence/retention-plan/1", "store": self.store, "policy": self.policy, "deleted": self.deleted}
        return hashlib.sha256(canonical.encode(body | {"partitions": listed})).hexdigest()

    @property
    def rows(self) -> int:
        """How many rows' content ends."""
        return sum(sum(item.ending.values()) for item in self.partitions)


def make_plan(catalog: Catalog, policy: Policy, now: str) -> RetentionPlan:
    """What has expired ``now`` (RFC 3339 UTC), by the ledger as the catalog's store has read it."""
    store = catalog.store
    deletes = store.settings.delete_expired
    found = [
        plan
        for number, entry in enumerate(catalog.partitions())
        if (plan := _partition(catalog, number, entry, policy, now, deletes)) is not None
    ]
    return RetentionPlan(store.history.store, policy.sha256, deletes, found)


def carry_out(catalog: Catalog, policy: Policy, plan: RetentionPlan) -> Expired:
    """End what was planned, in the ledger first. Raises PlanChangedError where others changed what it rests on."""
    if not plan.partitions:
        return Expired([], 0)

    def recheck(foreign: list[Entry]) -> None:
        if any(entry.value["type"] in _DECIDING for entry in foreign):
            raise PlanChangedError("holds, restrictions or other endings were committed since this was planned")

    kept = {item.entry: item.kept_segments() for item in plan.partitions}
    return expire(catalog.store, Expiring(policy.data, kept, plan.deleted), recheck)


_DECIDING: Final = frozenset(("hold", "restriction", "retention", "reseal", "erasure"))


def _partition(
    catalog: Catalog, number: int, entry: Entry, policy: Policy, now: str, deletes: bool
) -> PartitionPlan | None:
    """The plan of one partition; None where nothing changes."""
    store, value = catalog.store, entry.value
    endings: Endings = store.endings
    path = value["content"]["path"]
    before = endings.expired.get(path)
    if before is not None and not before.kept:
        left = set(endings.objects_of(path)) - endings.deleted.keys()
        return _planned(entry, {}, {}, ()) if deletes and left else None
    if not _may_be_due(policy, value, now):
        return None
    standing = store.standing
    differ = (standing.holds, standing.restricted, before, endings.subjects, path in endings.segments)
    uniform = None if any(differ) else _all_due(policy, value, now)
    if uniform is not None:
        return _planned(entry, {uniform: value["rows"]}, {}, ())
    ending, staying, kept = _by_segment(catalog, number, entry, policy, now)
    return _planned(entry, ending, staying, kept) if ending else None


def _planned(
    entry: Entry, ending: Mapping[str, int], staying: Mapping[str, int], kept: Collection[int]
) -> PartitionPlan:
    value = entry.value
    return PartitionPlan(
        entry.index,
        value["date"],
        value["retention_class"],
        value["rows"],
        value["segments"],
        dict(sorted(ending.items())),
        dict(sorted(staying.items())),
        runs(sorted(kept)),
    )


def _by_segment(
    catalog: Catalog, number: int, entry: Entry, policy: Policy, now: str
) -> tuple[Counter[str], Counter[str], set[int]]:
    """Rows that end, rows that stay, each by basis; and the segments that stay."""
    endings, path = catalog.store.endings, entry.value["content"]["path"]
    due: list[tuple[int, int, str]] = []
    staying: Counter[str] = Counter()
    kept: set[int] = set()
    judge = _Judge(catalog, policy, now)
    for item in facts_of(catalog, number):
        if endings.ended(path, item.segment, item.facts.owner) is not None:
            continue
        found = judge(item.facts)
        if found.outcome == "expire":
            due.append((item.segment, item.chunks, found.basis))
        else:
            staying[found.basis] += 1
            kept.update(range(item.segment, item.segment + item.chunks))
    ending: Counter[str] = Counter()
    for segment, chunks, basis in due:
        if kept.isdisjoint(range(segment, segment + chunks)):
            ending[basis] += 1
        else:
            staying[SHARED] += 1
    return ending, staying, kept


class _Judge:
    """``expiry`` for many rows: where neither holds nor restrictions are in force few of them differ."""

    def __init__(self, catalog: Catalog, policy: Policy, now: str) -> None:
        standing = catalog.store.standing
        self._holds = list(standing.holds.values())
        # Whoever asked for erasure and has to wait for it is not to wait longer than others.
        self._restricted = frozenset(ref for ref, item in standing.restricted.items() if item.basis != DEFERRED)
        self._policy, self._now = policy, now
        self._known: dict[tuple[str, str, str, str], Expiry] = {}

    def __call__(self, facts: Facts) -> Expiry:
        if self._holds or self._restricted:
            return expiry(self._policy, self._holds, facts, self._now, self._restricted)
        key = (facts.kind, facts.source, facts.retention_class, facts.at[:10])
        if key not in self._known:
            self._known[key] = expiry(self._policy, (), facts, self._now)
        return self._known[key]


def _may_be_due(policy: Policy, entry: Mapping[str, Any], now: str) -> bool:
    """Whether any row of a partition can have expired, by its entry alone."""
    if entry["other_sources"]:
        return policy.expires
    # Rows of a source whose clock is ahead, and access records, can be older than the entry's times, or than its day.
    first = min(entry["date"], entry["time"]["from"][:10])
    return any(found.outcome == "expire" for found in _combined(policy, entry, first, now))


def _all_due(policy: Policy, entry: Mapping[str, Any], now: str) -> str | None:
    """The basis on which every row of a partition has expired, where its entry alone says so and it is one rule."""
    if entry["other_sources"]:
        return None
    found = list(_combined(policy, entry, entry["time"]["to"][:10], now))
    bases = {item.basis for item in found}
    return bases.pop() if len(bases) == 1 and all(item.outcome == "expire" for item in found) else None


def _combined(policy: Policy, entry: Mapping[str, Any], day: str, now: str) -> Iterator[Expiry]:
    """What a row of that day would be, of each kind and source that the entry names."""
    for kind in entry["kinds"]:
        for source in entry["sources"]:
            facts = Facts(kind, source["source"], entry["retention_class"], day, None, (), "")
            yield expiry(policy, (), facts, now)
