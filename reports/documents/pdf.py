"""A report as PDF, by typst: tagged (PDF/UA-1), archivable (PDF/A-2a), the same bytes for the same report.

What the report says reaches the template as JSON and is never markup. Fonts are those that typst brings along;
characters that they lack are written out as escapes. Nothing is read from the machine or the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import typst

from reports.document import Block, Cell, Chart, Column, Control, Facts, Kind, Report, Table, TestResult, Text
from reports.documents import charts, outline
from reports.documents.cells import printed, shortened, text

STANDARDS: Final = ("a-2a", "ua-1")
TEMPLATE: Final = Path(__file__).parent / "report.typ"
_CELL: Final = 600
"""Characters of a cell that are shown; XLSX and CSV have more."""
_LABEL: Final = 60
_PARAGRAPH: Final = 4_000
_TOKEN: Final = re.compile(r"\S{21,}")
_PIECE: Final = re.compile(r"[^/.:;,_=&?@|)}\]-]{1,16}[/.:;,_=&?@|)}\]-]?|[/.:;,_=&?@|)}\]-]")
_HEX: Final = re.compile(r"[0-9a-f]{33,}")
_PAGE: Final = 500.0
"""Points that a table has on an upright page; wider ones get pages of their own, turned."""

_PIXEL: Final = 0.75
"""Points of a pixel of a chart."""
_TALL: Final = 620.0
"""Points that a chart has on a page, with its title and words."""

Lines = list[list[str]]
"""A text: lines of pieces, between which a line may be broken."""


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
    facts: list[tuple[str, Cell, Kind]] = [
        ("Log", as_of.origin, "text"),
        ("Checkpoint", f"size {as_of.size:,}", "text"),
        ("Root", as_of.root, "code"),
        ("As of", f"{text(as_of.time, 'time')} (UTC): when the last entry under this checkpoint was committed", "text"),
        *((label, value, "time") for label, value in report.parameters),
    ]
    return {
        "title": {"plain": printed(report.title)[:200] or report.name, "lines": _lines(report.title)},
        "footer": _lines(
            f"{as_of.origin} \u2022 checkpoint {as_of.size:,} \u2022 root {as_of.root[:16]}\u2026 \u2022 "
            f"as of {text(as_of.time, 'time')} UTC"
        ),
        "facts": [_fact(label, value, kind) for label, value, kind in facts],
        "not-proven": [_lines(words) for words in report.not_proven],
        "controls": drawing.table(_glance(found)) if found else None,
        "verdicts": [{"name": name, "number": number} for name, number in outline.verdicts(report).items()],
        "sections": list(drawing.sections(report)),
        "queries": [_lines(query) for query in drawing.queries],
    }


def _glance(controls: Sequence[Control]) -> Table:
    columns = (Column("Framework"), Column("Control"), Column("Title"), Column("Verdict"), Column("Tests", "number"))
    rows: list[tuple[Cell, ...]] = [
        (item.framework, item.control, item.title, item.verdict, len(item.tests)) for item in controls
    ]
    return Table("controls", "Verdict of each control", columns, tuple(rows))


class _Drawing:
    """The blocks of a report as the template takes them; queries are referred to by number."""

    def __init__(self, queries: list[str]) -> None:
        self.queries = queries
        self._number = {query: number for number, query in enumerate(queries, start=1)}
        self._drawn: Mapping[type, Callable[[Any, int], dict[str, Any]]] = {
            Text: lambda block, _: {
                "type": "text",
                "tone": block.tone,
                "paragraphs": [_lines(words) for words in block.paragraphs],
            },
            Facts: lambda block, _: {
                "type": "facts",
                "items": [_fact(label, value, "time") for label, value in block.items],
            },
            Table: lambda block, _: {"type": "table", **self.table(block)},
            Chart: lambda block, _: {"type": "chart", **_chart(block)},
            Control: lambda block, level: {"type": "control", **self._control(block, level)},
        }

    def sections(self, report: Report) -> Iterable[dict[str, Any]]:
        """The sections; a level is never more than one below the one before, as readers of headings expect."""
        above = 1 if report.not_proven or outline.controls(report) else 0
        for section in report.sections:
            above = min(section.level, above + 1)
            blocks = [self._block(block, above) for block in section.blocks]
            yield {"title": _lines(section.title), "level": above, "blocks": blocks}

    def _block(self, block: Block, level: int) -> dict[str, Any]:
        return self._drawn[type(block)](block, level)

    def table(self, table: Table) -> dict[str, Any]:
        """A table: its first rows, widths that add up, and what stands below it."""
        rows = table.rows[: outline.ROWS]
        cells = [[_cell(cell, column.kind) for cell, column in zip(row, table.columns, strict=True)] for row in rows]
        widths, wide = _widths(table.columns, cells)
        total = outline.exceptions(table)
        below = [] if len(rows) >= total else [_lines(f"The first {len(rows):,} of {total:,} rows.")]
        columns = [
            {
                "title": _lines(shortened(column.title, _LABEL)),
                "kind": column.kind,
                "right": column.kind in ("number", "bytes"),
                "width": width,
            }
            for column, width in zip(table.columns, widths, strict=True)
        ]
        return {
            "title": _lines(table.title),
            "columns": columns,
            "rows": cells,
            "below": below + ([_lines(table.note)] if table.note else []),
            "query": self._number[table.query] if table.query else None,
            "wide": wide,
        }

    def _control(self, control: Control, level: int) -> dict[str, Any]:
        return {
            "title": _lines(f"{control.framework} {control.control}: {control.title}"),
            "level": level + 1,
            "verdict": control.verdict,
            "applies": _lines(control.applies_from) if control.applies_from else None,
            "asks": _lines(control.asks),
            "words": [_lines(words) for words in control.words],
            "tests": [self._test(test) for test in control.tests],
            "limits": [_lines(words) for words in control.limits],
        }

    def _test(self, test: TestResult) -> dict[str, Any]:
        return {
            "test": _lines(test.test),
            "question": _lines(test.question),
            "verdict": test.verdict,
            "words": _lines(test.words),
            "population": f"{test.population:,}",
            "exceptions": f"{outline.exceptions(test.exceptions):,}",
            "query": self._number[test.query] if test.query else None,
            "table": self.table(test.exceptions) if test.exceptions.rows else None,
        }


def _chart(chart: Chart) -> dict[str, Any]:
    drawing = charts.svg(chart).replace(charts.FAMILY, "Libertinus Serif")
    width, height = (float(drawing.partition(f' {name}="')[2].partition('"')[0]) for name in ("width", "height"))
    left_out = charts.left_out(chart)
    return {
        "title": _lines(chart.title),
        "svg": drawing,
        "width": min(width * _PIXEL, 500.0, width / height * _TALL),
        "alt": printed(chart.alt)[:_PARAGRAPH] or printed(chart.title)[:_PARAGRAPH] or chart.name,
        "words": _lines(chart.alt + (f" Not drawn: {left_out}." if left_out else "")),
    }


def _fact(label: str, value: Cell, kind: Kind) -> dict[str, Any]:
    return {
        "label": _lines(shortened(label, _LABEL)),
        "value": _lines(shortened(text(value, kind), _CELL)),
        "kind": kind,
    }


def _cell(cell: Cell, kind: Kind) -> str | Lines:
    """Lines, or the bare name of a verdict, which is drawn as one."""
    if isinstance(cell, str) and cell in outline.VERDICTS:
        return cell
    return _lines(shortened(text(cell, kind), _CELL))


def _lines(value: str) -> Lines:
    """Text that the fonts have, in lines and pieces; long words may be broken, hex after 32 digits."""
    return [_pieces(line) for line in shortened(printed(value), _PARAGRAPH).split("\n")]


def _pieces(line: str) -> list[str]:
    found, end = [], 0
    for token in _TOKEN.finditer(line):
        found.append(line[end : token.start()])
        end = token.end()
        word = token[0]
        if _HEX.fullmatch(word):
            found += [word[start : start + 32] for start in range(0, len(word), 32)]
        else:
            found += _PIECE.findall(word)
    return [piece for piece in (*found, line[end:]) if piece] or [""]


_FIXED: Final[Mapping[str, float]] = {"number": 4.6, "bytes": 4.6, "time": 4.7, "id": 5.15}
"""Points that a character takes, of columns that are as wide as what they hold."""


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str | Lines]]) -> tuple[list[dict[str, Any]], bool]:
    """The width of each column in points or as a share of the rest, and whether an upright page is too narrow."""
    widths, least = [], 0.0
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows[:200]]
        longest = max((_length(cell) for cell in cells), default=0)
        title = max(map(len, column.title.split()), default=0)
        if column.kind in _FIXED:
            size = max(min(longest, 32) * _FIXED[column.kind], min(title, 20) * 5.2) + 9
            widths.append({"unit": "pt", "size": size})
            least += size
        else:
            share = max(min(longest, 60), title, 6)
            widths.append({"unit": "fr", "size": share})
            least += min(share, 22) * 4.4
    return widths, least > _PAGE


def _length(cell: str | Lines) -> int:
    return len(cell) + 4 if isinstance(cell, str) else max(sum(map(len, line)) for line in cell)
