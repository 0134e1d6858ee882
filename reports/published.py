"""What everything that is handed out is proven against: the published checkpoint, and entries under it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger import canonical, endings, merkle, notes
from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.errors import MissingObjectError, NotFoundError, StaleError, TamperedError, UnverifiableError
from ledger.history import Entry, History
from ledger.proofs import TlogProof
from ledger.store import Store
from reports.document import AsOf

_SHOWN: Final = frozenset(("partition", "restriction", "request", *endings.TYPES))
"""What has to be published before anything is handed out: partitions, and what explains their content."""


@dataclass(frozen=True)
class Published:
    """The published checkpoint: its note, what it says, and the key that signed it."""

    note: bytes
    checkpoint: Checkpoint
    vkey: str


def publish_all(store: Store) -> Published:
    """The published checkpoint, published anew if it does not cover what a bundle can show."""
    store.refresh()
    published = read_published(store)
    if any(entry.value["type"] in _SHOWN for entry in store.history.entries[published.checkpoint.size :]):
        store.publish()
        store.refresh()
        published = read_published(store)
    return published


def read_published(store: Store, size: int | None = None) -> Published:
    """The published checkpoint as it is, or an earlier one of this size.

    Raises TamperedError where it is not one of this ledger's, NotFoundError where none of this size was published.
    """
    if size is None:
        _, note = store.checkpoint()
    else:
        try:
            note = store.objects.get(f"ledger/checkpoints/{size}")
        except MissingObjectError:
            raise NotFoundError(f"no checkpoint of size {size} was published") from None
    history = store.history
    opened = notes.open_note(note, history.log_verifiers())
    checkpoint = parse_checkpoint(opened.text)
    size = checkpoint.size
    if size > len(history.leaves) or merkle.root(history.leaves[:size]) != checkpoint.root:
        raise TamperedError("the checkpoint is not one of this ledger's", path="ledger/checkpoint")
    signer = next(key for key in opened.verified if key.name == checkpoint.origin)
    return Published(note, checkpoint, signer.vkey)


def as_of(store: Store, published: Published) -> AsOf:
    """What a report says of the log: the checkpoint, and when the last commit under it was made."""
    checkpoint = published.checkpoint
    last = store.history.entries[checkpoint.size - 1]
    return AsOf(checkpoint.origin, checkpoint.size, checkpoint.root.hex(), last.time)


def role_entries(history: History, size: int) -> Iterator[Entry]:
    """Genesis and key entries: which keys the log names for which roles."""
    return (entry for entry in history.entries[:size] if entry.value["type"] in ("genesis", "key"))


def entry_lines(entries: Iterable[Entry]) -> bytes:
    """``entries.jsonl``: entries in the order of the log, with the numbers of their commits."""
    lines = [
        canonical.encode({"entry": base64.b64encode(entry.data).decode(), "index": entry.index, "seq": entry.seq})
        for entry in sorted(entries, key=lambda entry: entry.index)
    ]
    return b"".join(line + b"\n" for line in lines)


class Proofs:
    """Proofs that entries stand in the tree of the published checkpoint, as C2SP tlog-proofs."""

    def __init__(self, history: History, published: Published) -> None:
        self._tree = merkle.Tree(history.leaves[: published.checkpoint.size])
        self._note = published.note

    def of(self, index: int, extra: bytes | None = None) -> bytes:
        """The proof of one entry. ``extra`` is proven by nothing but what the entry says."""
        return TlogProof(index, tuple(self._tree.inclusion_proof(index)), self._note, extra).text()


def proof_name(index: int) -> str:
    """Where the proof of an entry stands in a bundle."""
    return f"proofs/{index}.tlog-proof"


def policy(published: Published) -> bytes:
    """Which keys a verifier wants, as a C2SP tlog-policy: the log's own. A hint, as it comes with what it judges."""
    return f"log {published.vkey}\nquorum none\n".encode()


def consistency(history: History, old: Checkpoint, new: Checkpoint) -> bytes:
    """``consistency.json``: that one checkpoint continues another. Raises where it does not."""
    leaves = history.leaves
    if old.origin != history.origin:
        raise UnverifiableError("the pin is of another log")
    if old.size > new.size:
        raise StaleError("the published checkpoint is older than the pin")
    if merkle.root(leaves[: old.size]) != old.root:
        raise TamperedError("the ledger does not continue the pinned checkpoint")
    proof = merkle.consistency_proof(leaves[: new.size], old.size, new.size)
    return canonical.encode({"_": "evidence/consistency/1", "from": old.size, "hashes": in_hex(proof), "to": new.size})


def in_hex(hashes: Sequence[bytes]) -> list[str]:
    """Hashes as files state them."""
    return [item.hex() for item in hashes]
