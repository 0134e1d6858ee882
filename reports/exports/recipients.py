"""Who was handed records of a person: earlier exports, as the ledger lists them (GDPR, Articles 15(1)(c) and 19)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ledger.errors import NotFoundError, UsageError
from ledger.store import Store
from replay.catalog import Catalog
from replay.persons import PersonRow, person_rows
from reports.exports.register import Exported, exports, rows_of
from reports.selection.predicates import stated

IDENTIFIER_TYPE = "recipient"
MAX_NAME = 200


class HandedOut(msgspec.Struct, frozen=True):
    """A bundle that was exported: when, to whom (a reference; None where nobody was named), and what of a person.

    ``records``: how many of the person's records are in it. ``entry``: index of the ledger's export entry.
    """

    entry: int
    at: str
    sha256: str
    size: int
    recipient: str | None
    with_content: bool
    selection: dict[str, str | list[str]]
    records: int


def recipient_reference(store: Store, name: str) -> str:
    """The random reference of a recipient, made if there is none: the name itself stands in the keyring alone."""
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise UsageError(f"a recipient is named by 1 to {MAX_NAME} characters")
    return store.reference(IDENTIFIER_TYPE, name)


def recipient_names(store: Store, handed: Sequence[HandedOut]) -> dict[str, str]:
    """Reference → name as the keyring has it, in normal form. Whoever shows them writes an access record first."""
    references = {item.recipient for item in handed if item.recipient is not None}
    return {
        reference: identifiers[0].value
        for reference, identifiers in store.identities.of(references).items()
        if identifiers
    }


def bundles_with(catalog: Catalog, references: Sequence[str]) -> list[HandedOut]:
    """The exports that hold records of a person, in the order of the log.

    By the rows that an export lists, else recomputed from what it selected: a record that came after an export is not
    in it. What is only mentioned inside the content of others is not looked for. An erasure changes nothing: lines
    stay, and so does the answer. Raises what reading a blob raises.
    """
    made = exports(catalog.store)
    rows = person_rows(catalog, references) if made else []
    found = ((item, _held(catalog.store, item, rows)) for item in made if rows)
    return [_handed(item, number) for item, number in found if number]


def _held(store: Store, item: Exported, rows: Sequence[PersonRow]) -> int:
    """How many of the rows an export shows: those that it lists, else those of its selection that were there then."""
    try:
        listed = {entry.index: set(numbers) for entry, numbers in rows_of(store, item)}
    except NotFoundError:
        listed = None
    if listed is not None:
        return sum(row.row in listed.get(row.entry, ()) for row in rows)
    before = [row for row in rows if row.entry < item.checkpoint_size]
    selection = stated(item.selection)
    if selection is None:
        return len(before)  # of a later version: rather told than passed over
    return sum(selection.matches({"occurred_at": row.at, "session": row.session}) for row in before)


def _handed(item: Exported, records: int) -> HandedOut:
    return HandedOut(
        entry=item.entry,
        at=item.at,
        sha256=item.sha256,
        size=item.size,
        recipient=item.recipient,
        with_content=item.with_content,
        selection=item.selection,
        records=records,
    )
