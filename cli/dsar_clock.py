"""``evidence dsar identify``, ``pause``, ``resume``, ``extend``: what moves a request's clock, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.dsar_open import RequestArgument, SaidOption, ToldOption, parse_day, report
from cli.options import ConfigOption, JsonOption, StoreOption, store_of

IDENTIFY = "Example: evidence dsar identify 3f9a --method document --evidence passport.jpg --by 'J. Okoro'"
PAUSE = "Example: evidence dsar pause 3f9a --note 'asked for a copy of the passport'"
RESUME = "Example: evidence dsar resume 3f9a"
EXTEND = "Example: evidence dsar extend 3f9a --reason complexity --told 2026-11-26"


def identify(
    request: RequestArgument,
    method: Annotated[str, typer.Option(help="account, contact, document, knowledge, in_person or agent.")],
    evidence: Annotated[
        Path | None, typer.Option(help="What was shown: only a keyed digest of the file is kept, sealed.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who checked; sealed as content.")] = "",
    said: SaidOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Record that the requester was identified, and how. A clock that was paused for it runs on."""
    from ledger.errors import UsageError
    from reports.dsar import register
    from reports.dsar.requests import find_request

    try:
        shown = None if evidence is None else evidence.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {evidence}: {error.strerror}", hint="Name a file that can be read.") from None
    with store_of(config, store) as opened:
        state = find_request(opened, request)
        state = register.identify(opened, state, method, shown, {"checked_by": by, "note": said})
        opened.publish()
    report("identify", state, json, f"identified ({method})")


def pause(
    request: RequestArgument,
    reason: Annotated[str, typer.Option(help="identity: nothing else stops a clock.")] = "identity",
    said: SaidOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Stop the clock while the requester's identity is in doubt. Only under the GDPR; the CCPA has no pause."""
    from reports.dsar import register
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened:
        state = register.pause(opened, find_request(opened, request), reason, {"note": said})
        opened.publish()
    report("pause", state, json, "paused")


def resume(
    request: RequestArgument,
    said: SaidOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let the clock run on; the deadline moves by the days on which it stood still."""
    from reports.dsar import register
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened:
        state = register.resume(opened, find_request(opened, request), {"note": said})
        opened.publish()
    report("resume", state, json, "resumed")


def extend(
    request: RequestArgument,
    reason: Annotated[str, typer.Option(help="complexity or number (of the person's requests).")],
    told: ToldOption = None,
    said: SaidOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take the longer period: three months under the GDPR, 90 days under the CCPA, from receipt. Once.

    The requester must be told, with the reason, before the first deadline.
    """
    from reports.dsar import register
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened:
        state = find_request(opened, request)
        state = register.extend(opened, state, reason, register.day_told(parse_day(told)), {"note": said})
        opened.publish()
    report("extend", state, json, f"extended ({reason})")
