"""Level ``fast``: every commit and its signers' roles, every derived object, every listed object's size and SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from ledger import checkpoints, commits, entries, merkle, publisher_rules
from ledger.errors import EvidenceError, MissingObjectError, TamperedError
from ledger.history import Entry, History
from ledger.objects.base import ReadObjects
from ledger.verify.report import Report, Verdict

_BLOCK: Final = 4 * 1024 * 1024
_THREADS: Final = 2


class Listed(NamedTuple):
    """An object that an entry vouches for; ``size`` None where the entry does not state it."""

    path: str
    size: int | None
    sha256: str


def read_commits(objects: ReadObjects, report: Report) -> History:
    """Apply every commit. What follows a bad or missing one cannot be checked, and is said to be so."""
    history = History()
    listed = sorted(info.path for info in objects.list("ledger/commit/"))
    for path in listed:
        expected = commits.commit_path(history.seq + 1)
        if path != expected:
            missing = path > expected
            verdict, where = (Verdict.LOST, expected) if missing else (Verdict.TAMPERED, path)
            report.add(verdict, where, "a commit is missing" if missing else "no place of a commit")
            break
        try:
            history.apply(objects.get(path))
        except MissingObjectError:
            report.add(Verdict.LOST, path, "the commit is missing")
            break
        except EvidenceError as error:
            report.add(Verdict.TAMPERED, path, error.message)
            break
        report.count("commits")
    unread = len(listed) - history.seq - 1
    if unread:
        report.notes.append(f"{unread} commits were not checked: they follow one that is wrong or missing")
    report.last_commit_at = history.time or report.last_commit_at
    return history


def check_published(
    objects: ReadObjects, report: Report, history: History, checkpoint: checkpoints.Checkpoint | None
) -> None:
    """The checkpoint's root follows from the commits, and so do all tiles, bundles and earlier checkpoints."""
    size = history.frontier.size
    if checkpoint is not None:
        if checkpoint.size > size:
            report.add(
                Verdict.LOST,
                commits.commit_path(history.seq + 1),
                f"the checkpoint has {checkpoint.size} entries, the commits that could be read {size}",
            )
        elif merkle.root(history.leaves[: checkpoint.size]) != checkpoint.root:
            report.add(Verdict.TAMPERED, "ledger/checkpoint", "the checkpoint has another root than the commits")
        elif checkpoint.size < size:
            report.notes.append(f"{size - checkpoint.size} entries are committed and not published yet")
    published = min(size, checkpoint.size) if checkpoint is not None else 0
    _check_derived(objects, report, history, published)
    _check_checkpoints(objects, report, history)


def _check_derived(objects: ReadObjects, report: Report, history: History, published: int) -> None:
    needed = dict(publisher_rules.objects_of(history, published))
    for path, data in needed.items():
        try:
            found = objects.get(path)
        except MissingObjectError:
            report.add(Verdict.LOST, path, "a derived object is missing; publishing again writes it")
            continue
        if found != data:
            report.add(Verdict.TAMPERED, path, "it differs from what the commits say")
        report.count("tiles and bundles")
    for info in objects.list("ledger/tile/"):
        if info.path not in needed and not publisher_rules.was_derived(history, info.path, objects.get(info.path)):
            report.add(Verdict.TAMPERED, info.path, "it differs from what the commits say")


def _check_checkpoints(objects: ReadObjects, report: Report, history: History) -> None:
    verifiers = history.log_verifiers()
    for info in objects.list("ledger/checkpoints/"):
        try:
            found = checkpoints.open_checkpoint(objects.get(info.path), verifiers)
            if info.path != publisher_rules.checkpoint_path(found.size):
                raise TamperedError("the checkpoint stands under another size")
            if found.size > history.frontier.size:
                report.add(Verdict.LOST, info.path, "the commits of this checkpoint are missing")
            elif merkle.root(history.leaves[: found.size]) != found.root:
                raise TamperedError("another history of this size was signed")
        except EvidenceError as error:
            report.add(Verdict.TAMPERED, info.path, error.message)
        report.count("checkpoints")


def listed_objects(partitions: Iterable[Entry]) -> Iterator[Listed]:
    """Every object that these entries vouch for."""
    for entry in partitions:
        for item in entries.referenced_objects(entry.value):
            yield Listed(*item)


def check_objects(objects: ReadObjects, report: Report, listed: Sequence[Listed]) -> set[str]:
    """Size and SHA-256 of every listed object. Returns the paths that are sound."""
    sound = set()
    with ThreadPoolExecutor(_THREADS) as pool:
        for item, (size, digest) in zip(listed, pool.map(lambda item: _measure(objects, item), listed), strict=True):
            if digest is None:
                report.add(Verdict.LOST, item.path, "the object is missing")
            elif item.size is not None and size != item.size:
                report.add(Verdict.TAMPERED, item.path, f"it has {size} bytes, its entry says {item.size}")
            elif digest != item.sha256:
                report.add(Verdict.TAMPERED, item.path, "its SHA-256 is not the one in its entry")
            else:
                sound.add(item.path)
            report.count("objects")
            report.count("bytes", size)
    return sound


def _measure(objects: ReadObjects, item: Listed) -> tuple[int, str | None]:
    """Size and SHA-256 of an object, read in blocks; (0, None) if it is not there."""
    digest = hashlib.sha256()
    at = 0
    try:
        while block := objects.get_range(item.path, at, _BLOCK):
            digest.update(block)
            at += len(block)
    except MissingObjectError:
        return 0, None
    return at, digest.hexdigest()


def report_orphans(objects: ReadObjects, report: Report, history: History) -> None:
    """Objects that no commit lists: reported, never read."""
    known = {item.path for item in listed_objects(history.entries)}
    for prefix in ("events/", "content/", "ledger/blob/"):
        orphans = [info.path for info in objects.list(prefix) if info.path not in known]
        if orphans:
            report.notes.append(f"{len(orphans)} objects under {prefix} are listed by no commit (first: {orphans[0]!a})")
