"""No digest under the store's own key survives of erased bytes: whoever holds the keyring cannot test a guess."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import following, forgetting
from ledger.entry_shapes import runs
from ledger.erasing import Erasing, erase
from ledger.errors import KeyringError
from ledger.keyring.bookmarks import Bookmarks, Step
from ledger.keyring.destruction import Destruction
from ledger.keyring.digests import Borrowed, Portion
from ledger.keyring.keyring import Keyring
from ledger.store import Store

Event = Callable[..., bytes]
Digests = Callable[..., list[bytes]]


@pytest.fixture
def log(installation: Any, tmp_path: Path, event: Event) -> Path:
    path = tmp_path / "desk.jsonl"
    path.write_bytes(b"".join(event(number, ("ana", "bo")[number % 2]) for number in range(8)))
    installation.ingest(path)
    return path


def stored(raw: bytes, digests: list[bytes]) -> int:
    return sum(digest in raw for digest in digests)


def test_the_digest_of_the_file_goes(
    installation: Any, log: Path, raw_keyring: Callable[..., bytes], candidate_digests: Digests
) -> None:
    candidates = candidate_digests(installation, log.read_bytes())
    assert stored(raw_keyring(installation), candidates) == 1, "or this test would prove nothing"
    installation.erase("ana@example.org")
    assert stored(raw_keyring(installation), candidates) == 0
    installation.ingest(log)
    assert stored(raw_keyring(installation), candidates) == 0, "nor does it come back with the file"


def test_so_do_those_of_files_that_hold_the_same_records(
    installation: Any, log: Path, event: Event, raw_keyring: Callable[..., bytes], candidate_digests: Digests
) -> None:
    """A second export of the same log refers to the records of the first, and its digest is over their bytes too."""
    lines = log.read_bytes().splitlines(keepends=True)
    before, after, other = (log.with_name(f"{name}.jsonl") for name in ("before", "after", "other"))
    before.write_bytes(b"".join(lines[::-1]))
    other.write_bytes(event(80, "cyd"))
    assert installation.ingest(before, other).known == 8
    assert stored(raw_keyring(installation), candidate_digests(installation, before.read_bytes())) == 1
    installation.erase("ana@example.org")
    after.write_bytes(b"".join(lines[2:] + lines[:2]))
    assert installation.ingest(after).known == 8
    for path in (log, before, after):
        assert stored(raw_keyring(installation), candidate_digests(installation, path.read_bytes())) == 0
        assert installation.ingest(path).unchanged == 1
    assert stored(raw_keyring(installation), candidate_digests(installation, other.read_bytes(), b"cyd")) == 1


def test_a_grown_file_leaves_no_digest_over_what_was_erased(
    installation: Any, log: Path, event: Event, raw_keyring: Callable[..., bytes], candidate_digests: Digests
) -> None:
    installation.erase("ana@example.org")
    for number in (20, 21):
        with log.open("ab") as file:
            file.write(event(number, "bo"))
        installation.ingest(log)
    assert stored(raw_keyring(installation), candidate_digests(installation, log.read_bytes())) == 0


@pytest.mark.parametrize("cut", ["grown", "other order"])
def test_an_ingest_that_the_erasure_overtakes_leaves_none(
    installation: Any,
    log: Path,
    event: Event,
    monkeypatch: pytest.MonkeyPatch,
    raw_keyring: Callable[..., bytes],
    candidate_digests: Digests,
    shown: Callable[..., bytes],
    cut: str,
) -> None:
    """It had read the file and taken its digest; then Ana was erased, before the bookmark was written."""
    old = log.read_bytes()
    if cut == "grown":
        log.write_bytes(old + event(20, "bo"))
    else:
        log.write_bytes(event(20, "bo") + old)
    add_steps = Bookmarks.add_steps

    def erased_first(bookmarks: Bookmarks, *given: Any) -> None:
        monkeypatch.setattr(Bookmarks, "add_steps", add_steps)
        installation.erase("ana@example.org")
        add_steps(bookmarks, *given)

    monkeypatch.setattr(Bookmarks, "add_steps", erased_first)
    installation.ingest(log)
    assert stored(raw_keyring(installation), candidate_digests(installation, log.read_bytes())) == 0
    assert b"ana said" not in shown(installation)
    assert installation.ingest(log).unchanged == 1


def test_single_segments_and_whom_they_were_of(
    installation: Any, log: Path, raw_keyring: Callable[..., bytes], candidate_digests: Digests
) -> None:
    with installation.open() as store:
        partition = store.history.partitions()[0]
        everything = range(partition.value["segments"])
        erase(store, Erasing(segments={partition.index: everything}))
        assert runs(everything)
    assert stored(raw_keyring(installation), candidate_digests(installation, log.read_bytes())) == 0
    assert installation.ingest(log).unchanged == 1


def test_who_is_told_the_portions_need_not_look_for_them(
    installation: Any, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure that knows them takes the same time in a store of any size: it reads no partition."""
    with installation.open() as store:
        subjects = store.keyring.lookup("ana@example.org")
        (known,) = store.bookmarks.inputs_at(str(log.resolve()))
        monkeypatch.setattr(forgetting, "PartitionReader", None)
        with pytest.raises(TypeError):
            forgetting.portions(store_with(store, subjects))
        erase(store, Erasing(subjects, inputs=[(known.ref, 0)]))
        (step,) = store.bookmarks.steps(known.ref, store.committed_paths())
    assert step.mac is None


def test_a_file_that_is_committed_beside_an_erasure_is_looked_for(
    installation: Any,
    log: Path,
    event: Event,
    monkeypatch: pytest.MonkeyPatch,
    raw_keyring: Callable[..., bytes],
    candidate_digests: Digests,
) -> None:
    """It was built with Ana's key before her identifiers went, and committed before the entry: no list has it."""
    other = log.with_name("other.jsonl")
    other.write_bytes(event(30, "ana") + event(31, "bo"))
    built, begun = threading.Event(), threading.Event()
    append, begin = Store.append, Destruction.begin

    def wait_for_the_erasure(store: Store, bodies: Any, *given: Any, **named: Any) -> Any:
        if bodies[0][0] == "partition":
            built.set()
            begun.wait(20)
        return append(store, bodies, *given, **named)

    def begin_and_wait(act: Destruction, references: Any) -> int:
        found = begin(act, references)
        begun.set()
        ingesting.join(20)
        return found

    with installation.open() as store:
        subjects = store.keyring.lookup("ana@example.org")
        (known,) = store.bookmarks.inputs_at(str(log.resolve()))
        monkeypatch.setattr(Store, "append", wait_for_the_erasure)
        monkeypatch.setattr(Destruction, "begin", begin_and_wait)
        ingesting = threading.Thread(target=installation.ingest, args=(other,))
        ingesting.start()
        assert built.wait(20)
        erase(store, Erasing(subjects, inputs=[(known.ref, 0)]))
    assert not ingesting.is_alive()
    monkeypatch.undo()
    assert stored(raw_keyring(installation), candidate_digests(installation, other.read_bytes())) == 0
    assert installation.ingest(log, other).unchanged == 2


def store_with(store: Any, subjects: list[str]) -> Any:
    """The store as if these people were erased already."""

    class Erased:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        @property
        def endings(self) -> Any:
            from ledger.endings import Endings

            found = Endings(store.history.entries)
            found.subjects = dict.fromkeys(subjects, store.history.entries[-1])
            return found

    return Erased()


@pytest.fixture
def restored(installation: Any, log: Path, tmp_path: Path) -> Any:
    """A keyring from before Ana's erasure, put back."""
    database = Path(installation.settings.keyring.removeprefix("sqlite:///"))
    backup = tmp_path / "backup.db"
    shutil.copy(database, backup)
    installation.erase("ana@example.org")
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    shutil.copy(backup, database)
    return installation


def test_a_restored_keyring_takes_nothing_in_before_it_is_reconciled(
    restored: Any, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.1)
    with pytest.raises(KeyringError, match="older than the ledger's erasures"):
        restored.ingest(log)


@pytest.mark.parametrize("since", [None, -1])
def test_reconciling_a_restored_keyring_drops_the_digests_that_came_back(
    restored: Any, log: Path, since: int | None, raw_keyring: Callable[..., bytes], candidate_digests: Digests
) -> None:
    candidates = candidate_digests(restored, log.read_bytes())
    assert stored(raw_keyring(restored), candidates) == 1
    with restored.open() as store:
        following.follow(store, since=since)
    assert stored(raw_keyring(restored), candidates) == 0
    assert restored.ingest(log).unchanged == 1


def test_another_erasure_on_a_restored_keyring_drops_them_too(
    restored: Any, log: Path, raw_keyring: Callable[..., bytes], candidate_digests: Digests
) -> None:
    """It knows its own portions, and looks for those of the entries before it."""
    with restored.open() as store:
        erase(store, Erasing(store.keyring.lookup("bo@example.org"), inputs=()))
    assert stored(raw_keyring(restored), candidate_digests(restored, log.read_bytes())) == 0


def step(ref: str, number: int, digest: bytes, path: str | None = None) -> Step:
    return Step(ref, path or f"content/{number}", "1", 10 * number, 10 * number + 10, number, digest * 32)


def test_who_borrows_from_a_portion_loses_its_digest_with_it_whichever_comes_first(keyring: Keyring) -> None:
    bookmarks = Bookmarks(keyring)
    lender, early, late, apart = (bookmarks.add_input(f"/logs/{name}", "litellm", "lines") for name in "abcd")
    bookmarks.add_steps([step(lender, 0, b"a", "content/a")])
    lent = Portion(lender, 0)
    bookmarks.add_steps([step(early, 0, b"b", "content/b")], [Borrowed(Portion(early, 0), lent)])
    Destruction(keyring).forget_bytes([lent])
    bookmarks.add_steps([step(late, 0, b"c", "content/c")], [Borrowed(Portion(late, 0), lent)])
    bookmarks.add_steps([step(apart, 0, b"d", "content/d")])
    assert [known.ref for known in bookmarks.forgotten()] == [lender, early, late]
    assert bookmarks.lenders(Portion(late, 0)) == [lent]
