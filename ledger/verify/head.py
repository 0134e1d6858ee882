"""Level ``head``: the checkpoint's signature, its consistency with the pin, its freshness. Reads O(log n) objects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ledger import checkpoints, commits, notes
from ledger.errors import EvidenceError, FormatError, MissingObjectError, TamperedError, UnverifiableError
from ledger.objects.base import CHECKPOINT, ReadObjects
from ledger.verify.pin import Pin
from ledger.verify.report import Report, Verdict
from ledger.verify.trees import check_consistency


class Head(NamedTuple):
    """The checkpoint object as it was read, and what it states where that can be trusted."""

    note: bytes | None
    checkpoint: checkpoints.Checkpoint | None


def check_head(objects: ReadObjects, report: Report, trusted: Sequence[notes.Verifier], pin: Pin | None) -> Head:
    """Check the head; its checkpoint is None where it cannot be trusted."""
    note = _read(objects, report)
    checkpoint = None if note is None else _open(note, report, trusted)
    if checkpoint is None:
        return Head(note, None)
    report.count("checkpoints")
    report.origin, report.size, report.root = checkpoint.origin, checkpoint.size, checkpoint.root.hex()
    report.grade = "pinned" if pin is not None else "self-signed"
    if pin is None:
        report.add(Verdict.UNPINNED, CHECKPOINT, "no pin from outside the store: an old or other copy would pass too")
    elif not _check_pin(objects, report, checkpoint, pin):
        return Head(note, None)
    return Head(note, checkpoint)


def _read(objects: ReadObjects, report: Report) -> bytes | None:
    try:
        return objects.get(CHECKPOINT)
    except MissingObjectError:
        if objects.head(commits.commit_path(0)) is None and next(iter(objects.list("ledger/")), None) is None:
            report.add(Verdict.NOTHING_THERE, "ledger/", "there is no ledger")
        else:
            report.add(Verdict.LOST, CHECKPOINT, "the checkpoint is missing")
        return None


def _open(note: bytes, report: Report, trusted: Sequence[notes.Verifier]) -> checkpoints.Checkpoint | None:
    if not trusted:
        report.add(Verdict.UNVERIFIABLE, CHECKPOINT, "no key was given to check the checkpoint with")
        return None
    try:
        return checkpoints.open_checkpoint(note, trusted)
    except UnverifiableError:
        report.add(Verdict.UNVERIFIABLE, CHECKPOINT, "the checkpoint is not signed by the key that was given")
    except (TamperedError, FormatError) as error:
        report.add(Verdict.TAMPERED, CHECKPOINT, error.message)
    return None


def _check_pin(objects: ReadObjects, report: Report, checkpoint: checkpoints.Checkpoint, pin: Pin) -> bool:
    pinned = pin.checkpoint
    if pinned.origin != checkpoint.origin:
        report.add(
            Verdict.TAMPERED, CHECKPOINT, f"the checkpoint is of {checkpoint.origin}, the pin of {pinned.origin}"
        )
    elif checkpoint.size < pinned.size:
        report.add(
            Verdict.LOST,
            CHECKPOINT,
            f"rolled back: the pin has {pinned.size} entries, the store {checkpoint.size}",
        )
    elif checkpoint.size == pinned.size and checkpoint.root != pinned.root:
        report.add(Verdict.TAMPERED, CHECKPOINT, "forked: another history of the pinned size is signed")
    else:
        return _check_tiles(objects, report, checkpoint, pinned)
    return False


def _check_tiles(
    objects: ReadObjects, report: Report, checkpoint: checkpoints.Checkpoint, pinned: checkpoints.Checkpoint
) -> bool:
    try:
        check_consistency(objects, (pinned.size, pinned.root), (checkpoint.size, checkpoint.root))
    except MissingObjectError as error:
        path = str(error.where.get("path", "ledger/tile"))
        report.add(Verdict.LOST, path, "a tile that the consistency proof needs is missing")
    except EvidenceError as error:
        report.add(Verdict.TAMPERED, str(error.where.get("path", CHECKPOINT)), error.message)
    else:
        report.count("consistency proofs")
    return True


def check_newest(objects: ReadObjects, report: Report, pin: Pin | None, max_age: timedelta) -> None:
    """How old the last commit is, found by probing upward from the pinned one, and whether there is any partition.

    Its time counts if one of the pin's writers signed it: whoever can write to the store can put an object there.
    """
    seq = _last_commit(objects, pin.seq if pin else -1)
    path = commits.commit_path(max(seq, 0))
    try:
        data = objects.get(path)
        commit, _ = commits.parse_commit(data)
    except MissingObjectError:
        report.add(Verdict.LOST, path, "the commit is missing")
        return
    except EvidenceError as error:
        verdict = Verdict.UNVERIFIABLE if isinstance(error, UnverifiableError) else Verdict.TAMPERED
        report.add(verdict, path, error.message)
        return
    if next(iter(objects.list("events/")), None) is None:
        report.add(Verdict.NOTHING_THERE, "events/", "no partition is there")
    check_age(report, commit.seq, commit.time, max_age)
    try:
        notes.open_note(data, [notes.Verifier.from_vkey(vkey) for vkey in pin.writers] if pin else [])
    except EvidenceError:
        reason = "its time is not vouched for by a key that an earlier verification knew: run --level fast"
        report.add(Verdict.STALE, path, reason)


def check_age(report: Report, seq: int, time: str, max_age: timedelta) -> None:
    """Whether the last commit is older than it may be."""
    report.last_commit_at = time
    age = datetime.now(UTC) - datetime.fromisoformat(time)
    if age > max_age:
        hours = int(age.total_seconds() // 3600)
        report.add(Verdict.STALE, commits.commit_path(seq), f"the last commit is {hours} hours old")


def _last_commit(objects: ReadObjects, known: int) -> int:
    """The highest commit that follows ``known`` without a gap, by doubling steps and then halving them."""

    def there(seq: int) -> bool:
        return seq <= commits.MAX_SEQ and objects.head(commits.commit_path(seq)) is not None

    step = 1
    while there(known + step):
        step *= 2
    low, high = known + step // 2, known + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if there(middle) else (low, middle)
    return low
