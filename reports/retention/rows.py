"""The facts by which retention and holds are decided, row by row, from a partition's typed columns. No content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from replay.catalog import Catalog
from reports.retention.solver import Facts

_BATCH: Final = 20_000


class FactsOfRow(NamedTuple):
    """A row of a partition, where its content is (first segment, number of segments), and its facts."""

    row: int
    segment: int
    chunks: int
    facts: Facts


# What lies ahead was observed at the latest: a source's wrong clock must not keep content for good.
_FACTS: Final = """
SELECT file_row_number, segment, chunks, kind, source,
    strftime(least(coalesce(occurred_at, observed_at), observed_at), '%Y-%m-%dT%H:%M:%S.%fZ'), session, subjects, owner
FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number
"""


def facts_of(catalog: Catalog, number: int) -> Iterator[FactsOfRow]:
    """Every row of a partition, by its number in ``catalog.partitions()``, in order."""
    entry = catalog.partitions()[number].value
    retention_class = entry["retention_class"]
    # A cursor of its own: the caller may ask the catalog other things meanwhile.
    with catalog.connection.cursor() as cursor:
        cursor.execute(_FACTS, [str(catalog.mirror.path(entry))])
        while batch := cursor.fetchmany(_BATCH):
            for row, segment, chunks, kind, source, at, session, subjects, owner in batch:
                facts = Facts(kind, source, retention_class, at, session, tuple(subjects or ()), owner)
                yield FactsOfRow(row, segment, chunks, facts)
