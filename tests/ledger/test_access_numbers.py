"""Access numbers: each is taken once, durably, and from an open spool only."""

from __future__ import annotations

import threading

import pytest

from ledger.errors import KeyringError
from ledger.keyring.access_numbers import AccessNumbers
from ledger.keyring.keyring import Keyring


@pytest.fixture
def numbers(keyring: Keyring) -> AccessNumbers:
    return AccessNumbers(keyring)


def test_numbers_count_from_one_without_a_gap(numbers: AccessNumbers) -> None:
    first, second = numbers.new_spool(), numbers.new_spool()
    assert first.key != second.key
    assert [numbers.take(first.spool) for _ in range(3)] == [1, 2, 3]
    assert numbers.take(second.spool) == 1
    assert numbers.unsealed() == {first.spool: 3, second.spool: 1}


def test_no_number_is_taken_twice(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool().spool
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.extend(numbers.take(spool) for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [*range(1, 41)]


def test_a_closed_spool_gives_no_number(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool().spool
    numbers.take(spool)
    assert numbers.close(spool) == 1
    with pytest.raises(KeyringError, match="closed"):
        numbers.take(spool)
    assert numbers.key(spool) is not None, "its frames still wait"


def test_sealing_destroys_the_key(numbers: AccessNumbers) -> None:
    spool = numbers.new_spool()
    assert numbers.key(spool.spool) == spool.key
    numbers.sealed(spool.spool)
    assert numbers.key(spool.spool) is None
    assert numbers.unsealed() == {}
    with pytest.raises(KeyringError):
        numbers.take(spool.spool)


def test_an_unknown_spool_has_nothing(numbers: AccessNumbers) -> None:
    assert numbers.key("0" * 32) is None
    with pytest.raises(KeyringError):
        numbers.take("0" * 32)
