"""What a breach has reached, in numbers: people, records, categories, as GDPR, Article 33(3)(a) asks.

Either partitions became known to somebody (objects were copied), or the keys of an epoch of the keyring. What was
rendered unreadable before is no part of it and is counted apart.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from ledger.access import Receipt
from ledger.endings import Endings
from ledger.errors import NotFoundError
from ledger.history import Entry
from ledger.store import Store
from replay.catalog import Catalog

_NO_PERSON: Final = frozenset({"service"})
"""Roles of references that stand for no person."""

_DAY: Final = re.compile(r"(19|20)\d\d(-\d\d(-\d\d)?)?\Z")
_NUMBERS: Final = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?\Z")

REACHED, SINCE, BEFORE = "reached", "ended_since", "ended_before"


class Share(NamedTuple):
    """Records of one state: how many, of which kinds and sources, and the people in them by role.

    ``people``: distinct persons, where references that are linked are one. ``identifiers``: how many references have an
    identifier of each type in the keyring; none for who was erased.
    """

    records: int
    people: int
    roles: dict[str, int]
    kinds: dict[str, int]
    sources: dict[str, int]
    identifiers: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return self._asdict()


class Breach(NamedTuple):
    """What was reached.

    ``reached``: records whose content can be read with the keys that live (or lived in the epoch). ``ended_since``: for
    an epoch, what was ended after it began: whoever copied the keys before could still read it. ``ended_before``: what
    nobody could read any more; its lines still say that there was something. ``erased_subjects``: references among the
    rows that the ledger has erased by now.
    """

    partitions: int
    first_at: str | None
    last_at: str | None
    retention_classes: list[str]
    reached: Share
    ended_since: Share
    ended_before: Share
    erased_subjects: int

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        shares = {name: getattr(self, name).as_json() for name in (REACHED, SINCE, BEFORE)}
        return {**self._asdict(), **shares}


def of_partitions(store: Store, patterns: Sequence[str]) -> list[Entry]:
    """The partitions that patterns name.

    A pattern is ``all``; a day, month or year (``2026-11``); a number of an entry or a range of them (``17``,
    ``17..40``); or an object's path, also with ``*`` and ``?``.

    Raises NotFoundError for a pattern that names none.
    """
    every = store.history.partitions()
    chosen: dict[int, Entry] = {}
    for pattern in patterns:
        found = [entry for entry in every if _matches(pattern, entry)]
        if not found:
            raise NotFoundError(f"no partition is named by {pattern!a}", hint="List them: SELECT * FROM partitions.")
        chosen |= {entry.index: entry for entry in found}
    return [chosen[index] for index in sorted(chosen)]


def of_epoch(store: Store, epoch: int) -> tuple[list[Entry], int]:
    """The partitions whose keys stood under an epoch of the keyring, and the entry with which it began.

    Raises NotFoundError for an epoch that there never was.
    """
    began, ended = {1: 0}, {}
    for entry in store.history.entries:
        change = entry.value.get("epoch") if entry.value["type"] == "erasure" else None
        if change is not None:
            began[change["begun"]] = ended[change["ended"]] = entry.index
    if epoch not in began:
        raise NotFoundError(f"the ledger knows no epoch {epoch}", hint="List them: `evidence keys list`.")
    end = ended.get(epoch)
    return [entry for entry in store.history.partitions() if end is None or entry.index < end], began[epoch]


def count(catalog: Catalog, receipt: Receipt, partitions: Sequence[Entry], began: int | None = None) -> Breach:
    """Count what stands in these partitions. ``began``: the entry with which the epoch began whose keys were taken.

    Raises AccessNotRecordedError without a receipt of this process.
    """
    store = catalog.store
    store.check(receipt)
    tally = _Tally()
    for entry in partitions:
        path = str(catalog.mirror.path(entry.value))
        gone = _Gone(store.endings, entry, began)
        parameters = {"path": path, **gone.parameters()}
        for state, kind, source, number in catalog.connection.execute(_COUNTS, parameters).fetchall():
            tally.add(state, kind, source, number)
        for state, role, reference in catalog.connection.execute(_PEOPLE, parameters).fetchall():
            tally.subjects[state][role].add(reference)
    erased = store.endings.subjects.keys()
    named = {ref for roles in tally.subjects.values() for refs in roles.values() for ref in refs}
    times = [entry.value["time"] for entry in partitions]
    return Breach(
        len(partitions),
        min((time["from"] for time in times), default=None),
        max((time["to"] for time in times), default=None),
        sorted({entry.value["retention_class"] for entry in partitions}),
        tally.share(store, REACHED),
        tally.share(store, SINCE),
        tally.share(store, BEFORE),
        len(named & erased),
    )


class _Tally:
    """Counts by state."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = defaultdict(Counter)
        self.sources: dict[str, Counter[str]] = defaultdict(Counter)
        self.subjects: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def add(self, state: str, kind: str, source: str, number: int) -> None:
        self.kinds[state][kind] += number
        self.sources[state][source] += number

    def share(self, store: Store, state: str) -> Share:
        roles = dict(sorted(self.subjects[state].items()))
        people = {ref for role, refs in roles.items() if role not in _NO_PERSON for ref in refs}
        return Share(
            self.kinds[state].total(),
            store.links.persons(people),
            {role: len(refs) for role, refs in roles.items()},
            dict(sorted(self.kinds[state].items())),
            dict(sorted(self.sources[state].items())),
            store.identities.types_of(people),
        )


class _Gone:
    """What of a partition was ended, apart by whether that was before the epoch began whose keys were taken."""

    def __init__(self, endings: Endings, entry: Entry, began: int | None) -> None:
        path = entry.value["content"]["path"]
        self._began = began
        self._owners = {ref: end.index for ref, end in endings.subjects.items() if end.seq > entry.seq}
        self._segments = {number: end.index for number, end in endings.segments.get(path, {}).items()}
        self._expiry = endings.expired.get(path)

    def parameters(self) -> dict[str, Any]:
        """For _STATES."""
        expiry = self._expiry
        return {
            "owners_before": [ref for ref, index in self._owners.items() if self._before(index)],
            "owners_since": [ref for ref, index in self._owners.items() if not self._before(index)],
            "segments_before": [number for number, index in self._segments.items() if self._before(index)],
            "segments_since": [number for number, index in self._segments.items() if not self._before(index)],
            "expired_before": expiry is not None and self._before(expiry.entry.index),
            "expired_since": expiry is not None and not self._before(expiry.entry.index),
            "kept": sorted(expiry.kept) if expiry else [],
        }

    def _before(self, index: int) -> bool:
        return self._began is None or index < self._began


def _matches(pattern: str, entry: Entry) -> bool:
    if pattern == "all":
        return True
    if _DAY.match(pattern):
        return bool(entry.value["date"].startswith(pattern))
    numbers = _NUMBERS.match(pattern)
    if numbers:
        return int(numbers[1]) <= entry.index <= int(numbers[2] or numbers[1])
    return any(fnmatchcase(entry.value[name]["path"], pattern) for name in ("events", "content"))


def words(breach: Breach) -> Mapping[str, Share]:
    """The shares that hold records, by what they are to people."""
    named = {
        "reached": breach.reached,
        "ended since the epoch began": breach.ended_since,
        "unreadable before, not counted": breach.ended_before,
    }
    return {name: share for name, share in named.items() if share.records}


_STATES: Final = f"""
SELECT kind, source, line, CASE
    WHEN list_contains($owners_before::VARCHAR[], owner) OR list_has_any(places, $segments_before::BIGINT[])
        OR ($expired_before AND NOT list_has_all($kept::BIGINT[], places)) THEN '{BEFORE}'
    WHEN list_contains($owners_since::VARCHAR[], owner) OR list_has_any(places, $segments_since::BIGINT[])
        OR ($expired_since AND NOT list_has_all($kept::BIGINT[], places)) THEN '{SINCE}'
    ELSE '{REACHED}' END AS state
FROM (
    SELECT *, range(segment::BIGINT, segment::BIGINT + greatest(chunks, 1)::BIGINT) AS places FROM read_parquet($path)
)
"""

_COUNTS: Final = f"SELECT state, kind, source, count(*) FROM ({_STATES}) GROUP BY ALL"

_PEOPLE: Final = f"""
SELECT DISTINCT state, role, unnest(from_json(json_extract(subjects, '$.' || role), '["VARCHAR"]'))
FROM (
    SELECT state, subjects, unnest(json_keys(subjects)) AS role
    FROM (SELECT state, decode(line)::JSON->'$.subjects' AS subjects FROM ({_STATES})) WHERE subjects IS NOT NULL
)
"""
