"""A report as HTML: whole in meaning without a style, and nothing in it runs, loads or carries a style of its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reports.document import Column, Report, Section, Table
from reports.documents import html, outline
from tests.documents import sample_reports

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, whether they are closed in order, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attributes}) == len(attributes)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_same_report_gives_the_same_bytes(sample: Report) -> None:
    assert html.page(sample) == html.page(sample)


def test_headings_step_down_one_by_one_and_tables_have_captions_and_heads(sample: Report) -> None:
    page = Page(html.page(sample).decode())
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]

    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]


def test_every_link_stays_within_the_page_and_arrives(sample: Report) -> None:
    page = Page(html.page(sample).decode())
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]

    assert len(set(ids)) == len(ids)
    assert {str(link["href"]) for link in page.all("a")} <= {f"#{name}" for name in ids}


def test_the_page_says_what_it_is_of_and_what_it_does_not_show(sample: Report) -> None:
    text = " ".join("".join(Page(html.page(sample).decode()).text).split())

    for words in ("bank.example/mira", "size 1,234", sample.as_of.root, "2026-11-20 10:11:12 (UTC)"):
        assert words in text
    for words in sample.not_proven:
        assert words in text
    for verdict in outline.VERDICTS:
        assert verdict in text
    assert "The first 40 of 100 rows." in text


@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_nothing_runs_loads_or_is_styled_in_place(name: str, request: pytest.FixtureRequest) -> None:
    """So the fragment can stand in a page whose policy allows no inline style or script at all."""
    page = Page(html.fragment(request.getfixturevalue(name)))
    names = {attribute for _, attributes in page.elements for attribute in attributes}

    assert not {"script", "style", "link", "img", "iframe", "object", "form", "base"} & {
        tag for tag, _ in page.elements
    }
    assert not {attribute for attribute in names if attribute.startswith("on")} | (names & {"style", "src"})
    assert page.elements[0] == ("article", {"class": "report"})


def test_hostile_text_is_shown_as_text(hostile: Report) -> None:
    text = "".join(Page(html.page(hostile).decode()).text)

    assert "<script>alert(1)</script>" in text
    assert "</title><img src=x onerror=alert(1)>" in text
    assert "{{ 7 * 7 }} {% raw %}" in text
    assert "user\\u202egnp.exe" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f\ud800-\udfff]", text)


def test_a_fragment_takes_the_level_of_its_title(sample: Report) -> None:
    assert html.fragment(sample, 3).index("<h3>") < html.fragment(sample, 3).index("<h4")
    assert "<h2" not in html.fragment(sample, 3)


def test_a_long_table_shows_its_first_rows_and_says_where_the_rest_is() -> None:
    rows = tuple((number,) for number in range(outline.ROWS + 5))
    table = Table("long", "Long", (Column("Number", "number"),), rows)
    report = Report("long", "Long", sample_reports.AS_OF, (Section("All", (table,)),))

    page = Page(html.page(report).decode())

    assert len(page.all("td")) == outline.ROWS
    assert "The first 2,000 of 2,005 rows; XLSX, CSV and JSON have more." in page.text


@pytest.mark.slow
def test_a_browser_finds_nothing_to_refuse_and_nothing_runs(
    chromium: Any, hostile: Report, sample: Report, tmp_path: Path
) -> None:
    said: list[str] = []
    for name, report in (("sample", sample), ("hostile", hostile)):
        (tmp_path / f"{name}.html").write_bytes(html.page(report))
        page = chromium.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: said.append(request.url) if "file:" not in request.url else None)
        page.goto((tmp_path / f"{name}.html").as_uri())
        assert page.locator("article.report h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.close()

    assert said == []
