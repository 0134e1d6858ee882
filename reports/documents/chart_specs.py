"""What each kind of chart is drawn from, and as: one altair specification a kind.

They are read in grey too: series differ by lightness, dashes and shapes, and bars carry their values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeGuard

import altair as alt

from reports.document import Cell, Chart
from reports.documents.cells import drawn

FONT: Final = "Liberation Sans"
"""Comes with vl-convert, so widths are the same everywhere; Arial has the same ones."""

_WIDTH: Final = 640
_LANES: Final = 40
"""Categories or lanes of one chart; what is beyond is left out, and said to be. So with series, and with points."""
_SERIES: Final = 6
_FILLED: Final = 0.7
_POINTS: Final = 5_000
_SHADES: Final = ("#1f3b57", "#7fa3c7", "#b3541e", "#a3a3a3", "#4f7f52", "#dcb64f")
_EDGE: Final = "#1f3b57"
_DASHES: Final = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (1, 4), (12, 4))
_SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Mark(NamedTuple):
    """What is drawn for a row. ``at`` and ``until`` are UTC milliseconds; ``until`` is None where it goes on."""

    lane: str
    series: str
    at: int = 0
    until: int | None = None
    value: int | float = 0


def specification(chart: Chart) -> dict[str, Any]:
    """The chart as a Vega-Lite specification."""
    ink = "#222"
    drawing = _KINDS[chart.kind](chart, _kept(chart, marks(chart)))
    spec: dict[str, Any] = (
        drawing.configure(font=FONT, background="transparent", padding=4)
        .configure_axis(
            labelColor=ink,
            titleColor=ink,
            titleFontWeight="normal",
            titleFontSize=10,
            gridColor="#ddd",
            domainColor="#777",
            tickColor="#777",
            labelFontSize=10,
        )
        .configure_legend(labelColor=ink, labelFontSize=10)
        .configure_view(stroke=None)
        .configure_text(color=ink)
        .to_dict()
    )
    return spec


def marks(chart: Chart) -> list[Mark]:
    """A mark for each row that has a place on the axes."""
    readers: dict[str, Callable[..., Mark | None]] = {"bar": _bar_mark, "line": _line_mark, "span": _span_mark}
    read = readers[chart.kind]
    return [mark for row in chart.rows if (mark := read(*row)) is not None]


def left_out(chart: Chart) -> str | None:
    """What the drawing leaves out, in words; None where it has all."""
    there, rows = marks(chart), len(chart.rows)
    lanes, series = len(_names(mark.lane for mark in there)), len(_names(mark.series for mark in there))
    words = []
    if len(there) < rows:
        words.append(f"{rows - len(there):,} of {rows:,} values, which have no place on the axes")
    if lanes > _LANES:
        words.append(f"all but the first {_LANES} of {lanes:,}")
    if chart.kind != "span" and series > _SERIES:
        words.append(f"all but the first {_SERIES} of {series:,} series")
    if chart.kind == "line" and len(there) > _POINTS:
        words.append(f"points after the first {_POINTS:,} of {len(there):,}")
    return "; ".join(words) or None


def _kept(chart: Chart, found: list[Mark]) -> list[Mark]:
    """The marks that are drawn."""
    lanes = set(_names(mark.lane for mark in found)[:_LANES])
    series = set(_names(mark.series for mark in found)[: None if chart.kind == "span" else _SERIES])
    kept = [mark for mark in found if mark.lane in lanes and mark.series in series]
    return kept[:_POINTS] if chart.kind == "line" else kept


def _bar_mark(lane: Cell, value: Cell = None, series: Cell = None, *_: Cell) -> Mark | None:
    return Mark(_word(lane), _word(series), value=value) if _is_number(value) else None


def _line_mark(at: Cell, value: Cell = None, series: Cell = None, *_: Cell) -> Mark | None:
    moment = _moment(at)
    return Mark("", _word(series), moment, value=value) if moment is not None and _is_number(value) else None


def _span_mark(first: Cell, last: Cell = None, label: Cell = None, series: Cell = None, *_: Cell) -> Mark | None:
    begin, end = _moment(first), _moment(last)
    if begin is None or (end is None and last is not None):
        return None
    words = [word for word in (_word(series), _word(label)) if word]
    return Mark(" \u2022 ".join(words), _word(series), begin, end)


def _is_number(value: Cell) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _word(cell: Cell) -> str:
    return "" if cell is None else drawn(str(cell))


def _moment(cell: Cell) -> int | None:
    try:
        moment = datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)


def _names(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _bar(chart: Chart, found: list[Mark]) -> alt.LayerChart:
    series = _names(mark.series for mark in found)
    grouped = len(series) > 1
    if grouped and len(found) < _FILLED * len(series) * len(_names(mark.lane for mark in found)):
        # Few of the pairs are there: a lane each, where groups would be mostly gaps.
        found, grouped = [mark._replace(lane=f"{mark.lane} \u2022 {mark.series}") for mark in found], False
    lanes = _names(mark.lane for mark in found)
    values = [
        {"lane": mark.lane, "series": mark.series, "value": mark.value, "label": f"{mark.value:,.12g}"}
        for mark in found
    ]
    axis = alt.Axis(labelLimit=230, ticks=False, domain=False)
    base = _chart(values).encode(
        y=alt.Y("lane:N", sort=lanes, title=_title(chart.x), axis=axis), x=alt.X("value:Q", **_quantity(chart.y, found))
    )
    if grouped:
        base = base.encode(yOffset=alt.YOffset("series:N", sort=series))
    bars = base.mark_bar(stroke=_EDGE, strokeWidth=0.5, height=alt.RelativeBandSize(0.8)).encode(color=_color(series))
    words = base.mark_text(align="left", baseline="middle", dx=4, fontSize=9).encode(text="label:N")
    step = alt.Step(max(9, 22 // len(series)) if grouped else 18)
    return _layers(bars, words).properties(width=_WIDTH - 240, height=step)


def _line(chart: Chart, found: list[Mark]) -> alt.LayerChart:
    series = _names(mark.series for mark in found)
    values = [{"at": mark.at, "series": mark.series, "value": mark.value} for mark in found]
    base = _chart(values).encode(
        x=_time("at", chart.x, [mark.at for mark in found]),
        y=alt.Y("value:Q", **_quantity(chart.y, found)),
        color=_color(series),
    )
    dashes = alt.Scale(domain=series, range=[list(dash) for dash in _DASHES[: len(series)]])
    shapes = alt.Scale(domain=series, range=list(_SHAPES[: len(series)]))
    line = base.mark_line(strokeWidth=1.6).encode(
        strokeDash=alt.StrokeDash("series:N", sort=series, scale=dashes, legend=_legend(series))
    )
    points = base.mark_point(size=30, filled=True, opacity=1).encode(
        shape=alt.Shape("series:N", sort=series, scale=shapes, legend=_legend(series))
    )
    return _layers(line, points).properties(width=_WIDTH - 80, height=190)


def _span(chart: Chart, found: list[Mark]) -> alt.LayerChart:
    lanes, series = _names(mark.lane for mark in found), _names(mark.series for mark in found)
    times = [moment for mark in found for moment in (mark.at, mark.until) if moment is not None]
    reach = max(times, default=0) + max((max(times, default=0) - min(times, default=0)) // 25, 1)
    values = [
        {
            "lane": mark.lane,
            "series": mark.series,
            "from": mark.at,
            "to": reach if mark.until is None else mark.until,
            "goes_on": mark.until is None,
        }
        for mark in found
    ]
    axis = alt.Axis(labelLimit=230, ticks=False, domain=False, grid=True)
    base = _chart(values).encode(
        y=alt.Y("lane:N", sort=lanes, title=None, axis=axis), x=_time("from", chart.x, [*times, reach])
    )
    bars = base.mark_bar(stroke=_EDGE, strokeWidth=0.7, height=alt.RelativeBandSize(0.62))
    arrows = base.transform_filter("datum.goes_on").mark_point(
        shape="triangle-right", filled=True, size=90, color=_EDGE, opacity=1
    )
    drawing = _layers(bars.encode(x2="to:T", color=_color(series)), arrows.encode(x=alt.X("to:T")))
    return drawing.properties(width=_WIDTH - 240, height=alt.Step(22))


_KINDS: Final[Mapping[str, Callable[[Chart, list[Mark]], alt.LayerChart]]] = {"bar": _bar, "line": _line, "span": _span}


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=values))  # type: ignore[no-untyped-call]


def _layers(*layers: alt.Chart) -> alt.LayerChart:
    return alt.LayerChart(layer=list(layers))


def _title(words: str) -> str:
    return drawn(words, 90)


def _quantity(title: str, found: list[Mark]) -> dict[str, Any]:
    """An axis of numbers from 0, without fractions where there are none."""
    step = 1 if all(isinstance(mark.value, int) for mark in found) else alt.Undefined
    axis = alt.Axis(tickCount=5, format=",~f", tickMinStep=step)
    return {"title": _title(title), "scale": alt.Scale(zero=True, nice=True), "axis": axis}


def _time(field: str, title: str, times: list[int]) -> alt.X:
    """An axis of UTC times, to the day or to the minute."""
    days = (max(times, default=0) - min(times, default=0)) / 86_400_000
    axis = alt.Axis(format="%d %b %Y" if days > 3 else "%d %b %H:%M", tickCount=6, labelOverlap=True, labelFlush=False)
    scale = alt.Scale(type="utc", nice=False)
    return alt.X(f"{field}:T", title=_title(title if "UTC" in title else f"{title} (UTC)"), scale=scale, axis=axis)


def _color(series: list[str]) -> alt.Color:
    """Shades of the series; all the same where there are more of them than can be told apart."""
    shades = list(_SHADES[: len(series)]) if len(series) <= _SERIES else [_SHADES[1]]
    return alt.Color("series:N", sort=series, scale=alt.Scale(domain=series, range=shades), legend=_legend(series))


def _legend(series: list[str]) -> alt.Legend | None:
    if not 1 < len(series) <= _SERIES:
        return None
    return alt.Legend(title=None, orient="top", columns=3, labelLimit=180, symbolStrokeWidth=1.2)
