"""A report as values: what it says, in what order, apart from how it is drawn (reports/documents/).

Whoever makes a report makes one of these; HTML, PDF, XLSX, CSV and JSON are drawn from it and add no facts. Text may
come from records: it is text, never markup, in every format.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

SCHEMA: Final = "evidence/report/1"

Kind = Literal["text", "code", "id", "time", "number", "bytes"]
"""How a column is set: ``code`` and ``id`` in a fixed width, ``number`` to the right, ``bytes`` as a size."""

Cell = str | int | float | bool | None
"""None is shown as a dash: not known, or not applicable."""

Verdict = Literal["evidenced", "exceptions found", "not evidenced here", "not applicable"]
"""The verdict of a control: never a percentage, never "compliant"."""


class Column(msgspec.Struct, frozen=True):
    """A column: its heading, and what its cells are."""

    title: str
    kind: Kind = "text"


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Paragraphs. ``tone``: ``limit`` is what is not proven or not known, ``alert`` what somebody must look at."""

    paragraphs: tuple[str, ...]
    tone: Literal["plain", "limit", "alert"] = "plain"


class Facts(msgspec.Struct, frozen=True, tag="facts"):
    """Labels and their values."""

    items: tuple[tuple[str, Cell], ...]


class Table(msgspec.Struct, frozen=True, tag="table"):
    """Rows with as many cells as there are columns. ``query``: the SQL that they come from, for whoever repeats it.

    ``name``: ``[a-z0-9-]+``, unique in a report: names of sheets and CSV files. ``total``: how many rows there are,
    where only the first are shown.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None
    query: str | None = None
    total: int | None = None


class Chart(msgspec.Struct, frozen=True, tag="chart"):
    """A chart. ``rows`` are (x, y, series): x is a time for ``line`` and ``span``, a category for ``bar``.

    A ``span`` row is (from, to, label, series): a bar on a time axis, such as a version in force. ``alt``: what is to
    be seen, in words, for whoever cannot see it.
    """

    name: str
    title: str
    kind: Literal["bar", "line", "span"]
    rows: tuple[tuple[Cell, ...], ...]
    x: str
    y: str
    alt: str


class Control(msgspec.Struct, frozen=True, tag="control"):
    """A control with its verdict. ``asks``: what it asks for; ``words``: why the verdict is what it is.

    ``exceptions``: up to a bound, with record ids in the first column; ``limits``: what the verdict does not show.
    """

    framework: str
    control: str
    title: str
    asks: str
    verdict: Verdict
    words: tuple[str, ...]
    tests: tuple[TestResult, ...] = ()
    applies_from: str | None = None
    limits: tuple[str, ...] = ()


class TestResult(msgspec.Struct, frozen=True):
    """One test of a control: how many items it looked at, and which were exceptions."""

    __test__ = False

    test: str
    question: str
    population: int
    exceptions: Table
    verdict: Verdict
    words: str
    query: str


Block = Text | Facts | Table | Chart | Control


class Section(msgspec.Struct, frozen=True):
    """A heading and what stands under it. ``level`` 1 or 2."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 1


class AsOf(msgspec.Struct, frozen=True):
    """The state of the log that a report speaks of: on every page of it.

    ``time``: when the last commit under the checkpoint was made, RFC 3339 UTC; it stands for "now" everywhere in the
    report, so that the same question about the same checkpoint has the same bytes as its answer.
    """

    origin: str
    size: int
    root: str
    time: str


class Report(msgspec.Struct, frozen=True):
    """A whole report. ``name``: ``[a-z0-9-]+``. ``parameters``: what was asked for, as labels and values."""

    name: str
    title: str
    as_of: AsOf
    sections: tuple[Section, ...]
    parameters: tuple[tuple[str, Cell], ...] = ()
    not_proven: tuple[str, ...] = ()
