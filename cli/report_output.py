"""What every report command ends with: the report printed, written to a file, or put into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

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
    store: Store,
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
    filed = _file(store, report, fmt) if into_store else None
    if json:
        emit(
            f"report-{report.name}",
            {"report": as_json(report), "entry": filed, "out": None if out is None else str(out)},
        )
    elif out is None and filed is None:
        show(report)
    as_of = f"{report.title}, as of a checkpoint of {count(report.as_of.size, 'entry', 'entries')}"
    if out is not None and not json:
        say(f"{out}: {as_of}")
    if filed is not None and not json:
        say(f"ledger entry {filed}: {as_of}")


def as_json(report: Report) -> Any:
    """A report as plain values."""
    import msgspec

    return msgspec.to_builtins(report)


def _by_ending(out: Path) -> Format:
    from ledger.errors import UsageError
    from reports.documents import FORMATS

    longest_first = sorted(FORMATS, key=lambda name: -len(FORMATS[name].suffix))
    for name in longest_first:
        if out.name.lower().endswith(FORMATS[name].suffix):
            return cast("Format", name)
    raise UsageError(f"{out}: the ending names no format", hint="Name one with --format.")


def show(report: Report) -> None:
    """A report for a terminal: what its sections say, of tables the first rows."""
    from replay.visible import one_line

    at = report.as_of
    say(f"{report.title.upper()}  {one_line(at.origin)}")
    say(f"  as of a checkpoint of {count(at.size, 'entry', 'entries')}, {at.time}")
    _at_a_glance(report)
    for section in report.sections:
        say()
        _section(section)
    for words in report.not_proven:
        note(f"Not proven: {words}")


def _at_a_glance(report: Report) -> None:
    """The controls of a report, one a line: documents have such a table too."""
    from replay.visible import one_line
    from reports.documents import outline

    listed = outline.controls(report)
    if listed:
        say()
        rows = [(item.framework, item.control, item.verdict, item.title) for item in listed]
        table(("framework", "control", "verdict", "title"), [list(map(one_line, row)) for row in rows])


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
    from cli.files import new_file
    from reports import documents

    data = documents.render(report, fmt)
    with new_file(out) as file:
        file.write(data)


def _file(store: Store, report: Report, fmt: Format | None) -> int:
    """Put the report into the store; the index of its entry. Without a format, as a page for people and as data."""
    from reports import filing

    entry = filing.file(store, report, [fmt] if fmt else ["html", "json"])
    store.publish()
    return entry.index
