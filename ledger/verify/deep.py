"""Level ``deep``: every line to its leaf, the roots, the typed columns, and, where keys are held, the content.

Works on one partition at a time, so that partitions can be checked in parallel.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from ledger.endings import PartitionEnds
from ledger.entries import blob_path, decode_inputs
from ledger.errors import MissingObjectError
from ledger.objects.base import ReadObjects
from ledger.verify.checked import Checked, Entry, Problem, guard
from ledger.verify.contents import ContentCheck, Decryptor, check_inputs
from ledger.verify.lines import check_lines
from ledger.verify.moved import check_moved

NOTHING: Final = PartitionEnds()


def check_partition(
    objects: ReadObjects, entry: Entry, decryptor: Decryptor | None, ends: PartitionEnds = NOTHING
) -> Checked:
    """Everything that can be said of one partition. ``ends``: what the ledger has ended of it.

    Raises nothing but StorageError.
    """
    checked = Checked()
    with _no_cycles():
        events, _ = _read(objects, entry["events"], checked, ends.deleted)
        content, sound = _read(objects, entry["content"], checked, ends.deleted)
        rows = guard(checked, entry["events"]["path"], lambda: check_lines(entry, events, checked)) if events else None
        if rows is None:
            if not events and entry["events"]["path"] in ends.deleted:
                checked.ended["lines expired"] = entry["rows"]
            return checked
        keys = decryptor.partition(entry["content"]["path"]) if decryptor is not None else None
        inputs = _inputs(objects, entry, checked)
        if inputs is not None:
            check_inputs(entry, inputs, rows, keys, checked)
        if not content and entry["content"]["path"] in ends.deleted:
            checked.ended["expired"] = len(rows.leaves)
        elif content and keys is not None and decryptor is not None:
            check = ContentCheck(entry, rows, keys, not sound, ends, checked)
            guard(checked, entry["content"]["path"], lambda: check.run(content))
            check_moved(objects, rows, decryptor, ends, checked)
    return checked


def _inputs(objects: ReadObjects, entry: Entry, checked: Checked) -> list[Any] | None:
    """What the entry says of the inputs, from its blob where they stand there; None if that cannot be read."""
    if isinstance(entry["inputs"], list):
        return entry["inputs"]
    data, sound = _read(objects, {"path": (path := blob_path(entry["inputs"]["blob"])), "sha256": path[-64:]}, checked)
    return guard(checked, path, lambda: decode_inputs(data)) if sound else None


@contextmanager
def _no_cycles() -> Iterator[None]:
    """The cyclic collector walks every object of the loop, again and again, and finds none to free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(
    objects: ReadObjects, item: Mapping[str, Any], checked: Checked, deleted: Collection[str] = ()
) -> tuple[bytes, bool]:
    """An object whole, and whether it is the one that the entry states; read on even if not, to name rows.

    ``deleted``: objects that an entry says may be gone.
    """
    path = item["path"]
    try:
        data = objects.get(path)
    except MissingObjectError:
        if path not in deleted:
            checked.problems.append(Problem("lost", path, "the object is missing"))
        return b"", False
    checked.bytes += len(data)
    if len(data) != item.get("size", len(data)):
        checked.wrong(path, f"it has {len(data)} bytes, its entry says {item['size']}")
    elif hashlib.sha256(data).hexdigest() != item["sha256"]:
        checked.wrong(path, "its SHA-256 is not the one in its entry")
    else:
        return data, True
    return data, False
