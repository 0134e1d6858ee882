"""Access numbers: each is taken once, durably, and from an open spool only."""

from __future__ import annotations

import threading

import pytest

from ledger.errors import KeyringError
from ledger.keyring.access_numbers import AccessNumbers
from ledger.keyring.keyring import Keyring

FOLDER = "f" * 32


@pytest.fixture
def numbers(keyring: Keyring) -> AccessNumbers:
    return AccessNumbers(keyring)


def test_numbers_count_from_one_without_a_gap(numbers: AccessNumbers) -> None:
    first, second = numbers.new_spool(FOLDER), numbers.new_spool(FOLDER)
    assert first.key != second.key
    assert [numbers.take(first.spool) for _ in range(3)] == [1, 2, 3]
    assert numbers.take(second.spool) == 1
    assert numbers.unsealed() == {first.spool: 3, second.spool: 1}


def test_no_number_is_taken_twice(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool(FOLDER).spool
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.extend(numbers.take(spool) for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [*range(1, 41)]


def test_a_closed_spool_gives_no_number(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool(FOLDER).spool
    numbers.take(spool)
    assert numbers.close(spool) == 1
    with pytest.raises(KeyringError, match="closed"):
        numbers.take(spool)
    assert numbers.key(spool) is not None, "its frames still wait"


def test_sealing_destroys_the_key(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool(FOLDER)
    assert numbers.key(spool.spool) == spool.key
    numbers.sealed([spool.spool])
    assert numbers.key(spool.spool) is None
    assert numbers.unsealed() == {}
    with pytest.raises(KeyringError):
        numbers.take(spool.spool)


def test_a_sealed_spool_stays_sealed(numbers: AccessNumbers) -> None:
    """Another sealer, which still held it for closed, learns that it came late."""
    spool = numbers.new_spool(FOLDER).spool
    numbers.take(spool)
    numbers.close(spool)
    numbers.sealed([spool])
    assert numbers.close(spool) is None
    numbers.damaged(spool)
    assert numbers.waiting() == []


def test_a_damaged_spool_keeps_its_key_and_waits_no_longer(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool(FOLDER)
    numbers.damaged(spool.spool)
    numbers.sealed([spool.spool])
    assert numbers.key(spool.spool) == spool.key
    assert numbers.waiting() == []


def test_a_spool_is_unused_until_its_first_number(numbers: AccessNumbers) -> None:
    begun, idle = numbers.new_spool(FOLDER).spool, numbers.new_spool(FOLDER).spool
    numbers.take(begun)
    assert not numbers.unused(begun)
    assert numbers.unused(idle)
    assert not numbers.unused(idle)
    assert numbers.waiting() == [(begun, FOLDER, 1)]
    assert numbers.take(begun) == 2


def test_an_unknown_spool_has_nothing(numbers: AccessNumbers) -> None:
    assert numbers.key("0" * 32) is None
    assert numbers.close("0" * 32) is None
    with pytest.raises(KeyringError):
        numbers.take("0" * 32)
