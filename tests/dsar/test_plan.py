"""A plan says what becomes of each record and why, is the same bytes for the same population, and names nobody."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, entries
from ledger.errors import FormatError, NotFoundError, RequestRefusedError, TamperedError
from ledger.store import Store
from replay import access, catalog
from replay.catalog import Catalog
from replay.mentions import Mention
from replay.persons import person_rows
from reports.dsar import plan as plans
from reports.dsar.plan import Plan, PlannedRedaction, PlannedRow, changes_since, decode, digest, encode, load_plan
from reports.dsar.planning import outcomes, plan_request
from reports.dsar.register import extend, identify
from reports.dsar.requests import RequestState, find_request
from reports.retention.policy import DEFAULT, Policy, parse

NADIA = "nadia@example.org"
AS_OF = date(2026, 11, 24)
Opened = Callable[..., RequestState]


def policy(*rules: str) -> Policy:
    head = 'format = "evidence/retention-policy/1"\n'
    return parse((head + "".join(f"[[rule]]\n{rule}\n" for rule in rules)).encode(), "test")


KEPT_TEN_YEARS = policy(
    'name = "tickets"\nbasis = "law:ten-years"\nwords = "w"\nsources = ["desk"]\ncontent = { minimum = "P10Y" }'
)
NOT_ERASABLE = policy('name = "sec"\nbasis = "sec"\nwords = "w"\nsources = ["desk"]\nerasable = false')


@pytest.fixture
def filled(office: Any) -> Any:
    """Nadia speaks twice in one session and once in another; Emil speaks, and Nadia approves what he did."""
    when = {"time": "2026-03-01T10:00:00Z"}
    office.ingest(
        office.said("nadia", "one", id="n1", **when),
        office.said("nadia", "two", id="n2", source="desk", **when),
        office.said("nadia", "three", id="n3", session="another", **when),
        office.said("emil", "nadia@example.org told me", id="e1", **when),
        office.said(
            "emil",
            "x",
            id="e2",
            subjects={
                "end_user": [{"type": "email", "id": "emil@example.org"}],
                "approver": [{"type": "email", "id": NADIA}],
            },
            **when,
        ),
    )
    return office


@pytest.fixture
def listed(filled: Any, store: Store) -> Iterator[Catalog]:
    store.refresh()
    with catalog.opened(store) as opened:
        yield opened


@pytest.fixture
def request_of(opened: Opened, listed: Catalog) -> Callable[..., RequestState]:
    """A request without words, so that the plan is about the ingested records alone."""
    return lambda **changes: opened(**{"said": {}, **changes})


def make(listed: Catalog, state: RequestState, by: Policy = DEFAULT, mentions: Sequence[Mention] = ()) -> Plan:
    return plans.make_plan(listed, state, by, mentions, AS_OF)


def by_id(listed: Catalog, state: RequestState, plan: Plan) -> dict[str, tuple[str, str | None, str]]:
    names = {row.record_id: row.source_id for row in person_rows(listed, state.subjects)}
    return {names[row.record_id]: (row.outcome, row.until, row.basis) for row in plan.rows}


def mention(listed: Catalog, *spans: tuple[int, int], text: str = "e1") -> list[Mention]:
    """Nadia's address in what Emil said."""
    (emil,) = listed.store.keyring.lookup("emil@example.org")
    row = next(row for row in person_rows(listed, [emil]) if row.source_id == text)
    return [
        Mention(row.record_id, row.partition, row.entry, row.row, row.owner, *span, "search", "email")
        for span in spans or [(10, 27)]
    ]


def hold(store: Store, **scope: Any) -> str:
    reference = secrets.token_hex(16)
    body = {"action": "add", "hold": reference, "basis": "litigation", "scope": scope}
    store.append([("hold", body)], by=("privacy",))
    return reference


def test_what_belongs_to_the_person_is_erased_and_where_they_only_act_it_stays(
    listed: Catalog, request_of: Opened
) -> None:
    state = request_of()

    assert by_id(listed, state, make(listed, state)) == {
        "n1": ("erase", None, "none"),
        "n2": ("erase", None, "none"),
        "n3": ("erase", None, "none"),
        "e2": ("keep", None, "acts"),
    }


def test_a_record_that_must_be_kept_keeps_those_of_its_segment(listed: Catalog, request_of: Opened) -> None:
    """n1 and n2 are of one session, so of one segment: what erases the one would erase the other."""
    state = request_of()
    found = by_id(listed, state, make(listed, state, KEPT_TEN_YEARS))

    assert found["n2"] == ("restrict", "2036-03-01", "policy:tickets")
    assert found["n1"] == ("restrict", "2036-03-01", "segment")
    assert found["n3"] == ("erase", None, "none")


def test_what_may_never_be_erased_is_refused_with_its_segment(listed: Catalog, request_of: Opened) -> None:
    state = request_of()
    found = by_id(listed, state, make(listed, state, NOT_ERASABLE))

    assert found["n2"] == ("refuse", None, "policy:sec")
    assert found["n1"] == ("refuse", None, "segment")


def test_a_hold_wins_over_the_policy(listed: Catalog, request_of: Opened, store: Store) -> None:
    state = request_of()
    reference = hold(store, session="another")

    assert by_id(listed, state, make(listed, state))["n3"] == ("restrict", None, f"hold:{reference}")


def test_a_hold_on_somebody_else_covers_what_names_them(office: Any, filled: Any, store: Store, opened: Opened) -> None:
    people = {"end_user": [{"type": "email", "id": NADIA}], "actor": [{"type": "email", "id": "olga@example.org"}]}
    office.ingest(office.said("nadia", "four", id="n4", session="third", subjects=people))
    store.refresh()
    (olga,) = store.keyring.lookup("olga@example.org")
    reference = hold(store, subjects=[olga])
    state = opened(said={})
    with catalog.opened(store) as found:
        outcome = by_id(found, state, make(found, state))

    assert outcome["n4"] == ("restrict", None, f"hold:{reference}")
    assert outcome["n3"] == ("erase", None, "none")


def test_a_mention_in_what_somebody_else_said_is_redacted(listed: Catalog, request_of: Opened) -> None:
    spots = mention(listed, (20, 30), (10, 22), (40, 41))
    (redaction,) = make(listed, request_of(), mentions=spots).redactions

    assert redaction.record_id == spots[0].record_id
    assert (redaction.outcome, redaction.reason, redaction.spans) == ("redact", "mention", [(10, 30), (40, 41)])


def test_a_mention_is_not_redacted_where_a_hold_is_on_the_record(
    listed: Catalog, request_of: Opened, store: Store
) -> None:
    """Redacting destroys what stood there before, so a hold forbids it as it forbids an erasure."""
    reference = hold(store, session="s-emil")
    (redaction,) = make(listed, request_of(), mentions=mention(listed)).redactions

    assert (redaction.outcome, redaction.basis) == ("restrict", f"hold:{reference}")


def test_a_mention_in_the_persons_own_content_needs_no_redaction(listed: Catalog, request_of: Opened) -> None:
    state = request_of()
    own = person_rows(listed, state.subjects)[0]
    spot = Mention(own.record_id, own.partition, own.entry, own.row, own.owner, 1, 2, "search", "email")

    assert make(listed, state, mentions=[spot]).redactions == []


def test_what_was_erased_before_is_kept_as_erased(filled: Any, store: Store, opened: Opened) -> None:
    state = opened(said={})
    filled.installation.erase(NADIA)
    store.refresh()
    with catalog.opened(store) as found:
        outcome = by_id(found, state, make(found, state))

    assert outcome["n1"] == ("keep", None, "already-erased")


def test_the_same_population_gives_the_same_bytes(filled: Any, request_of: Opened, listed: Catalog) -> None:
    state = request_of()
    first = encode(make(listed, state, KEPT_TEN_YEARS, mention(listed)))
    listed.store.settings.cache.joinpath("other").mkdir(parents=True, exist_ok=True)

    assert encode(make(listed, state, KEPT_TEN_YEARS, mention(listed))) == first


def test_a_plan_is_an_object_of_the_ledger_and_its_entry_is_signed_by_the_privacy_key(
    listed: Catalog, store: Store, request_of: Opened
) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])

    assert (state.status, state.plan, state.plan_rows) == ("planned", digest(plan), 4)
    assert load_plan(store, digest(plan)) == plan
    assert store.signer("privacy").vkey in state.keys
    assert entries.referenced_objects(store.history.entries[-1].value) == [
        (entries.blob_path(digest(plan)), None, digest(plan))
    ]


def test_planning_again_without_a_change_keeps_the_plan_and_its_approvals(listed: Catalog, request_of: Opened) -> None:
    first = plan_request(listed, request_of(), DEFAULT, [])
    second = plan_request(listed, first.state, DEFAULT, [])

    assert second == first


def test_nothing_to_plan_for_is_said(listed: Catalog, opened: Opened) -> None:
    with pytest.raises(RequestRefusedError, match="nothing of this person"):
        plan_request(listed, opened("stranger", said={}), DEFAULT, [])


def test_a_plan_is_for_an_erasure(listed: Catalog, request_of: Opened) -> None:
    with pytest.raises(RequestRefusedError, match="of kind access"):
        plan_request(listed, request_of(kind="access"), DEFAULT, [])


def test_a_plan_is_summed_up_by_outcome_and_basis(listed: Catalog, request_of: Opened) -> None:
    plan = make(listed, request_of(), KEPT_TEN_YEARS, mention(listed))

    assert [tuple(item) for item in outcomes(plan)] == [
        ("row", "erase", None, "none", 1),
        ("row", "restrict", "2036-03-01", "policy:tickets", 1),
        ("row", "restrict", "2036-03-01", "segment", 1),
        ("row", "keep", None, "acts", 1),
        ("mention", "redact", None, "none", 1),
    ]


DECIDED = st.builds(
    PlannedRow,
    st.just("0" * 64),
    st.integers(0, 2),
    st.integers(0, 2**20),
    st.integers(0, 2),
    st.just(1),
    st.sampled_from(["erase", "restrict", "refuse", "keep"]),
    st.none() | st.dates(date(2027, 1, 1), date(2027, 1, 5)).map(str),
    st.just("policy:x"),
)


@given(st.lists(DECIDED, max_size=20))
def test_a_segment_is_erased_as_a_whole_or_not_at_all(decided: list[PlannedRow]) -> None:
    found = plans.by_segment(decided)

    assert [item.record_id for item in found] == [item.record_id for item in decided]
    for before, after in zip(decided, found, strict=True):
        assert (before.outcome == "keep") == (after.outcome == "keep")
        assert after == before or after.basis == "segment"
        neighbours = [item for item in found if (item.entry, item.segment) == (after.entry, after.segment)]
        others = {item.outcome for item in neighbours} - {"keep"}
        assert len(others) <= 1, "what shares a segment comes out alike"
        were = [item for item in decided if (item.entry, item.segment) == (after.entry, after.segment)]
        if after.outcome == "erase":
            assert {item.outcome for item in were} <= {"erase", "keep"}
        if after.outcome == "restrict" and after.until is not None:
            assert after.until >= max(item.until or "" for item in were if item.outcome == "restrict")


# -- what has changed since


def test_nothing_has_changed(listed: Catalog, request_of: Opened) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, mention(listed))

    assert changes_since(listed, state, plan, DEFAULT, mention(listed)) == []


def test_a_new_record_of_the_person_is_a_change(filled: Any, listed: Catalog, request_of: Opened) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])
    filled.ingest(filled.said("nadia", "late", id="n9"))
    listed.store.refresh()
    listed.sync()

    assert changes_since(listed, state, plan, DEFAULT, []) == ["population"]


def test_a_new_record_of_somebody_else_is_none(filled: Any, listed: Catalog, request_of: Opened) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])
    filled.ingest(filled.said("emil", "late", id="e9"))
    listed.store.refresh()
    listed.sync()

    assert changes_since(listed, state, plan, DEFAULT, []) == []


def test_a_mention_found_later_is_a_change(listed: Catalog, request_of: Opened) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])

    assert changes_since(listed, state, plan, DEFAULT, mention(listed)) == ["population"]


def test_a_hold_is_a_change(listed: Catalog, request_of: Opened) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])
    hold(listed.store, session="another")

    assert changes_since(listed, state, plan, DEFAULT, []) == ["outcomes"]


def test_another_policy_is_a_change(listed: Catalog, request_of: Opened) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])

    assert changes_since(listed, state, plan, KEPT_TEN_YEARS, []) == ["policy", "outcomes"]


def test_what_the_request_itself_records_is_no_change(listed: Catalog, opened: Opened, store: Store) -> None:
    """Else each word about the request, and each look at the person, would void its plan."""
    state, plan = plan_request(listed, opened(), DEFAULT, [])
    state = identify(store, state, "account", None, {"by": "Olga"})
    access.record(store, "dsar show", "a look", {})
    store.close_spool()
    store.seal()
    listed.sync()

    assert len(person_rows(listed, state.subjects)) > len(plan.rows)
    assert changes_since(listed, state, plan, DEFAULT, []) == []


def test_what_was_carried_out_in_part_is_no_change(filled: Any, listed: Catalog, request_of: Opened) -> None:
    """A run that died after its erasure can go on."""
    state, plan = plan_request(listed, request_of(), DEFAULT, [])
    filled.installation.erase(NADIA)
    listed.store.refresh()

    assert changes_since(listed, state, plan, DEFAULT, []) == []


# -- no personal data


def test_no_object_of_the_store_holds_an_identifier_of_the_person(filled: Any, listed: Catalog, opened: Opened) -> None:
    """A canary in every place where words or identifiers go in; then all objects are searched, blobs among them."""
    canaries = [NADIA, "canary-requester", "canary-channel", "canary-reason", "canary-checker"]
    said = {"requester": canaries[1], "channel": canaries[2]}
    state = opened(said=said)
    state = identify(listed.store, state, "document", b"canary-passport", {"checked_by": canaries[4]})
    state = extend(listed.store, state, "complexity", date(2026, 11, 20), {"reason": canaries[3]})
    listed.sync()
    state, plan = plan_request(listed, state, KEPT_TEN_YEARS, mention(listed))

    objects = filled.installation.objects()
    everything = {item.path: objects.get(item.path) for item in objects.list("")}
    assert entries.blob_path(digest(plan)) in everything
    assert b"planned" in b"".join(entry.data for entry in listed.store.history.entries)
    for canary in [*canaries, "canary-passport"]:
        assert [path for path, data in everything.items() if canary.encode() in data] == []


# -- the file


ROW = st.builds(
    PlannedRow,
    st.from_regex(r"[0-9a-f]{64}\Z"),
    *(st.integers(0, 2**31) for _ in range(4)),
    st.sampled_from(["erase", "restrict", "refuse", "keep"]),
    st.none() | st.dates().map(str),
    st.sampled_from(["none", "segment", "acts", "hold:" + "0" * 32]),
)
REDACTION = st.builds(
    PlannedRedaction,
    st.from_regex(r"[0-9a-f]{64}\Z"),
    st.integers(0, 2**31),
    st.integers(0, 2**31),
    st.lists(st.tuples(st.integers(0, 99), st.integers(100, 200)), min_size=1, max_size=3),
    st.just("mention"),
    st.sampled_from(["redact", "restrict", "refuse"]),
    st.none(),
    st.just("none"),
)
PLAN = st.builds(
    Plan,
    st.from_regex(r"[0-9a-f]{32}\Z"),
    st.lists(st.from_regex(r"[0-9a-f]{32}\Z"), min_size=1, max_size=3),
    st.just("0" * 64),
    st.just("1" * 64),
    st.lists(ROW, max_size=4),
    st.lists(REDACTION, max_size=3),
)


@given(PLAN)
def test_a_plan_comes_back_from_its_bytes_which_are_canonical(plan: Plan) -> None:
    assert decode(encode(plan)) == plan
    assert canonical.encode(canonical.decode(encode(plan))) == encode(plan)


@given(PLAN, st.data())
def test_other_bytes_are_no_plan_or_another(plan: Plan, data: st.DataObject) -> None:
    raw = bytearray(encode(plan))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FormatError):
        assert decode(bytes(raw)) != plan


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"_":"evidence/plan/2"}', b"null"])
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(data)


def test_a_plan_whose_bytes_were_altered_is_tampered_and_one_that_is_gone_is_not_found(
    filled: Any, listed: Catalog, request_of: Opened
) -> None:
    state, plan = plan_request(listed, request_of(), DEFAULT, [])
    path = filled.installation.folder / entries.blob_path(digest(plan))
    path.chmod(0o600)
    path.write_bytes(encode(msgspec.structs.replace(plan, population="f" * 64)))
    with pytest.raises(TamperedError):
        load_plan(listed.store, state.plan or "")

    path.unlink()
    with pytest.raises(NotFoundError):
        load_plan(listed.store, state.plan or "")
    assert find_request(listed.store, state.request) == state
