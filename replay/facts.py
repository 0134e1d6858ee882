"""What rules decide by of single records: read from their lines, which hold no content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger import merkle, records
from ledger.partition_reader import PartitionReader
from replay.catalog import Catalog

_NEAR: Final = 1024
"""Rows between two wanted ones that are read along with them: row groups are read whole."""


class LineFacts(NamedTuple):
    """A record's place and what its line says. ``at``: when it occurred, else when it came in (RFC 3339 UTC).

    ``subjects``: every reference that the line names, whatever its role, the owner not counted.
    """

    record_id: str
    entry: int
    row: int
    segment: int
    chunks: int
    kind: str
    source: str
    retention_class: str
    at: str
    session: str | None
    subjects: frozenset[str]
    owner: str


def line_facts(catalog: Catalog, rows: Mapping[int, Iterable[int]]) -> dict[tuple[int, int], LineFacts]:
    """The facts of rows by the number of their partition and their own, given as rows by partition number."""
    found: dict[tuple[int, int], LineFacts] = {}
    for partition, numbers in sorted(rows.items()):
        entry = catalog.partitions()[partition]
        reader = PartitionReader(catalog.store.objects, entry.value, catalog.mirror.path(entry.value))
        wanted = sorted(set(numbers))
        for run in _runs(wanted):
            table = reader.rows(run[0], run[-1] - run[0] + 1, ("line", "segment", "chunks"))
            lines, segments, chunks = (table.column(name) for name in ("line", "segment", "chunks"))
            for row in run:
                at = row - run[0]
                place = (entry.index, row, segments[at].as_py(), chunks[at].as_py())
                found[partition, row] = _facts(lines[at].as_py(), place)
    return found


def _runs(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Ascending numbers in runs of such as lie near each other."""
    run: list[int] = []
    for number in numbers:
        if run and number - run[-1] > _NEAR:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _facts(raw: bytes, place: tuple[int, int, int, int]) -> LineFacts:
    line: dict[str, Any] = records.parse_line(raw)
    return LineFacts(
        merkle.leaf_hash(raw).hex(),
        *place,
        line["kind"],
        line["source"],
        line["retention_class"],
        line.get("occurred_at", line["observed_at"]),
        line.get("session"),
        frozenset(reference for people in line.get("subjects", {}).values() for reference in people),
        line["content"]["owner"],
    )
