"""A report as XLSX, CSV and JSON: every row is there, and no cell becomes a formula or a link."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from typing import Any

import msgspec
import openpyxl
import pytest

from ledger.errors import UsageError
from replay.visible import visible
from reports import documents
from reports.document import Chart, Column, Report, Section, Table
from reports.documents import csv as csv_documents
from reports.documents import json as json_documents
from reports.documents import outline, xlsx
from tests.documents import sample_reports

RISKY = ("=", "+", "-", "@", "\t", "\r", "\uff1d")


def workbook(report: Report) -> Any:
    return openpyxl.load_workbook(io.BytesIO(xlsx.xlsx(report)))


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


@pytest.mark.parametrize("fmt", [name for name in documents.FORMATS if name not in ("pdf", "html")])
@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_the_same_report_gives_the_same_bytes(fmt: str, name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name)

    assert documents.render(report, fmt) == documents.render(report, fmt)


def test_a_format_that_is_none_is_refused(sample: Report) -> None:
    with pytest.raises(UsageError, match="no report has the format docx"):
        documents.render(sample, "docx")


# -- XLSX


def test_a_sheet_for_each_table_with_an_overview_first(sample: Report) -> None:
    book = workbook(sample)
    overview = [[cell.value for cell in row] for row in book["overview"]]
    listed = {row[0]: row[2:4] for row in overview if row[0] in book.sheetnames}

    assert book.sheetnames[:3] == ["overview", "controls", "tests"]
    assert set(listed) == set(book.sheetnames[1:])
    assert listed["entries"] == [40, 100]
    assert [sample.as_of.origin, 1_234, sample.as_of.root] == [row[1] for row in overview[2:5]]


def test_values_are_values_and_heads_are_frozen_with_filters(sample: Report) -> None:
    table = sample_reports.table()
    sheet = workbook(sample)["entries"]
    rows = [tuple(cell.value for cell in row) for row in sheet]

    assert rows[0] == tuple(column.title for column in table.columns)
    assert rows[1:] == [tuple(row) for row in table.rows]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:F41"
    assert sheet.column_dimensions["C"].width > 60


def test_no_cell_is_a_formula_and_nothing_leads_outside(hostile: Report) -> None:
    book = workbook(hostile)
    cells = [cell for sheet in book for row in sheet for cell in row]
    links = [cell.hyperlink for cell in cells if cell.hyperlink]
    names = zipfile.ZipFile(io.BytesIO(xlsx.xlsx(hostile))).namelist()

    assert {cell.data_type for cell in cells} <= {"s", "n", "b"}
    assert links
    assert not [link.target for link in links if link.target]
    assert not [name for name in names if "externalLink" in name or "vba" in name.lower()]
    assert all(
        cell.quotePrefix
        for cell in cells
        if cell.row > 1 and str(cell.value).startswith(RISKY) and cell.data_type == "s"
    )


def test_hostile_text_is_there_as_far_as_a_cell_can_hold_it(hostile: Report) -> None:
    column = [row[0].value for row in workbook(hostile)["cells"].iter_rows(min_row=2)]
    for cell, found in zip(sample_reports.HOSTILE, column, strict=True):
        if isinstance(cell, str) and 0 < len(cell) < 20_000:
            # A carriage return alone is a line break to an XML reader; so it is an escape here like other controls.
            assert found == visible(cell)
    assert [len(value) for value in column if isinstance(value, str) and len(value) > 20_000] == [32_000 + 22]


def test_sheets_of_long_or_equal_names_are_told_apart() -> None:
    tables = tuple(Table("t" * 40, f"Table {number}", (Column("A"),), ((number,),)) for number in range(3))
    report = Report("many", "Many", sample_reports.AS_OF, (Section("All", tables),))

    assert workbook(report).sheetnames == ["overview", "t" * 31, "t" * 29 + "-2", "t" * 29 + "-3"]


# -- CSV


def test_a_file_for_each_table_and_one_for_the_rest(sample: Report) -> None:
    files = csv_documents.tables(sample)
    about = read(files["about.csv"])

    assert {"controls.csv", "tests.csv", "entries.csv", "approval-before-use.csv", "chart-versions.csv"} <= set(files)
    assert ["", "Checkpoint root", sample.as_of.root] in about
    assert ["Not shown", "", sample.not_proven[0]] in about
    assert ["Summary", "Systems", "2"] in about
    assert ["Entries of the period", "Rows in all", "100"] in about
    assert read(files["entries.csv"])[2][:3] == ["1", "2026-10-02T08:01:07.5Z", sample_reports.record(1)]


def test_csv_is_as_rfc_4180_says_and_no_cell_is_a_formula(hostile: Report) -> None:
    for name, data in csv_documents.tables(hostile).items():
        rows = read(data)
        assert len({len(row) for row in rows}) == 1, name
        assert data.count(b"\r\n") >= len(rows)
        numbers = {str(cell) for cell in sample_reports.HOSTILE if isinstance(cell, int | float)}
        risky = {cell for row in rows for cell in row if cell.lstrip(" ").startswith(RISKY)}
        assert risky <= numbers, name


def test_the_archive_holds_the_same_files(sample: Report) -> None:
    zipped = zipfile.ZipFile(io.BytesIO(documents.render(sample, "csv")))

    assert {name: zipped.read(name) for name in zipped.namelist()} == csv_documents.tables(sample)


def test_a_chart_and_a_table_of_one_name_have_a_file_each() -> None:
    blocks = (
        Table("chart-a", "A table", (Column("A"),), (("table",),)),
        Chart("a", "A chart", "bar", (("chart", 1, None),), "x", "y", ""),
    )
    files = csv_documents.tables(Report("both", "Both", sample_reports.AS_OF, (Section("All", blocks),)))

    assert {name: read(data)[1][0] for name, data in files.items() if name != "about.csv"} == {
        "chart-a.csv": "table",
        "chart-a-2.csv": "chart",
    }


# -- JSON


def test_json_gives_the_report_back(sample: Report) -> None:
    data = json_documents.encode(sample)
    value = json.loads(data)

    assert value.pop("_") == "evidence/report/1"
    assert msgspec.convert(value, Report) == sample


def test_json_has_the_exact_text_but_for_what_is_no_unicode(hostile: Report) -> None:
    value = json.loads(json_documents.encode(hostile))
    cells = value["sections"][2]["blocks"][0]["rows"]

    assert value["title"] == sample_reports.HOSTILE[0]
    for cell, (found, *_) in zip(sample_reports.HOSTILE, cells, strict=True):
        if isinstance(cell, str):
            assert found == re.sub("[\ud800-\udfff]", "?", cell)
        elif isinstance(cell, float) and cell in (float("inf"), float("-inf")):
            assert found is None


def test_the_overview_counts_verdicts_in_their_order(sample: Report) -> None:
    assert list(outline.verdicts(sample)) == list(outline.VERDICTS)
    assert [row[3] for row in outline.overview(sample).rows] == list(outline.VERDICTS)
    assert [row[4:7] for row in outline.tests(sample).rows][1] == (12, 3, "exceptions found")
