"""Bookmarks: which inputs were taken in and how far; a step counts once the ledger lists all that hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.keyring.bookmarks import Bookmarks, Step
from ledger.keyring.keyring import Keyring

A, B = "content/a", "content/b"


@pytest.fixture
def bookmarks(keyring: Keyring) -> Bookmarks:
    return Bookmarks(keyring)


def step(ref: str, number: int = 0, path: str = A, attempt: str = "1", end: int = 10) -> Step:
    return Step(ref, path, attempt, 0, end, number, bytes([number]) * 32)


def test_an_input_is_known_by_its_place(bookmarks: Bookmarks) -> None:
    ref = bookmarks.add_input("/logs/a", "litellm", "lines")
    (found,) = bookmarks.inputs_at("/logs/a")
    assert found == (ref, "litellm", "lines", "/logs/a")
    assert bookmarks.inputs_at("/logs/b") == []
    assert bookmarks.input(ref) == bookmarks.input(ref[:8]) == found
    assert bookmarks.input("") == found
    assert bookmarks.input("zz") is None
    assert bookmarks.all_inputs() == [found]


def test_names_that_are_no_text_survive(bookmarks: Bookmarks) -> None:
    for uri in ("/logs/\udcff", "/logs/\u00e4", "/logs/100%_"):
        bookmarks.add_input(uri, "", "blocks")
        assert bookmarks.inputs_at(uri)[0].uri == uri
    assert bookmarks.input("%") is None


def test_of_two_processes_that_begin_the_same_input_one_takes_up_what_the_other_began(bookmarks: Bookmarks) -> None:
    """Both looked and saw nothing; then one of them came first."""
    first = bookmarks.add_input("/logs/a", "litellm", "lines", seen=[])
    assert bookmarks.add_input("/logs/a", "litellm", "lines", seen=[]) == first
    assert bookmarks.add_input("/logs/a", "otlp", "lines", seen=[]) != first
    assert bookmarks.add_input("/logs/b", "litellm", "lines", seen=[]) != first
    changed = bookmarks.add_input("/logs/a", "litellm", "lines", seen=[first])
    assert changed != first, "who has seen the first and does not continue it begins another"


def test_a_step_counts_once_the_ledger_lists_every_partition_of_one_attempt(bookmarks: Bookmarks) -> None:
    ref = bookmarks.add_input("/logs/a", "litellm", "lines")
    bookmarks.add_steps([step(ref, path=A), step(ref, path=B)])
    assert bookmarks.last_step(ref, {A}) is None
    assert bookmarks.last_step(ref, {A, B}) == step(ref, path=A)
    assert bookmarks.committed_step(ref, 0, {B}) is None
    assert bookmarks.committed_step(ref, 0, {A, B}) is not None
    assert bookmarks.committed_step(ref, 1, {A, B}) is None


def test_an_attempt_that_died_does_not_stand_in_the_way_of_the_next(bookmarks: Bookmarks) -> None:
    ref = bookmarks.add_input("/logs/a", "litellm", "lines")
    bookmarks.add_steps([step(ref, path="content/lost", attempt="1")])
    bookmarks.add_steps([step(ref, path=A, attempt="2")])
    assert bookmarks.last_step(ref, {A}) == step(ref, path=A, attempt="2")
    assert bookmarks.begun_elsewhere(ref, 0, {A}, "3")
    assert not bookmarks.begun_elsewhere(ref, 0, {A}, "2")
    assert not bookmarks.begun_elsewhere(ref, 0, {B}, "3")


def test_the_last_step_is_the_last_without_a_gap(bookmarks: Bookmarks) -> None:
    ref = bookmarks.add_input("/logs/a", "litellm", "lines")
    bookmarks.add_steps([step(ref, number, f"content/{number}", end=10 * number + 10) for number in range(4)])
    committed = {f"content/{number}" for number in (0, 1, 3)}
    last = bookmarks.last_step(ref, committed)
    assert last is not None
    assert (last.step, last.to_byte) == (1, 20)


def test_equal_bytes_are_found_whatever_their_name(bookmarks: Bookmarks) -> None:
    ref = bookmarks.add_input("/logs/a", "litellm", "lines")
    mac = bookmarks.new_mac()
    mac.update(b"0123456789")
    taken = Step(ref, A, "1", 0, 10, 0, mac.digest())
    bookmarks.add_steps([taken])
    assert bookmarks.lengths() == {10}
    assert bookmarks.starts(10) == [0]
    assert bookmarks.starts(11) == []
    assert bookmarks.find(mac.digest(), 0, 10) == [(ref, 0)]
    assert bookmarks.find(mac.digest(), 0, 11) == []
    assert bookmarks.steps(ref, {A}) == [taken]
    assert bookmarks.steps(ref, set()) == [], "not before it is committed"


def test_digests_of_bytes_and_of_names_are_keyed(bookmarks: Bookmarks, tmp_path: Path) -> None:
    """Without the keyring's key nobody can test whether a file, or a name, was taken in."""
    assert bookmarks.uri_mac("/logs/a") != bookmarks.uri_mac("/logs/b")
    bookmarks.add_input("/logs/of-ana", "litellm", "lines")
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("keyring.db*"))
    assert b"of-ana" not in stored
