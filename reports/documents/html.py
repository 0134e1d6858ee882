"""A report as HTML: a page of its own, or a fragment for another page. Nothing in it runs, loads or carries a style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2

from reports.document import Cell, Report, Table
from reports.documents import charts, outline
from reports.documents.cells import fact, shown, text

STYLESHEET: Final = Path(__file__).parent / "report.css"
"""The style of page and fragment; whoever shows a fragment brings it along."""
_TEMPLATES: Final = ("fragment.html.j2", "page.html.j2")


def fragment(report: Report, heading: int = 2) -> str:
    """The report as one ``article`` of class ``report``, its title a heading of this level.

    No scripts, no links but within it, no ``style``; ids begin with ``report-`` or, within charts, with their names.
    Long tables show their first rows; text is escaped, and characters that act are written out.
    """
    return _environment().get_template("fragment.html.j2").render(**_values(report), top=heading)


def page(report: Report) -> bytes:
    """The report as a page that needs nothing else: its policy lets nothing in but its own style."""
    style = STYLESHEET.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = _environment().get_template("page.html.j2")
    return template.render(title=report.title, style=style, digest=digest, body=fragment(report, 1)).encode()


def _values(report: Report) -> dict[str, Any]:
    queries = outline.queries(report)
    return {
        "report": report,
        "controls": outline.controls(report),
        "verdicts": outline.verdicts(report),
        "verdict_words": outline.VERDICTS,
        "queries": queries,
        "number_of": {query: number for number, query in enumerate(queries, start=1)},
        "exceptions": outline.exceptions,
        "rows": _rows,
        "below": _below,
        "svg": charts.svg,
        "left_out": charts.left_out,
        "kind": _kind,
        "slug": lambda verdict: verdict.replace(" ", "-"),
    }


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({name: (folder / name).read_text(encoding="utf-8") for name in _TEMPLATES}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": text, "fact": fact, "group": lambda number: f"{number:,}"}
    return environment


def _finalize(value: Any) -> Any:
    """Recorded text may hold characters that act, or reorder what is read: they are written out."""
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _kind(block: object) -> str:
    return type(block).__name__


def _rows(table: Table) -> Sequence[tuple[Cell, ...]]:
    return table.rows[: outline.ROWS]


def _below(table: Table) -> str | None:
    """What stands below a table that does not show all of its rows."""
    there, all_rows = min(len(table.rows), outline.ROWS), outline.exceptions(table)
    if there >= all_rows:
        return None
    kept = "; XLSX, CSV and JSON have more" if len(table.rows) > there else ""
    return f"The first {there:,} of {all_rows:,} rows{kept}."
