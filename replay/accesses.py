"""Who looked: the access records, opened. What they say is content, so whoever lists them has written one first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import EvidenceError
from ledger.revealed import Revealed
from replay.catalog import Catalog, parameter


class Access(msgspec.Struct, frozen=True):
    """One access: when, who (as the operating system said where ``asserted``), by which command, why, and to what.

    ``state`` is that of the record's content; where it is not ``verified`` nothing of it is known but the time.
    """

    record_id: str
    at: str
    state: str
    operator: str | None
    host: str | None
    asserted: bool
    command: str | None
    purpose: str | None
    selection: dict[str, str]


class Wanted(msgspec.Struct, frozen=True):
    """Which accesses: from a time until before another (RFC 3339 UTC), by an operator (``name`` or ``name@host``)."""

    since: str | None = None
    until: str | None = None
    operator: str | None = None


def accesses(catalog: Catalog, receipt: Receipt, wanted: Wanted) -> Iterator[Access]:
    """The accesses that are sealed, the newest first. Raises AccessNotRecordedError without a receipt."""
    catalog.store.check(receipt)
    partitions = catalog.partitions()
    gone = catalog.store.endings.lines_expired
    for number in range(len(partitions) - 1, -1, -1):
        entry = partitions[number]
        if "access" not in entry.value["kinds"] or entry.value["events"]["path"] in gone:
            continue
        rows = _rows(catalog, number, wanted)
        events = catalog.mirror.path(entry.value)
        # Each person whose processing is restricted looked as well: who looked is what is asked here.
        revealed = catalog.store.reveal(receipt, entry.value, rows, events, despite_restriction=True)
        for row in revealed if rows else ():
            found = _access(row)
            if wanted.operator is None or wanted.operator in (found.operator, f"{found.operator}@{found.host}"):
                yield found


def _rows(catalog: Catalog, number: int, wanted: Wanted) -> list[int]:
    conditions, values = ["kind = 'access'"], [str(catalog.mirror.path(catalog.partitions()[number].value))]
    for sign, moment in ((">=", wanted.since), ("<", wanted.until)):
        if moment is not None:
            conditions.append(f"occurred_at {sign} ?::TIMESTAMPTZ")
            values.append(parameter(moment))
    found = catalog.connection.execute(
        "SELECT file_row_number FROM read_parquet(?, file_row_number = true) "
        f"WHERE {' AND '.join(conditions)} ORDER BY occurred_at DESC, file_row_number DESC",
        values,
    ).fetchall()
    return [row[0] for row in found]


def _access(row: Revealed) -> Access:
    said: dict[str, Any] = {}
    if row.bytes is not None:
        try:
            said = canonical.decode(row.bytes)
        except EvidenceError:
            said = {}
    operator = said.get("operator", {})
    return Access(
        row.record.hex(),
        row.line.get("occurred_at", row.line["observed_at"]),
        row.state,
        operator.get("name"),
        operator.get("host"),
        bool(operator.get("asserted", True)),
        said.get("command"),
        said.get("purpose"),
        dict(said.get("selection", {})),
    )
