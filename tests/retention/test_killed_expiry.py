"""Expiry that dies between entry, keys and objects: whoever runs next completes it, and nothing else is lost."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger import following
from ledger.errors import EvidenceError, StorageError
from ledger.expiring import sweep
from ledger.keyring.destruction import Destruction
from ledger.objects import DeleteObjects, open_deleting
from ledger.settings import load
from ledger.verify import Verdict
from replay import catalog
from reports.retention.plan import carry_out, make_plan

if TYPE_CHECKING:
    from tests.retention.conftest import MakeShop, Shop
    from tests.simulator.faulty_objects import Fault, FaultyObjects

ALL_EXPIRED = "2029-01-01T00:00:00Z"
KINDS = ("KILLED_BEFORE", "KILLED_AFTER", "FAILS_BEFORE", "FAILS_AFTER", "ARRIVES_LATE")


class PowerCut(BaseException):
    """The process is dead."""


class FaultyDeleting:
    """Deletes, and dies at one of the deletions, before or after it."""

    def __init__(self, inner: DeleteObjects, at: int, *, after: bool) -> None:
        self._inner = inner
        self._left = at
        self._after = after

    def delete(self, path: str) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise PowerCut
        self._inner.delete(path)
        if self._left < 0:
            raise PowerCut


def copy(shop: Shop, folder: Path) -> Shop:
    """The same shop in another folder, with the same keys."""
    installation = shop.installation
    shutil.copytree(installation.config.parent, folder)
    config = folder / installation.config.name
    return type(shop)(type(installation)(load(str(config)), config), shop.policy)


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop(delete_expired="true")


def assert_completed(shop: Shop) -> None:
    """The next run ends everything, once."""
    shop.apply(ALL_EXPIRED)

    assert set(shop.states().values()) == {"expired"}
    assert not shop.paths("content/")
    assert shop.plan(ALL_EXPIRED).partitions == []
    with shop.installation.open() as store:
        assert not following.behind(store)
        named = [
            item["partition"]
            for entry in store.history.entries
            if entry.value["type"] == "retention"
            for item in entry.value["partitions"]
        ]
        assert sorted(named) == sorted(entry.index for entry in store.history.partitions())
    for level in ("fast", "deep"):
        report = shop.installation.verify(level)
        assert report.verdict is Verdict.INTACT, report.findings


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [0, 1], ids=["the policy", "the entry"])
def test_a_write_that_fails(
    shop: Shop, faulty: type[FaultyObjects], fault: type[Fault], killed: type[BaseException], kind: str, at: int
) -> None:
    objects = faulty(shop.installation.objects(), fault=fault[kind], at=at, only="put_if_absent")
    with suppress(killed, EvidenceError), shop.installation.open_on(objects) as store:
        with catalog.opened(store) as listed:
            carry_out(listed, shop.policy, make_plan(listed, shop.policy, ALL_EXPIRED))
        sweep(store)
    assert objects.hit
    objects.settle()

    if kind.startswith("KILLED") and not shop.paths("ledger/blob/"):
        assert len(shop.readable()) == 21
    assert_completed(shop)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", ["trees", "follow_to"])
def test_a_death_between_the_entry_and_the_keys(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, act: str, after: bool
) -> None:
    inner = getattr(Destruction, act)

    def die(self: Destruction, *arguments: Any) -> None:
        if after:
            inner(self, *arguments)
        raise PowerCut

    with monkeypatch.context() as patched, shop.opened() as (_, listed):
        made = make_plan(listed, shop.policy, ALL_EXPIRED)
        patched.setattr(Destruction, act, die)
        with pytest.raises(PowerCut):
            carry_out(listed, shop.policy, made)

    # The entry says it already, so nobody is shown anything, whatever keys are still here.
    assert set(shop.states().values()) == {"expired"}
    assert len(shop.paths("content/")) == 3
    assert_completed(shop)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_death_among_the_deletions(shop: Shop, at: int, after: bool) -> None:
    with shop.opened() as (store, listed):
        carry_out(listed, shop.policy, make_plan(listed, shop.policy, ALL_EXPIRED))
        with pytest.raises(PowerCut):
            sweep(store, FaultyDeleting(open_deleting(store.objects.url), at, after=after))

    assert len(shop.paths("content/")) == 3 - at - after
    assert shop.installation.verify("fast").verdict is Verdict.INTACT
    assert_completed(shop)


def test_what_the_store_does_not_let_go_is_named_and_the_rest_goes(shop: Shop) -> None:
    class Locked:
        def delete(self, path: str) -> None:
            if path == locked:
                raise StorageError("cannot delete it: AccessDenied")
            inner.delete(path)

    with shop.opened() as (store, listed):
        inner = open_deleting(store.objects.url)
        locked = min(shop.paths("content/"))
        carry_out(listed, shop.policy, make_plan(listed, shop.policy, ALL_EXPIRED))
        swept = sweep(store, Locked())

    assert swept.refused == {locked: "cannot delete it: AccessDenied"}
    assert shop.paths("content/") == {locked}
    assert shop.installation.verify("deep").verdict is Verdict.INTACT
    assert_completed(shop)


def test_a_keyring_from_before_opens_nothing_that_expired(shop: Shop, tmp_path: Path) -> None:
    before = copy(shop, tmp_path / "before")
    shop.apply(ALL_EXPIRED)
    private = shop.installation.config.parent / "evidence-private"
    shutil.rmtree(private)
    shutil.copytree(before.installation.config.parent / "evidence-private", private)

    with shop.installation.open() as store:
        assert following.behind(store)
    assert set(shop.states().values()) == {"expired"}
    assert_completed(shop)
