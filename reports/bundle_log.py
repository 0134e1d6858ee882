"""The files of a bundle, or of a certificate, that lead from entries to the signed checkpoint."""

from __future__ import annotations

from collections.abc import Collection

from ledger.checkpoints import Checkpoint
from ledger.history import Entry, History
from reports.bundle_writer import BundleWriter
from reports.published import Proofs, Published, consistency, entry_lines, policy, proof_name


def add_checkpoint(writer: BundleWriter, published: Published) -> None:
    """The signed checkpoint, and two hints about who has signed it."""
    writer.add("checkpoint", published.note)
    writer.add("log.vkey", f"{published.vkey}\n".encode())
    writer.add("policy", policy(published))


def add_pinned(writer: BundleWriter, history: History, pinned: Checkpoint | None, now: Checkpoint) -> None:
    """That the checkpoint continues the one that the auditor holds. Raises where it does not."""
    if pinned is not None:
        writer.add("consistency.json", consistency(history, pinned, now))


def add_entries(writer: BundleWriter, proofs: Proofs, entries: Collection[Entry], proven: Collection[int]) -> None:
    """Ledger entries, and a proof of each whose index is in ``proven``."""
    writer.add("entries.jsonl", entry_lines(entries))
    for index in sorted(proven):
        writer.add(proof_name(index), proofs.of(index))
