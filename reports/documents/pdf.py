"""A report as PDF, by typst: tagged (PDF/UA-1), archivable (PDF/A-2a), the same bytes for the same report.

What the report says reaches the template as JSON and is never markup. Fonts are those that typst brings along;
characters that they lack are written out as escapes. Nothing is read from the machine or the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import typst

from reports.document import Cell, Chart, Column, Control, Facts, Kind, Report, Table, TestResult, Text
from reports.documents import charts, outline
from reports.documents.cells import fact, printed, shortened, text
from reports.documents.setting import PARAGRAPH, Lines, is_whole, layout, lines_of

STANDARDS: Final = ("a-2a", "ua-1")
TEMPLATE: Final = Path(__file__).parent / "report.typ"
_CELL: Final = 600
"""Characters of a cell that are shown; XLSX and CSV have more."""
_LABEL: Final = 120
"""Characters of a label or heading of a column."""
_MANY: Final = 20
"""Controls beyond which the table of contents leaves them to the table of controls."""
_PIXEL: Final = 0.75
"""Points of a pixel of a chart."""
_TALL: Final = 620.0
"""Points that a chart has on a page, with its title and words."""


def pdf(report: Report) -> bytes:
    """The report as PDF. It says of itself that it was made when the last commit under its checkpoint was."""
    return bytes(_compiled(report, "pdf"))


def pages(report: Report, dots_per_inch: int = 100) -> list[bytes]:
    """Its pages as PNG, for whoever looks at them without a PDF reader."""
    found = _compiled(report, "png", dots_per_inch)
    return found if isinstance(found, list) else [found]


def _compiled(report: Report, form: Any, dots_per_inch: int | None = None) -> Any:
    return typst.compile(
        TEMPLATE.read_bytes(),
        format=form,
        ppi=dots_per_inch,
        sys_inputs={"report": msgspec.json.encode(_values(report)).decode()},
        pdf_standards=list(STANDARDS) if form == "pdf" else None,
        ignore_system_fonts=True,
        timestamp=int(datetime.fromisoformat(report.as_of.time).timestamp()),
    )


def _values(report: Report) -> dict[str, Any]:
    drawing = _Drawing(outline.queries(report))
    found = outline.controls(report)
    as_of = report.as_of
    time = text(as_of.time, "time")
    facts = [
        _fact("Log", as_of.origin),
        _fact("Checkpoint", f"size {as_of.size:,}"),
        _fact("Root", as_of.root, "code"),
        _fact("As of", f"{time} (UTC): when the last entry under this checkpoint was committed. All times are UTC."),
        *(_fact(label, value) for label, value in report.parameters),
    ]
    return {
        "title": {"plain": printed(report.title)[:200] or report.name, "lines": lines_of(report.title)},
        "footer": lines_of(
            f"{as_of.origin} \u2022 checkpoint {as_of.size:,} \u2022 root {as_of.root[:16]}\u2026 \u2022 "
            f"as of {time} UTC"
        ),
        "facts": facts,
        "not-proven": [lines_of(words) for words in report.not_proven],
        "controls": drawing.table(_glance(found)) if found else None,
        "verdicts": [{"name": name, "number": number} for name, number in outline.verdicts(report).items()],
        "parts": list(drawing.parts(report)),
        "contents": 0 if len(report.sections) < 2 else 1 if len(found) > _MANY else 2,
        "queries": [lines_of(query) for query in drawing.queries],
    }


def _glance(controls: Sequence[Control]) -> Table:
    """The controls in a table. The template makes page numbers of the last column."""
    columns = (
        *(Column("Framework"), Column("Control"), Column("Title"), Column("Verdict"), Column("Tests", "number")),
        Column("Page", "number"),
    )
    rows: list[tuple[Cell, ...]] = [
        (item.framework, item.control, item.title, item.verdict, len(item.tests), number)
        for number, item in enumerate(controls, start=1)
    ]
    return Table("controls", "Verdict of each control", columns, tuple(rows))


class _Drawing:
    """The blocks of a report as the template takes them; queries are referred to by number."""

    def __init__(self, queries: list[str]) -> None:
        self.queries = queries
        self._controls = 0
        self._number = {query: number for number, query in enumerate(queries, start=1)}
        self._drawn: Mapping[type, Callable[[Any, int], dict[str, Any]]] = {
            Text: lambda block, _: {
                "type": "text",
                "tone": block.tone,
                "paragraphs": [lines_of(words) for words in block.paragraphs],
            },
            Facts: lambda block, _: {
                "type": "facts",
                "items": [_fact(label, value) for label, value in block.items],
            },
            Table: lambda block, _: {"type": "table", **self.table(block)},
            Chart: lambda block, _: {"type": "chart", **_chart(block)},
            Control: lambda block, level: {"type": "control", **self._control(block, level)},
        }

    def parts(self, report: Report) -> Iterator[dict[str, Any]]:
        """Headings and blocks, in runs that stand on upright pages or on turned ones."""
        for turned, found in groupby(self._pieces(report), key=lambda piece: any(map(_is_turned, piece))):
            yield {"turned": turned, "blocks": [block for piece in found for block in piece]}

    def _pieces(self, report: Report) -> Iterator[list[dict[str, Any]]]:
        """What stands together: a section with its heading, but each further control in it by itself.

        A level is never more than one below the one before, as readers of headings expect.
        """
        above = 1 if report.not_proven or outline.controls(report) else 0
        for section in report.sections:
            above = min(section.level, above + 1)
            piece = [{"type": "heading", "title": lines_of(section.title), "level": above}]
            for block in section.blocks:
                if isinstance(block, Control) and any(item["type"] == "control" for item in piece):
                    yield piece
                    piece = []
                piece.append(self._drawn[type(block)](block, above))
            yield piece

    def table(self, table: Table, said: str | None = None) -> dict[str, Any]:
        """A table: its first rows, widths that add up, and what stands below it. ``said``: a query named already."""
        rows = table.rows[: outline.ROWS]
        cells = [[_cell(cell, column.kind) for cell, column in zip(row, table.columns, strict=True)] for row in rows]
        placed = layout(table.columns, cells)
        total = outline.exceptions(table)
        below = [] if len(rows) >= total else [lines_of(f"The first {len(rows):,} of {total:,} rows.")]
        columns = [
            {
                "title": lines_of(shortened(column.title, _LABEL)),
                "kind": column.kind,
                "right": column.kind in ("number", "bytes"),
                "width": width,
            }
            for column, width in zip(table.columns, placed.widths, strict=True)
        ]
        return {
            "title": lines_of(table.title),
            "columns": columns,
            "rows": [{"cells": row, "whole": is_whole(row)} for row in cells],
            "below": below + ([lines_of(table.note)] if table.note else []),
            "query": self._number[table.query] if table.query and table.query != said else None,
            "size": placed.size,
            "turned": placed.turned,
        }

    def _control(self, control: Control, level: int) -> dict[str, Any]:
        self._controls += 1
        return {
            "number": self._controls,
            "title": lines_of(f"{control.framework} {control.control}: {control.title}"),
            "level": level + 1,
            "verdict": control.verdict,
            "applies": lines_of(control.applies_from) if control.applies_from else None,
            "asks": lines_of(control.asks),
            "words": [lines_of(words) for words in control.words],
            "tests": [self._test(test) for test in control.tests],
            "limits": [lines_of(words) for words in control.limits],
        }

    def _test(self, test: TestResult) -> dict[str, Any]:
        return {
            "test": lines_of(test.test),
            "question": lines_of(test.question),
            "verdict": test.verdict,
            "words": lines_of(test.words),
            "population": f"{test.population:,}",
            "exceptions": f"{outline.exceptions(test.exceptions):,}",
            "query": self._number[test.query] if test.query else None,
            "table": self.table(test.exceptions, test.query) if test.exceptions.rows else None,
        }


def _is_turned(block: Mapping[str, Any]) -> bool:
    tables = [test["table"] for test in block.get("tests", ()) if test["table"]]
    return any(table["turned"] for table in (*tables, *([block] if block["type"] == "table" else [])))


def _chart(chart: Chart) -> dict[str, Any]:
    drawing = charts.svg(chart).replace(charts.FAMILY, "Libertinus Serif")
    width, height = (float(drawing.partition(f' {name}="')[2].partition('"')[0]) for name in ("width", "height"))
    left_out = charts.left_out(chart)
    return {
        "title": lines_of(chart.title),
        "svg": drawing,
        "width": min(width * _PIXEL, 500.0, width / height * _TALL),
        "alt": printed(chart.alt)[:PARAGRAPH] or printed(chart.title)[:PARAGRAPH] or chart.name,
        "words": lines_of(f"Not drawn: {left_out}.") if left_out else None,
    }


def _fact(label: str, value: Cell, kind: Kind = "text") -> dict[str, Any]:
    return {
        "label": lines_of(shortened(label, _LABEL)),
        "value": lines_of(shortened(fact(value), _CELL)),
        "kind": kind,
    }


def _cell(cell: Cell, kind: Kind) -> str | Lines:
    """Lines, or the bare name of a verdict, which is drawn as one."""
    if isinstance(cell, str) and cell in outline.VERDICTS:
        return cell
    return lines_of(shortened(text(cell, kind), _CELL))
