"""``evidence dsar export``: the person's copy of their data (GDPR, Articles 15 and 20)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.dsar_spans import RequestArgument, SearchOption, SessionsOption
from cli.files import new_file
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, say, size

if TYPE_CHECKING:
    from reports.access_package.package import Delivered

ContextOption = Annotated[
    Path | None, typer.Option(help="TOML with what only the controller knows: purposes, periods, recipients.")
]
ReviewOption = Annotated[Path | None, typer.Option(help="The decided file of `evidence dsar spans`.")]
UndecidedOption = Annotated[bool, typer.Option("--redact-undecided", help="Withhold every span nobody decided on.")]
PassphraseOption = Annotated[Path | None, typer.Option(help="Encrypt with age to the passphrase in this file.")]
RecipientsOption = Annotated[
    list[str] | None,
    typer.Option("--recipient", help="Encrypt with age to a public key: age1..., ssh-ed25519 ..., or its file."),
]
HandedToOption = Annotated[
    Literal["person", "agent", "controller"], typer.Option(help="Who receives it; stands in the ledger.")
]

EXAMPLE = "Example: evidence dsar export 5f2c --context context.toml --review spans.jsonl -o package.zip"


def export(
    request: RequestArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="The zip to write; never overwritten.")],
    context: ContextOption = None,
    review: ReviewOption = None,
    redact_undecided: UndecidedOption = False,
    sessions: SessionsOption = None,
    search: SearchOption = False,
    passphrase_file: PassphraseOption = None,
    recipients: RecipientsOption = None,
    handed_to: HandedToOption = "person",
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make the access package of a request: a document to read, files for machines, and what the person provided.

    Refused while somebody has to decide on spans about other people. Writes an access record first, and the hand-over
    into the register.
    """
    from replay import access, catalog
    from replay.sessions import resolve_session
    from reports.access_package import context as contexts
    from reports.access_package import encryption
    from reports.access_package import review as reviews
    from reports.access_package.package import Order, check_deliverable, deliver
    from reports.dsar.requests import find_request

    stated = contexts.load(context)
    encryptor = encryption.encryptor(passphrase_file, recipients or ())
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        found = find_request(opened, request)
        check_deliverable(found)
        order = Order(
            request=found,
            context=stated,
            reviewed=() if review is None else reviews.read(review, found.request),
            redact_undecided=redact_undecided,
            sessions=[resolve_session(listed, text) for text in sessions or ()],
            search=search,
            recipient=handed_to,
            encryptor=encryptor,
        )
        receipt = access.record(opened, "dsar export", purpose, {"request": found.request})
        with new_file(out) as file:
            made = deliver(opened, listed, receipt, order, file)
        opened.publish()
    if json:
        _emit(out, found.request, made)
    else:
        _say(out, made)


def _emit(out: Path, request: str, made: Delivered) -> None:
    import msgspec

    emit("dsar-export", {"out": str(out), "request": request, **msgspec.structs.asdict(made)})


def _say(out: Path, made: Delivered) -> None:
    held = f"{count(made.records, 'record')} of {count(made.sessions, 'session')}"
    say(f"{out}: {held}, {count(made.withheld, 'span')} withheld, {size(made.size)}")
    say(f"  SHA-256 {made.sha256}")
    say(f"  encrypted: {made.encrypted or 'no'}; recorded as entry {made.entry}")
    for state, number in made.states.items():
        say(f"  content {state}: {number:,}")
