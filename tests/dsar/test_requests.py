"""A request is what its entries say: each event in its place, nothing before it, every deadline stated once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, entries
from ledger.errors import ConfigError, ContentionError, NotFoundError, RequestRefusedError, UsageError
from ledger.history import Entry
from ledger.records import parse_line
from ledger.store import Store
from replay import access, catalog
from reports.dsar import requests
from reports.dsar.register import Opening, Step, advance, extend, identify, open_request, pause, resume
from reports.dsar.requests import CLOSING, EVENTS, RequestState, find_request, fold, related
from reports.dsar.said import Said, said

Opened = Callable[..., RequestState]
RECEIVED = date(2026, 11, 2)
SAID = "forget me, says Nadia Canary"
PLAN = "ab" * 32


def test_a_request_is_open_from_its_entry_on(store: Store, opened: Opened) -> None:
    state = opened()

    assert (state.status, state.regime, state.kind) == ("open", "gdpr", "erasure")
    assert (state.received_at, state.due_at) == ("2026-11-02", "2026-12-02")
    assert requests.requests(store) == {state.request: state}


def test_a_request_under_the_ccpa_is_to_be_confirmed(store: Store, opened: Opened) -> None:
    state = opened(regime="ccpa")
    assert state.confirm_by == "2026-11-16"

    after = advance(store, state, [Step("confirmed", {"told_at": "2026-11-10"})])
    assert (after.confirmed_at, after.due_at) == ("2026-11-10", "2026-12-17")


def test_what_was_said_is_sealed_under_the_persons_key(store: Store, opened: Opened) -> None:
    state = opened()
    (record,) = [line for line in lines(store) if line["kind"] == "review"]

    assert record["content"]["owner"] == state.subjects[0]
    assert record["source_id"] == f"{state.request}/1"
    assert revealed(store) == [SAID]


def test_no_entry_holds_what_was_said_or_who_said_it(store: Store, opened: Opened) -> None:
    state = opened()
    identify(store, state, "document", b"passport of Nadia Canary", {"checked_by": "Olga Clerk"})

    everything = b"".join(entry.data for entry in store.history.entries)
    for word in (b"Nadia", b"nadia@example.org", b"Canary", b"Olga", b"passport"):
        assert word not in everything
    assert b"request" in everything


def test_the_evidence_of_an_identity_leaves_a_keyed_digest_and_only_in_sealed_content(
    store: Store, opened: Opened
) -> None:
    proof = b"passport no. 123"
    state = identify(store, opened(), "document", proof, {})
    everything = b"".join(entry.data for entry in store.history.entries)

    assert state.status == "identified"
    mac = store.keyring.secret_mac("identity-evidence")
    mac.update(proof)
    assert any(mac.hexdigest() in text for text in revealed(store, "evidence_hmac"))
    for digest in (mac.hexdigest(), entries.sha256(proof)):
        assert digest.encode() not in everything


def test_a_pause_moves_the_deadline_by_its_days(store: Store, opened: Opened, on: Callable[[date], None]) -> None:
    state = opened()
    on(date(2026, 11, 10))
    paused = pause(store, state, "identity", {})
    assert (paused.status, paused.due_at) == ("paused", "2026-12-02")

    on(date(2026, 11, 17))
    identified = identify(store, paused, "account", None, {})

    assert (identified.status, identified.due_at) == ("identified", "2026-12-09")
    assert [item.event for item in identified.events] == ["opened", "paused", "identified", "resumed"]


def test_resuming_without_an_identity_is_possible_too(store: Store, opened: Opened, on: Callable[[date], None]) -> None:
    state = opened()
    on(date(2026, 11, 10))
    paused = pause(store, state, "identity", {})
    on(date(2026, 11, 11))

    assert resume(store, paused, {}).due_at == "2026-12-03"


def test_under_the_ccpa_nothing_stops_the_clock(store: Store, opened: Opened) -> None:
    with pytest.raises(RequestRefusedError, match="only under the GDPR"):
        pause(store, opened(regime="ccpa"), "identity", {})


def test_nothing_but_an_identity_stops_the_clock(store: Store, opened: Opened) -> None:
    with pytest.raises(RequestRefusedError, match="only for doubt about an identity"):
        pause(store, opened(), "workload", {})


def test_who_is_identified_is_not_doubted(store: Store, opened: Opened) -> None:
    state = identify(store, opened(), "account", None, {})
    with pytest.raises(RequestRefusedError, match="is identified"):
        pause(store, state, "identity", {})


def test_an_extension_counts_from_receipt_and_comes_once(
    store: Store, opened: Opened, on: Callable[[date], None]
) -> None:
    on(date(2026, 11, 20))
    extended = extend(store, opened(), "complexity", date(2026, 11, 20), {"reason": "many sessions"})
    assert extended.due_at == "2027-02-02"

    with pytest.raises(RequestRefusedError, match="extended once"):
        extend(store, extended, "number", date(2026, 11, 20), {})


def test_an_extension_told_after_the_deadline_is_none(store: Store, opened: Opened, on: Callable[[date], None]) -> None:
    state = opened()
    on(date(2026, 12, 10))
    with pytest.raises(RequestRefusedError, match="by 2026-12-02"):
        extend(store, state, "complexity", date(2026, 12, 3), {})


def test_nobody_is_told_tomorrow(store: Store, opened: Opened) -> None:
    with pytest.raises(UsageError, match="still to come"):
        extend(store, opened(), "complexity", date.today() + timedelta(days=3), {})  # noqa: DTZ011 - any day ahead


def test_what_comes_in_where_it_is_tomorrow_already_is_taken(
    store: Store, opened: Opened, on: Callable[[date], None]
) -> None:
    on(date(2026, 11, 1))

    assert opened(received=date(2026, 11, 2)).received_at == "2026-11-02"
    with pytest.raises(UsageError, match="still to come"):
        opened(received=date(2026, 11, 3))


def test_holidays_of_the_settings_move_a_deadline_and_their_digest_says_which(
    new_installation: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "holidays.txt").write_text("2026-12-02  # a holiday\n")
    installation = new_installation(tmp_path / "here", holidays="../holidays.txt")
    with installation.open() as store:
        state = open_request(store, Opening([store.reference("email", "a@b.org")], "gdpr", "erasure", RECEIVED))

    assert state.due_at == "2026-12-03"
    assert state.events[0].details["holidays"] == entries.sha256(b"2026-12-02")


def test_holidays_that_cannot_be_read_are_no_reason_to_guess(
    new_installation: Callable[..., Any], tmp_path: Path
) -> None:
    installation = new_installation(tmp_path / "here", holidays="not-there.txt")
    with installation.open() as store:
        with pytest.raises(ConfigError, match="holidays"):
            open_request(store, Opening([store.reference("email", "a@b.org")], "gdpr", "erasure", RECEIVED))
        assert requests.requests(store) == {}


def test_what_was_said_is_opened_as_any_content_and_gone_after_an_erasure(
    office: Any, store: Store, opened: Opened
) -> None:
    state = opened()
    receipt = access.record(store, "test", "test", {})
    assert said(store, receipt, state) == {state.events[0].entry: Said("verified", {"words": SAID})}

    office.installation.erase("nadia@example.org")
    store.refresh()
    assert said(store, receipt, state) == {state.events[0].entry: Said("erased", {})}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"regime": "lgpd"}, "no regime"),
        ({"kind": "forgetting"}, "no request is of kind"),
        ({"received": date(2999, 1, 1)}, "still to come"),
        ({"received": date(2017, 1, 1)}, "applies since"),
    ],
)
def test_what_no_request_can_be_is_refused(store: Store, opened: Opened, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        opened(**changes)
    assert requests.requests(store) == {}


def test_a_request_is_about_somebody(store: Store) -> None:
    with pytest.raises(UsageError, match="references of a person"):
        open_request(store, Opening([], "gdpr", "erasure", RECEIVED))


def test_requests_of_one_person_within_a_year_belong_together(store: Store, opened: Opened) -> None:
    first = opened(received=date(2025, 12, 1))
    second, other, long_ago = opened(), opened("emil"), opened(received=date(2024, 1, 1))
    every = requests.requests(store)

    assert [state.request for state in related(every, second)] == [first.request]
    assert related(every, other) == related(every, long_ago) == []


def test_a_request_is_named_by_a_beginning_of_its_reference(store: Store, opened: Opened) -> None:
    state = opened()

    assert find_request(store, state.request[:6]) == state
    with pytest.raises(NotFoundError):
        find_request(store, "0000" if not state.request.startswith("0000") else "1111")
    with pytest.raises(UsageError):
        find_request(store, "nadia@example.org")


def test_two_processes_do_not_close_one_request_twice(office: Any, store: Store, opened: Opened) -> None:
    state = opened()
    with office.installation.open() as other:
        seen = find_request(other, state.request)
        advance(store, state, [Step("closed", {"reason": "withdrawn"})])
        with pytest.raises(ContentionError):
            advance(other, seen, [Step("closed", {"reason": "no_data"})])
    assert find_request(store, state.request).closed == "withdrawn"


def test_after_an_erasure_words_are_sealed_under_the_requests_own_reference(
    office: Any, store: Store, opened: Opened
) -> None:
    state = opened()
    office.installation.erase("nadia@example.org")
    store.refresh()
    closed = advance(store, find_request(store, state.request), [Step("closed", {"reason": "withdrawn"})], {"why": "x"})

    owners = {line["source_id"]: line["content"]["owner"] for line in lines(store) if line["kind"] == "review"}
    assert owners == {f"{state.request}/1": state.subjects[0], f"{state.request}/2": state.request}
    assert closed.status == "closed"


# -- the rules, over entries alone


def entry(event: str, *, blob: str | None = None, **details: Any) -> Entry:
    value = {"type": "request", "request": "1" * 32, "event": event, "details": details}
    if event == "opened":
        value["subjects"] = ["2" * 32]
    if blob is not None:
        value["plan"] = {"blob": blob, "count": 3}
    return Entry(1, 1, "2026-11-20T00:00:00Z", b"", value)


OPENED = entry(
    "opened", regime="gdpr", kind="erasure", received="2026-11-02", due="2026-12-02", opened_by="writer+0+key"
)
IDENTIFIED = entry("identified", verified_at="2026-11-03")
PLANNED = entry("planned", blob=PLAN, planned_by="privacy+0+key")
REPLANNED = entry("planned", blob="cd" * 32, planned_by="privacy+0+key")
APPROVED = entry("approved", plan=PLAN, vkey="v", scheme="note", signature="s")
EXECUTED = entry("executed", plan=PLAN)
FULFILLED = entry("closed", reason="fulfilled")


def after(*listed: Entry) -> RequestState:
    return fold([OPENED, *listed])["1" * 32]


def test_the_whole_way_of_an_erasure() -> None:
    steps = [IDENTIFIED, PLANNED, APPROVED, EXECUTED, entry("certified"), FULFILLED]
    statuses = [after(*steps[:number]).status for number in range(len(steps) + 1)]

    assert statuses == ["open", "identified", "planned", "approved", "executed", "executed", "closed"]
    assert not any(item.refused for item in after(*steps).events)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([PLANNED, APPROVED, EXECUTED], "not identified"),
        ([IDENTIFIED, EXECUTED], "not its newest plan"),
        ([IDENTIFIED, PLANNED, EXECUTED], "not approved"),
        ([IDENTIFIED, PLANNED, APPROVED, REPLANNED, EXECUTED], "newest plan"),
        ([APPROVED], "no plan"),
        ([entry("delivered")], "not identified"),
        ([entry("certified")], "nothing was executed"),
        ([FULFILLED], "nothing was executed"),
        ([entry("closed", reason="bored")], "needs a reason"),
        ([entry("resumed", days=1, due="2026-12-03")], "not paused"),
        ([entry("closed", reason="withdrawn"), IDENTIFIED], "closed"),
        ([entry("paused", reason="identity", since="2026-11-03"), PLANNED], "resume it first"),
        ([OPENED], "open already"),
        ([entry("forgotten")], "no event"),
        ([entry("identified")], "lacks"),
        ([entry("identified", verified_at="soon")], "lacks"),
    ],
)
def test_an_event_out_of_place_is_listed_and_changes_nothing(steps: list[Entry], why: str) -> None:
    before, state = after(*steps[:-1]), after(*steps)

    assert why in (state.events[-1].refused or "")
    assert state.status == before.status
    assert len(state.events) == len(before.events) + 1


def test_a_new_plan_needs_a_new_approval() -> None:
    state = after(IDENTIFIED, PLANNED, APPROVED, REPLANNED)

    assert (state.status, state.plan) == ("planned", "cd" * 32)


EVENT = st.sampled_from([*EVENTS, "forgotten"])
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from([PLAN, "cd" * 32]),
        "reason": st.sampled_from([*CLOSING, "identity", "complexity"]),
        "due": st.sampled_from(["2026-12-20", "", "soon"]),
        "days": st.integers(-1, 3),
        "verified_at": st.just("2026-11-05"),
        "since": st.just("2026-11-05"),
        "told_at": st.sampled_from(["2026-11-05", "2027-11-05"]),
        "planned_by": st.just("p"),
        "vkey": st.just("v"),
        "scheme": st.just("note"),
        "signature": st.just("s"),
    },
)
EVENT_ENTRY = st.builds(
    lambda event, blob, details: entry(event, blob=blob, **details), EVENT, st.none() | st.just(PLAN), DETAILS
)


@given(st.lists(EVENT_ENTRY, max_size=12))
def test_whatever_entries_come_the_rules_hold(listed: list[Entry]) -> None:
    """No sequence of entries executes what was not approved, or moves a request that is closed."""
    state = after(*listed)
    order = [item.event for item in state.events if item.refused is None]

    assert len(state.events) == len(listed) + 1
    assert order.count("closed") <= 1
    assert "closed" not in order[:-1]
    if "executed" in order:
        assert "approved" in order[: order.index("executed")]
        assert "identified" in order[: order.index("executed")]
    date.fromisoformat(state.due_at)


def lines(store: Store) -> list[dict[str, Any]]:
    with catalog.opened(store) as listed:
        rows = listed.connection.execute("SELECT line FROM read_parquet(?)", [listed.events_paths()]).fetchall()
    return [parse_line(bytes(line)) for (line,) in rows]


def revealed(store: Store, label: str = "words") -> list[str]:
    """The values under a label in what was said, opened with an access record."""
    receipt = access.record(store, "test", "test", {})
    found = []
    for listed in store.history.partitions():
        for item in store.reveal(receipt, listed.value, range(listed.value["rows"])):
            value = canonical.decode(item.bytes or b"{}")
            if label in value:
                found.append(value[label])
    return found
