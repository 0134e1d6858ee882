"""``evidence verifiers``: the two programs that check a bundle without this one, to be handed out apart from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption
from cli.output import emit, note, say

EXAMPLE = "Example: evidence verifiers -o for-the-auditor"


def verifiers(
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder to put them into; made where it is not there.")],
    json: JsonOption = False,
) -> None:
    """Write verify.py and verifier.html, and print their SHA-256, which docs/VERIFIERS.md lists too.

    A program inside a bundle cannot vouch for itself. Hand these to whoever checks, once and by another way than the
    bundles; they compare the SHA-256 with the one in the documentation of the release.
    """
    from cli.files import new_file
    from ledger.errors import UsageError
    from reports.verifiers import digests, programs

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}") from None
    for name, data in programs().items():
        with new_file(folder / name) as file:
            file.write(data)
    found = digests()
    if json:
        emit("verifiers", {"files": [{"name": name, "sha256": digest} for name, digest in found.items()]})
        return
    for name, digest in found.items():
        say(f"{digest}  {name}")
    note(f"Written to {folder}. The check: cd there, and compare with docs/VERIFIERS.md of this release.")
