"""Charts as SVG, by vl-convert: without a network, a browser or the machine's fonts.

What it returns is reduced to the elements and attributes of a drawing, so that it holds nothing that acts or is styled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from xml.etree import ElementTree as ET

import vl_convert

from reports.document import Chart
from reports.documents.cells import shown
from reports.documents.chart_specs import FONT, left_out, specification

__all__ = ["FAMILY", "left_out", "svg"]

FAMILY: Final = f"{FONT}, Arial, Helvetica, sans-serif"
_SVG: Final = "http://www.w3.org/2000/svg"
_ELEMENTS: Final = frozenset(("svg", "g", "path", "rect", "line", "text", "defs", "clipPath"))
_ATTRIBUTES: Final = frozenset(
    (
        *(
            "width",
            "height",
            "viewBox",
            "fill",
            "stroke",
            "transform",
            "d",
            "x",
            "y",
            "x1",
            "y1",
            "x2",
            "y2",
            "opacity",
        ),
        *("id", "text-anchor", "font-family", "font-size", "font-weight", "stroke-width", "stroke-dasharray"),
        *("stroke-miterlimit", "clip-path", "fill-opacity", "stroke-opacity"),
    )
)


def svg(chart: Chart) -> str:
    """The chart as one ``svg`` element with its words for whoever cannot see it.

    A chart without a row that can be drawn is an empty frame. The same chart gives the same text on every machine.
    """
    drawing = vl_convert.vegalite_to_svg(specification(chart), vl_version=_version())
    root = ET.fromstring(drawing)  # noqa: S314  # written by the drawing library; labels in it are escaped
    # The library counts its ids on from one drawing to the next.
    old = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    _reduce(root, {name: f"{chart.name}-{number}" for number, name in enumerate(old, start=1)})
    root.set("role", "img")
    root.set("aria-label", shown(chart.alt))
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


@lru_cache(maxsize=1)
def _version() -> str:
    """The newest version of Vega-Lite that vl-convert has."""
    return max(vl_convert.get_vegalite_versions(), key=lambda version: [int(part) for part in version.split(".")])


def _reduce(element: ET.Element, ids: Mapping[str, str]) -> None:
    """Take out roles, classes and what is not seen; ids become those of this chart."""
    for child in list(element):
        name = child.tag.removeprefix(f"{{{_SVG}}}")
        if name not in _ELEMENTS or child.get("opacity") == "0" or child.get("display") == "none" or _is_frame(child):
            element.remove(child)
            continue
        _reduce(child, ids)
        if name == "g" and not len(child):
            element.remove(child)
    for key in list(element.attrib):
        if key not in _ATTRIBUTES:
            del element.attrib[key]
    if "id" in element.attrib:
        element.set("id", ids[element.attrib["id"]])
    if "clip-path" in element.attrib:
        element.set("clip-path", re.sub(r"#([\w-]+)", lambda found: f"#{ids[found[1]]}", element.attrib["clip-path"]))
    if element.get("font-family"):
        element.set("font-family", FAMILY)


def _is_frame(element: ET.Element) -> bool:
    """Whether it is a frame that is drawn in no colour."""
    return element.get("class") in ("background", "foreground") and not (element.get("fill") or element.get("stroke"))
