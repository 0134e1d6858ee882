"""Charts: drawings and nothing else, the same everywhere, readable without colour."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from reports.document import Chart, Report
from reports.documents import charts, outline
from tests.documents import sample_reports

ROOT = Path(__file__).parents[2]
DRAWING = {"svg", "g", "path", "rect", "line", "text", "defs", "clipPath"}
KINDS: dict[str, Chart] = {chart.kind: chart for chart in sample_reports.charts()}
ELSEWHERE = """
from reports.documents import charts
from reports.document import Chart
rows = ("2026-10-01T00:00:00Z", 1, "x"), ("2026-10-02T23:00:00Z", 3, "x")
print(charts.svg(Chart("a", "A", "line", rows, "t", "n", "")))
"""


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  # our own


def words(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_the_same_each_time_and_says_what_is_to_be_seen(kind: str) -> None:
    chart = KINDS[kind]

    first, *others = [charts.svg(chart) for _ in range(3)]

    assert others == [first, first]
    root = parsed(first)
    assert (root.get("role"), root.get("aria-label")) == ("img", chart.alt)


def test_bars_carry_their_values_and_lines_their_dashes_so_that_grey_is_enough() -> None:
    assert {"1,203", "903", "44", "mira", "otto"} <= set(words(charts.svg(KINDS["bar"])))

    dashes = set(re.findall(r'stroke-dasharray="([^"]+)"', charts.svg(KINDS["line"])))
    fills = set(re.findall(r'<path [^>]*fill="(#[0-9a-f]{6})"', charts.svg(KINDS["bar"])))

    assert len(dashes) == 2
    assert len({lightness(fill) // 64 for fill in fills}) == len(fills) == 2


def lightness(colour: str) -> int:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return (299 * red + 587 * green + 114 * blue) // 1000


def test_what_is_still_in_force_goes_on_to_the_edge() -> None:
    ended = Chart("a", "A", "span", (("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "1", "m"),), "t", "v", "")
    open_ended = Chart("a", "A", "span", (("2026-10-01T00:00:00Z", None, "1", "m"),), "t", "v", "")

    assert charts.svg(ended).count("<path") == 1
    assert charts.svg(open_ended).count("<path") == 2  # the bar, and the arrow at its end


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
def test_neither_time_zone_nor_fonts_of_the_machine_show(zone: str, tmp_path: Path) -> None:
    here = charts.svg(
        Chart("a", "A", "line", (("2026-10-01T00:00:00Z", 1, "x"), ("2026-10-02T23:00:00Z", 3, "x")), "t", "n", "")
    )
    surroundings = {**os.environ, "TZ": zone, "LANG": "de_DE.UTF-8", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    there = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], env=surroundings, capture_output=True, text=True, check=True
    ).stdout

    assert there.strip() == here
    assert "01 Oct 00:00" in words(here)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_hostile_labels_stay_labels(hostile: Report, number: int) -> None:
    svg = charts.svg(outline.charts(hostile)[number])
    elements = list(parsed(svg).iter())

    assert {element.tag.rpartition("}")[2] for element in elements} <= DRAWING
    names = {name for element in elements for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or name in ("style", "href", "class")}
    assert "url(" not in svg.replace("url(#", "")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08]", svg)


@pytest.mark.parametrize("kind", ["bar", "line", "span"])
def test_what_has_no_place_is_left_out_and_said_to_be(kind: str) -> None:
    rows = ((None, None, None), ("yesterday", "much", "x"), ("2026-10-01T00:00:00Z", "never", None, None))
    chart = Chart("a", "A", kind, rows, "x", "y", "")  # type: ignore[arg-type]

    assert charts.svg(chart).startswith("<svg")
    assert (charts.left_out(chart) or "").startswith(("3 of 3", "2 of 3"))


def test_many_categories_and_series_are_cut_and_said_to_be() -> None:
    rows = tuple((f"category {number}", number, f"series {number % 9}") for number in range(200))
    chart = Chart("a", "A", "bar", rows, "x", "y", "")

    assert charts.left_out(chart) == "all but the first 40 of 200; all but the first 6 of 9 series"
    assert "category 40" not in words(charts.svg(chart))
