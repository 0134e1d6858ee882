"""``evidence reconstruct``: the ingested file, byte for byte."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated

import typer

from cli.files import new_file
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note

EXAMPLE = "Example: evidence reconstruct logs/gateway.jsonl -o gateway.jsonl"


def reconstruct(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="Where it was ingested from, or its reference.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write; never overwritten.")],
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write the bytes of an input as they were ingested, every piece checked. Writes an access record first."""
    from replay import access, catalog
    from replay.reconstruct import reconstruct as pieces
    from replay.reconstruct import resolve_input

    digest, size = hashlib.sha256(), 0
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        name = resolve_input(listed, source if "://" in source else os.path.realpath(source), source)
        receipt = access.record(opened, "reconstruct", purpose, {"input": name})
        with new_file(out) as file:
            for piece in pieces(listed, name, receipt):
                file.write(piece)
                digest.update(piece)
                size += len(piece)
    if json:
        emit("reconstruct", {"input": name, "out": str(out), "bytes": size, "sha256": digest.hexdigest()})
        return
    note(f"{out}: {count(size, 'byte')}, SHA-256 {digest.hexdigest()}")
