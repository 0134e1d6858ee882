"""How text and tables are set in the PDF: where lines may be broken, how wide columns are, which tables are turned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from reports.document import Column
from reports.documents.cells import printed, shortened

Lines = list[list[str]]
"""A text: lines of pieces, between which a line may be broken."""

PARAGRAPH: Final = 4_000
"""Characters of a paragraph that are shown."""
_TOKEN: Final = re.compile(r"\S{21,}")
_PIECE: Final = re.compile(r"[^/.:;,_=&?@|)}\]-]{1,16}[/.:;,_=&?@|)}\]-]?|[/.:;,_=&?@|)}\]-]")
_PAGE: Final = 504.0
"""Points that a table has on an upright page."""
_TURNED: Final = 751.0
"""The same on a page that is turned."""
_SMALL: Final = 0.8
"""How much smaller type is set before a page is turned for it."""
_WHOLE: Final = 900
"""Characters."""
_MEASURED: Final = 300
"""Rows by which the widths of columns are chosen."""
_SIZE: Final = 8.5
_SMALLEST: Final = 5.5
_SERIF: Final = 4.2
_BOLD: Final = 4.7
_MONO: Final = 4.15
"""Points of a character at the size of tables."""
_INSET: Final = 7.2
_WORD: Final = 90.0
"""Points of a word beyond which it is broken rather than the column widened."""
_LINES: Final[Mapping[str, float]] = {"id": 32 * _MONO + 1, "code": 140.0}
"""Points of what is enough for a column of this kind."""


def lines_of(value: str) -> Lines:
    """Text that the fonts have, in lines and pieces; long words may be broken, ids every 16 digits."""
    return [_pieces(line) for line in shortened(printed(value), PARAGRAPH).split("\n")]


def _pieces(line: str) -> list[str]:
    found, end = [], 0
    for token in _TOKEN.finditer(line):
        found.append(line[end : token.start()])
        end = token.end()
        found += _PIECE.findall(token[0])
    return [piece for piece in (*found, line[end:]) if piece] or [""]


class Layout(NamedTuple):
    """How a table stands on a page: the width of each column and the size of its type, in points; turned or not."""

    widths: list[float]
    size: float
    turned: bool


def layout(columns: Sequence[Column], rows: Sequence[Sequence[str | Lines]]) -> Layout:
    """Between its longest word and its longest line each column gets a share of what there is.

    A table whose longest words alone are wider than an upright page is set smaller, and turned where that would be too
    small to read.
    """
    measured = [(column, [row[index] for row in rows[:_MEASURED]]) for index, column in enumerate(columns)]
    ids = {index for index, column in enumerate(columns) if column.kind == "id"}
    times = {index for index, column in enumerate(columns) if column.kind == "time"}
    for roomy in (ids | times, {0} | times, ids, {0}, set[int]()):
        spans = [_span(column, cells, roomy=index in roomy) for index, (column, cells) in enumerate(measured)]
        least = sum(low for low, _ in spans)
        if least <= _PAGE:
            break
    turned = least > _PAGE / _SMALL
    room = _TURNED if turned else _PAGE
    if least > room:
        return Layout([low * room / least for low, _ in spans], max(_SIZE * room / least, _SMALLEST), turned)
    widths = _shared(
        [low for low, _ in spans],
        [min(high, _line(column)) for (_, high), column in zip(spans, columns, strict=True)],
        room,
    )
    return Layout(_shared(widths, [high for _, high in spans], room), _SIZE, turned)


def _shared(widths: list[float], wanted: list[float], room: float) -> list[float]:
    """The widths, made wider in proportion to what each lacks of what it wants, within what there is."""
    lacking = [max(want - width, 0.0) for width, want in zip(widths, wanted, strict=True)]
    share = min((room - sum(widths)) / sum(lacking), 1.0) if sum(lacking) else 0.0
    return [width + lack * share for width, lack in zip(widths, lacking, strict=True)]


def _line(column: Column) -> float:
    """Points beyond which a column is not widened before the others have what they want."""
    return _LINES.get(column.kind, 220.0) + _INSET


def _span(column: Column, cells: Sequence[str | Lines], *, roomy: bool = False) -> tuple[float, float]:
    """The least width of a column, by its longest word, and the width at which it is no better for being wider.

    ``roomy``: ids are to take two lines at most, and times one.
    """
    words = [len(word) * _BOLD for word in column.title.split()]
    each = _MONO if column.kind in ("code", "id") else _SERIF
    lines = []
    for cell in cells:
        if isinstance(cell, str):
            words.append(len(cell) * _BOLD + 14)
        else:
            words += [len(word) * each for line in cell for piece in line for word in piece.split()]
            lines += [sum(map(len, line)) * each for line in cell]
    low = min(max(words, default=0.0), _WORD)
    if roomy and column.kind in ("id", "time"):
        low = max([low, *(min(line, 32 * _MONO + 1) for line in lines)])
    high = max([low, *lines, min(len(column.title) * _BOLD, 90.0)])
    return low + _INSET, high + _INSET


def is_whole(row: Sequence[str | Lines]) -> bool:
    """Whether a row is short enough not to be cut by the end of a page."""
    return sum(map(_length, row)) < _WHOLE


def _length(cell: str | Lines) -> int:
    return len(cell) if isinstance(cell, str) else sum(len(piece) for line in cell for piece in line)
