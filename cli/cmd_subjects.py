"""``evidence subjects``: which references are one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, say, table

if TYPE_CHECKING:
    from ledger.store import Store

LINK_EXAMPLE = "Example: evidence subjects link user_id:HV-104417 email:ana@example.org"
UNLINK_EXAMPLE = "Example: evidence subjects unlink user_id:HV-104417 email:ana@example.org"
SHOW_EXAMPLE = "Example: evidence subjects show HV-104417 --purpose 'ticket 4711'"

Identifiers = Annotated[
    list[str], typer.Argument(metavar="IDENTIFIER...", help="As the source wrote it, or as type:value.")
]


def link(
    identifiers: Identifiers,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say that identifiers are one person's: whoever looks for one finds them all. Links join references, never keys.

    An identifier that the store has not met yet is taken in where it is given as type:value. Writes an access record.
    """
    from ledger.errors import UsageError

    with store_of(config, store) as opened:
        groups = _references(opened, identifiers, "subjects link", purpose, enrol=True)
        if len(groups) < 2:
            raise UsageError("link takes at least two identifiers")
        for one in groups[1:]:
            opened.links.add(groups[0][0], one[0])
        group = opened.links.group(groups[0])
    _print("subjects/link", group, json=json)


def unlink(
    identifiers: Identifiers,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take the links between the first identifier and the others back. Writes an access record."""
    from ledger.errors import NotFoundError, UsageError

    with store_of(config, store) as opened:
        groups = _references(opened, identifiers, "subjects unlink", purpose)
        if len(groups) < 2:
            raise UsageError("unlink takes at least two identifiers")
        pairs = [(one, other) for group in groups[1:] for one in groups[0] for other in group if one != other]
        if sum(opened.links.remove(*pair) for pair in pairs) == 0:
            raise NotFoundError("they are not linked with each other", hint="See `evidence subjects show`.")
        group = opened.links.group(groups[0])
    _print("subjects/unlink", group, json=json)


def show(
    identifiers: Identifiers,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the references that are one person, and what the keyring knows of them. Writes an access record first."""
    from replay.visible import one_line

    with store_of(config, store) as opened:
        groups = _references(opened, identifiers, "subjects show", purpose)
        group = opened.links.group(ref for refs in groups for ref in refs)
        known = opened.identities.of(group)
        states = {reference: opened.keyring.state(reference) for reference in group}
    if json:
        people = [
            {
                "reference": reference,
                "state": states[reference],
                "identifiers": [item._asdict() for item in known[reference]],
            }
            for reference in group
        ]
        emit("subjects/show", {"subjects": people})
        return
    rows = [
        (reference, states[reference], item.type, one_line(item.value))
        for reference in group
        for item in known[reference]
    ]
    rows += [(reference, states[reference], "", "") for reference in group if not known[reference]]
    table(("REFERENCE", "KEY", "TYPE", "IDENTIFIER (normal form)"), rows)


def _references(
    opened: Store, identifiers: list[str], command: str, purpose: str, *, enrol: bool = False
) -> list[list[str]]:
    """The references of each identifier by itself; the access is recorded first. Raises NotFoundError."""
    from ledger.errors import NotFoundError
    from replay import access
    from replay.persons import known_references, readings

    found = [known_references(opened, text) for text in identifiers]
    subjects = ",".join(sorted({reference for references in found for reference in references}))
    access.record(opened, command, purpose, {"subjects": subjects, "identifiers": str(len(identifiers))})
    for number, text in enumerate(identifiers):
        stated = next(readings(text), None) if enrol else None
        if not found[number] and stated is not None:
            found[number] = [opened.reference(*stated)]
        if not found[number]:
            raise NotFoundError(
                f"the keyring knows no identifier like number {number + 1}", hint="Give it as type:value."
            )
    return found


def _print(command: str, group: list[str], *, json: bool) -> None:
    if json:
        emit(command, {"references": group})
    else:
        say(f"{count(len(group), 'reference')} of one person: {', '.join(group)}")


GROUP = Group(
    "subjects",
    "Which references are one person.",
    (
        Subcommand("link", link, LINK_EXAMPLE, "Identifiers are one person's."),
        Subcommand("unlink", unlink, UNLINK_EXAMPLE, "They are not."),
        Subcommand("show", show, SHOW_EXAMPLE, "The references and identifiers of a person."),
    ),
)
