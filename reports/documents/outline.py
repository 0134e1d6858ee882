"""What a report holds, whatever it is drawn as: its blocks in order, its tables by name, its controls as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, get_args

import msgspec

from reports.document import Block, Cell, Chart, Column, Control, Report, Table, Verdict

VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
ROWS: Final = 2_000
"""Rows of a table that are shown where people read page by page; XLSX, CSV and JSON have them all."""


def blocks(report: Report) -> Iterator[Block]:
    """Every block, in order."""
    return (block for section in report.sections for block in section.blocks)


def controls(report: Report) -> list[Control]:
    """Every control, in order."""
    return [block for block in blocks(report) if isinstance(block, Control)]


def charts(report: Report) -> list[Chart]:
    """Every chart, in order."""
    return [block for block in blocks(report) if isinstance(block, Chart)]


def tables(report: Report) -> list[Table]:
    """All that is a table, with a name of its own each: controls and tests, tables, exceptions, values of charts."""
    found = [table for table in (overview(report), tests(report)) if table.rows]
    for block in blocks(report):
        if isinstance(block, Table):
            found.append(block)
        elif isinstance(block, Control):
            found += [test.exceptions for test in block.tests if test.exceptions.rows]
    seen: set[str] = set()
    return [_named(table, seen) for table in (*found, *map(_values, charts(report)))]


def _named(table: Table, seen: set[str]) -> Table:
    name, number = table.name, 1
    while name in seen:
        number += 1
        name = f"{table.name}-{number}"
    seen.add(name)
    return table if number == 1 else msgspec.structs.replace(table, name=name)


def exceptions(table: Table) -> int:
    """How many exceptions there are, also where not all are listed."""
    return len(table.rows) if table.total is None else table.total


def verdicts(report: Report) -> dict[str, int]:
    """How many controls have which verdict."""
    found = Counter(control.verdict for control in controls(report))
    return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def overview(report: Report) -> Table:
    """The controls, a row each."""
    columns = ("Framework", "Control", "Title", "Verdict", "Why", "Applies from", "Asks for", "Does not show")
    rows: list[tuple[Cell, ...]] = [
        (
            *(item.framework, item.control, item.title, item.verdict, " ".join(item.words), item.applies_from),
            *(item.asks, " ".join(item.limits) or None),
        )
        for item in controls(report)
    ]
    return Table("controls", "Controls", tuple(Column(title) for title in columns), tuple(rows))


def tests(report: Report) -> Table:
    """The tests of the controls, a row each."""
    columns = (
        *(Column("Framework"), Column("Control"), Column("Test", "code"), Column("Question")),
        *(Column("Looked at", "number"), Column("Exceptions", "number"), Column("Verdict"), Column("Why")),
        Column("Query", "code"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(item.framework, item.control, test.test, test.question, test.population, exceptions(test.exceptions)),
            *(test.verdict, test.words, test.query),
        )
        for item in controls(report)
        for test in item.tests
    ]
    return Table("tests", "Tests of controls", columns, tuple(rows))


def _values(chart: Chart) -> Table:
    """The values that a chart is drawn from."""
    time = chart.kind in ("line", "span")
    first = Column(chart.x, "time" if time else "text")
    columns: tuple[Column, ...]
    if chart.kind == "span":
        columns = (first, Column("Until", "time"), Column(chart.y), Column("Series"))
    else:
        columns = (first, Column(chart.y, "number"), Column("Series"))
    return Table(f"chart-{chart.name}", chart.title, columns, tuple(chart.rows))


def queries(report: Report) -> list[str]:
    """The queries behind tables and tests, each once, in order: whoever repeats the report repeats these."""
    found: dict[str, None] = {}
    for block in blocks(report):
        if isinstance(block, Table) and block.query:
            found.setdefault(block.query)
        elif isinstance(block, Control):
            asked = [query for test in block.tests for query in (test.query, test.exceptions.query) if query]
            found |= dict.fromkeys(asked)
    return list(found)
