"""``evidence init``: a new store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption
from cli.output import emit, say

EXAMPLE = "Example: evidence init ./evidence-store --origin logs.example.com/ai"


def init(
    location: Annotated[str | None, typer.Argument(metavar="[STORE]", help="Folder or URL [./evidence-store].")] = None,
    origin: Annotated[str | None, typer.Option(help="Name of the log: host and path, no scheme.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Endpoint of an S3-compatible store.")] = None,
    keyring: Annotated[str | None, typer.Option(help="Empty database for the keyring, as URL [a file].")] = None,
    kek: Annotated[str | None, typer.Option(help="Key-encryption key: file:, env: or aws-kms: [a new file].")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Create a store, and beside it (never inside) its configuration, keyring and keys."""
    from ledger.create import create

    where = location or store or "./evidence-store"
    beside = Path.cwd() if "://" in where else Path(where).resolve().parent
    made = create(
        where, Path(config) if config else beside / "evidence.toml", origin, endpoint, keyring=keyring, kek_provider=kek
    )
    if json:
        data = {"store": where, "config": str(made.config), "private": str(made.private)}
        emit("init", {**data, "origin": made.origin, "log_vkey": made.log_vkey})
        return
    say(f"Store:    {where}")
    say(f"Settings: {made.config}")
    say(f"Keys:     {made.private}  (keep apart from the store, and back up)")
    say(f"Log key:  {made.log_vkey}")
    say("Give the log key to your auditors: it is what they verify with.")
