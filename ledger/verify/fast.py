"""Level ``fast``: every commit and its signers' roles, every derived object, every listed object's size and SHA-256."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, NamedTuple

from ledger import commits, entries
from ledger.errors import EvidenceError, MissingObjectError, UnverifiableError
from ledger.history import Entry, History
from ledger.objects.base import ReadObjects
from ledger.verify.report import Report, Verdict

_BLOCK: Final = 4 * 1024 * 1024
_THREADS: Final = 2
_NAMED: Final = 100
"""Commits of one gap that are named: one object under a high number must not make millions of findings."""
_COMMIT: Final = re.compile(r"ledger/commit/(\d{3})/(\d{3})/(\d{3})\Z")


class Listed(NamedTuple):
    """An object that an entry vouches for; ``size`` None where the entry does not state it."""

    path: str
    size: int | None
    sha256: str


class ReadLog(NamedTuple):
    """The history as far as it could be read, and whether that is all of it."""

    history: History
    complete: bool


def read_commits(objects: ReadObjects, report: Report) -> ReadLog:
    """Apply every commit that is listed. What follows a bad or missing one cannot be checked, and is said to be so."""
    history = History()
    numbers = _numbers(objects, report)
    for before, after in pairwise([-1, *numbers]):
        gap = range(before + 1, after)
        for seq in gap[:_NAMED]:
            report.add(Verdict.LOST, commits.commit_path(seq), "the commit is missing")
        if len(gap) > _NAMED:
            reason = f"this commit is missing, and so are all up to commit {after - 1}"
            report.add(Verdict.LOST, commits.commit_path(gap[_NAMED]), reason)
    for seq in numbers:
        if seq != history.seq + 1 or not _apply(objects, report, history):
            break
        report.count("commits")
    unread = len(numbers) - history.seq - 1
    if unread:
        report.notes.append(f"{unread} commits were not checked: they follow one that is wrong or missing, or are it")
    return ReadLog(history, not unread)


def _numbers(objects: ReadObjects, report: Report) -> list[int]:
    numbers = []
    for info in objects.list("ledger/commit/"):
        place = _COMMIT.match(info.path)
        if place is None:
            report.add(Verdict.TAMPERED, info.path, "no commit can stand here")
        else:
            numbers.append(int("".join(place.groups())))
    return sorted(numbers)


def _apply(objects: ReadObjects, report: Report, history: History) -> bool:
    path = commits.commit_path(history.seq + 1)
    try:
        history.apply(objects.get(path))
    except MissingObjectError:
        report.add(Verdict.LOST, path, "the commit is missing")
    except UnverifiableError as error:
        report.add(Verdict.UNVERIFIABLE, path, error.message)
    except EvidenceError as error:
        report.add(Verdict.TAMPERED, path, error.message)
    else:
        return True
    return False


def listed_objects(partitions: Iterable[Entry]) -> Iterator[Listed]:
    """Every object that these entries vouch for."""
    for entry in partitions:
        for item in entries.referenced_objects(entry.value):
            yield Listed(*item)


def check_listed_once(report: Report, history: History) -> None:
    """No two partition entries list the same object: its records would count twice."""
    seen: set[str] = set()
    for entry in history.partitions():
        for name in ("events", "content"):
            path = entry.value[name]["path"]
            if path in seen:
                report.add(Verdict.TAMPERED, path, f"entry {entry.index} lists an object that an earlier entry lists")
            seen.add(path)


def check_objects(
    objects: ReadObjects, report: Report, listed: Sequence[Listed], deleted: Collection[str] = ()
) -> None:
    """Size and SHA-256 of every listed object. ``deleted``: those that an entry says may be gone."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for item, (size, digest) in zip(listed, pool.map(lambda item: _measure(objects, item), listed), strict=True):
            if digest is None and item.path in deleted:
                report.explain("objects deleted")
                continue
            if digest is None:
                report.add(Verdict.LOST, item.path, "the object is missing")
            elif item.size is not None and size != item.size:
                report.add(Verdict.TAMPERED, item.path, f"it has {size} bytes, its entry says {item.size}")
            elif digest != item.sha256:
                report.add(Verdict.TAMPERED, item.path, "its SHA-256 is not the one in its entry")
            report.count("objects")
            report.count("bytes", size)


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
