"""``evidence report lineage``, ``changes``, ``activity``, ``requests``, ``health``: the fixed reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.groups import Subcommand
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.report_output import FileOption, FormatOption, FromOption, OutOption, ToOption, finish

if TYPE_CHECKING:
    from ledger.store import Store
    from replay.catalog import Catalog
    from reports.document import Report
    from reports.fixed.asking import Period
    from reports.published import Published

    Make = Callable[[Catalog, Published, Period], Report]


def lineage(
    since: FromOption = None,
    until: ToOption = None,
    results: Annotated[
        bool, typer.Option("--results", help="Open evaluations for what they found; writes an access record.")
    ] = False,
    purpose: PurposeOption = "not stated",
    fmt: FormatOption = None,
    out: OutOption = None,
    into_store: FileOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Which model version was in force when: approved by whom, evaluated, trained on what, rolled back, and its calls.

    With --from and --to: what was in force, and called, in that time. What evaluations found is content: --results
    opens it, which is recorded, and such a report cannot be put into the store.
    """
    from functools import partial

    from ledger.errors import UsageError
    from replay import access
    from reports.fixed.lineage import model_lineage

    if results and into_store:
        raise UsageError("results are content, and a report in the store holds none", hint="Leave out --results.")
    with store_of(config, store) as opened:
        receipt = access.record(opened, "report lineage", purpose, {"shown": "evaluations"}) if results else None
        report = _made(opened, partial(model_lineage, receipt=receipt), since, until)
        finish(opened, report, fmt, out, into_store=into_store, json=json)


def changes(
    since: FromOption = None,
    until: ToOption = None,
    fmt: FormatOption = None,
    out: OutOption = None,
    into_store: FileOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Every change with author, approver and times, and the exceptions: unapproved, approved late or by its author.

    With --from and --to: changes that took effect in that time.
    """
    from reports.fixed.changes import change_population

    with store_of(config, store) as opened:
        report = _made(opened, change_population, since, until)
        finish(opened, report, fmt, out, into_store=into_store, json=json)


def activity(
    since: FromOption = None,
    until: ToOption = None,
    fmt: FormatOption = None,
    out: OutOption = None,
    into_store: FileOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Calls, tokens, decisions and errors by day, model and user; users are random references."""
    from reports.fixed.activity import activity as made

    with store_of(config, store) as opened:
        report = _made(opened, made, since, until)
        finish(opened, report, fmt, out, into_store=into_store, json=json)


def requests(
    since: FromOption = None,
    until: ToOption = None,
    fmt: FormatOption = None,
    out: OutOption = None,
    into_store: FileOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Requests of data subjects: deadlines and whether they were kept, outcomes, approvals, certificates.

    With --from and --to: requests that were open at some time between.
    """
    from reports.fixed.requests import requests_register

    with store_of(config, store) as opened:
        report = _made(opened, requests_register, since, until)
        finish(opened, report, fmt, out, into_store=into_store, json=json)


def health(
    since: FromOption = None,
    until: ToOption = None,
    fmt: FormatOption = None,
    out: OutOption = None,
    into_store: FileOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The ledger: its assurance grade, keys, verifications, access numbers, what was ended, held and handed out.

    With --from and --to: entries that were committed in that time; totals are as of the checkpoint.
    """
    from functools import partial

    from reports.fixed.health import ledger_health

    with store_of(config, store) as opened:
        report = _made(opened, partial(ledger_health, waiting=opened.waiting()), since, until)
        finish(opened, report, fmt, out, into_store=into_store, json=json)


def _made(opened: Store, make: Make, since: str | None, until: str | None) -> Report:
    """The report as of the published checkpoint, which is published anew where it does not cover what is here."""
    from cli.times import moment
    from ledger.errors import UsageError
    from replay import catalog
    from reports.published import publish_all

    period = moment(since), moment(until)
    if period[0] is not None and period[1] is not None and period[0][:-1] >= period[1][:-1]:
        raise UsageError("the period ends before it begins")
    with catalog.opened(opened) as listed:
        return make(listed, publish_all(opened), period)


SUBCOMMANDS = (
    Subcommand(
        "lineage",
        lineage,
        "Example: evidence report lineage --from 2026-10-01 --to 2026-11-01 -o lineage.pdf",
        "Which model version was in force when, and on whose approval.",
    ),
    Subcommand(
        "changes",
        changes,
        "Example: evidence report changes --from 2026-10-01 -o changes.xlsx",
        "Every change, and where duties were not kept apart.",
    ),
    Subcommand(
        "activity",
        activity,
        "Example: evidence report activity --from 2026-10-01 --to 2026-11-01 -o activity.html",
        "Calls by day, model and user.",
    ),
    Subcommand(
        "requests",
        requests,
        "Example: evidence report requests -o requests.pdf",
        "Requests of data subjects, late ones first.",
    ),
    Subcommand(
        "health",
        health,
        "Example: evidence report health --file --format pdf",
        "The ledger, its keys, and what it is worth as evidence.",
    ),
)
