"""Legal holds: begun, found, released, and what they hold up, with every rule that was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import ConfigError, FormatError, NotFoundError, UsageError
from reports import holds
from reports.holds import Blocked, Wanted

if TYPE_CHECKING:
    from tests.retention.conftest import Shop

NOW = "2026-03-01T00:00:00Z"


def blocked(shop: Shop, *, by_row: bool = False, now: str = NOW) -> list[Blocked]:
    with shop.opened() as (store, listed):
        return list(holds.blocked(listed, shop.policy, list(store.standing.holds.values()), now, by_row=by_row))


def test_a_hold_is_in_force_until_it_is_released(shop: Shop) -> None:
    with shop.opened() as (store, _):
        reference = holds.add(store, Wanted(session="s-1"), "audit").value["hold"]
        assert list(store.standing.holds) == [reference]
        assert holds.find(store, reference[:4]).basis == "audit"
        holds.release(store, holds.find(store, reference))
        with pytest.raises(NotFoundError, match="no hold in force"):
            holds.find(store, reference)


@pytest.mark.parametrize(
    ("wanted", "basis", "says"),
    [
        (Wanted(), "audit", "on somebody, on a session or on a period"),
        (Wanted(session="s-1"), "because", "no basis 'because'"),
        (Wanted(first="2026-02-01T00:00:00Z", last="2026-01-01T00:00:00Z"), "audit", "ends before it begins"),
        (Wanted(subjects=[f"{number:032x}" for number in range(151)]), "audit", "at most 150"),
    ],
)
def test_what_no_hold_can_be_is_refused(shop: Shop, wanted: Wanted, basis: str, says: str) -> None:
    with shop.opened() as (store, _):
        with pytest.raises(UsageError, match=says):
            holds.add(store, wanted, basis)
        assert not store.standing.holds


def test_an_identifier_never_stands_in_the_ledger(shop: Shop) -> None:
    with shop.opened() as (store, _), pytest.raises(FormatError):
        holds.add(store, Wanted(subjects=["ben@example.com"]), "audit")


def test_an_installation_without_the_role_cannot_hold(shop: Shop) -> None:
    settings = shop.installation.settings
    shop.installation = type(shop.installation)(
        settings.model_copy(update={"privacy_key": settings.writer_key}), shop.installation.config
    )
    with shop.opened() as (store, _), pytest.raises(ConfigError, match="does not hold the role retention"):
        holds.add(store, Wanted(session="s-1"), "audit")


def test_the_words_are_sealed_and_the_entry_names_their_record(shop: Shop) -> None:
    with shop.opened() as (store, _):
        added = holds.add(store, Wanted(session="s-1"), "litigation", "Ben Miller sues us")
        holds.release(store, holds.find(store, added.value["hold"]), "Ben Miller has settled")
    with shop.opened() as (store, listed):
        from replay.records import find_record

        place = find_record(listed, added.value["record"])
        partition = listed.partitions()[place.partition]
        receipt = store.record_access(b"a test", {})
        (found,) = store.reveal(receipt, partition.value, [place.row])
        assert b"Ben Miller sues us" in (found.bytes or b"")
        assert not any(b"Ben Miller" in entry.data for entry in store.history.entries)
    objects = shop.installation.objects()
    assert not any(b"Ben Miller" in objects.get(path) for path in shop.paths())


def test_everything_that_is_held_up_is_told_with_the_rules(shop: Shop) -> None:
    ana = shop.reference("ana@example.com")
    with shop.opened() as (store, _):
        reference = holds.add(store, Wanted(subjects=[ana], last="2026-02-01T00:00:00Z"), "litigation").value["hold"]
    found = blocked(shop)

    chat = [item for item in found if "policy:month:wins" in item.rules]
    till = [item for item in found if "policy:till:wins" in item.rules]
    assert [(item.session, item.rows) for item in chat] == [("ana-2026-01-05", 2), ("ana-2026-01-06", 2)]
    assert [(item.session, item.rows) for item in till] == [("ana-2026-01-05", 1), ("ana-2026-01-06", 1)]
    assert {item.basis for item in found} == {f"hold:{reference}"}
    assert (chat[0].erasure, chat[0].without, chat[0].until) == ("restrict", "erase", None)
    assert (chat[0].last_day, chat[0].overdue) == ("2026-02-05", True)
    assert (till[0].without, till[0].until, till[0].last_day, till[0].overdue) == (
        "restrict",
        "2027-01-05",
        "2028-01-05",
        False,
    )
    assert chat[0].rules == (
        f"hold:{reference}:covers",
        "policy:month:wins",
        "policy:till:other-source",
        "policy:month:no-minimum",
        "policy:month:maximum-reached",
    )


def test_by_row_names_each_row_once(shop: Shop) -> None:
    with shop.opened() as (store, _):
        holds.add(store, Wanted(session="ben-2026-01-05"), "audit")
        holds.add(store, Wanted(first="2026-01-05T08:01:00Z", last="2026-01-05T08:02:00Z"), "audit")
    rows = blocked(shop, by_row=True)

    assert len(rows) == 4
    assert len({(item.entry, item.row) for item in rows}) == 4
    assert sorted(len(item.holds) for item in rows) == [1, 1, 1, 2]
    assert sum(item.rows for item in blocked(shop)) == 4


def test_a_hold_on_nothing_that_is_there_blocks_nothing(shop: Shop) -> None:
    with shop.opened() as (store, _):
        holds.add(store, Wanted(session="absent"), "audit")
        holds.add(store, Wanted(subjects=["f" * 32]), "audit")
        holds.add(store, Wanted(first="2027-01-01T00:00:00Z"), "audit")

    assert blocked(shop) == []


def test_looking_up_partitions_leaves_out_none_that_are_held(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index says where to look; reading everything finds no more."""
    ben = shop.reference("ben@example.com")
    with shop.opened() as (store, _):
        holds.add(store, Wanted(subjects=[ben]), "audit")
        holds.add(store, Wanted(session="cem-2026-03-10"), "audit")
        holds.add(store, Wanted(first="2026-01-06T08:01:00Z", last="2026-03-10T08:00:30Z"), "audit")
    by_index = blocked(shop, by_row=True)
    monkeypatch.setattr(holds, "_partitions", lambda catalog, hold: set(range(len(catalog.partitions()))))

    assert by_index
    assert blocked(shop, by_row=True) == by_index
