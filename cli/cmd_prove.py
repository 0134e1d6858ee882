"""``evidence prove``: a record up to the signed checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.files import new_file
from cli.keys import read_vkey
from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import emit, say

EXAMPLE = "Example: evidence prove 3f9a12 -o record.tlog-proof"


def prove(
    record_id: Annotated[
        str, typer.Argument(metavar="RECORD_ID", help="A record's id, or its first 6 or more digits.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write a c2sp.org/tlog-proof file; never overwritten.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Prove that a record is in the log: record, partition root, ledger entry, signed checkpoint. Checks itself."""
    from replay import catalog, records

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        checkpoint = opened.checkpoint()
        proof = records.prove(listed, records.find_record(listed, record_id), checkpoint)
        # The history's own keys prove nothing against whoever replaced it: the key comes from beside the settings.
        known = opened.settings.log_vkey
        verifiers = [read_vkey(str(known))] if known is not None else opened.history.log_verifiers()
    records.check(proof.tlog_proof, verifiers)
    if out is not None:
        with new_file(out) as file:
            file.write(proof.tlog_proof)
    if json:
        emit("prove", {**records.as_json(proof), "trusted_key": known is not None})
        return
    say(f"record     {proof.record_id}")
    say(f"  row      {proof.row} of {proof.rows}, {len(proof.path)} hashes up")
    say(f"partition  {proof.partition_root.hex()}")
    say(f"  entry    {proof.entry_index} of {proof.checkpoint_size}")
    say("checkpoint")
    for line in proof.tlog_proof.decode().partition("\n\n")[2].splitlines():
        say(f"  {line}")
    say("Recomputed: the record's line is unchanged since it was sealed under this checkpoint.")
    if known is None:
        say("The key is only the log's own: without log_vkey in the settings, a store that was replaced proves itself.")
    if out is not None:
        say(f"Written: {out}")
