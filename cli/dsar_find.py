"""``evidence dsar find``: everything about a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.catalog import Catalog
    from replay.findings import Findings
    from replay.persons import PersonRow
    from replay.search import Scope

EXAMPLE = "Example: evidence dsar find HV-104417 email:ana@example.org --search --from 2026-10-01 --name 'Ana Ruiz'"

SHOWN = 50
"""Lines of each list for people; --json has all."""
_LISTED = ("approval", "review", "change", "evaluation", "correction")


def find(
    identifiers: Annotated[
        list[str], typer.Argument(metavar="IDENTIFIER...", help="As the source wrote it, or as type:value.")
    ],
    search: Annotated[bool, typer.Option("--search", help="Open other people's content and search it.")] = False,
    since: Annotated[str | None, typer.Option("--from", help="Search records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Search records before this time (UTC).")] = None,
    session: Annotated[list[str] | None, typer.Option(help="Search this session only; can be repeated.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="A name to search for too; can be repeated.")] = None,
    max_records: Annotated[int, typer.Option(min=1, max=10_000_000, help="Open at most so many.")] = 100_000,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Find a person: records in which they have a role, and mentions in other people's content.

    Mentions are those that `evidence mentions scan` has found; --search opens content now, within the given bounds.
    Writes an access record first.
    """
    from ledger.errors import NotFoundError, UsageError
    from replay import access, catalog, findings

    if not search and (since or until or session or name):
        raise UsageError("--from, --to, --session and --name say where to search: give --search too")
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        scope = _scope(listed, session or [], since, until, max_records) if search else None
        subjects = ",".join(findings.known(opened, identifiers))
        looked_at = {"subjects": subjects, "identifiers": str(len(identifiers))}
        receipt = access.record(opened, "dsar find", purpose, looked_at | (scope.as_json() if scope else {}))
        found = findings.find(listed, receipt, identifiers, scope, name or [])
    if not found.references and not found.mentions:
        raise NotFoundError("nobody has this identifier here, and the index has no mention of it", hint=_hint(found))
    if json:
        emit("dsar/find", _as_json(found))
        return
    for line in _records(found):
        say(line)
    _sessions(found)
    _listed(found)
    _mentions(found)
    for remark in _remarks(found):
        note(remark)


def _scope(listed: Catalog, sessions: list[str], since: str | None, until: str | None, max_records: int) -> Scope:
    from cli.times import moment
    from replay.search import Scope
    from replay.sessions import resolve_session

    named = tuple(resolve_session(listed, text) for text in sessions)
    return Scope(named, moment(since), moment(until), None, max_records)


def _hint(found: Findings) -> str:
    if found.searched is None:
        return "Give it as the source wrote it, or search content for it with --search."
    return f"{count(found.searched.records, 'record')} searched."


def _records(found: Findings) -> Iterator[str]:
    yield (
        f"{count(len(found.references), 'reference')}: {count(len(found.rows), 'record')} in "
        f"{count(len(found.sessions), 'session')} of {count(len({row.partition for row in found.rows}), 'partition')}"
    )
    for kind, roles in found.counts().items():
        number = sum(row.kind == kind for row in found.rows)
        yield f"  {kind:<12}{number:>8,}  " + ", ".join(f"{role} {times:,}" for role, times in roles.items())


def _sessions(found: Findings) -> None:
    from replay.visible import one_line

    if not found.sessions:
        return
    say()
    table(
        ("SESSION", "FROM (UTC)", "TO (UTC)", "RECORDS", "ROLES"),
        (
            (one_line(item.session), _at(item.first_at), _at(item.last_at), f"{item.records:,}", " ".join(item.roles))
            for item in found.sessions[:SHOWN]
        ),
    )
    _more(len(found.sessions), "sessions")


def _listed(found: Findings) -> None:
    """Approvals, reviews and changes one by one: there are few, and each is somebody's act."""
    from replay.visible import one_line

    rows: list[PersonRow] = [row for row in found.rows if row.kind in _LISTED]
    if not rows:
        return
    say()
    table(
        ("RECORD", "KIND", "TIME (UTC)", "SOURCE", "DECISION", "ROLES"),
        (
            (row.record_id[:12], row.kind, _at(row.at), one_line(row.source), row.decision or "", " ".join(row.roles))
            for row in rows[:SHOWN]
        ),
    )
    _more(len(rows), "of these records")


def _mentions(found: Findings) -> None:
    from replay.visible import one_line

    records = len({item.record_id for item in found.mentions})
    say()
    say(f"Mentions in other people's content: {len(found.mentions):,} in {count(records, 'record')}")
    if found.mentions:
        table(
            ("RECORD", "SESSION", "TYPE", "FOUND BY", "BYTES"),
            (
                (
                    item.record_id[:12],
                    one_line(found.sessions_of_mentions.get(item.record_id, "")),
                    item.type,
                    item.detector,
                    f"{item.start}-{item.end}",
                )
                for item in found.mentions[:SHOWN]
            ),
        )
        _more(len(found.mentions), "mentions")


def _remarks(found: Findings) -> Iterator[str]:
    """What was looked at and what was not: without it a small number says nothing."""
    from replay import canaries

    state = found.state
    yield (
        f"index: {state.scanned:,} of {count(state.partitions, 'partition')} read by "
        f"{', '.join(state.detectors) or 'no detector'}"
        + (f", the oldest {state.oldest[:19]}Z" if state.oldest else "")
    )
    if state.missing:
        yield f"index: {count(len(state.missing), 'partition')} not read: run `evidence mentions scan`"
    if state.unread:
        yield f"index: {count(state.unread, 'record')} could not be opened and not read"
    if found.searched is None:
        yield "names, and identifiers that no detector knows, are found only by --search"
        return
    searched = found.searched
    yield f"search: {count(searched.values, 'value')} looked for in {count(searched.records, 'record')}"
    if searched.left:
        yield f"search: {count(searched.left, 'record')} in the bounds not opened (--max-records)"
    for state_of, number in sorted(searched.unread.items()):
        yield f"search: {count(number, 'record')} not read: {state_of}"
    yield f"search: {canaries.measure().words()}"


def _more(number: int, what: str) -> None:
    if number > SHOWN:
        note(f"{number - SHOWN:,} more {what}: --json has all")


def _at(text: str) -> str:
    return text[:19].replace("T", " ")


def _as_json(found: Findings) -> dict[str, Any]:
    import msgspec

    from replay import canaries

    plain: dict[str, Any] = msgspec.to_builtins(found)
    for item in plain["mentions"]:
        item["session"] = found.sessions_of_mentions.get(item["record_id"])
    del plain["sessions_of_mentions"]
    plain["counts"] = found.counts()
    plain["index"] = plain.pop("state")
    if found.searched is not None:
        recall = canaries.measure()
        del plain["searched"]["mentions"]
        plain["searched"]["recall"] = {**msgspec.to_builtins(recall), "words": recall.words()}
    return plain
