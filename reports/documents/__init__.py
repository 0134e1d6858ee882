"""Reports drawn: each module makes one format of what reports/document.py holds, and adds no facts."""

from __future__ import annotations

from importlib import import_module
from typing import Final, NamedTuple

from ledger.errors import UsageError
from reports.document import Report


class Format(NamedTuple):
    """A format: its file's suffix and media type, and what makes it. Modules are imported when they are asked for."""

    suffix: str
    media_type: str
    module: str
    function: str


FORMATS: Final = {
    "html": Format(".html", "text/html", "html", "page"),
    "pdf": Format(".pdf", "application/pdf", "pdf", "pdf"),
    "xlsx": Format(".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", "xlsx"),
    "csv": Format(".csv.zip", "application/zip", "csv", "archive"),
    "json": Format(".json", "application/json", "json", "encode"),
    "oscal": Format(".oscal.json", "application/json", "oscal", "assessment_results"),
}


def render(report: Report, fmt: str) -> bytes:
    """The report in a format: the same bytes for the same report. Raises UsageError for a format that is none."""
    if fmt not in FORMATS:
        raise UsageError(f"no report has the format {fmt}", hint=f"Formats: {', '.join(FORMATS)}.")
    found = FORMATS[fmt]
    made: bytes = getattr(import_module(f"reports.documents.{found.module}"), found.function)(report)
    return made
