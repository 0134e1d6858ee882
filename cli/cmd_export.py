"""``evidence export``: a bundle that an auditor verifies offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.export_selection import Asked, selection_at
from cli.files import new_file
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, size

if TYPE_CHECKING:
    from ledger.access import Receipt
    from ledger.checkpoints import Checkpoint
    from ledger.store import Store
    from reports.bundle.export import ContentGrant, ExportSummary
    from reports.selection.predicates import Selection

EXAMPLE = "Example: evidence export --session mira-34a7fff4 --with-content --purpose 'audit 2026-11' -o bundle.zip"


def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="The zip to write; never overwritten.")],
    session: Annotated[str | None, typer.Option(help="A session's id or reference.")] = None,
    user: Annotated[
        list[str] | None, typer.Option(help="A person's identifier, or a reference; several: of one.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME[@VERSION]", help="Records that name this model.")] = None,
    query: Annotated[
        str | None, typer.Option(metavar="SELECT", help="SQL over the views, with a column record_id.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(metavar="FRAMEWORK:CONTROL", help="Records that a control's tests look at.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="Records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Records before this time (UTC).")] = None,
    complete: Annotated[
        bool | None,
        typer.Option("--complete/--shown", help="Show that none is missing, or what is here alone [default: by kind]."),
    ] = None,
    with_content: Annotated[
        bool, typer.Option("--with-content/--metadata-only", help="Disclose content, with its salts; say --purpose.")
    ] = False,
    revocable: Annotated[
        bool, typer.Option("--revocable", help="With --with-content: sealed, until `evidence exports grant` opens it.")
    ] = False,
    framework: Annotated[
        list[str] | None,
        typer.Option(help="Judge its controls too; `none`: of none [default: all for a period, else none]."),
    ] = None,
    at: Annotated[int | None, typer.Option(metavar="SIZE", help="As of an earlier published checkpoint.")] = None,
    pin: Annotated[Path | None, typer.Option(help="The auditor's pin: proves that the bundle continues it.")] = None,
    recipient: Annotated[
        str | None, typer.Option(help="Whom it is for: kept in the keyring; the ledger has a random reference.")
    ] = None,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Export records with every proof up to the signed checkpoint, and a verifier, as one zip.

    One of --session, --user, --model, --query and --control; --from and --to narrow it, or select by themselves. A
    period shows that no record of it is missing, the others do with --complete (a query or control cannot). Without
    --with-content no content is in it. Writes an access record first; the export is recorded in the ledger.
    """
    from replay import catalog
    from reports.bundle.export import Order, export_bundle
    from reports.exports.recipients import recipient_reference
    from reports.exports.register import Words
    from reports.published import publish_all, read_published

    asked = Asked(session, user or (), model, query, since, until, control)
    asked.check()
    check_content(with_content, revocable, purpose)
    held = pinned(pin)
    with store_of(config, store) as opened:
        published = publish_all(opened) if at is None else read_published(opened, at)
        with catalog.opened(opened) as listed, new_file(out) as file:
            selection = selection_at(opened, listed, asked, published)
            named = recipient_reference(opened, recipient) if recipient is not None else None
            said = Words(purpose, asked.in_words(), recipient)
            order = Order(complete=complete, at=at, frameworks=_frameworks(framework), said=said)
            receipt = access_receipt(opened, "export", purpose, selection, query)
            grant = content_grant(receipt, revocable) if with_content else None
            summary = export_bundle(
                opened,
                listed,
                selection,
                content=grant,
                out=file,
                pinned=held,
                recipient=named,
                order=order,
                receipt=receipt,
            )
        opened.publish()
    if json:
        emit("export", {"out": str(out), "recipient": named, **as_json(summary, grant)})
    else:
        print_summary(out, summary, grant)


def _frameworks(named: list[str] | None) -> tuple[str, ...] | None:
    return None if not named else () if named == ["none"] else tuple(named)


def check_content(with_content: bool, revocable: bool, purpose: str) -> None:
    """Raise UsageError for content without a purpose, and for what is about content where there is none."""
    from ledger.errors import UsageError

    if with_content and purpose == "not stated":
        raise UsageError(
            "content is handed out for a purpose", hint="Say it with --purpose: it is sealed in the store."
        )
    if revocable and not with_content:
        raise UsageError("--revocable is about content", hint="Give --with-content too.")


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


def access_receipt(opened: Store, command: str, purpose: str, selection: Selection, query: str | None) -> Receipt:
    """No record, no reveal: also without content it is read who looked at these records."""
    from replay import access

    stated = {
        name: ",".join(value) if isinstance(value, list) else value for name, value in selection.as_json().items()
    }
    return access.record(opened, command, purpose, stated | ({} if query is None else {"query": query}))


def content_grant(receipt: Receipt, revocable: bool) -> ContentGrant:
    """Leave to put content into a bundle; sealed under a new reference where it is to be revocable."""
    from reports.bundle.export import ContentGrant, new_reference

    return ContentGrant(receipt, new_reference() if revocable else None)


def print_summary(out: Path, summary: ExportSummary, grant: ContentGrant | None) -> None:
    """What was exported, for people."""
    of = f" of a population of {summary.population:,}" if summary.population != summary.records else ""
    say(
        f"{out}: {count(summary.records, 'record')}{of}, {count(summary.partitions, 'partition')}, {size(summary.size)}"
    )
    say(f"  SHA-256 {summary.sha256}")
    say(f"  under a checkpoint of {count(summary.checkpoint_size, 'entry', 'entries')}")
    say("  shows that no record of the selection is missing" if summary.whole else "  shows what is here, not the rest")
    for state, number in sorted(summary.contents.items()):
        say(f"  content {state}: {number:,}")
    if summary.contents["restricted"]:
        note("Content of people whose processing is restricted is withheld; their lines stay, as proofs need them.")
    if grant is not None and grant.export is not None:
        note(f"Content is sealed; this opens it: evidence exports grant {grant.export[:8]} --until DAY -o grant.json")
    note("Hand the log's public key over by another way; the auditor runs: python3 verify.py BUNDLE --key KEY")


def as_json(summary: ExportSummary, grant: ContentGrant | None) -> dict[str, Any]:
    """The same for scripts."""
    from dataclasses import asdict

    reference = None if grant is None else grant.export
    return asdict(summary) | {"contents": dict(summary.contents), "export": reference}
