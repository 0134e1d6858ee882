"""``evidence tie-out``: the same records counted in several ways, and against the source's own counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import emit, note, say, table

if TYPE_CHECKING:
    from reports.document import Table
    from reports.tie_out.period_counts import PeriodCounts
    from reports.tie_out.source_counts import Compared, Stated

EXAMPLE = "Example: evidence tie-out --from 2026-10-01 --to 2026-11-01 --source counts.csv"


def tie_out(
    since: Annotated[str | None, typer.Option("--from", help="Records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Records before this time (UTC).")] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="CSV of what the sources counted: count, and some of source, system, kind, day."),
    ] = None,
    partitions: Annotated[bool, typer.Option("--partitions", help="Show every partition too.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Count what the checkpoint covers in the ledger, in the events files, line by line and in the views.

    Where the counts differ the exit code is 28. What never reached the store only the source can know: see --source.
    """
    from cli.times import moment
    from ledger.errors import CountsDifferError
    from replay import catalog
    from reports.published import as_of, publish_all
    from reports.tie_out import source_counts
    from reports.tie_out.period_counts import count_period

    stated = None if source is None else source_counts.read_counts(source)
    with store_of(config, store) as opened:
        published = publish_all(opened)
        under = as_of(opened, published)
        with catalog.opened(opened) as listed:
            found = count_period(listed, published, moment(since), moment(until))
            compared = [] if stated is None else source_counts.compare(listed, published, stated, found.scope)
    differences = [*found.tie_out.differences, *source_counts.differences(compared)]
    if json:
        emit(
            "tie-out",
            {"checkpoint": {"origin": under.origin, "size": under.size, "root": under.root}}
            | _as_json(found, stated, compared)
            | {"differences": differences},
        )
    else:
        say(f"{under.origin} as of entry {under.size:,}, {under.time}")
        _show(found.tie_out.table())
        if partitions:
            _show(found.tie_out.by_partition())
        if stated is not None:
            _show(source_counts.table(stated, compared))
        _end(differences, stated)
    if differences:
        raise typer.Exit(CountsDifferError.exit_code)


def _as_json(found: PeriodCounts, stated: Stated | None, compared: list[Compared]) -> dict[str, Any]:
    keys = () if stated is None else stated.columns
    return {
        "counts": [item._asdict() for item in found.tie_out.counts],
        "partitions": [item._asdict() for item in found.tie_out.partitions],
        "left_out": found.left_out,
        "source": None
        if stated is None
        else [
            {**dict(zip(keys, item.key, strict=True)), "stated": item.stated, "here": item.here}
            | {"difference": item.difference, "came_again": item.again, "rejected": item.rejected}
            for item in compared
        ],
    }


def _show(shown: Table) -> None:
    from replay.visible import one_line

    say()
    headers = tuple(column.title.upper() for column in shown.columns)
    table(headers, (tuple("-" if cell is None else one_line(str(cell)) for cell in row) for row in shown.rows))


def _end(differences: list[str], stated: Stated | None) -> None:
    from replay.visible import one_line

    say()
    for item in differences:
        say(one_line(item))
    if not differences:
        say("All counts tie.")
    if stated is None:
        note("What never reached this store is not looked for: give the source's own counts by --source.")
