"""``evidence dsar plan``, ``statement``, ``approve``: what will be done, and a second person who says yes to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.dsar_find import scope_of
from cli.dsar_open import RequestArgument, report
from cli.dsar_show import plan_as_json, print_plan
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.notes import Signer
    from ledger.store import Store
    from replay.catalog import Catalog
    from replay.search import Scope, Searched
    from reports.dsar.planning import Planned
    from reports.dsar.requests import RequestState
    from reports.dsar.statements import Signed

PLAN = "Example: evidence dsar plan 3f9a --purpose 'erasure request of 20 November'"
STATEMENT = "Example: evidence dsar statement 3f9a > statement.txt"
APPROVE = "Example: evidence dsar approve 3f9a --ssh-signature statement.txt.sig"


def plan(
    request: RequestArgument,
    rows: Annotated[bool, typer.Option("--rows", help="Every row, not only their numbers.")] = False,
    search: Annotated[bool, typer.Option("--search", help="Search content too, not only the mention index.")] = False,
    since: Annotated[str | None, typer.Option("--from", help="Search records at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Search records before this time (UTC).")] = None,
    name: Annotated[list[str] | None, typer.Option(help="A name to search for too; can be repeated.")] = None,
    max_records: Annotated[int, typer.Option(min=1, max=10_000_000, help="Search at most so many.")] = 100_000,
    sign_key: Annotated[
        Path | None, typer.Option("--sign-key", help="The planner's own key, which may then not approve.")
    ] = None,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Plan row by row what an erasure will do, and why. Nothing is carried out: the plan is the dry run.

    The plan is kept in the ledger under its digest, which a second person approves. An access record is written first.
    """
    from ledger.errors import UsageError
    from ledger.store import load_signer
    from replay import catalog
    from reports.dsar.requests import find_request

    if not search and (since or until or name):
        raise UsageError("--from, --to and --name say what to search: give --search too")
    planner = None if sign_key is None else load_signer(sign_key)
    with store_of(config, store) as opened:
        opened.seal()
        with catalog.opened(opened) as listed:
            state = find_request(opened, request)
            scope = scope_of(listed, [], since, until, max_records) if search else None
            made, found, unread = _make(listed, state, scope, name or [], planner, purpose)
        opened.publish()
    if json:
        searched = None if found is None else {"records": found.records, "left": found.left, "unread": found.unread}
        emit(
            "dsar/plan",
            {"request": state.request, "searched": searched, "index_missing": unread, **plan_as_json(made.plan, rows)},
        )
        return
    print_plan(made.plan, rows)
    for remark in _remarks(found, unread):
        note(remark)
    note(f"A second person approves it: evidence dsar statement {state.request[:8]}, then evidence dsar approve")


def _make(
    listed: Catalog,
    state: RequestState,
    scope: Scope | None,
    names: Sequence[str],
    planner: Signer | None,
    purpose: str,
) -> tuple[Planned, Searched | None, int]:
    """The plan, what a search found, and the number of partitions that the mention index has not read."""
    from replay import access
    from replay.mentions import index_state
    from replay.search import search_mentions
    from reports.dsar.planning import plan_request
    from reports.retention import policy

    looked_at = {"request": state.request} | (scope.as_json() if scope else {})
    receipt = access.record(listed.store, "dsar plan", purpose, looked_at)
    found = None if scope is None else search_mentions(listed, receipt, state.subjects, scope, names)
    kept = policy.configured(listed.store.settings)
    made = plan_request(listed, state, kept, () if found is None else found.mentions, planner)
    return made, found, len(index_state(listed).missing)


def _remarks(found: Searched | None, unread: int) -> Iterator[str]:
    """What was not looked at."""
    if unread:
        yield f"index: {count(unread, 'partition')} not read: run `evidence mentions scan` before"
    if found is None:
        yield "mentions: those of the index; names, and what no detector knows, are found only by --search"
        return
    yield f"search: {count(found.values, 'value')} looked for in {count(found.records, 'record')}"
    if found.left:
        yield f"search: {count(found.left, 'record')} not opened (--max-records)"
    for state, number in sorted(found.unread.items()):
        yield f"search: {count(number, 'record')} not read: {state}"


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
