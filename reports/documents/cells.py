"""A cell as text for people: numbers, sizes and times as they are read, hostile characters written out."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Final

from replay.visible import visible
from reports.document import Cell, Kind

NOTHING: Final = "\u2013"
"""What stands where a value is not known or does not apply."""

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_EXACT: Final = 1_000_000
"""Decimals are shown below this, with six digits that count."""

_UNPRINTED: Final = re.compile(
    "[^\n -~\xa0-\xac\xae-\u024f\u0370-\u0377\u037a-\u037f\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u0482\u048a-\u04ff"
    "\u1e00-\u1eff\u2010-\u2027\u2030-\u2040\u2042\u2044-\u2052\u2070\u2071\u2074-\u208e\u2090-\u209c\u20a0-\u20c0"
    "\u2190-\u22ff\u2500-\u25ff\u2713\u2714\u2717\u2718]"
)
_UNDRAWN: Final = re.compile(
    "[^ -~\xa0-\xac\xae-\u017f\u0384-\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u2013\u2014\u2018-\u201a\u201c-\u201e\u2022\u2026\u20ac]"
)


def text(cell: Cell, kind: Kind = "text") -> str:
    """The cell as it is read; characters that act, or hide, are escapes. Times lose what is below a second."""
    if cell is None:
        return NOTHING
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        return _number(cell, kind)
    found = _TIME.fullmatch(cell) if kind == "time" else None
    return f"{found[1]} {found[2]}" if found else visible(cell)


def fact(value: Cell) -> str:
    """A value beside its label: times and numbers as in columns of their kind."""
    return text(value, "time" if isinstance(value, str) else "number")


def _number(value: int | float, kind: Kind) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number"
    if kind == "bytes":
        return _size(value)
    if isinstance(value, int):
        return f"{value:,}" if kind == "number" else str(value)
    return f"{value:,.6g}" if abs(value) < _EXACT else f"{value:,.0f}"


def _size(value: int | float) -> str:
    amount, unit = float(value), 0
    while abs(amount) >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{value:,} {_UNITS[0]}" if unit == 0 else f"{amount:,.1f} {_UNITS[unit]}"


def shown(value: str) -> str:
    """Text of a report that is no cell, such as a title, made harmless likewise."""
    return visible(value)


def printed(value: str) -> str:
    """Harmless text in characters that the fonts of the PDF have and set without surprises; others are escapes.

    Right-to-left and combining scripts are left out on purpose: what follows them must not be read in another order.
    """
    return _UNPRINTED.sub(_escape, visible(unicodedata.normalize("NFC", value)))


def drawn(value: str, at_most: int = 60) -> str:
    """Text of a chart on one line, in characters whose widths do not depend on the machine's fonts; cut where long."""
    line = _UNDRAWN.sub(_escape, visible(unicodedata.normalize("NFC", value[: at_most * 2])).replace("\n", " "))
    return line if len(line) <= at_most else line[: at_most - 1] + "\u2026"


def shortened(value: str, at_most: int) -> str:
    """The beginning of a long text, and how long it is."""
    if len(value) <= at_most:
        return value
    return f"{value[:at_most]} \u2026 ({len(value):,} characters)"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
