"""The clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> str:
    """The clock of this machine, RFC 3339 UTC with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
