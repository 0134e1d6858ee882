"""What the publisher remembers: moved by compare-and-set only."""

from __future__ import annotations

import threading

from ledger.keyring.keyring import Keyring
from ledger.keyring.publication import PublicationState, Published

ONE, TWO, OTHER = (Published(seq, seq + 1, bytes([seq]) * 32) for seq in (1, 2, 3))


def test_it_moves_from_what_it_is(keyring: Keyring) -> None:
    state = PublicationState(keyring, "logs.example.com")
    assert state.read() is None
    assert not state.advance(ONE, TWO)
    assert state.advance(None, ONE)
    assert not state.advance(None, TWO)
    assert not state.advance(OTHER, TWO)
    assert state.read() == ONE
    assert state.advance(ONE, TWO)
    assert state.read() == TWO


def test_each_log_has_its_own(keyring: Keyring) -> None:
    assert PublicationState(keyring, "a.example").advance(None, ONE)
    assert PublicationState(keyring, "b.example").read() is None


def test_of_many_at_once_one_moves_it(keyring: Keyring) -> None:
    state = PublicationState(keyring, "logs.example.com")
    start = threading.Barrier(6)
    won: list[int] = []

    def advance(number: int) -> None:
        start.wait()
        if state.advance(None, Published(number, number, bytes(32))):
            won.append(number)

    threads = [threading.Thread(target=advance, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    found = state.read()
    assert found is not None
    assert found.seq == won[0]


def test_nothing_moves_while_the_newest_is_held(keyring: Keyring) -> None:
    state = PublicationState(keyring, "logs.example.com")
    state.advance(None, ONE)
    order: list[str] = []

    def move() -> None:
        state.advance(ONE, TWO)
        order.append("moved")

    with state.while_newest(ONE) as newest:
        assert newest
        other = threading.Thread(target=move)
        other.start()
        other.join(timeout=0.3)
        order.append("released")
    other.join()
    assert order == ["released", "moved"]
    with state.while_newest(ONE) as newest:
        assert not newest
