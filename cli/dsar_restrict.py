"""``evidence dsar restrict`` and ``evidence dsar lift``: restriction of processing (GDPR, Article 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say

if TYPE_CHECKING:
    from ledger.store import Store
    from reports.dsar.requests import RequestState
    from reports.restrictions import Changed

EXAMPLE = "Example: evidence dsar restrict HV-104417 --basis art18-1-a --until 2027-01-31"
LIFT_EXAMPLE = "Example: evidence dsar lift HV-104417 --basis accuracy-verified"

Identifiers = Annotated[list[str], typer.Argument(metavar="IDENTIFIER...", help="Of one person, as a source wrote it.")]
RequestOption = Annotated[str | None, typer.Option("--request", help="The data subject's request that asks for it.")]


def restrict(
    identifiers: Identifiers,
    basis: Annotated[str, typer.Option(help="Why, as a code: art18-1-a (accuracy contested), hold, and so on.")],
    until: Annotated[str | None, typer.Option(help="Day on which it is to be looked at again; ends nothing.")] = None,
    request: RequestOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Keep what is about a person, and show it no more: queries, sessions, replay, exports and the app leave it out.

    Their own access package may hold it. It stays in force until it is lifted.
    """
    from replay.persons import resolve_person
    from reports import restrictions

    with store_of(config, store) as opened:
        people = resolve_person(opened, identifiers)
        changed = restrictions.restrict(opened, people, basis, until, _request(opened, request))
        opened.publish()
    _report("restrict", changed, json, "restricted")


def lift(
    identifiers: Identifiers,
    basis: Annotated[str, typer.Option(help="Why it ends, as a code.")],
    request: RequestOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """End a restriction. Whoever asked for it has to be told before (GDPR, Article 18(3))."""
    from replay.persons import resolve_person
    from reports import restrictions

    with store_of(config, store) as opened:
        changed = restrictions.lift(opened, resolve_person(opened, identifiers), basis, _request(opened, request))
        opened.publish()
    _report("lift", changed, json, "no longer restricted")


def _request(opened: Store, text: str | None) -> RequestState | None:
    from reports.dsar.requests import find_request

    return None if text is None else find_request(opened, text)


def _report(command: str, changed: Changed, json: bool, words: str) -> None:
    entries = [entry.index for entry in changed.entries]
    if json:
        emit(f"dsar-{command}", {"subjects": changed.subjects, "entries": entries})
        return
    if not entries:
        note("nothing changed: it is so already")
        return
    say(f"{count(len(changed.subjects), 'reference')} {words}, by entry {', '.join(map(str, entries))} of the ledger")
