"""The figures of `make bench`: what each one is compared with, what to reach and to try, and the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

GIB = 1 << 30
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Goal:
    """What a figure is to be: at least or at most ``reach``, and better still ``attempt``; None: nothing is asked."""

    reach: float | None
    attempt: float | None
    at_least: bool
    unit: str

    def text(self, value: float | None) -> str:
        """A threshold as the table shows it."""
        if value is None:
            return "—"
        return f"{'≥' if self.at_least else '≤'} {amount(value, self.unit)}"

    def met(self, value: float) -> str:
        """``try``, ``reach`` or ``no``; a dash where nothing is asked."""
        if self.reach is None:
            return "—"
        sign = 1 if self.at_least else -1
        asked = (("try", self.attempt), ("reach", self.reach))
        return next((name for name, goal in asked if goal is not None and sign * value >= sign * goal), "no")


_INGEST = {"single": Goal(0.3, 0.5, True, TIMES), "history": Goal(0.5, 1.0, True, TIMES)}
_STORED = {"single": Goal(2.2, 1.7, False, TIMES), "history": Goal(1.6, 1.2, False, TIMES)}
_LINES = {"single": Goal(150e3, None, True, "records/s"), "history": Goal(100e3, None, True, "records/s")}
_OPENED = {"single": Goal(80e3, None, True, "records/s"), "history": Goal(None, None, True, "records/s")}
_BYTES = {"single": Goal(None, None, True, "MB/s"), "history": Goal(400, None, True, "MB/s")}


def goals(shape: str) -> dict[str, Goal]:
    """The goals of one shape by the name of the figure, in the order of the table."""
    return {
        "ingest": _INGEST[shape],
        "ingest, peak memory": Goal(1.0, None, False, "GiB"),
        "stored bytes an event": _STORED[shape],
        "verify fast": Goal(0.7, 0.9, True, TIMES),
        "verify deep, lines": _LINES[shape],
        "verify deep, with content": _OPENED[shape],
        "verify deep, with content, bytes": _BYTES[shape],
        "open a session, faster": Goal(8.0, None, True, TIMES),
        "open a session, p50": Goal(30.0, None, False, "ms"),
        "find a person, faster": Goal(10.0, None, True, TIMES),
        "find a person, p50": Goal(100.0, None, False, "ms"),
        "erase a person, p50": Goal(1.0, None, False, "s"),
        "erase a person, against 10,000 events": Goal(2.0, None, False, TIMES),
    }


HELP = Goal(0.4, None, False, "s")
EXPORT = Goal(60.0, None, False, "s")
EXPORT_MEMORY = Goal(1.0, None, False, "GiB")
VERIFY = Goal(50e3, None, True, "records/s")
PAGE = Goal(10.0, None, False, "s")
BLOCK = Goal(200.0, None, False, "ms")
PDF = Goal(10.0, None, False, "s")


@dataclass(frozen=True)
class Row:
    """One line of the table. ``judged`` is the number that the goal is about: the ratio, or ours."""

    shape: str
    what: str
    ours: str
    plain: str
    ratio: str
    judged: float
    goal: Goal

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "met": self.goal.met(self.judged)}


def compared(shape: str, what: str, goal: Goal, ours: Sequence[float], plain: Sequence[float], unit: str) -> Row:
    """A figure judged by its ratio to the plain side: the median over pairs of runs."""
    ratio = median(own / theirs for own, theirs in zip(ours, plain, strict=True))
    own, theirs = (amount(median(side), unit) for side in (ours, plain))
    return Row(shape, what, own, theirs, amount(ratio, TIMES), ratio, goal)


def alone(shape: str, what: str, goal: Goal, ours: float, plain: str = "—") -> Row:
    """A figure judged by itself."""
    return Row(shape, what, amount(ours, goal.unit), plain, "—", ours, goal)


def amount(value: float, unit: str) -> str:
    """A number with its unit, to three figures or so."""
    if unit == TIMES:
        return f"{value:.2f} {TIMES}" if value < 10 else f"{value:.1f} {TIMES}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table."""
    cells = [("workload", "what", "ours", "plain", "ratio", "reach", "try", "met?"), ("---",) * 8]
    for row in rows:
        goal = row.goal
        asked = (goal.text(goal.reach), goal.text(goal.attempt), goal.met(row.judged))
        cells.append((row.shape, row.what, row.ours, row.plain, row.ratio, *asked))
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
