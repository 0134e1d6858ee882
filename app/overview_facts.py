"""What the overview says of a store, and how old that is. Nothing here verifies; it reads what stands there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
import polars as pl

from app.words import age
from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.errors import EvidenceError, NothingThereError
from ledger.verify import pin as pins
from replay.catalog import Catalog
from replay.visible import one_line

_SESSIONS: Final = "SELECT count(DISTINCT session) FROM session_parts WHERE rows > envelopes"
_DECISIONS: Final = """
SELECT decision, count(DISTINCT session) FROM (SELECT session, unnest(decisions) AS decision FROM session_parts)
GROUP BY decision ORDER BY count(DISTINCT session) DESC, decision
"""
_PARTITIONS: Final = """
SELECT strftime(committed_at, '%Y-%m-%d %H:%M'), left(replace(from_time, 'T', ' '), 16),
    left(replace(to_time, 'T', ' '), 16), rows, rejected
FROM partition_list ORDER BY partition DESC LIMIT 10
"""


class Verification(msgspec.Struct, frozen=True):
    """The last verification that found nothing wrong, as the pin remembers it. ``same_log``: it is of this log."""

    at: str
    size: int
    root: bytes
    level: str
    same_log: bool

    @property
    def age(self) -> timedelta:
        """Time since then."""
        return age(self.at)


class Overview(msgspec.Struct, frozen=True):
    """A store at a glance. ``verification`` is None without a pin; ``pin_problem`` says why one cannot be read."""

    location: str
    origin: str
    entries: int
    last_commit_at: str
    checkpoint: Checkpoint | None
    partitions: int
    records: int
    rejected: int
    sessions: int
    waiting: int
    max_age: timedelta
    verification: Verification | None
    pin_problem: str | None
    kinds: pl.DataFrame
    decisions: pl.DataFrame
    newest: pl.DataFrame

    @property
    def unpublished(self) -> int:
        """Entries that no checkpoint covers yet."""
        return max(self.entries - (self.checkpoint.size if self.checkpoint else 0), 0)

    @property
    def contradicted(self) -> bool:
        """Whether the checkpoint is older than the one that was verified here, or another one of the same size."""
        known, shown = self.verification, self.checkpoint
        if known is None or not known.same_log:
            return False
        return shown is None or shown.size < known.size or (shown.size == known.size and shown.root != known.root)


def overview(catalog: Catalog) -> Overview:
    """The facts of an open store. Raises TamperedError for a checkpoint that does not verify."""
    store = catalog.store
    history = store.history
    partitions = [entry.value for entry in history.partitions()]
    kinds: Counter[str] = Counter()
    for value in partitions:
        kinds.update(value["kinds"])
    verification, problem = _verification(catalog)
    return Overview(
        location=store.objects.url,
        origin=history.origin,
        entries=history.frontier.size,
        last_commit_at=history.time,
        checkpoint=_checkpoint(catalog),
        partitions=len(partitions),
        records=sum(value["rows"] for value in partitions),
        rejected=sum(value["rejected"] for value in partitions),
        sessions=_number(catalog, _SESSIONS),
        waiting=store.waiting(),
        max_age=timedelta(hours=store.settings.max_age_hours),
        verification=verification,
        pin_problem=problem,
        kinds=_table(sorted(kinds.items()), {"Kind": pl.String, "Records": pl.Int64}),
        decisions=_table(
            catalog.connection.execute(_DECISIONS).fetchall(), {"Decision": pl.String, "Sessions": pl.Int64}
        ),
        newest=_newest(catalog),
    )


def _checkpoint(catalog: Catalog) -> Checkpoint | None:
    try:
        _, note = catalog.store.checkpoint()
    except NothingThereError:
        return None
    return open_checkpoint(note, catalog.store.history.log_verifiers())


def _verification(catalog: Catalog) -> tuple[Verification | None, str | None]:
    try:
        pin = pins.load(catalog.store.settings.pin)
    except EvidenceError as error:
        return None, error.message
    if pin is None:
        return None, None
    known = pin.checkpoint
    same_log = known.origin == catalog.store.history.origin
    return Verification(pin.verified_at, known.size, known.root, pin.level, same_log), None


def _number(catalog: Catalog, sql: str) -> int:
    rows = catalog.connection.execute(sql).fetchall()
    return int(rows[0][0]) if rows else 0


def _newest(catalog: Catalog) -> pl.DataFrame:
    columns = {"Committed (UTC)": pl.String, "First event": pl.String, "Last event": pl.String}
    numbers = {"Records": pl.Int64, "Rejected": pl.Int64}
    rows = catalog.connection.execute(_PARTITIONS).fetchall()
    return _table(rows, {**columns, **numbers})


def _table(rows: Sequence[tuple[object, ...]], columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    shown = [tuple(one_line(cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
    return pl.DataFrame(shown, schema=columns, orient="row")
