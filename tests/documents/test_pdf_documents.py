"""A report as PDF: tagged, archivable, the same bytes, and the checkpoint on every page of it."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pypdf
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.document import Column, Report, Section, Table, Text
from reports.documents import cells, pdf
from tests.documents import sample_reports


@pytest.fixture(scope="module")
def document(sample: Report) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf.pdf(sample)))


@pytest.fixture(scope="module")
def long() -> list[str]:
    """The pages of a long report, as text."""
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf.pdf(sample_reports.report(1_000)))).pages]


def catalog(document: pypdf.PdfReader) -> Any:
    return document.trailer["/Root"]


def resources(page: Any) -> Any:
    return page["/Resources"].get_object()


def of_one_table(*rows: tuple[Any, ...], columns: tuple[Column, ...]) -> Report:
    return Report("one", "One", sample_reports.AS_OF, (Section("All", (Table("one", "One", columns, rows),)),))


def text(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)


def test_the_same_report_gives_the_same_bytes(sample: Report) -> None:
    assert pdf.pdf(sample) == pdf.pdf(sample)


def test_it_is_tagged_has_a_language_and_a_title_and_claims_both_standards(document: pypdf.PdfReader) -> None:
    root = catalog(document)
    metadata = root["/Metadata"].get_object().get_data().decode()

    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert document.metadata is not None
    assert document.metadata.title == "Controls of the bank's assistant"
    assert re.search(r"pdfuaid:part>1<", metadata)
    assert re.search(r"pdfaid:part>2<.*pdfaid:conformance>A<", metadata, re.DOTALL)


def structure(node: Any) -> Iterator[Any]:
    """Every element of the structure tree."""
    node = node.get_object()
    kids = node.get("/K", []) if isinstance(node, dict) else []
    for kid in kids if isinstance(kids, list) else [kids]:
        found = kid.get_object() if hasattr(kid, "get_object") else kid
        if isinstance(found, dict) and "/S" in found:
            yield found
            yield from structure(found)


def test_its_structure_names_headings_tables_and_what_charts_show(document: pypdf.PdfReader, sample: Report) -> None:
    elements = list(structure(catalog(document)["/StructTreeRoot"]))
    kinds = {element["/S"] for element in elements}
    figures = [element for element in elements if element["/S"] == "/Figure"]

    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/Figure", "/Link"} <= kinds
    assert len([element for element in elements if element["/S"] == "/Table"]) == 4
    assert [figure["/Alt"] for figure in figures] == [chart.alt for chart in sample_reports.charts()]


def test_it_has_a_bookmark_for_each_section_and_control(document: pypdf.PdfReader, sample: Report) -> None:
    def titles(outline: Any) -> Iterator[str]:
        for item in outline:
            yield from titles(item) if isinstance(item, list) else [item.title]

    found = list(titles(document.outline))

    assert {section.title for section in sample.sections} <= set(found)
    assert "SOC 2 CC8.1: Change management" in found


def test_each_page_names_log_checkpoint_root_time_and_its_number(long: list[str]) -> None:
    root = sample_reports.AS_OF.root[:16]

    assert len(long) >= 30
    for number, page in enumerate(long, start=1):
        words = " ".join(page.split())
        assert f"bank.example/mira • checkpoint 1,234 • root {root}… • as of 2026-11-20 10:11:12 UTC" in words
        assert f"{number} of {len(long)}" in words


def test_a_long_table_repeats_its_heading_on_each_page(long: list[str]) -> None:
    with_rows = [page for page in long if page.count("partition") > 10]

    assert len(with_rows) > 15
    assert all("Committed at" in page for page in with_rows)


def test_charts_are_vectors_and_fonts_come_along(document: pypdf.PdfReader) -> None:
    fonts = {
        font.get_object()["/BaseFont"] for page in document.pages for font in resources(page).get("/Font", {}).values()
    }

    assert not [image for page in document.pages for image in page.images]
    assert fonts
    assert all(re.match(r"/[A-Z]{6}\+(LibertinusSerif|DejaVuSansMono)", font) for font in fonts)


def test_hostile_text_is_set_as_text_and_long_text_is_cut_and_said_to_be(hostile: Report) -> None:
    words = " ".join(text(pdf.pdf(hostile)).split())

    assert "#set page(fill: red)" in words
    assert "$x$ *strong* _emph_ @label <label> `raw` \\u{41} // gone" in words
    assert '#read("/etc/passwd") #import "@preview/a:0.1.0": *' in words
    assert "<script>alert(1)</script>" in words
    assert "(10,000 characters)" in words
    assert "root:" not in words


def test_a_record_id_can_be_searched_for_and_copied_though_it_takes_two_lines(sample: Report) -> None:
    assert sample_reports.record(1) in text(pdf.pdf(sample)).replace("\n", "")


def test_a_wide_table_gets_pages_of_its_own_that_are_turned() -> None:
    columns = tuple(Column(f"Column {number}", "id") for number in range(9))
    row = tuple(sample_reports.record(number) for number in range(9))

    pages = pypdf.PdfReader(io.BytesIO(pdf.pdf(of_one_table(row, columns=columns)))).pages

    assert any(page.mediabox.width > page.mediabox.height for page in pages)


def test_every_character_that_is_left_as_it_is_has_a_glyph() -> None:
    """PDF/UA forbids missing glyphs: with one, nothing comes out at all. So the list of what is set is held true."""
    left = [
        character
        for character in map(chr, range(0x20, 0x3000))
        if cells.printed(character) == character and unicodedata.category(character) != "Cn"
    ]
    report = Report("all", "All", sample_reports.AS_OF, (Section("All", (Text((" ".join(left),)),)),))

    assert len(left) > 1_900
    assert pdf.pdf(report).startswith(b"%PDF")


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=[]), max_size=40), st.sampled_from(["text", "code", "id", "time"]))
def test_any_text_comes_out(words: str, kind: Any) -> None:
    columns = (Column(words, kind), Column("Number", "number"))
    report = of_one_table((words, words), (words, None), columns=columns)

    data = pdf.pdf(Report(report.name, words, report.as_of, report.sections, ((words, words),), (words,)))

    assert data.startswith(b"%PDF")


def test_the_template_reads_nothing_but_what_it_is_given(sample: Report) -> None:
    """The compiler knows no other input, and the template asks for none."""
    template = (pdf.TEMPLATE).read_text()

    assert not re.search(r"#?(read|import|include|eval|csv|yaml|toml|xml|cbor|plugin)\b\s*[(\"]", template)
    with pytest.raises(typst.TypstError):
        typst.compile(template.encode(), ignore_system_fonts=True)
