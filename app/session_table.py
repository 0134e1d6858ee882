"""The table of sessions: rows of the catalog as a frame, and the choices that its filters offer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import polars as pl

from app.words import at_second
from replay.catalog import Catalog
from replay.sessions import SessionRow
from replay.visible import one_line

LIMIT: Final = 200
"""Rows that are shown: more do not help anybody who reads them."""

_COLUMNS: Final = {
    "Session": pl.String,
    "From (UTC)": pl.String,
    "To (UTC)": pl.String,
    "Decisions": pl.String,
    "Turns": pl.Int64,
    "Tools": pl.Int64,
    "Failed": pl.Int64,
    "Models": pl.String,
    "Sources": pl.String,
    "Tokens in": pl.Int64,
    "Tokens out": pl.Int64,
}

_MODELS: Final = "SELECT DISTINCT unnest(models) AS name FROM session_parts ORDER BY name LIMIT 500"
_DECISIONS: Final = "SELECT DISTINCT unnest(decisions) AS name FROM session_parts ORDER BY name LIMIT 500"


def frame(rows: Sequence[SessionRow]) -> pl.DataFrame:
    """One row a session, hostile characters written out. A time that no source stated is marked."""
    return pl.DataFrame([_cells(row) for row in rows], schema=_COLUMNS, orient="row")


def _cells(row: SessionRow) -> tuple[str | int | None, ...]:
    mark = "" if row.time_known else " (when ingested)"
    return (
        one_line(row.session),
        at_second(row.first_at) + mark,
        at_second(row.last_at) + mark,
        _joined(row.decisions),
        row.inferences,
        row.tools,
        row.failures,
        _joined(row.models),
        _joined(row.sources),
        row.input_tokens,
        row.output_tokens,
    )


def _joined(names: Sequence[str]) -> str:
    return ", ".join(one_line(name) for name in names)


def models(catalog: Catalog) -> list[str]:
    """The models that sessions name."""
    return [str(row[0]) for row in catalog.connection.execute(_MODELS).fetchall()]


def decisions(catalog: Catalog) -> list[str]:
    """The decisions that sessions hold."""
    return [str(row[0]) for row in catalog.connection.execute(_DECISIONS).fetchall()]


def utc(moment: datetime | None) -> str | None:
    """A time without a zone, meant as UTC, as RFC 3339."""
    return None if moment is None else moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
