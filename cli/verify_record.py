"""``evidence verify --record``: a run is stated in the ledger once it is over; the verifier itself writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import note

if TYPE_CHECKING:
    from ledger.settings import Settings
    from ledger.verify import Report

_COVERED = (
    ("partitions", "partitions"),
    ("records", "records"),
    ("contents", "contents opened"),
    ("bytes", "bytes"),
)
"""Fields of the entry, and what the report calls these numbers."""


def record_run(settings: Settings, report: Report, begun_at: str) -> int | None:
    """Commit a ``verification`` entry and publish; its index, or None where it could not be and the verdict is bad.

    What is found is stated whatever it is, where the log can be continued. Where nothing is wrong but the entry cannot
    be written, the error is raised: whoever asked for it would otherwise believe that it is there.
    """
    from ledger.clock import utc_now
    from ledger.errors import EvidenceError
    from ledger.store import Store

    if not report.size:
        note("  note: there is no checkpoint to speak of, so the run is not recorded")
        return None
    body = {
        "level": report.level,
        "verdict": report.verdict.replace(" ", "_"),
        "exit_code": report.exit_code,
        "checkpoint_size": report.size,
        "grade": report.grade,
        "begun_at": begun_at,
        "ended_at": utc_now(),
        **{field: report.covered.get(name, 0) for field, name in _COVERED},
    }
    try:
        with Store.open(settings) as store:
            (entry,) = store.append([("verification", body)])
            store.publish()
    except EvidenceError as error:
        if report.exit_code == 0:
            raise
        note(f"  note: the run is not recorded: {error.message}")
        return None
    return entry.index
