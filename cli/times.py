"""Times as people type them: a date, or RFC 3339; without a zone they are UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.errors import UsageError


def moment(text: str | None) -> str | None:
    """RFC 3339 UTC, or None. Raises UsageError."""
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!a} is no time", hint="Write 2026-10-31 or 2026-10-31T09:00:00Z.") from None
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat().replace("+00:00", "Z")
