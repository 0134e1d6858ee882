"""What every report command ends with: the report printed, written to a file, or put into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from ledger.store import Store
    from reports.document import Block, Control, Report, Section, Table

Format = Literal["html", "pdf", "xlsx", "csv", "json", "oscal"]

FormatOption = Annotated[Format | None, typer.Option("--format", help="Format of the file; else by its ending.")]
OutOption = Annotated[Path | None, typer.Option("-o", "--out", help="File to write; never overwritten.")]
FileOption = Annotated[bool, typer.Option("--file", help="Put the report into the store, with a ledger entry.")]
FromOption = Annotated[str | None, typer.Option("--from", help="What happened at or after this time (UTC).")]
ToOption = Annotated[str | None, typer.Option("--to", help="What happened before this time (UTC).")]

_PRINTED = 20
"""Rows of a table that are printed; a file holds all that the report has."""


def finish(
    store: Store,  # noqa: ARG001 - what puts a report into the store will need it
    report: Report,
    fmt: Format | None,
    out: Path | None,
    *,
    into_store: bool = False,
    json: bool = False,
) -> None:
    """Write, file and print a report, as the options ask. Raises UsageError for a format without a file to write."""
    from ledger.errors import UsageError

    if fmt is not None and out is None and not into_store:
        raise UsageError("--format is that of a file: name one with -o, or put it into the store with --file")
    if out is not None:
        _write(report, fmt or _by_ending(out), out)
    if into_store:
        raise UsageError("this version puts no report into the store")
    if json:
        emit(f"report-{report.name}", {"report": as_json(report)})
    elif out is not None:
        say(f"{out}: {report.title}, as of a checkpoint of {count(report.as_of.size, 'entry', 'entries')}")
    else:
        show(report)


def as_json(report: Report) -> Any:
    """A report as plain values."""
    import msgspec

    return msgspec.to_builtins(report)


def _by_ending(out: Path) -> Format:
    from ledger.errors import UsageError

    endings: dict[str, Format] = {
        ".html": "html",
        ".pdf": "pdf",
        ".xlsx": "xlsx",
        ".zip": "csv",
        ".json": "json",
    }
    try:
        return endings[out.suffix.lower()]
    except KeyError:
        raise UsageError(f"{out}: the ending names no format", hint="Name one with --format.") from None


def show(report: Report) -> None:
    """A report for a terminal: what its sections say, of tables the first rows."""
    from replay.visible import one_line

    at = report.as_of
    say(f"{report.title.upper()}  {one_line(at.origin)}")
    say(f"  as of a checkpoint of {count(at.size, 'entry', 'entries')}, {at.time}")
    for section in report.sections:
        say()
        _section(section)
    for words in report.not_proven:
        note(f"Not proven: {words}")


def _section(section: Section) -> None:
    from replay.visible import one_line

    say(f"{'#' * section.level} {one_line(section.title)}")
    for block in section.blocks:
        _block(block)


def _block(block: Block) -> None:
    from replay.visible import one_line
    from reports import document

    if isinstance(block, document.Text):
        for paragraph in block.paragraphs:
            say(one_line(paragraph))
    elif isinstance(block, document.Facts):
        for label, value in block.items:
            say(f"  {one_line(label)}: {_cell(value)}")
    elif isinstance(block, document.Table):
        _table(block)
    elif isinstance(block, document.Control):
        _control(block)
    else:
        say(f"  {one_line(block.title)}: {one_line(block.alt)}")


def _control(control: Control) -> None:
    from replay.visible import one_line

    say()
    say(f"{control.verdict.upper()}  {one_line(control.control)}  {one_line(control.title)}")
    for words in control.words:
        say(f"  {one_line(words)}")
    for test in control.tests:
        say(f"  - {one_line(test.question)}")
        say(f"    {test.verdict}: {one_line(test.words)}")
        if test.exceptions.rows:
            _table(test.exceptions)


def _table(shown: Table) -> None:
    from replay.visible import one_line

    table(
        [one_line(column.title) for column in shown.columns],
        [[_cell(cell) for cell in row] for row in shown.rows[:_PRINTED]],
    )
    more = (shown.total or len(shown.rows)) - min(_PRINTED, len(shown.rows))
    if more:
        say(f"  and {count(more, 'more row')}")


def _cell(value: object) -> str:
    from replay.visible import one_line

    return "-" if value is None else one_line(str(value))


def _write(report: Report, fmt: Format, out: Path) -> None:
    import msgspec

    from cli.files import new_file
    from ledger.errors import UsageError

    if fmt != "json":
        raise UsageError("this version writes reports as json alone")
    with new_file(out) as file:
        file.write(msgspec.json.encode(report) + b"\n")
