"""Asking before what cannot be taken back: the person types what it is about."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]


def confirm(what: str, expected: str, yes: bool) -> None:
    """Go on only if the person types ``expected``. Raises UsageError if they do not, or where nobody can be asked."""
    from cli.output import note
    from ledger.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what}: nobody is there to confirm it", hint="Add --yes to do it without being asked.")
    note(f"{what}. Type {expected} to go on:")
    if sys.stdin.readline().strip() != expected:
        raise UsageError("not confirmed; nothing was changed")
