"""A report as CSV: one file a table, and ``about.csv`` for what is no table."""

from __future__ import annotations

import io
from typing import Final

from reports.archive import Archive
from reports.document import Cell, Facts, Report, Text
from reports.documents import outline
from reports.spreadsheets import csv_bytes

_ABOUT: Final = (
    "A cell that a spreadsheet could take for a formula begins with an apostrophe that is not part of it; characters "
    "that would act instead of being read are written as escapes. The JSON of this report has the exact text."
)


def tables(report: Report) -> dict[str, bytes]:
    """File names and their bytes: all rows of every table, of the controls and their tests, and of every chart."""
    files = {"about.csv": csv_bytes(("section", "label", "value"), _about(report))}
    for table in outline.tables(report):
        files[f"{table.name}.csv"] = csv_bytes([column.title for column in table.columns], table.rows)
    return files


def archive(report: Report) -> bytes:
    """The same files in one zip, whose bytes depend on nothing else."""
    out = io.BytesIO()
    with Archive(out) as zipped:
        for name, data in tables(report).items():
            zipped.add(name, data)
    return out.getvalue()


def _about(report: Report) -> list[tuple[Cell, ...]]:
    """What is no table: what the report is of, its paragraphs and facts, its queries, what it does not show."""
    as_of = report.as_of
    rows: list[tuple[Cell, ...]] = [
        ("", "Report", report.title),
        ("", "Log", as_of.origin),
        ("", "Checkpoint size", as_of.size),
        ("", "Checkpoint root", as_of.root),
        ("", "As of", as_of.time),
        ("", "Cells", _ABOUT),
        *(("Parameters", *item) for item in report.parameters),
        *(("Not shown", "", words) for words in report.not_proven),
    ]
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Text):
                rows += [(section.title, block.tone, words) for words in block.paragraphs]
            elif isinstance(block, Facts):
                rows += [(section.title, *item) for item in block.items]
    tables_of = [table for table in outline.tables(report) if table.note or table.total is not None]
    rows += [(table.title, "Note", table.note) for table in tables_of if table.note]
    rows += [(table.title, "Rows in all", table.total) for table in tables_of if table.total is not None]
    rows += [("Queries", number, query) for number, query in enumerate(outline.queries(report), start=1)]
    return rows
