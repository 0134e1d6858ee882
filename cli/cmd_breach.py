"""``evidence breach``: how many people and records a breach has reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from reports.breach import Breach

EXAMPLE = "Example: evidence breach --partitions 'events/date=2026-11-*' --purpose 'incident 12'"


def breach(
    partitions: Annotated[
        list[str] | None,
        typer.Option("--partitions", help="Copied objects: a day or month, path with *, entry or range 17..40, all."),
    ] = None,
    key_epoch: Annotated[
        int | None, typer.Option("--key-epoch", min=1, help="Epoch of the keyring whose keys became known.")
    ] = None,
    purpose: PurposeOption = "breach assessment",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Count people, records and categories that a breach has reached (GDPR, Article 33). Records the access.

    What was rendered unreadable before by key destruction is left out and counted apart.
    """
    from ledger.errors import UsageError
    from replay import access, catalog
    from reports import breach as breaches

    if bool(partitions) == (key_epoch is not None):
        raise UsageError("a breach is of partitions or of an epoch's keys", hint="Give --partitions or --key-epoch.")
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        began = None
        if key_epoch is None:
            chosen = breaches.of_partitions(opened, partitions or [])
        else:
            chosen, began = breaches.of_epoch(opened, key_epoch)
        selection = {"key_epoch": str(key_epoch)} if key_epoch else {"partitions": " ".join(partitions or [])}
        receipt = access.record(opened, "breach", purpose, selection)
        found = breaches.count(listed, receipt, chosen, began)
    if json:
        emit("breach", found.as_json())
    else:
        _print(found)


def _print(found: Breach) -> None:
    from replay.visible import visible
    from reports.breach import words

    say(f"{count(found.partitions, 'partition')}, {found.first_at} to {found.last_at}")
    say(f"retention classes: {', '.join(found.retention_classes)}")
    for name, share in words(found).items():
        say()
        say(f"{name}: {count(share.records, 'record')}, {count(share.people, 'person', 'people')}")
        rows = [
            *(("role", role, f"{number:,}") for role, number in share.roles.items()),
            *(("kind", kind, f"{number:,}") for kind, number in share.kinds.items()),
            *(("source", visible(source), f"{number:,}") for source, number in share.sources.items()),
            *(("identifier known", visible(kind), f"{number:,}") for kind, number in share.identifiers.items()),
        ]
        table(("of", "what", "number"), rows)
    if found.erased_subjects:
        note(f"{count(found.erased_subjects, 'reference is', 'references are')} of people who were erased by now.")
    note("Counted are references in record lines. Who is named inside content alone is not: `evidence dsar find`.")
