"""Erasing by key destruction: people everywhere, or single segments. The ledger says it first, then the keys go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import entries, following
from ledger.decryption import PartitionKeys
from ledger.entry_shapes import runs
from ledger.errors import ConfigError, EvidenceError
from ledger.keyring.destruction import Destruction
from ledger.partition_reader import PartitionReader

if TYPE_CHECKING:
    from ledger.history import Entry
    from ledger.store import Store

MAX_SUBJECTS: Final = 150
"""Subjects that one entry names."""
_ROOM: Final = 6 * 1024
"""Bytes of segments that one entry lists."""


class Erasing(NamedTuple):
    """What is to be erased.

    ``subjects``: whose keys and identifiers are destroyed everywhere. ``sessions``: references of their conversations,
    whose identifiers go with them. ``segments``: by the index of a partition's
    entry, single segments of it. ``inputs``: the portions (input, step) that hold what goes, whose digests go with it;
    None looks for them in all partitions, which takes long in a large store.
    ``reference``: further fields of the entry, such as ``request`` and ``plan``.
    """

    subjects: Sequence[str] = ()
    segments: Mapping[int, Sequence[int]] = {}
    inputs: Collection[tuple[str, int]] | None = None
    reference: Mapping[str, Any] = {}
    sessions: Sequence[str] = ()


class Erased(NamedTuple):
    """What was destroyed: the entries that say so, the number of data keys, identifiers, and key trees cut."""

    entries: list[Entry]
    keys: int
    identifiers: int
    trees: int


def erase(store: Store, what: Erasing, beside: Sequence[tuple[str, dict[str, Any]]] = ()) -> Erased:
    """Carry out an erasure; with ``inputs`` its cost does not depend on the size of the store.

    ``beside``: entries of the same commit.

    Identifiers go first, so that nothing more is sealed for these people; then the entry is committed; then the keys
    go. Whoever dies in between has left what `evidence keys reconcile`, or the same call again, completes.
    Raises ConfigError where this installation may not erase; then nothing has changed.
    """
    check_role(store, "erasure")
    act = Destruction(store.keyring)
    # What others commit from here on is in no list of portions, and may still be under the keys that go.
    known = len(store.history.entries)
    identifiers = act.begin(what.subjects) if what.subjects else 0
    if what.inputs is not None:
        act.forget_bytes(what.inputs)
    bodies = [("erasure", body) for body in _bodies(what)]
    by: tuple[Any, ...] = ("writer", "privacy") if beside else ("privacy",)
    committed = store.append([*bodies, *beside], by=by)
    told = {} if what.inputs is None else dict.fromkeys((entry.index for entry in committed), known)
    followed = following.follow(store, told=told)
    return Erased(committed, followed.keys, identifiers, followed.trees)


def still_opens(store: Store, places: Mapping[int, Sequence[int]]) -> int:
    """How many of these segments, by the index of a partition's entry, open with the keys that are here.

    Asks the keys alone, whatever the ledger says: the negative check after an erasure. Segments that were moved are
    looked for where they stood first.
    """
    opened = 0
    for index, numbers in sorted(places.items()):
        entry = store.history.entries[index].value
        keys = PartitionKeys(store.keyring, store.history.store, entry["content"]["path"])
        for number, owner, version, sealed in PartitionReader(store.objects, entry).segments(sorted(set(numbers))):
            try:
                keys.unseal(number, owner, version, sealed)
            except EvidenceError:
                continue
            opened += 1
    return opened


def check_role(store: Store, role: str) -> None:
    """Raise ConfigError unless the privacy key that the settings name holds a role in the log."""
    vkey = store.signer("privacy").vkey
    if all(holder.vkey != vkey for holder in store.history.holders(role)):
        raise ConfigError(f"the privacy key does not hold the role {role} in this log")


def _bodies(what: Erasing) -> Iterator[dict[str, Any]]:
    """The entries that name everything, each small enough."""
    listed = [
        {"partition": index, "segments": runs(sorted(set(numbers)))}
        for index, numbers in sorted(what.segments.items())
        if numbers
    ]
    subjects, sessions = sorted(set(what.subjects)), sorted(set(what.sessions))
    while subjects or sessions or listed:
        body: dict[str, Any] = {**what.reference, "subjects": subjects[:MAX_SUBJECTS]}
        if subjects:
            subjects = subjects[MAX_SUBJECTS:]
        elif sessions:
            body["sessions"], sessions = sessions[:MAX_SUBJECTS], sessions[MAX_SUBJECTS:]
        else:
            body["segments"] = [listed.pop(0)]
            while listed and len(entries.canonical_bytes([*body["segments"], listed[0]])) < _ROOM:
                body["segments"].append(listed.pop(0))
        yield body
