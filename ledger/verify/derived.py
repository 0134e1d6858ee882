"""What is derived from the commits: checkpoints, tiles and bundles; and what no commit accounts for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ledger import canonical, checkpoints, commits, merkle, publisher_rules
from ledger.errors import EvidenceError, MissingObjectError, TamperedError
from ledger.history import History
from ledger.objects.base import CHECKPOINT, ReadObjects
from ledger.verify.fast import ReadLog, listed_objects
from ledger.verify.head import Head
from ledger.verify.report import Report, Verdict

TILES: Final = "ledger/tile/"
CHECKPOINTS: Final = "ledger/checkpoints/"
STORE_FILE: Final = "evidence.json"
_EXPECTED: Final = (CHECKPOINT, STORE_FILE, "probe/", "ledger/commit/", TILES, CHECKPOINTS, "ledger/anchor/")
_LISTED: Final = ("events/", "content/", "reports/", "ledger/blob/")
"""Where objects stand that entries list."""


_KEPT: Final = re.compile(r"ledger/checkpoints/\d{1,19}\Z")


class Present(NamedTuple):
    """The derived objects that were there before the commits were read, which therefore account for all of them."""

    tiles: Sequence[str]
    checkpoints: Sequence[str]


def list_derived(objects: ReadObjects) -> Present:
    """To be called before the commits are read, so that a store that grows meanwhile raises no false alarm."""
    return Present(
        [info.path for info in objects.list(TILES)],
        [info.path for info in objects.list(CHECKPOINTS)],
    )


def check_published(objects: ReadObjects, report: Report, log: ReadLog, head: Head, present: Present) -> None:
    """The checkpoint's root follows from the commits, and so do all tiles, bundles and kept checkpoints."""
    history = log.history
    size = history.frontier.size
    checkpoint = head.checkpoint or _own_checkpoint(report, history, head.note)
    if checkpoint is not None:
        _check_root(report, history, checkpoint)
    # The objects of a checkpoint beyond the commits that could be read cannot be told, only those up to them.
    published = checkpoint.size if checkpoint is not None and checkpoint.size <= size else 0
    bound = size if log.complete and checkpoint is not None else None
    if bound is not None and checkpoint is not None and checkpoint.size > bound:
        bound = checkpoint.size
    _check_tiles(objects, report, history, published, bound, present.tiles)
    _check_checkpoints(objects, report, history, published, present.checkpoints)


def _own_checkpoint(report: Report, history: History, note: bytes | None) -> checkpoints.Checkpoint | None:
    """The checkpoint by the keys that the log itself names, where no trusted key vouches for it.

    It must at least have been signed by one of them: else it is not another log's, but no checkpoint at all.
    """
    verifiers = history.log_verifiers()
    if note is None or not verifiers:
        return None
    try:
        return checkpoints.open_checkpoint(note, verifiers)
    except EvidenceError as error:
        report.add(Verdict.TAMPERED, CHECKPOINT, f"no key of the log vouches for it: {error.message}")
        return None


def _check_root(report: Report, history: History, checkpoint: checkpoints.Checkpoint) -> None:
    size = history.frontier.size
    if checkpoint.size > size:
        report.add(
            Verdict.LOST,
            commits.commit_path(history.seq + 1),
            f"the checkpoint has {checkpoint.size} entries, the commits that could be read {size}",
        )
    elif checkpoint.origin != history.origin or merkle.root(history.leaves[: checkpoint.size]) != checkpoint.root:
        report.add(Verdict.TAMPERED, CHECKPOINT, "the checkpoint has another root or origin than the commits")
    elif checkpoint.size < size:
        report.notes.append(f"{size - checkpoint.size} entries are committed and not published yet")


def _check_tiles(
    objects: ReadObjects, report: Report, history: History, published: int, bound: int | None, present: Sequence[str]
) -> None:
    """``bound``: the most entries that the log can have; None where the commits or the checkpoint do not tell."""
    needed = dict(publisher_rules.objects_of(history, published))
    for path, data in needed.items():
        try:
            found = objects.get(path)
        except MissingObjectError:
            report.add(Verdict.LOST, path, "a derived object is missing; it follows from the commits")
            continue
        if found != data:
            report.add(Verdict.TAMPERED, path, "it differs from what the commits say")
        report.count("tiles and bundles")
    unknown = 0
    for path in present:
        least = publisher_rules.least_size(path)
        if path in needed:
            continue
        if least is not None and least > history.frontier.size and (bound is None or least <= bound):
            unknown += 1
        elif least is None or least > history.frontier.size:
            report.add(Verdict.TAMPERED, path, "no tile or bundle of this log stands here")
        elif not publisher_rules.was_derived(history, path, _get(objects, path)):
            report.add(Verdict.TAMPERED, path, "it differs from what the commits say")
    if unknown:
        report.notes.append(f"{unknown} tiles and bundles were not checked: their commits could not be read")


def _check_checkpoints(
    objects: ReadObjects, report: Report, history: History, published: int, present: Sequence[str]
) -> None:
    if published and publisher_rules.checkpoint_path(published) not in present:
        report.add(Verdict.LOST, publisher_rules.checkpoint_path(published), "the kept checkpoint is missing")
    verifiers = history.log_verifiers()
    kept: list[tuple[str, checkpoints.Checkpoint]] = []
    for path in present if verifiers else ():
        if not _KEPT.match(path):
            report.add(Verdict.TAMPERED, path, "no checkpoint can stand here")
            continue
        try:
            found = checkpoints.open_checkpoint(_get(objects, path), verifiers)
            if path != publisher_rules.checkpoint_path(found.size):
                raise TamperedError("the checkpoint stands under another size")
            kept.append((path, found))
        except EvidenceError as error:
            report.add(Verdict.TAMPERED, path, error.message)
        report.count("checkpoints")
    roots = _roots(history, {found.size for _, found in kept})
    for path, found in kept:
        if found.size > history.frontier.size:
            report.add(Verdict.LOST, path, "the commits of this checkpoint are missing or could not be read")
        elif roots[found.size] != found.root:
            report.add(Verdict.TAMPERED, path, "another history of this size was signed")


def _roots(history: History, sizes: set[int]) -> dict[int, bytes]:
    """The roots of a log at many of its sizes, in one pass: each size by itself would take the square of the time."""
    frontier = merkle.Frontier()
    roots = {}
    for size in sorted(size for size in sizes if size <= history.frontier.size):
        frontier.extend(history.leaves[frontier.size : size])
        roots[size] = frontier.root()
    return roots


def _get(objects: ReadObjects, path: str) -> bytes:
    """A listed object; one that vanished since has no bytes."""
    try:
        return objects.get(path)
    except MissingObjectError:
        return b""


def report_unlisted(objects: ReadObjects, report: Report, history: History) -> None:
    """Objects that no commit lists: reported, never read. And the store's file, which is never a source of trust."""
    known = {item.path for item in listed_objects(history.entries)}
    unlisted: dict[str, list[str]] = {}
    for info in objects.list(""):
        if info.path not in known and not info.path.startswith(_EXPECTED):
            folder = next((f for f in _LISTED if info.path.startswith(f)), "elsewhere")
            unlisted.setdefault(folder, []).append(info.path)
    for folder, paths in sorted(unlisted.items()):
        where = folder if folder == "elsewhere" else f"under {folder}"
        report.notes.append(f"{len(paths)} objects {where} are listed by no commit (first: {paths[0]!a})")
    expected = canonical.encode({"_": "evidence/store/1", "origin": history.origin})
    if history.origin and _get(objects, STORE_FILE) != expected:
        report.notes.append(f"{STORE_FILE} does not name this log's origin; nothing is derived from it")
