"""``evidence exports``: which bundles were handed out; ``evidence exports grant``: what opens a revocable one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.files import new_file
from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from ledger.store import Store
    from reports.exports.register import Details, Exported

EXAMPLE = "Example: evidence exports --reveal --purpose 'who has our records'"
GRANT_EXAMPLE = "Example: evidence exports grant 5d1c77a0 --until 2026-12-31 --purpose 'audit 2026-11' -o grant.json"


def listing(
    context: typer.Context,
    bundle: Annotated[Path | None, typer.Option(help="Only the export that made this file.")] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Open who, why, for whom and what was asked; writes an access record.")
    ] = False,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the bundles that were handed out: when, of what, how many records, to which recipient (a reference).

    `evidence exports grant` makes what opens a revocable one.
    """
    if context.invoked_subcommand is not None:
        return
    from reports.exports import register as exports

    with store_of(config, store) as opened:
        digest = None if bundle is None else _digest(bundle)
        found = [item for item in exports.exports(opened) if digest in (None, item.sha256)]
        told = _details(opened, found, purpose) if reveal else None
    if json:
        _emit(found, told)
    elif found:
        _print(found, told or {})
    else:
        note("no export" if bundle is None else "this file is no export of this store")


def grant(
    export: Annotated[str, typer.Argument(help="Its entry, its reference, or the first 4 or more digits of that.")],
    until: Annotated[str, typer.Option(help="When it ends (UTC); at most 90 days from now.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The grant to write; never overwritten.")],
    recipient: Annotated[str | None, typer.Option(help="Whom it is for; sealed in the access record.")] = None,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a grant that opens the content of a revocable bundle until a time; an access record is written first.

    Keys are derived again from what can be opened now: what was erased, expired, restricted or redacted since stays
    closed. Send it apart from the bundle. Whoever keeps a grant, or what it opened, has kept it.
    """
    from cli.times import moment
    from replay import access, catalog
    from reports.exports import grants
    from reports.exports import register as exports

    ends = moment(until) or ""
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        item = exports.find(opened, export)
        asked = {"entry": str(item.entry), "export": item.export or "", "until": ends}
        with new_file(out) as file:
            named = {} if recipient is None else {"recipient": recipient}
            receipt = access.record(opened, "exports grant", purpose, asked | named)
            made = grants.grant(listed, receipt, item, ends)
            file.write(made.note)
    if json:
        withheld = dict(made.withheld)
        emit("exports/grant", {"out": str(out), **asked, "opens": made.opened, "withheld": withheld})
        return
    say(f"{out}: opens {count(made.opened, 'record')} of export {item.export or item.entry} until {ends}")
    for state, number in sorted(made.withheld.items()):
        say(f"  no key, {state}: {number:,}")
    note("Send it apart from the bundle. Whoever keeps it, or what it opened, has kept it.")


GROUP = Group(
    "exports",
    "Which bundles were handed out; grants for revocable ones.",
    (Subcommand("grant", grant, GRANT_EXAMPLE, "Make what opens a revocable bundle."),),
    alone=Subcommand("exports", listing, EXAMPLE, "Which bundles were handed out; grants for revocable ones."),
)


def _details(opened: Store, found: list[Exported], purpose: str) -> dict[int, Details]:
    from replay import access
    from reports.exports import register as exports

    receipt = access.record(opened, "exports", purpose, {"words": f"of {count(len(found), 'export')}"})
    told = {item.entry: exports.details(opened, receipt, item) for item in found}
    return {entry: words for entry, words in told.items() if words is not None}


def _digest(path: Path) -> str:
    import hashlib

    from ledger.errors import UsageError

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _emit(found: list[Exported], told: dict[int, Details] | None) -> None:
    import msgspec

    listed = [msgspec.to_builtins(item) for item in found]
    if told is not None:
        for item in listed:
            item["details"] = msgspec.to_builtins(told.get(item["entry"]))
    emit("exports", {"exports": listed})


def _print(found: list[Exported], told: dict[int, Details]) -> None:
    headers = ["ENTRY", "TIME (UTC)", "EXPORT", "SELECTION", "RECORDS", "CONTENT", "RECIPIENT"]
    headers += ["WHO (asserted)", "PURPOSE", "FOR", "ASKED"] if told else []
    table(headers, [_row(item) + (_told(told.get(item.entry)) if told else ()) for item in found])


def _row(item: Exported) -> tuple[str, ...]:
    content = "sealed" if item.revocable else "disclosed" if item.with_content else "none"
    kind = str(item.selection["type"])
    short = (item.export or "")[:8], (item.recipient or "")[:8]
    return str(item.entry), item.at[:19].replace("T", " "), short[0], kind, f"{item.records:,}", content, short[1]


def _told(words: Details | None) -> tuple[str, ...]:
    from replay.visible import one_line

    if words is None or words.state not in ("verified", "redacted"):
        return f"content {words.state}" if words else "", "", "", ""
    asked = ", ".join(f"{label} {text}" for label, text in sorted(words.asked.items()))
    other = "" if words.same_bundle else " (of another bundle)"
    cells = f"{words.operator}@{words.host}{other}", words.purpose or "", words.recipient or "", asked
    return tuple(map(one_line, cells))
