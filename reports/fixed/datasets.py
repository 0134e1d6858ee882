"""Which datasets belong to a model version: those that records link, else those in force when it took effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from replay.lineage import Change, Span, spans
from reports.document import Column, Table, Text
from reports.fixed.asking import Asking, short

LINKED: Final = "linked by a record"
IN_FORCE: Final = "in force when it took effect"
BEFORE: Final = "named by a later change as the one before"
NOT_RECORDED: Final = "not recorded here"

LINKS: Final = """
    SELECT c.record_id, concat(link->>'$.source', '/', link->>'$.source_id')
    FROM (SELECT record_id, unnest(links::JSON[]) AS link FROM records WHERE kind = 'change' AND links IS NOT NULL) c
    WHERE link->>'$.relation' IN ('caused_by', 'part_of', 'same_as')
"""
DIGESTS: Final = """
    SELECT record_id, digest_from, digest_to, approval FROM changes WHERE change_type = 'dataset'
"""

UNLINKED: Final = Text(
    (
        (
            "A dataset is linked where the record of one change names the other. Elsewhere it is the version that was "
            "in force when the model version took effect: that the model was trained on it is not recorded here."
        ),
    ),
    "limit",
)

Row = tuple[Any, ...]


def datasets_table(ask: Asking, models: Sequence[Span], every: Sequence[Change]) -> Table:
    """For each version of a model the datasets that belong to it, with their digests and approvals."""
    of_datasets = [change for change in every if change.type == "dataset"]
    in_force = spans(ask.catalog, "dataset", {span.system for span in models} | {None})
    links: dict[str, set[str]] = {}
    for record_id, target in ask.rows(LINKS):
        links.setdefault(record_id, set()).add(target)
    known = {row[0]: row[1:] for row in ask.rows(DIGESTS)}
    rows: dict[Row, None] = {}
    for span in models:
        for change in span.changes:
            found = list(_linked(change, of_datasets, links)) or [
                *_standing(span, in_force),
                *_before(span, of_datasets),
            ]
            for dataset, version, basis, record_id in found:
                digest_from, digest_to, approval = known.get(record_id, (None, None, None))
                digest, approved = (digest_from, None) if basis == BEFORE else (digest_to, approval)
                rows[span.name, change.version_to, dataset, version, basis, digest, approved, short(record_id)] = None
            if not found:
                rows[span.name, change.version_to, None, None, NOT_RECORDED, None, None, None] = None
    columns = (
        *(Column("Model", "code"), Column("Version", "code"), Column("Dataset", "code"), Column("Its version", "code")),
        *(Column("Basis"), Column("Digest", "code"), Column("Approval of the dataset"), Column("Its change", "id")),
    )
    return ask.table("datasets", "Datasets of the model versions", columns, list(rows), query=DIGESTS)


Found = tuple[str, str | None, str, str]


def _linked(change: Change, of_datasets: Sequence[Change], links: Mapping[str, set[str]]) -> Iterator[Found]:
    """Datasets whose change this one names, or that name this one."""
    own = f"{change.source}/{change.source_id}"
    for other in of_datasets:
        named = f"{other.source}/{other.source_id}" in links.get(change.record_id, ())
        if named or own in links.get(other.record_id, ()):
            yield other.name, other.version_to, LINKED, other.record_id


def _standing(model: Span, in_force: Sequence[Span]) -> Iterator[Found]:
    for span in in_force:
        began = span.begin <= model.begin and (span.end is None or model.begin < span.end)
        if span.system == model.system and began:
            for change in span.changes:
                yield span.name, change.version_to, IN_FORCE, change.record_id


def _before(model: Span, of_datasets: Sequence[Change]) -> Iterator[Found]:
    """A dataset whose first change comes later: that change says which version was there before."""
    first: dict[str, Change] = {}
    for change in of_datasets:
        if change.system in (None, model.system):
            first.setdefault(change.name, change)
    for name, change in first.items():
        if change.at > model.begin and change.version_from is not None:
            yield name, change.version_from, BEFORE, change.record_id
