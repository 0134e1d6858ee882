"""Putting a report into the store: its renderings become objects under ``reports/``, which a ledger entry lists.

What stands there stays for as long as the store does, and anyone who can read the store can read it. So only a report
that names nobody may be put there: it holds what record lines and ledger entries hold (references and codes), never
content, and never what somebody typed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final

from ledger.errors import StorageError, UsageError
from ledger.history import Entry
from ledger.store import Store
from reports import documents
from reports.document import Report
from reports.documents import outline

DEFAULT: Final = ("pdf", "xlsx", "json")
"""Formats that are put into the store where none is named: to read, to work with, and the exact values."""
_CODES: Final = re.compile(r"[A-Za-z0-9_.:/+-]{1,128}(?:, ?[A-Za-z0-9_.:/+-]{1,128}){0,31}")
"""Codes, references, times, or a list of them: what a parameter may be to stand in an entry."""
_MOMENT: Final = re.compile(r"[-:]|\.\d+")


def file(store: Store, report: Report, formats: Sequence[str]) -> Entry:
    """Write the report in these formats and commit the entry that lists them; durable when it returns.

    Publishing is the caller's. Raises UsageError for a format that is none, StorageError where an object cannot be
    written: then the store has an orphan at most, which nothing reads.
    """
    if not formats:
        raise UsageError("no format to put into the store", hint=f"Formats: {', '.join(documents.FORMATS)}.")
    folder = f"reports/{_MOMENT.sub('', report.as_of.time)}-{report.name}-{secrets.token_hex(16)}"
    objects = []
    for fmt in dict.fromkeys(formats):
        data = documents.render(report, fmt)
        path = f"{folder}/{report.name}{documents.FORMATS[fmt].suffix}"
        if not store.objects.put_if_absent(path, data):
            raise StorageError("an object with other bytes stands under this name", path=path)
        objects.append({"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)})
    return store.append([("report", _entry(report, objects))])[0]


def _entry(report: Report, objects: list[dict[str, Any]]) -> dict[str, Any]:
    parameters = {
        _key(label): str(value)
        for label, value in report.parameters
        if isinstance(value, str | int) and _CODES.fullmatch(str(value))
    }
    return {
        "checkpoint_size": report.as_of.size,
        "name": report.name,
        "objects": objects,
        "parameters": parameters,
        "verdicts": {_key(verdict): number for verdict, number in outline.verdicts(report).items()},
    }


def _key(label: str) -> str:
    """A label as a key of an entry."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:64] or "value"
