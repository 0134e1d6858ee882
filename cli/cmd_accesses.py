"""``evidence accesses``: who looked at what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, table

if TYPE_CHECKING:
    from replay.accesses import Access

EXAMPLE = "Example: evidence accesses --from 2026-11-01 --operator ines --purpose 'quarterly review'"


def accesses(
    since: Annotated[str | None, typer.Option("--from", help="At or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this time (UTC).")] = None,
    operator: Annotated[str | None, typer.Option(help="A name, or name@host.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the newest.")] = 100,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List who looked at content or people: when, by which command, why, and at what. Writes a record itself first.

    Names are the operating system's: asserted, not proven. What waits in the spool is listed once it is sealed.
    """
    from itertools import islice

    import msgspec

    from cli.times import moment
    from replay import access, catalog
    from replay import accesses as listing

    wanted = listing.Wanted(moment(since), moment(until), operator)
    selection = {"from": wanted.since, "to": wanted.until, "operator": operator, "limit": str(limit)}
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        receipt = access.record(opened, "accesses", purpose, {key: value for key, value in selection.items() if value})
        found = list(islice(listing.accesses(listed, receipt, wanted), limit + 1))
        waiting = opened.waiting()
    shown = found[:limit]
    if json:
        emit("accesses", {"accesses": msgspec.to_builtins(shown), "more": len(found) > limit, "waiting": waiting})
        return
    if shown:
        table(("TIME (UTC)", "WHO (asserted)", "COMMAND", "PURPOSE", "WHAT"), map(_row, shown))
    else:
        note("no access matches")
    if len(found) > limit:
        note(f"there are more; see --limit (now {limit})")
    note(f"{count(waiting, 'access is', 'accesses are')} not sealed yet and not listed: run `evidence seal`")


def _row(item: Access) -> tuple[str, ...]:
    from replay.visible import one_line

    if item.command is None:
        return item.at[:19].replace("T", " "), "", "", "", f"content {item.state}"
    who = f"{item.operator}@{item.host}" + ("" if item.asserted else " (proven)")
    what = ", ".join(f"{key} {value}" for key, value in sorted(item.selection.items()))
    cells = (who, item.command, item.purpose or "", what)
    return (item.at[:19].replace("T", " "), *map(one_line, cells))
