"""A report as XLSX: an overview, controls and their tests, a sheet a table. No cell is a formula or leads outside."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from reports.document import Cell, Column, Facts, Report, Table, Text, Verdict
from reports.documents import outline
from reports.documents.cells import shortened, shown
from reports.spreadsheets import is_formula

_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_ROWS: Final = 1_048_575
"""Rows of a sheet below its heading."""
_CELL: Final = 32_000
"""Characters of a cell, and room to say that there were more."""
_EXACT: Final = 2**53
"""Integers from here on are text: a spreadsheet would round them."""
_NAME: Final = 31
_COLOURS: Final[dict[Verdict, tuple[str, str]]] = {
    "evidenced": ("#0B5D3B", "#E3F2EA"),
    "exceptions found": ("#8C1D18", "#FBE4E2"),
    "not evidenced here": ("#6B4A00", "#FBF0D5"),
    "not applicable": ("#4A5463", "#ECEFF3"),
}


def xlsx(report: Report) -> bytes:
    """The workbook; the same bytes for the same report. It says it was made when the report's last commit was."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, _OPTIONS) as book:
        made = datetime.fromisoformat(report.as_of.time).replace(tzinfo=None, microsecond=0)
        book.set_properties({"title": shown(report.title)[:200], "created": made})
        _Workbook(book).write(report)
    return out.getvalue()


class _Workbook:
    """A workbook under way: its formats, and the names of its sheets."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._names: set[str] = set()
        base: dict[str, Any] = {"valign": "top", "text_wrap": True}
        self._text = book.add_format(base)
        self._quoted = book.add_format({**base, "quote_prefix": True})
        self._fixed = book.add_format({**base, "font_name": "Consolas", "font_size": 9})
        self._number = book.add_format({"valign": "top", "num_format": "#,##0.######"})
        self._whole = book.add_format({"valign": "top", "num_format": "#,##0"})
        self._plain = book.add_format({"valign": "top", "num_format": "0"})
        self._head = book.add_format(
            {"bold": True, "bottom": 1, "bg_color": "#F3F5F8", "text_wrap": True, "valign": "top"}
        )
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._verdicts = {
            verdict: book.add_format({**base, "bold": True, "font_color": ink, "bg_color": paper})
            for verdict, (ink, paper) in _COLOURS.items()
        }

    def write(self, report: Report) -> None:
        """Every sheet. The overview stands first and lists the others."""
        overview = self._sheet("overview")
        listed = [(self._table(table), table) for table in outline.tables(report)]
        texts = _texts(report)
        if texts.rows:
            listed.append((self._table(texts), texts))
        queries = [(number, query) for number, query in enumerate(outline.queries(report), start=1)]
        if queries:
            table = Table("queries", "Queries", (Column("Number", "number"), Column("Query", "code")), tuple(queries))
            listed.append((self._table(table), table))
        self._overview(overview, report, listed)

    def _sheet(self, name: str) -> Worksheet:
        unique, number = name[:_NAME], 1
        while unique in self._names:
            number += 1
            unique = f"{name[: _NAME - len(str(number)) - 1]}-{number}"
        self._names.add(unique)
        return self._book.add_worksheet(unique)

    def _overview(self, sheet: Worksheet, report: Report, listed: Sequence[tuple[str, Table]]) -> None:
        as_of = report.as_of
        facts: list[tuple[str, Cell]] = [
            ("Log", as_of.origin),
            ("Checkpoint size", as_of.size),
            ("Checkpoint root", as_of.root),
            ("As of (UTC)", as_of.time),
            *report.parameters,
            *outline.verdicts(report).items(),
            *(("Not shown", words) for words in report.not_proven),
        ]
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 80)
        sheet.set_column(2, 3, 14)
        self._write(sheet, 0, 0, report.title, self._title)
        for row, (label, value) in enumerate(facts, start=2):
            self._write(sheet, row, 0, label)
            self._write(sheet, row, 1, value)
        start = len(facts) + 3
        for column, words in enumerate(("Sheet", "What it holds", "Rows here", "Rows in all")):
            sheet.write_string(start, column, words, self._head)
        for row, (name, table) in enumerate(listed, start=start + 1):
            sheet.write_url(row, 0, f"internal:'{name}'!A1", string=name)
            self._write(sheet, row, 1, ". ".join(words for words in (table.title, table.note) if words))
            self._write(sheet, row, 2, min(len(table.rows), _ROWS))
            self._write(sheet, row, 3, outline.exceptions(table))

    def _table(self, table: Table) -> str:
        """A sheet with its heading frozen and filters on it; its name."""
        sheet = self._sheet(table.name)
        rows = table.rows[:_ROWS]
        for index, column in enumerate(table.columns):
            self._write(sheet, 0, index, column.title, self._head)
            sheet.set_column(index, index, _width(column, [row[index] for row in rows[:200]]))
        for number, row in enumerate(rows, start=1):
            for index, cell in enumerate(row):
                self._write(sheet, number, index, cell, self._format(table.columns[index], cell))
        sheet.freeze_panes(1, 0)
        if table.columns:
            sheet.autofilter(0, 0, max(len(rows), 1), len(table.columns) - 1)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return str(sheet.get_name())

    def _format(self, column: Column, cell: Cell) -> Format | None:
        if isinstance(cell, str):
            return self._fixed if column.kind in ("code", "id") else None
        if column.kind in ("number", "bytes"):
            return self._whole if isinstance(cell, int) else self._number
        return None

    def _write(self, sheet: Worksheet, row: int, column: int, cell: Cell, form: Format | None = None) -> None:
        if cell is None:
            sheet.write_blank(row, column, None, form or self._text)
        elif isinstance(cell, bool):
            sheet.write_boolean(row, column, cell, form or self._text)
        elif isinstance(cell, int | float) and math.isfinite(cell) and abs(cell) < _EXACT:
            sheet.write_number(row, column, cell, form or (self._plain if isinstance(cell, int) else self._number))
        else:
            text = shortened(shown(str(cell)), _CELL)
            drawn = self._verdicts.get(text) if form is None else None  # type: ignore[call-overload]
            drawn = drawn or (self._quoted if is_formula(text) and form is not self._head else None)
            sheet.write_string(row, column, text, drawn or form or self._text)


def _texts(report: Report) -> Table:
    """What is said outside of tables."""
    rows: list[tuple[Cell, ...]] = []
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Text):
                rows += [(section.title, None, words) for words in block.paragraphs]
            elif isinstance(block, Facts):
                rows += [(section.title, *item) for item in block.items]
    columns = (Column("Section"), Column("Label"), Column("Text"))
    return Table("text", "What the report says outside of tables", columns, tuple(rows))


def _width(column: Column, cells: Sequence[Cell]) -> int:
    longest = max((len(str(cell)) for cell in cells if cell is not None), default=0)
    return min(max(longest, len(column.title)) + 3, 70 if column.kind == "id" else 60)
