"""Leaving out what is about people whose processing is restricted (GDPR, Article 18): in tables, as in content."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from replay.catalog import Catalog

_REFERENCE: Final = re.compile(r"[0-9a-f]{32}\Z")


def names_any(references: str, people: Collection[str]) -> str:
    """SQL: whether the list ``references`` has one of these people. What is no reference names nobody."""
    listed = ", ".join(f"'{person}'" for person in sorted(people) if _REFERENCE.match(person))
    return f"list_has_any({references}, [{listed}]::VARCHAR[])"


def records_left_out(catalog: Catalog) -> int:
    """How many records of the store name people whose processing is restricted."""
    people = catalog.store.standing.restricted
    if not people:
        return 0
    partitions = catalog.partitions()
    numbers = catalog.connection.execute(
        "SELECT DISTINCT partition FROM subject_runs WHERE list_contains(?::VARCHAR[], subject)", [list(people)]
    ).fetchall()
    paths = [str(catalog.mirror.path(partitions[number].value)) for (number,) in numbers]
    if not paths:
        return 0
    named = names_any("list_append(coalesce(subjects, []), owner)", people)
    ((count,),) = catalog.connection.execute(f"SELECT count(*) FROM read_parquet(?) WHERE {named}", [paths]).fetchall()
    return int(count)
