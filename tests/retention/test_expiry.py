"""Content expires by the policy: what the plan lists and nothing else, each with an entry that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import entries, expiring
from ledger.endings import Endings
from ledger.errors import ConfigError, ErasedError, PlanChangedError
from ledger.history import Entry
from ledger.resealing import Redaction, reseal
from ledger.verify import Verdict
from reports import holds
from reports.retention import plan as planning

if TYPE_CHECKING:
    from tests.retention.conftest import MakeShop, Shop

FIRST, SECOND, THIRD = "2026-01-05", "2026-01-06", "2026-03-10"
LATER = "2026-06-01T00:00:00Z"
ALL_CHAT = {f"{name}-{day}-chat-{turn}" for name in ("ana", "ben", "cem") for day in (FIRST, SECOND) for turn in (0, 1)}


def test_the_plan_lists_what_has_expired_and_why_the_rest_stays(shop: Shop) -> None:
    made = shop.plan()

    assert [(item.date, item.ending, item.staying) for item in made.partitions] == [
        (FIRST, {"policy:month": 4}, {"policy:till": 1, "segment": 2}),
        (SECOND, {"policy:month": 4}, {"policy:till": 1, "segment": 2}),
    ]
    assert made.rows == 8
    assert shop.plan(LATER).digest != made.digest
    assert shop.plan().digest == made.digest


def test_apply_ends_exactly_what_the_plan_listed(shop: Shop) -> None:
    before = shop.readable()
    made, done, swept = shop.apply()

    gone = before - shop.readable()
    assert gone == {name for name in ALL_CHAT if not name.startswith("ana")}
    assert len(gone) == made.rows
    assert {shop.states()[name] for name in gone} == {"expired"}
    assert [entry.value["type"] for entry in done.entries] == ["retention"]
    assert swept.deleted == []
    report = shop.installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    assert shop.plan().partitions == []


def test_the_keys_are_gone_from_the_keyring(shop: Shop) -> None:
    shop.apply("2029-01-01T00:00:00Z")

    with shop.installation.open() as store:
        for entry in store.history.partitions():
            if entry.value["sources"][0]["source"] == "chat":
                with pytest.raises(ErasedError):
                    store.keyring.tree(entry.value["content"]["path"])


def test_the_policy_itself_stands_in_the_ledger(shop: Shop) -> None:
    _, done, _ = shop.apply()

    blob = shop.installation.objects().get(entries.blob_path(done.entries[0].value["policy"]))
    assert blob == shop.policy.data


def test_what_expires_later_ends_later(shop: Shop) -> None:
    shop.apply()
    made, _, _ = shop.apply(LATER)

    assert [item.date for item in made.partitions] == [THIRD]
    made, _, _ = shop.apply("2028-02-01T00:00:00Z")
    assert [(item.date, item.ending) for item in made.partitions] == [
        (FIRST, {"policy:month": 2, "policy:till": 1}),
        (SECOND, {"policy:month": 2, "policy:till": 1}),
    ]
    assert shop.installation.verify("deep").verdict is Verdict.INTACT


def test_a_hold_wins_and_its_release_makes_it_due_again(shop: Shop) -> None:
    ben = shop.reference("ben@example.com")
    with shop.opened() as (store, _):
        reference = holds.add(store, holds.Wanted(subjects=[ben]), "litigation").value["hold"]
    made, _, _ = shop.apply()

    assert [item.staying[f"hold:{reference}"] for item in made.partitions] == [2, 2]
    assert {name for name in shop.readable() if name.startswith("ben")} >= {
        f"ben-{FIRST}-chat-0",
        f"ben-{SECOND}-chat-1",
    }
    assert not any(name.startswith(f"cem-{FIRST}") for name in shop.readable())

    with shop.opened() as (store, _):
        holds.release(store, holds.find(store, reference[:6]))
    made, _, _ = shop.apply()
    assert [item.ending for item in made.partitions] == [{"policy:month": 2}] * 2
    assert not any(name.startswith(f"ben-{FIRST}") for name in shop.readable())
    assert shop.installation.verify("deep").verdict is Verdict.INTACT


def test_restricted_processing_keeps_content_too(shop: Shop) -> None:
    ben, cem = shop.reference("ben@example.com"), shop.reference("cem@example.com")
    with shop.opened() as (store, _):
        store.append([("restriction", {"action": "restrict", "subjects": [cem], "basis": "art18"})], by=("privacy",))
        waits = {"action": "restrict", "subjects": [ben], "basis": "erasure_deferred"}
        store.append([("restriction", waits)], by=("privacy",))

    assert [(item.staying["restriction"], item.ending) for item in shop.plan().partitions] == [
        (2, {"policy:month": 2}),
        (2, {"policy:month": 2}),
    ]


def test_what_was_erased_before_holds_nothing_up(shop: Shop) -> None:
    shop.installation.erase("ana@example.com")
    made = shop.plan()

    assert [(item.ending, item.staying, item.kept) for item in made.partitions] == [({"policy:month": 4}, {}, [])] * 2
    shop.apply()
    assert shop.states()[f"ana-{FIRST}-chat-0"] == "erased"


def test_the_short_way_by_entries_finds_what_the_rows_say(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in ("2026-01-01", "2026-02-06", "2026-03-01", "2026-06-01", "2027-06-01", "2028-06-01", "2040-01-01"):
        short = shop.plan(now)
        with monkeypatch.context() as patched:
            patched.setattr(planning, "_may_be_due", lambda *_: True)
            patched.setattr(planning, "_all_due", lambda *_: None)
            assert shop.plan(now) == short


def test_without_a_policy_nothing_expires(shop: Shop) -> None:
    from reports.retention.policy import DEFAULT

    with shop.opened() as (_, listed):
        assert planning.make_plan(listed, DEFAULT, "2099-01-01").partitions == []


def test_an_installation_without_the_privacy_key_changes_nothing(shop: Shop) -> None:
    shop.installation = type(shop.installation)(
        shop.installation.settings.model_copy(update={"privacy_key": None}), shop.installation.config
    )
    with pytest.raises(ConfigError, match="privacy_key"):
        shop.apply()
    assert not shop.paths("ledger/blob/")


def test_a_hold_that_came_between_plan_and_apply_ends_the_apply(shop: Shop) -> None:
    with shop.opened() as (_, listed):
        made = planning.make_plan(listed, shop.policy, LATER)
        with shop.installation.open() as other:
            holds.add(other, holds.Wanted(session=f"ben-{FIRST}"), "audit")
        with pytest.raises(PlanChangedError):
            planning.carry_out(listed, shop.policy, made)

    assert len(shop.readable()) == 21


def test_expired_objects_are_deleted_and_everything_still_verifies(deleting_shop: Shop) -> None:
    shop = deleting_shop
    shop.installation.erase("ana@example.com")  # so that nothing of the till stays
    before = shop.paths()
    _, _, swept = shop.apply(LATER)

    gone = before - shop.paths()
    assert len(gone) == 3
    assert gone == set(swept.deleted)
    assert all(path.startswith("content/") for path in gone)
    for level in ("fast", "deep"):
        report = shop.installation.verify(level)
        assert report.verdict is Verdict.INTACT, report.findings
    assert set(shop.states().values()) == {"erased", "expired"}
    assert shop.plan(LATER).partitions == []


def test_an_object_that_is_deleted_without_an_entry_is_lost(deleting_shop: Shop) -> None:
    from ledger.objects import open_deleting

    shop = deleting_shop
    path = min(shop.paths("content/"))
    open_deleting(shop.installation.settings.store, endpoint=shop.installation.settings.s3_endpoint).delete(path)

    assert path not in shop.paths()
    assert shop.installation.verify("fast").verdict is Verdict.LOST


def test_an_object_of_which_something_stays_is_not_deleted(make_shop: MakeShop) -> None:
    shop = make_shop(delete_expired="true")
    _, done, swept = shop.apply()

    assert done.entries
    assert swept.deleted == []


def test_deleting_can_be_switched_on_later(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.apply("2029-01-01T00:00:00Z")
    assert shop.plan("2029-01-01").partitions == []

    settings = shop.installation.settings.model_copy(update={"delete_expired": True})
    shop.installation = type(shop.installation)(settings, shop.installation.config)
    made, _, swept = shop.apply("2029-01-01T00:00:00Z")

    assert (made.rows, len(made.partitions), len(swept.deleted)) == (0, 3, 3)
    assert shop.plan("2029-01-01").partitions == []
    assert shop.installation.verify("deep").verdict is Verdict.INTACT


def test_segments_that_a_redaction_moved_go_along(make_shop: MakeShop) -> None:
    shop = make_shop(delete_expired="true")
    with shop.opened() as (store, _):
        partition = store.history.partitions()[0]
        reseal(store, partition, {0: Redaction(b'{"gone":true}', "mention")})
    _, _, swept = shop.apply("2029-01-01T00:00:00Z")

    assert len(swept.deleted) == 4
    assert not shop.paths("content/")
    assert set(shop.states().values()) == {"expired"}
    report = shop.installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings


def test_what_was_deleted_before_it_was_published_can_be_published(make_shop: MakeShop) -> None:
    shop = make_shop(delete_expired="true")
    (shop.installation.config.parent / "late.jsonl").write_bytes(b"not a log\n")
    with shop.installation.open() as store:
        from ingest.pipeline import Pipeline

        Pipeline(store).run([str(shop.installation.config.parent / "late.jsonl")], None)
        partition = store.history.partitions()[-1]
        expiring.expire(store, expiring.Expiring(shop.policy.data, {partition.index: []}, deleted=True))
        swept = expiring.sweep(store)
        checkpoint = store.publish()

    assert swept.deleted == [partition.value["content"]["path"]]
    assert checkpoint is not None
    assert checkpoint.size == len(store.history.leaves)


def test_a_restored_object_is_deleted_again(make_shop: MakeShop) -> None:
    shop = make_shop(delete_expired="true")
    kept = {path: shop.installation.objects().get(path) for path in shop.paths("content/")}
    _, _, first = shop.apply("2029-01-01T00:00:00Z")
    for path, data in kept.items():
        shop.installation.objects().put_if_absent(path, data)

    _, done, again = shop.apply("2029-01-01T00:00:00Z")

    assert done.entries == []
    assert again.deleted == first.deleted


def partition_entry(segments: int) -> Entry:
    value = {
        "type": "partition",
        "segments": segments,
        "content": {"path": "content/x"},
        "events": {"path": "events/x"},
    }
    return Entry(0, 0, "", b"", value)


@given(st.integers(1, 3000), st.randoms(use_true_random=False), st.sampled_from([1, 2, 17]))
def test_however_many_ranges_stay_the_entries_together_keep_exactly_those(
    segments: int, chance: Any, every: int
) -> None:
    kept = [number for number in range(segments) if chance.randrange(every + 1)]
    items = list(expiring._items(0, kept, segments))
    endings = Endings([partition_entry(segments)])
    for number, listed in enumerate(expiring._packed(items), start=1):
        body = {"policy": "0" * 64, "what": "content", "partitions": listed}
        value = entries.decode(entries.encode("retention", body))
        endings.add(Entry(number, number, "", b"", value))

    assert endings.expired["content/x"].kept == frozenset(kept)
