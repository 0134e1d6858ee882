"""``evidence report``: reports on a store as of a published checkpoint. Each module of one gives its line to GROUP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import report_fixed
from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, StoreOption, settings_of, store_of
from cli.output import emit, note, say, table
from cli.report_output import FileOption, FormatOption, FromOption, OutOption, ToOption, finish

if TYPE_CHECKING:
    from reports.document import Report

FrameworksOption = Annotated[
    Path | None,
    typer.Option("--frameworks-dir", help="Folder of frameworks of one's own; overrides the settings."),
]


def controls(
    framework: Annotated[list[str] | None, typer.Option(help="A framework, several times for more; else all.")] = None,
    control: Annotated[list[str] | None, typer.Option(help="Only this control, by its id; with --framework.")] = None,
    since: FromOption = None,
    until: ToOption = None,
    frameworks_dir: FrameworksOption = None,
    fail_on_exceptions: Annotated[
        bool, typer.Option("--fail-on-exceptions", help="Exit 35 where a control has exceptions.")
    ] = False,
    fmt: FormatOption = None,
    out: OutOption = None,
    into_store: FileOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Judge controls by what this store can show: evidenced, exceptions found, not evidenced here, not applicable."""
    from cli.times import moment
    from ledger.errors import UsageError
    from replay import catalog
    from reports.controls import evaluate
    from reports.published import publish_all

    if control and not framework:
        raise UsageError("--control names a control of a --framework")
    with store_of(config, store) as opened:
        with catalog.opened(opened) as listed:
            published = publish_all(opened)
            period = (moment(since), moment(until))
            report = evaluate(listed, framework or (), published, period, control or (), frameworks_dir)
        finish(opened, report, fmt, out, into_store=into_store, json=json)
    if fail_on_exceptions:
        _fail_on_exceptions(report)


def frameworks(
    frameworks_dir: FrameworksOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the frameworks that there are, with their controls. Needs no store; one's own come from the settings."""
    from ledger.errors import ConfigError
    from reports.controls import library

    folder = frameworks_dir
    if folder is None:
        try:
            folder = settings_of(config, store).frameworks
        except ConfigError:
            if config is not None or store is not None:
                raise
    listed = library.load(folder).frameworks.values()
    if json:
        emit(
            "report-frameworks",
            {"frameworks": [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in listed]},
        )
        return
    rows = [(item.name, str(len(item.controls)), item.title) for item in listed]
    table(("framework", "controls", "title"), rows)
    say()
    note("evidence report controls --framework NAME judges one; docs/CONTROLS.md says how to add one.")


def _fail_on_exceptions(report: Report) -> None:
    from ledger.errors import ExceptionsFoundError
    from reports.document import Control

    blocks = [block for section in report.sections for block in section.blocks if isinstance(block, Control)]
    found = [block for block in blocks if block.verdict == "exceptions found"]
    if found:
        named = ", ".join(f"{block.framework} {block.control}" for block in found)
        raise ExceptionsFoundError(f"exceptions were found: {named}")


GROUP = Group(
    "report",
    "Reports on this store, each as of a published checkpoint.",
    (
        Subcommand(
            "controls",
            controls,
            "Example: evidence report controls --framework soc2 --from 2026-10-01 --format pdf -o controls.pdf",
            "Controls of frameworks, judged by what is here.",
        ),
        Subcommand(
            "frameworks", frameworks, "Example: evidence report frameworks", "Which frameworks and controls there are."
        ),
        *report_fixed.SUBCOMMANDS,
    ),
)
