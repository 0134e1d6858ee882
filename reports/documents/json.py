"""A report as JSON, ``evidence/report/1``: the exact values that the other formats are drawn from."""

from __future__ import annotations

from typing import Any

import msgspec

from reports.document import SCHEMA, Report


def encode(report: Report) -> bytes:
    """The report with sorted keys, indented, one line feed at the end. What is no number is null.

    Blocks carry their ``type``; text that is no Unicode is kept as far as UTF-8 can hold it.
    """
    values = {"_": SCHEMA, **_unicode(msgspec.to_builtins(report))}
    return msgspec.json.format(msgspec.json.encode(values, order="sorted"), indent=1) + b"\n"


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _unicode(item) for name, item in value.items()}
    return [_unicode(item) for item in value] if isinstance(value, list | tuple) else value
