"""What an erasure request had to restrict is due again once the day or the hold is over."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import notes
from ledger.erasing import Erasing, erase
from ledger.store import load_signer
from reports import holds
from reports.dsar import statements
from reports.dsar.approvals import approve, statement_of
from reports.dsar.plan import load_plan
from reports.dsar.planning import plan_request
from reports.dsar.register import Opening, Step, advance, identify, open_request
from reports.retention.deferred import Deferred, deferred

if TYPE_CHECKING:
    from tests.retention.conftest import Shop

OLGA = notes.Signer("olga", bytes(range(32)))


def left(shop: Shop, now: str) -> list[Deferred]:
    with shop.opened() as (_, listed):
        return deferred(listed, shop.policy, now)


def carry_out_a_request(shop: Shop) -> str:
    """Ana's erasure, planned, approved and executed as far as the till's receipts let it."""
    ana = shop.reference("ana@example.com")
    with shop.opened() as (store, listed):
        admin = load_signer(next(Path(store.settings.writer_key).parent.glob("admin*")))
        store.append([("key", {"action": "enrol", "vkey": OLGA.vkey, "roles": ["approver"]})], by=[admin])
        state = open_request(store, Opening([ana], "gdpr", "erasure", date(2026, 11, 2), {}))
        state = identify(store, state, "account", None, {})
        state = plan_request(listed, state, shop.policy, []).state
        state = approve(store, state, statements.sign(statement_of(store, state), OLGA))
        advance(store, state, [Step("executed", {"plan": state.plan})])
        return state.request


def test_what_was_restricted_is_due_again_after_its_day(shop: Shop) -> None:
    request = carry_out_a_request(shop)

    (before,) = left(shop, "2026-11-24")
    (between,) = left(shop, "2027-01-07")
    (after,) = left(shop, "2027-06-01")
    assert before.request == request
    assert (before.due, before.waiting, before.until, before.holds) == (0, 9, "2027-01-05", ())
    assert (between.due, between.waiting, between.until) == (6, 3, "2027-03-10")
    assert (after.due, after.waiting, after.until) == (9, 0, None)


def test_a_hold_keeps_it_waiting_and_its_end_makes_it_due(shop: Shop) -> None:
    ana = shop.reference("ana@example.com")
    with shop.opened() as (store, _):
        reference = holds.add(store, holds.Wanted(subjects=[ana], last="2026-02-01T00:00:00Z"), "audit").value["hold"]
    carry_out_a_request(shop)

    (held,) = left(shop, "2030-01-01")
    assert (held.due, held.waiting, held.until, held.holds) == (3, 6, None, (reference,))
    with shop.opened() as (store, _):
        holds.release(store, holds.find(store, reference))
    (released,) = left(shop, "2030-01-01")
    assert (released.due, released.waiting) == (9, 0)


def test_what_is_gone_is_not_due(shop: Shop) -> None:
    carry_out_a_request(shop)
    with shop.opened() as (store, _):
        (entry,) = [item for item in store.history.entries if item.value.get("event") == "executed"]
        plan = load_plan(store, entry.value["details"]["plan"])
        segments = {row.entry: [row.segment] for row in plan.rows}
        erase(store, Erasing(segments=segments))

    assert left(shop, "2030-01-01") == []


def test_a_request_that_was_not_executed_defers_nothing(shop: Shop) -> None:
    with shop.opened() as (store, _):
        open_request(
            store, Opening([store.keyring.lookup("ana@example.com")[0]], "gdpr", "erasure", date(2026, 11, 2), {})
        )

    assert left(shop, "2030-01-01") == []
