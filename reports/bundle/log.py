"""The files of a bundle, or of a certificate, that lead from entries to the signed checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger import canonical, merkle
from ledger.checkpoints import Checkpoint
from ledger.errors import TamperedError, UnverifiableError
from ledger.history import History
from reports.bundle.writer import BundleWriter
from reports.published import Proofs, Published, consistency, entry_lines, in_hex, policy, proof_name, role_entries
from reports.selection.choosing import Part, ranges


class LogFiles:
    """Collects the entries that a bundle needs, and writes them with their proofs.

    The log's genesis and its keys are always among them: which keys it names for which roles.
    """

    def __init__(self, history: History, published: Published) -> None:
        self._history = history
        self._published = published
        self._proofs = Proofs(history, published)
        self._entries = {entry.index: entry for entry in role_entries(history, published.checkpoint.size)}
        self._proven: set[int] = set()

    def add_checkpoint(self, writer: BundleWriter, pinned: Checkpoint | None = None) -> None:
        """The signed checkpoint, two hints about who has signed it, and that it continues what the auditor holds."""
        writer.add("checkpoint", self._published.note)
        writer.add("log.vkey", f"{self._published.vkey}\n".encode())
        writer.add("policy", policy(self._published))
        if pinned is not None:
            writer.add("consistency.json", consistency(self._history, pinned, self._published.checkpoint))

    def need(self, index: int) -> None:
        """An entry that is to be in the bundle."""
        self._entries[index] = self._history.entries[index]

    def explain(self, index: int) -> None:
        """The entry that says why content is gone, altered or withheld: else the bundle would show it as lost."""
        if index >= self._published.checkpoint.size:
            raise UnverifiableError(
                "what explains missing content came after the checkpoint",
                hint="Export as of the newest checkpoint; run the publisher first.",
            )
        self.need(index)

    def add_shown(self, writer: BundleWriter, part: Part, leaves: Sequence[bytes]) -> None:
        """A partition's entry with its proof, which also leads the rows that are shown to the partition's root."""
        if [leaves[row] for row in part.rows] != part.ids:
            path = part.entry.value["events"]["path"]
            raise TamperedError(f"{path} changed while it was exported", path=path)
        index, shown = part.entry.index, part.shown
        extra = {
            "_": "evidence/subset-proof/1",
            "entry": index,
            "hashes": in_hex(merkle.subset_proof(leaves, shown)),
            "ranges": ranges(shown),
            "rows": part.entry.value["rows"],
        }
        writer.add(proof_name(index), self._proofs.of(index, canonical.encode(extra)))
        self._proven.add(index)
        self.need(index)

    def add_entries(self, writer: BundleWriter, *, every: bool = False) -> int:
        """``entries.jsonl`` and the proofs that are missing yet; how many entries.

        ``every``: all of the log, whose root needs no further proof.
        """
        if every:
            self._entries = dict(enumerate(self._history.entries[: self._published.checkpoint.size]))
        else:
            self._add_proofs(writer, self._entries.keys() - self._proven)
        writer.add("entries.jsonl", entry_lines(self._entries.values()))
        return len(self._entries)

    def _add_proofs(self, writer: BundleWriter, indices: Iterable[int]) -> None:
        for index in sorted(indices):
            writer.add(proof_name(index), self._proofs.of(index))
