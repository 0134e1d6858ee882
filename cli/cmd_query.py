"""``evidence query``: one SELECT over the views."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import emit, note, table

EXAMPLE = "Example: evidence query \"SELECT model, count(*) FROM records WHERE kind = 'inference' GROUP BY model\""


def query(
    sql: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT statement.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 1000,
    form: Annotated[Literal["table", "csv"], typer.Option("--format", help="How to print, without --json.")] = "table",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Ask in SQL (DuckDB): views records, sessions, changes, partitions, inputs, accesses. Read-only, no content."""
    from replay import query as guarded

    with store_of(config, store) as opened:
        result = guarded.query(opened, sql, limit=limit)
    rows: list[dict[str, Any]] = result.table.to_pylist()
    columns = result.table.column_names
    if json:
        emit("query", {"columns": columns, "rows": [_row(row) for row in rows], "more": result.more})
        return
    if form == "csv":
        _csv(columns, rows)
    else:
        table(columns, ([_cell(row[name]) for name in columns] for row in rows))
    if result.more:
        note(f"there are more rows; see --limit (now {limit})")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return [_value(item) for item in value] if isinstance(value, list) else value


def _cell(value: Any) -> str:
    from replay.visible import one_line

    plain = _value(value)
    if plain is None:
        return ""
    return one_line(" ".join(map(str, plain)) if isinstance(plain, list) else str(plain))


def _csv(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """CSV in which no cell can be taken for a formula."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [_cell(row[name]) for name in columns]
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in cells])
