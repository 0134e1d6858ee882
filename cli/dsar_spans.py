"""``evidence dsar spans``: what in a person's records may be about other people, for somebody to decide on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.files import new_file
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say

EXAMPLE = "Example: evidence dsar spans 5f2c --purpose 'access request 17' -o spans.jsonl"

RequestArgument = Annotated[str, typer.Argument(help="A request's reference, or the first 4 or more digits of it.")]
SessionsOption = Annotated[
    list[str] | None,
    typer.Option("--session", help="Count a whole session to the person, in which nobody is declared. Repeatable."),
]
SearchOption = Annotated[
    bool, typer.Option("--search", help="Also open all other content and search it for everything known of the person.")
]


def spans(
    request: RequestArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="The review file to write; never overwritten.")],
    sessions: SessionsOption = None,
    search: SearchOption = False,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write a review file: one span a line, to be given a decision (keep or redact), a reason code and a reviewer.

    Found are identifiers of other people by the detectors of the settings and by what the records declare. Names that
    nothing declares are found by reading alone: add lines of your own. Writes an access record first.
    """
    from replay import access, catalog
    from replay.sessions import resolve_session
    from reports.access_package import review
    from reports.access_package.package import Order, check_deliverable, spans_to_review
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        found = find_request(opened, request)
        check_deliverable(found)
        order = Order(found, sessions=[resolve_session(listed, text) for text in sessions or ()], search=search)
        receipt = access.record(opened, "dsar spans", purpose, {"request": found.request})
        listed_spans = spans_to_review(listed, receipt, order)
        with new_file(out) as file:
            file.write(review.encode(found.request, listed_spans))
    records = len({span.record for span in listed_spans})
    if json:
        emit("dsar-spans", {"out": str(out), "request": found.request, "spans": len(listed_spans), "records": records})
        return
    say(f"{out}: {count(len(listed_spans), 'span')} in {count(records, 'record')}")
    note("It holds content: keep it apart, and delete it after the package was made.")
