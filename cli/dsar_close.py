"""``evidence dsar close``: the end of a request, with a reason from a closed list."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.confirming import YesOption, confirm
from cli.dsar_open import RequestArgument, SaidOption, report
from cli.options import ConfigOption, JsonOption, StoreOption, store_of

CLOSE = "Example: evidence dsar close 3f9a --reason fulfilled"
REASONS = (
    "fulfilled, partly_fulfilled, refused_exempt, refused_unfounded, not_identified, no_data, duplicate or withdrawn."
)


def close(
    request: RequestArgument,
    reason: Annotated[str, typer.Option(help=REASONS)],
    said: SaidOption = "",
    yes: YesOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Close a request. It cannot be opened again; its entries stay in the ledger."""
    from reports.dsar.register import Step, advance
    from reports.dsar.requests import CLOSING, find_request

    with store_of(config, store) as opened:
        state = find_request(opened, request)
        words = CLOSING.get(reason, reason)
        confirm(f"Close request {state.request[:8]} ({state.kind}) as {reason}: {words}", state.request[:8], yes)
        state = advance(opened, state, [Step("closed", {"reason": reason})], {"note": said})
        opened.publish()
    report("close", state, json, f"closed ({reason})")
