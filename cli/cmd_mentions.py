"""``evidence mentions``: the index of people named in content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, progress, say

if TYPE_CHECKING:
    from ledger.store import Store
    from replay.catalog import Catalog
    from replay.mentions import Scanned

SCAN_EXAMPLE = "Example: evidence mentions scan"


def scan(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Read content that the detectors of the settings have not read yet, and note in the cache where people are named.

    One access record is written first. A detector that has changed reads everything again; the others do not.
    """
    from replay import catalog

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        done = scan_all(opened, listed)
    if json:
        import msgspec

        emit("mentions/scan", msgspec.to_builtins(done))
        return
    say(f"Read {count(done.records, 'record')} of {count(done.partitions, 'partition')}.")
    say(f"Found {count(done.mentions, 'mention')}.")
    for state, number in sorted(done.unread.items()):
        note(f"{count(number, 'record')} not read: {state}")


def scan_all(opened: Store, listed: Catalog) -> Scanned:
    """One scan, with its access record and its progress on a terminal."""
    from replay import access, mentions

    state = mentions.index_state(listed)
    selection = {"detectors": ",".join(state.detectors), "partitions": str(len(state.missing))}
    receipt = access.record(opened, "mentions scan", "mention index", selection)
    with progress("reading") as update:
        return mentions.scan(listed, receipt, lambda done, all_: update(f"{done:,} of {count(all_, 'partition')}"))


GROUP = Group(
    "mentions",
    "The index of people named in content.",
    (Subcommand("scan", scan, SCAN_EXAMPLE, "Read what the detectors have not read yet."),),
)
