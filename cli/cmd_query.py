"""``evidence query``: one SELECT over the views."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

EXAMPLE = "Example: evidence query \"SELECT model, count(*) FROM records WHERE kind = 'inference' GROUP BY model\""


def query(
    sql: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT statement.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 1000,
    form: Annotated[Literal["table", "csv"], typer.Option("--format", help="How to print, without --json.")] = "table",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Ask in SQL (DuckDB) over the views of docs/QUERY.md: records, sessions, changes, entries, … No content."""
    from replay import query as guarded

    with store_of(config, store) as opened:
        result = guarded.query(opened, sql, limit=limit)
    columns, rows = result.table.column_names, result.rows()
    if json:
        named = [dict(zip(columns, map(_value, row), strict=True)) for row in rows]
        emit("query", {"columns": columns, "rows": named, "more": result.more, "left_out": result.left_out})
        return
    if form == "csv":
        _csv(columns, rows)
    else:
        table([_cell(name) for name in columns], ([_cell(value) for value in row] for row in rows))
    if result.left_out:
        note(f"{count(result.left_out, 'record')} left out: processing is restricted")
    if result.more:
        note(f"there are more rows; see --limit (now {limit})")


def _value(value: Any) -> Any:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {str(name): _value(item) for name, item in value.items()}
    # A map comes as a list of pairs.
    return [_value(item) for item in value] if isinstance(value, list | tuple) else value


def _cell(value: Any) -> str:
    """A value as text: nothing for NULL, JSON for what has parts, bytes as hex."""
    import json

    from replay.visible import one_line

    plain = _value(value)
    if plain is None:
        return ""
    if isinstance(plain, list | dict):
        return one_line(json.dumps(plain, ensure_ascii=False, default=_text))
    return one_line(_text(plain))


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _csv(columns: list[str], rows: list[list[Any]]) -> None:
    """CSV in which no text can be taken for a formula; a negative number stays one."""
    import csv
    import io

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for row in (columns, *rows):
        writer.writerow([_harmless(_cell(value)) if isinstance(value, str) else _cell(value) for value in row])
    say(file.getvalue().removesuffix("\n"))


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
