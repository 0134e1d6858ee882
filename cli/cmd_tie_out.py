"""``evidence tie-out``: the same records counted in several ways, and against the source's own counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import emit, note, say, table

if TYPE_CHECKING:
    from reports.document import Table
    from reports.source_counts import Compared, Stated
    from reports.tie_out import TieOut

EXAMPLE = "Example: evidence tie-out --from 2026-10-01 --to 2026-11-01 --source counts.csv"


def tie_out(
    since: Annotated[str | None, typer.Option("--from", help="Records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Records before this time (UTC).")] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="CSV of what the sources counted: count, and some of source, system, kind, day."),
    ] = None,
    partitions: Annotated[bool, typer.Option("--partitions", help="Show every partition, not only those that differ.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Count what the published checkpoint covers: in the ledger, in the events files, by its lines, in the views.

    Exit code 26 where counts differ. Without --source, what never reached this store is not looked for.
    """
    from cli.times import moment
    from ledger.errors import CountsDifferError
    from replay import catalog
    from reports import source_counts
    from reports.counting import count_period
    from reports.published import as_of, publish_all

    stated = None if source is None else source_counts.read_counts(source)
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        published = publish_all(opened)
        found = count_period(listed, published, moment(since), moment(until))
        compared = [] if stated is None else source_counts.compare(listed, published, stated, found.scope)
        under = as_of(opened, published)
    differences = [*found.tie_out.differences, *source_counts.differences(compared)]
    if json:
        emit("tie-out", {"checkpoint": {"origin": under.origin, "size": under.size, "root": under.root, "time": under.time}, **_as_json(found.tie_out, stated, compared), "left_out": found.left_out, "differences": differences})
    else:
        say(f"as of entry {under.size} of {under.origin}, {under.time}")
        _show(found.tie_out, partitions)
