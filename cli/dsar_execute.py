"""``evidence dsar execute``, ``certificate``: an approved plan is carried out, and proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.confirming import YesOption, confirm
from cli.dsar_open import RequestArgument
from cli.files import new_file
from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say, size

if TYPE_CHECKING:
    from reports.dsar.execute import Executed

EXECUTE = "Example: evidence dsar execute 3f9a"
CERTIFICATE = "Example: evidence dsar certificate 3f9a -o certificate.zip"


def execute(
    request: RequestArgument,
    yes: YesOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Carry out the approved plan of an erasure: keys are destroyed, mentions in others' content are taken out.

    Refused while no second person has approved the plan, or if records, policy or holds changed since. Run again
    after a crash it completes what is left; run again later it erases what had to wait until then. An access record is
    written first.
    """
    import msgspec

    from ledger.errors import UnverifiableError
    from replay import catalog
    from reports.dsar import execute as executing
    from reports.dsar.requests import find_request
    from reports.retention import policy

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        state = find_request(opened, request)
        words = (
            f"Carry out plan {(state.plan or 'none')[:12]} of request {state.request[:8]}: keys are destroyed for good"
        )
        confirm(words, state.request[:8], yes)
        made = executing.execute(listed, state, policy.configured(opened.settings))
    if json:
        emit("dsar/execute", msgspec.structs.asdict(made))
    else:
        for line in _lines(made):
            say(line)
    if not made.is_clean:
        raise UnverifiableError(
            "done, but not all of it is gone", hint="Run `evidence keys reconcile`, then look again."
        )
    note(f"Prove it: evidence dsar certificate {made.request[:8]} -o certificate.zip")


def _lines(made: Executed) -> list[str]:
    where = "everywhere" if made.everywhere else "in single segments, since some records have to stay"
    return [
        f"Request {made.request[:8]}: content of {count(made.erased, 'record')} rendered unreadable by key destruction",
        f"  destroyed   {count(made.keys, 'data key')} and {count(made.identifiers, 'identifier')}, {where}",
        f"  redacted    {count(made.redacted, 'record')} of other people",
        f"  kept        {made.waiting:,} for the time being, {made.refused:,} for good",
        f"  looked      {count(made.sampled, 'segment')} tried, {made.opened:,} opened; {made.found:,} people found",
        f"  searched    {count(made.searched, 'identifier')} in what was redacted: found {made.mentioned:,} times",
    ]


def certificate(
    request: RequestArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="The zip to write; never overwritten.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write the certificate of an erasure: signed, and verified offline by `verify-bundle` or its own verify.py.

    It names nobody. Issue it again after the keyring's next rotation: then it states the date for backups, too.
    """
    from replay import catalog
    from reports.dsar.certificate import issue
    from reports.dsar.register import Step, advance
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        state = find_request(opened, request)
        with new_file(out) as file:
            issued = issue(listed, state, file)
            details: dict[str, Any] = {"sha256": issued.sha256, "size": issued.size}
            if state.closed is None:
                advance(opened, state, [Step("certified", details)])
        opened.publish()
    if json:
        emit("dsar/certificate", {"out": str(out), **details, "statement": issued.statement})
        return
    backups = issued.statement["backups"]["unreadable_at"]
    say(f"{out}: {size(issued.size)}")
    say(f"  SHA-256 {issued.sha256}")
    say(f"  live    {issued.statement['live_at']}")
    say(f"  backups {backups or 'not yet: run `evidence keys rotate`, then issue it again'}")
    for item in issued.statement["recipients"]:
        say(f"  handed out earlier: bundle {item['bundle'][:16]}, to {item['recipient'] or 'nobody named'}")
    note("Whoever checks it runs: python3 verify.py CERTIFICATE --key KEY")
