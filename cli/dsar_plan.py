"""``evidence dsar plan``, ``statement``, ``approve``: what will be done, and a second person who says yes to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.dsar_open import RequestArgument, report
from cli.dsar_show import plan_as_json, print_plan
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import emit, note, say

if TYPE_CHECKING:
    from ledger.store import Store
    from reports.dsar.requests import RequestState
    from reports.dsar.statements import Signed

PLAN = "Example: evidence dsar plan 3f9a --purpose 'erasure request of 20 November'"
STATEMENT = "Example: evidence dsar statement 3f9a > statement.txt"
APPROVE = "Example: evidence dsar approve 3f9a --ssh-signature statement.txt.sig"


def plan(
    request: RequestArgument,
    rows: Annotated[bool, typer.Option("--rows", help="Every row, not only their numbers.")] = False,
    sign_key: Annotated[
        Path | None, typer.Option("--sign-key", help="The planner's own key, which may then not approve.")
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Search all content for the person too, linked names included.")
    ] = False,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Plan row by row what an erasure will do, and why. Nothing is carried out: the plan is the dry run.

    What the detectors have not read yet is scanned first, for mentions in other people's content. The plan is kept in
    the ledger under its digest, which a second person approves. An access record is written first.
    """
    from ledger.store import load_signer
    from replay import access, catalog
    from reports.dsar.mentioned import mentions_of
    from reports.dsar.planning import plan_request
    from reports.dsar.requests import find_request
    from reports.retention import policy

    planner = None if sign_key is None else load_signer(sign_key)
    with store_of(config, store) as opened:
        opened.seal()
        state = find_request(opened, request)
        looked_at = {"request": state.request} | ({"searched": "all content"} if search else {})
        receipt = access.record(opened, "dsar plan", purpose, looked_at)
        with catalog.opened(opened) as listed:
            mentions = mentions_of(listed, state, receipt, search=search)
            rules = policy.configured(opened.settings)
            made = plan_request(listed, state, rules, mentions, planner, searched=search)
        opened.publish()
    if json:
        emit("dsar/plan", {"request": state.request, **plan_as_json(made.plan, rows)})
        return
    print_plan(made.plan, rows)
    note(_reach(search))
    note(f"A second person approves it: evidence dsar statement {state.request[:8]}, then evidence dsar approve")


def _reach(search: bool) -> str:
    """What mentions a plan can hold: without it a small number says nothing."""
    from replay import canaries

    if not search:
        return "mentions: those of the detectors; names, and what no detector knows, are found only by --search"
    return f"mentions: {canaries.measure().words()}; of names those alone that are linked to the person"


def statement(
    request: RequestArgument, store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Print what is signed to approve the newest plan: `ssh-keygen -Y sign -n evidence-approval -f KEY FILE`."""
    from reports.dsar.approvals import statement_of
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened:
        text = statement_of(opened, find_request(opened, request)).decode()
    if json:
        emit("dsar/statement", {"statement": text})
        return
    say(text.removesuffix("\n"))


def approve(
    request: RequestArgument,
    key: Annotated[Path | None, typer.Option("--key", help="File with the approver's own signing key.")] = None,
    ssh_signature: Annotated[
        Path | None, typer.Option("--ssh-signature", help="What ssh-keygen -Y sign made of the statement.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--plan", help="Digest as read, or its beginning: no other plan is approved.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Approve the newest plan as a second person, by a key that the log has enrolled as approver.

    The key that opened or planned the request cannot approve it. A name of the operating system counts for nothing.
    """
    from ledger.errors import RequestRefusedError
    from reports.dsar import approvals
    from reports.dsar.plan import load_plan
    from reports.dsar.requests import find_request

    with store_of(config, store) as opened:
        state = find_request(opened, request)
        approvals.statement_of(opened, state)
        if digest is not None and not (state.plan or "").startswith(digest.lower()):
            raise RequestRefusedError("the newest plan is another than the one that was read")
        found = load_plan(opened, state.plan or "")
        if not json:
            print_plan(found, rows=False)
        state = approvals.approve(opened, state, _signed(opened, state, key, ssh_signature))
        opened.publish()
    report("approve", state, json, f"plan {(state.plan or '')[:12]} approved")


def _signed(opened: Store, state: RequestState, key: Path | None, ssh_signature: Path | None) -> Signed:
    from ledger.errors import UsageError
    from ledger.store import load_signer
    from reports.dsar import statements
    from reports.dsar.approvals import statement_of

    text = statement_of(opened, state)
    if key is not None and ssh_signature is None:
        return statements.sign(text, load_signer(key))
    if ssh_signature is not None and key is None:
        try:
            return statements.take_ssh(text, ssh_signature.read_bytes())
        except OSError as error:
            raise UsageError(f"cannot read {ssh_signature}: {error.strerror}") from None
    raise UsageError("approving takes either --key or --ssh-signature")
