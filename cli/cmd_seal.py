"""``evidence seal``: seal what waits, publish what is committed."""

from __future__ import annotations

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say

EXAMPLE = "Example: evidence seal"


def seal(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Seal what waits in the spool into the ledger, and publish a checkpoint over every commit."""
    with store_of(config, store) as opened:
        sealed = opened.seal()
        checkpoint = opened.publish()
        waiting = opened.waiting()
    published = checkpoint.size if checkpoint else None
    if json:
        counts = {name: number for name, number in sealed._asdict().items() if name != "spools"}
        emit("seal", {**counts, "waiting": waiting, "checkpoint_size": published})
        return
    say(f"Sealed {count(sealed.records, 'record')} from the spool.")
    if sealed.in_use:
        say(f"{count(sealed.in_use, 'spool')} still written to by another process; {waiting:,} wait.")
    if sealed.elsewhere:
        note(f"{count(sealed.elsewhere, 'spool')} of other spool folders left alone: seal them where they are")
    if sealed.damaged:
        note(f"{count(sealed.damaged, 'spool')} kept: bytes that could not be read may hold access records")
    if published is not None:
        say(f"Checkpoint: {count(published, 'entry', 'entries')}.")
