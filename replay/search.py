"""Searching content for a person, on demand: opened and read within bounds that the caller sets, never kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from ledger.access import Receipt
from ledger.history import Entry
from ledger.keyring.identifiers import Identifier
from ledger.revealed import Revealed
from replay.catalog import Catalog, parameter
from replay.mention_index import GONE, Mention
from replay.spelling import Term, terms
from replay.surfaces import Span, normalised, surfaces

SEARCH: Final = "search"
"""What stands as the detector of a mention that was searched for."""
_RUNS: Final = 64
"""Runs of rows in a partition up to which they are opened one by one."""
_ROWS: Final = 2048


class Scope(msgspec.Struct, frozen=True):
    """Where to search: sessions (none: all), from a time until before another (RFC 3339), numbers of partitions.

    ``max_rows``: no more records are opened than these.
    """

    sessions: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    partitions: tuple[int, ...] | None = None
    max_rows: int = 100_000

    def as_json(self) -> dict[str, str]:
        """For the access record. A session's id is opaque, and a name in it is no more than what was asked for."""
        named = {"sessions": ",".join(self.sessions), "from": self.since, "to": self.until}
        if self.partitions is not None:
            named["partitions"] = ",".join(map(str, self.partitions))
        return {name: value for name, value in named.items() if value} | {"max_rows": str(self.max_rows)}


class Searched(msgspec.Struct, frozen=True):
    """What a search found. ``left`` records of the scope were not opened because of ``max_rows``.

    ``values``: how many were looked for. ``unread``: records that could not be opened, by why.
    """

    mentions: tuple[Mention, ...]
    values: int
    records: int
    left: int
    unread: dict[str, int]


def search_mentions(
    catalog: Catalog,
    receipt: Receipt,
    references: Sequence[str],
    scope: Scope,
    names: Sequence[str] = (),
    identifiers: Sequence[Identifier] = (),
) -> Searched:
    """Open what is in the scope and look for everything that is known of these people, but in their own content.

    Known are the identifiers that the keyring has of the references, ``names`` in any spelling, and further
    ``identifiers``. Raises AccessNotRecordedError without a receipt.
    """
    known = [item for found in catalog.store.identities.of(references).values() for item in found]
    wanted = terms([*known, *identifiers], list(names))
    mentions: dict[Mention, None] = {}
    unread: Counter[str] = Counter()
    records = left = 0
    for number, rows in _rows_of(catalog, scope, references) if wanted else ():
        here = rows[: max(scope.max_rows - records, 0)]
        left += len(rows) - len(here)
        records += len(here)
        entry = catalog.partitions()[number]
        for row, revealed in _opened(catalog, receipt, entry, here):
            if revealed.bytes is None:
                unread.update([] if revealed.state in GONE else [revealed.state])
                continue
            place = (revealed.record.hex(), number, entry.index, row, revealed.line["content"]["owner"])
            for kind, span in matches(revealed.bytes, wanted):
                mentions[Mention(*place, *span, SEARCH, kind)] = None
    return Searched(tuple(mentions), len(wanted), records, left, dict(unread))


def matches(content: bytes, wanted: Sequence[Term]) -> Iterator[tuple[str, Span]]:
    """The type and the bytes of each value that stands in content, in whatever spelling."""
    for surface in surfaces(content):
        text = normalised(surface, casefold=True)
        for term in wanted:
            for start, end in term.spans(text.text):
                yield term.identifier.type, text.span(start, end)


def _rows_of(catalog: Catalog, scope: Scope, references: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
    """The rows of a scope whose content is not the person's own, by the number of the partition."""
    conditions = [f"owner NOT IN ({', '.join('?' * len(references))})"] if references else []
    values: list[Any] = [*references]
    if scope.sessions:
        conditions.append(f"session IN ({', '.join('?' * len(scope.sessions))})")
        values += map(parameter, scope.sessions)
    for sign, moment in ((">=", scope.since), ("<", scope.until)):
        if moment is not None:
            conditions.append(f"coalesce(occurred_at, observed_at) {sign} ?::TIMESTAMPTZ")
            values.append(parameter(moment))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    for number, entry in _partitions(catalog, scope):
        rows = catalog.connection.execute(
            f"SELECT file_row_number FROM read_parquet(?, file_row_number = true) {where} ORDER BY 1",
            [str(catalog.mirror.path(entry.value)), *values],
        ).fetchall()
        if rows:
            yield number, [row[0] for row in rows]


def _partitions(catalog: Catalog, scope: Scope) -> Iterator[tuple[int, Entry]]:
    allowed = None if scope.partitions is None else set(scope.partitions)
    if scope.sessions:
        found = catalog.connection.execute(
            f"SELECT DISTINCT partition FROM session_parts WHERE session IN ({', '.join('?' * len(scope.sessions))})",
            [*map(parameter, scope.sessions)],
        ).fetchall()
        allowed = {row[0] for row in found} & (allowed if allowed is not None else {row[0] for row in found})
    gone = catalog.store.endings.lines_expired
    for number, entry in enumerate(catalog.partitions()):
        if (allowed is None or number in allowed) and entry.value["events"]["path"] not in gone:
            yield number, entry


def _opened(catalog: Catalog, receipt: Receipt, entry: Entry, rows: Sequence[int]) -> Iterator[tuple[int, Revealed]]:
    """The given rows with their content: runs of them where they are few, else all at once."""
    events = catalog.mirror.path(entry.value)
    runs = list(_runs(rows))
    if len(runs) > _RUNS:
        yield from zip(rows, catalog.store.reveal(receipt, entry.value, rows, events), strict=True)
        return
    for run in runs:
        yield from zip(run, catalog.store.reveal(receipt, entry.value, run, events), strict=True)


def _runs(rows: Sequence[int]) -> Iterator[range]:
    """Rows that follow each other, in parts that are opened at a time."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at] != rows[at - 1] + 1 or at - start == _ROWS:
            yield range(rows[start], rows[at - 1] + 1)
            start = at
