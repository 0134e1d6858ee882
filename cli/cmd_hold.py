"""``evidence hold``: legal holds, which win over erasure and expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from ledger.standing import ActiveHold
    from ledger.store import Store
    from replay.catalog import Catalog
    from reports.holds import Blocked

ADD_EXAMPLE = "Example: evidence hold add --subject HV-104417 --basis litigation --purpose 'case 2026/17'"
RELEASE_EXAMPLE = "Example: evidence hold release 5d1c77a0"
LIST_EXAMPLE = "Example: evidence hold list --blocked"

WhyOption = Annotated[
    str | None, typer.Option("--why", help="In words; sealed as a record, encrypted, that the ledger names.")
]


def add(
    basis: Annotated[
        str,
        typer.Option(help="litigation, legal_claim, authority, incident, investigation, audit or contract."),
    ],
    subject: Annotated[
        list[str] | None, typer.Option("--subject", help="An identifier of one person; several of the same one.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="A session's id or reference.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Records before this time (UTC).")] = None,
    why: WhyOption = None,
    purpose: PurposeOption = "legal hold",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Hold what a person, a session and a period have in common, of those that are given, until it is released.

    A person is held by all references that are linked with the identifier now; looking one up writes an access record.
    """
    from cli.times import moment
    from replay import catalog
    from reports import holds

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        found = _session(listed, session)
        people = _people(opened, subject or [], purpose)
        wanted = holds.Wanted(people, found, moment(since), moment(until))
        entry = holds.add(opened, wanted, basis, why)
        opened.publish()
    _report("hold-add", entry.value["hold"], entry.index, json, "held, as")


def release(
    hold: Annotated[str, typer.Argument(help="Its reference, or the first digits of it.")],
    why: WhyOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """End a hold. What it held up is due again: see `evidence retention plan`, and the requests that it restricted."""
    from reports import holds

    with store_of(config, store) as opened:
        ended = holds.find(opened, hold)
        entry = holds.release(opened, ended, why)
        opened.publish()
    _report("hold-release", ended.hold, entry.index, json, "released:")


def listing(
    blocked: Annotated[bool, typer.Option("--blocked", help="What they hold up, which rule won, and why.")] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Like --blocked, row by row.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the holds in force; with --blocked everything that they keep from erasure or expiry."""
    from ledger.clock import utc_now
    from replay import catalog
    from reports import holds
    from reports.retention import policy as policies

    with store_of(config, store) as opened:
        found = list(opened.standing.holds.values())
        held: list[Blocked] = []
        if (blocked or rows) and found:
            policy = policies.configured(opened.settings)
            with catalog.opened(opened) as listed:
                held = list(holds.blocked(listed, policy, found, utc_now(), by_row=rows))
    if json:
        _emit(found, held if blocked or rows else None)
        return
    if not found:
        note("no hold is in force")
        return
    _holds(found)
    if blocked or rows:
        say()
        _blocked(held, rows)


def _people(opened: Store, identifiers: list[str], purpose: str) -> list[str]:
    """The references of the person; the look-up is recorded first."""
    from replay import access
    from replay.persons import resolve_person

    if not identifiers:
        return []
    access.record(opened, "hold add", purpose, {"identifiers": " ".join(identifiers)})
    return resolve_person(opened, identifiers)


def _session(listed: Catalog, session: str | None) -> str | None:
    from replay.sessions import resolve_session

    return None if session is None else resolve_session(listed, session)


def _report(command: str, hold: str, entry: int, json: bool, words: str) -> None:
    if json:
        emit(command, {"hold": hold, "entry": entry})
        return
    say(f"{words} {hold}, by entry {entry} of the ledger")


def _holds(found: list[ActiveHold]) -> None:
    from replay.visible import one_line

    table(
        ("HOLD", "SINCE (UTC)", "BASIS", "PEOPLE", "SESSION", "FROM (UTC)", "TO (UTC)", "WORDS"),
        (
            (
                hold.hold,
                hold.entry.time[:19].replace("T", " "),
                hold.basis,
                count(len(hold.scope.subjects), "reference") if hold.scope.subjects else "-",
                one_line(hold.scope.session or "-"),
                hold.scope.first or "-",
                hold.scope.last or "-",
                hold.entry.value.get("record", "-")[:12],
            )
            for hold in found
        ),
    )


def _blocked(held: list[Blocked], rows: bool) -> None:
    from replay.visible import one_line

    table(
        ("ENTRY", "DATE", "SESSION", "ROW" if rows else "ROWS", "ERASURE", "WINS", "ELSE", "EXPIRY", "RULES"),
        (
            (
                str(item.entry),
                item.date,
                one_line(item.session or "-"),
                str(item.row if rows else item.rows),
                item.erasure,
                item.basis,
                f"{item.without} until {item.until}" if item.until else item.without,
                _expiry(item),
                " ".join(item.rules),
            )
            for item in held
        ),
    )
    say(f"{count(sum(item.rows for item in held), 'record')} held.")


def _expiry(item: Blocked) -> str:
    if item.last_day is None:
        return "never"
    return f"held up since {item.last_day}" if item.overdue else f"after {item.last_day}"


def _emit(found: list[ActiveHold], held: list[Blocked] | None) -> None:
    import msgspec

    listed: list[dict[str, Any]] = [
        {
            "hold": hold.hold,
            "basis": hold.basis,
            "since": hold.entry.time,
            "entry": hold.entry.index,
            "record": hold.entry.value.get("record"),
            "scope": hold.entry.value["scope"],
        }
        for hold in found
    ]
    more = {} if held is None else {"blocked": [msgspec.structs.asdict(item) for item in held]}
    emit("hold-list", {"holds": listed, **more})


GROUP = Group(
    "hold",
    "Legal holds: they win over erasure and expiry.",
    (
        Subcommand("add", add, ADD_EXAMPLE, "Hold a person, a session or a period."),
        Subcommand("release", release, RELEASE_EXAMPLE, "End a hold."),
        Subcommand("list", listing, LIST_EXAMPLE, "Holds in force, and what they hold up."),
    ),
)
