"""docs/QUERY.md names every column of every view, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from replay.catalog import create_tables
from replay.views import NAMES, statements

DOCUMENT = Path(__file__).parents[2] / "docs" / "QUERY.md"


def documented() -> dict[str, set[str]]:
    views = {}
    for section in DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]:
        name = re.match(r"`(\w+)`", section)
        assert name is not None
        cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
        views[name[1]] = set(re.findall(r"`(\w+)`", " ".join(cells)))
    return views


def real() -> dict[str, set[str]]:
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS catalog")
    connection.execute("USE catalog")
    create_tables(connection)
    connection.execute("USE memory")
    for statement in statements([]):
        connection.execute(statement)
    return {name: {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()} for name in NAMES}


def test_the_document_lists_the_columns_that_there_are() -> None:
    assert documented() == real()
