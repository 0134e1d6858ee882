"""``evidence export``: a bundle that an auditor verifies offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.files import new_file
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, size

if TYPE_CHECKING:
    from ledger.checkpoints import Checkpoint
    from ledger.store import Store
    from replay.catalog import Catalog
    from reports.bundle import ContentGrant, ExportSummary
    from reports.selection import Selection

EXAMPLE = "Example: evidence export --session mira-34a7fff4 --with-content --purpose 'audit 2026-11' -o bundle.zip"


def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="The zip to write; never overwritten.")],
    session: Annotated[str | None, typer.Option(help="A session's id or reference.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Records before this time (UTC).")] = None,
    with_content: Annotated[bool, typer.Option("--with-content", help="Disclose content, with its salts.")] = False,
    pin: Annotated[Path | None, typer.Option(help="The auditor's pin: proves that the bundle continues it.")] = None,
    recipient: Annotated[
        str | None, typer.Option(help="Whom it is for: kept in the keyring; the ledger has a random reference.")
    ] = None,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Export a session, or a period, with every proof up to the signed checkpoint and a verifier.

    The export is recorded in the ledger; with content, an access record is written first.
    """
    from replay import catalog
    from reports.bundle import export_bundle
    from reports.recipients import recipient_reference

    held = pinned(pin)
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        selection = _selection(listed, session, since, until)
        named = recipient_reference(opened, recipient) if recipient is not None else None
        opened.publish()
        with new_file(out) as file:
            grant = _grant(opened, purpose, selection) if with_content else None
            summary = export_bundle(opened, listed, selection, content=grant, out=file, pinned=held, recipient=named)
        opened.publish()
    if json:
        emit("export", {"out": str(out), "recipient": named, **as_json(summary)})
        return
    say(f"{out}: {count(summary.records, 'record')} of {count(summary.partitions, 'partition')}, {size(summary.size)}")
    say(f"  SHA-256 {summary.sha256}")
    say(f"  under a checkpoint of {count(summary.checkpoint_size, 'entry', 'entries')}")
    for state, number in sorted(summary.contents.items()):
        say(f"  content {state}: {number:,}")
    if summary.contents["restricted"]:
        note("Content of people whose processing is restricted is withheld; their lines stay, as proofs need them.")
    note("Hand the log's public key over by another way; the auditor runs: python3 verify.py BUNDLE --key KEY")


def pinned(pin: Path | None) -> Checkpoint | None:
    """The checkpoint of a pin file. Raises UsageError where there is none."""
    from ledger.errors import UsageError
    from ledger.verify import pin as pins

    if pin is None:
        return None
    found = pins.load(pin)
    if found is None:
        raise UsageError(f"there is no pin at {pin}")
    return found.checkpoint


def _selection(listed: Catalog, session: str | None, since: str | None, until: str | None) -> Selection:
    from cli.times import moment
    from ledger.errors import UsageError
    from replay.sessions import resolve_session
    from reports.selection import SessionSelection, period

    if (session is None) == (since is None and until is None):
        raise UsageError("export takes either --session, or a period by --from and --to")
    if session is not None:
        return SessionSelection(resolve_session(listed, session))
    return period(moment(since), moment(until))


def _grant(opened: Store, purpose: str, selection: Selection) -> ContentGrant:
    from replay import access
    from reports.bundle import ContentGrant

    return ContentGrant(access.record(opened, "export", purpose, selection.as_json()))


def as_json(summary: ExportSummary) -> dict[str, object]:
    """The summary for scripts."""
    from dataclasses import asdict

    return asdict(summary) | {"contents": dict(summary.contents)}
