"""``evidence seal``: seal what waits, publish what is committed."""

from __future__ import annotations

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, say

EXAMPLE = "Example: evidence seal"


def seal(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Seal what waits in the spool into the ledger, and publish a checkpoint over every commit."""
    with store_of(config, store) as opened:
        sealed = opened.seal()
        checkpoint = opened.publish()
        waiting = opened.waiting()
    published = checkpoint.size if checkpoint else None
    if json:
        emit("seal", {"records": sealed.records, "in_use": sealed.in_use, "waiting": waiting, "checkpoint": published})
        return
    say(f"Sealed {count(sealed.records, 'record')} from the spool.")
    if sealed.in_use:
        say(f"{count(sealed.in_use, 'spool')} still written to by another process; {waiting:,} wait.")
    if published is not None:
        say(f"Checkpoint: {count(published, 'entry', 'entries')}.")
