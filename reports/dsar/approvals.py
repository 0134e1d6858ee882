"""Approving a plan as a second person, and whether an approval counts: anyone who has the log can check it again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ledger import notes
from ledger.errors import EvidenceError, FormatError, RequestRefusedError
from ledger.store import Store
from reports.dsar import statements
from reports.dsar.plan import load_plan
from reports.dsar.register import Step, advance
from reports.dsar.requests import Approval, RequestState


class CheckedApproval(msgspec.Struct, frozen=True):
    """An approval and whether it counts towards its plan; ``why`` not, in words."""

    approval: Approval
    counts: bool
    why: str = ""


def statement_of(store: Store, state: RequestState) -> bytes:
    """What is to be signed to approve the newest plan. Raises RequestRefusedError where there is none."""
    if state.plan is None:
        raise RequestRefusedError(f"request {state.request[:8]} has no plan", hint="Make one: `evidence dsar plan`.")
    return statements.statement(store.history.origin, state.request, state.plan)


def approve(store: Store, state: RequestState, signed: statements.Signed) -> RequestState:
    """Record an approval of the newest plan. It is not recorded where it would not count.

    Raises UsageError for a key without the role, RequestRefusedError for one that opened or planned the request,
    TamperedError for a signature over anything else.
    """
    text = statement_of(store, state)
    verifier = statements.enrolled(store.history, signed.public_key)
    statements.verify(text, verifier, signed.scheme, signed.signature)
    if _is_of_the_request(state, verifier):
        raise RequestRefusedError(
            "the key that approves has opened or planned this request: it takes a second person",
            hint="Let another person approve, with a key of their own.",
        )
    load_plan(store, state.plan or "")
    details = {"plan": state.plan, "vkey": verifier.vkey, "scheme": signed.scheme, "signature": signed.signature}
    return advance(store, state, [Step("approved", details)])


def check_approvals(
    store: Store, state: RequestState, holders: Sequence[notes.Verifier] | None = None
) -> list[CheckedApproval]:
    """Every approval of a request, checked against the log as it is now: signature, role, second person, plan.

    ``holders``: who held the role approver at another time that is asked about.
    """
    may = store.history.holders("approver") if holders is None else holders
    return [CheckedApproval(item, *_verdict(store, state, item, may)) for item in state.approvals]


def counting(store: Store, state: RequestState) -> list[Approval]:
    """The approvals that count for the newest plan, one a key. Without any, nothing may be executed."""
    found = {_public_key(item.approval.vkey): item.approval for item in check_approvals(store, state) if item.counts}
    return list(found.values())


def _verdict(store: Store, state: RequestState, item: Approval, holders: Sequence[notes.Verifier]) -> tuple[bool, str]:
    if item.plan != state.plan:
        return False, "it is of an earlier plan"
    try:
        verifier = notes.Verifier.from_vkey(item.vkey)
        if all(verifier != holder for holder in holders):
            return False, "its key does not hold the role approver now"
        if _is_of_the_request(state, verifier):
            return False, "its key has opened or planned the request"
        statements.verify(statement_of(store, state), verifier, item.scheme, item.signature)
        load_plan(store, item.plan)
    except EvidenceError as error:
        return False, error.message
    return True, ""


def _is_of_the_request(state: RequestState, verifier: notes.Verifier) -> bool:
    """Whether the same key, whatever its name, has opened or planned the request."""
    return any(_public_key(vkey) in (verifier.public_key, None) for vkey in state.keys)


def _public_key(vkey: str) -> bytes | None:
    """None for what is no key: then nobody can be told apart from who planned, and no approval counts."""
    try:
        return notes.Verifier.from_vkey(vkey).public_key
    except FormatError:
        return None
