"""Options that every command has, and opening what they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ledger.settings import Settings
    from ledger.store import Store

StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="EVIDENCE_STORE", help="Folder or URL of the store; overrides the configuration."),
]
ConfigOption = Annotated[
    str | None,
    typer.Option("--config", envvar="EVIDENCE_CONFIG", help="Configuration file [default: evidence.toml]."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object with a schema version on stdout.")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="Why content is opened; sealed in the access record.")]


def settings_of(config: str | None, store: str | None) -> Settings:
    """The settings that the options name."""
    from ledger.settings import load

    return load(config, store)


@contextmanager
def store_of(config: str | None, store: str | None) -> Iterator[Store]:
    """The open store that the options name."""
    from ledger.store import Store

    with Store.open(settings_of(config, store)) as opened:
        yield opened
