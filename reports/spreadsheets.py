"""Text for spreadsheets: no cell of it can be taken for a formula, and characters that would act are written out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from replay.visible import visible

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")
"""How a cell begins that a spreadsheet may compute."""


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[str | int | float | bool | None]]) -> bytes:
    """CSV (RFC 4180) in UTF-8 with a byte order mark, by which spreadsheets know that it is. None is an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow([harmless(column) for column in columns])
    for row in rows:
        writer.writerow([harmless(cell) if isinstance(cell, str) else _plain(cell) for cell in row])
    return b"\xef\xbb\xbf" + file.getvalue().encode("utf-8", "replace")


def harmless(cell: str) -> str:
    """Text that a spreadsheet shows and does not compute: an apostrophe before what could be a formula."""
    shown = visible(cell)
    return f"'{shown}" if is_formula(shown) else shown


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may compute the cell."""
    return cell.lstrip(" ").startswith(_FORMULA)


def _plain(cell: float | bool | None) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
