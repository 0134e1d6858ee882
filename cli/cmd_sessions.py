"""``evidence sessions``: find sessions."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, table

EXAMPLE = "Example: evidence sessions --user HV-104417 --from 2026-10-01"


def sessions(
    user: Annotated[str | None, typer.Option(help="An identifier of a person, as a source wrote it.")] = None,
    model: Annotated[str | None, typer.Option(help="A model's name.")] = None,
    decision: Annotated[str | None, typer.Option(help="For example blocked, masked, approved.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Sessions that end at or after this time.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Sessions that begin before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List sessions, the newest first. A session matches a period if it overlaps with it. Times are UTC."""
    import msgspec

    from cli.times import moment
    from replay import catalog
    from replay.sessions import Filter, find_sessions, sessions_left_out
    from replay.visible import one_line

    wanted = Filter(user, model, decision, moment(since), moment(until), limit + 1)
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        found, left_out = find_sessions(listed, wanted), sessions_left_out(listed, wanted)
    shown = found[:limit]
    if json:
        rows = [msgspec.structs.asdict(row) for row in shown]
        emit("sessions", {"sessions": rows, "more": len(found) > limit, "left_out": left_out})
        return
    if left_out:
        note(f"{count(left_out, 'session')} left out: processing is restricted")
    if not shown:
        note("no session matches")
        return
    headers = ("SESSION", "FROM (UTC)", "TO (UTC)", "TURNS", "TOOLS", "FAILED", "DECISIONS", "MODELS")
    table(
        headers,
        (
            (
                one_line(row.session),
                row.first_at[:19].replace("T", " "),
                row.last_at[:19].replace("T", " "),
                str(row.inferences),
                str(row.tools),
                str(row.failures),
                one_line(" ".join(row.decisions)),
                one_line(" ".join(row.models)),
            )
            for row in shown
        ),
    )
    if len(found) > limit:
        note(f"there are more; see --limit (now {limit})")
