"""After an erasure the original file comes again: nothing of it is taken in, whatever its name, also when it grew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.pipeline import Pipeline
from ledger.erasing import Erasing, erase
from ledger.verify import Verdict

Event = Callable[..., bytes]


@pytest.fixture(params=[True, False], ids=["with ids", "without ids"])
def lines(request: pytest.FixtureRequest, event: Event) -> list[bytes]:
    """Two people, twelve lines, with ids of the source's own or without."""
    return [event(number, ("ana", "bo")[number % 2], own_id=request.param) for number in range(12)]


@pytest.fixture
def erased(installation: Any, tmp_path: Path, lines: list[bytes]) -> Path:
    """The file, taken in before Ana was erased."""
    path = tmp_path / "desk.jsonl"
    path.write_bytes(b"".join(lines))
    installation.ingest(path)
    installation.erase("ana@example.org")
    return path


def head(installation: Any) -> int:
    with installation.open() as store:
        seq: int = store.history.seq
    return seq


def test_the_original_file_is_known_and_nothing_is_sealed(
    installation: Any, erased: Path, enrolled: Callable[..., list[str]]
) -> None:
    seq = head(installation)
    again = installation.ingest(erased)
    assert (again.inputs, again.unchanged, again.ended, again.records) == (1, 1, 1, 0)
    assert head(installation) == seq
    assert enrolled(installation, "ana") == []


def test_another_name_changes_nothing(installation: Any, erased: Path, shown: Callable[..., bytes]) -> None:
    copy = erased.with_name("renamed.jsonl")
    copy.write_bytes(erased.read_bytes())
    again = installation.ingest(copy)
    assert (again.unchanged, again.ended, again.records) == (1, 1, 0)
    assert installation.ingest(copy).unchanged == 1
    assert b"ana said" not in shown(installation)


@pytest.mark.parametrize("name", ["desk.jsonl", "rotated.jsonl"])
def test_of_a_file_that_has_grown_only_what_is_new_is_sealed(
    installation: Any, erased: Path, event: Event, shown: Callable[..., bytes], name: str
) -> None:
    path = erased.with_name(name)
    path.write_bytes(erased.read_bytes() + event(50, "bo"))
    grown = installation.ingest(path)
    assert (grown.records, grown.known, grown.bytes) == (1, 0, len(event(50, "bo")))
    assert installation.ingest(path).unchanged == 1
    assert installation.ingest(erased).unchanged == 1
    content = shown(installation)
    assert b"ana said" not in content
    assert content.count(b"bo said") == 7
    assert installation.verify("deep").verdict is Verdict.INTACT


def test_what_is_appended_later_is_compared_by_its_own_digest(installation: Any, erased: Path, event: Event) -> None:
    old = erased.stat().st_size
    for number in (50, 51):
        with erased.open("ab") as file:
            file.write(event(number, "bo"))
        assert installation.ingest(erased).records == 1
    with installation.open() as store:
        (known,) = store.bookmarks.inputs_at(str(erased.resolve()))
        steps = store.bookmarks.steps(known.ref, store.committed_paths())
    assert [step.mac is None for step in steps] == [True, False, False]
    with erased.open("r+b") as file:
        file.seek(old + 20)
        file.write(b"X")
    assert installation.ingest(erased).unchanged == 0


def test_two_copies_that_have_grown_are_gone_on_with_once(installation: Any, erased: Path, event: Event) -> None:
    copy = erased.with_name("copy.jsonl")
    for path in (erased, copy):
        with path.open("ab") as file:
            file.write(event(50, "bo"))
        copy.write_bytes(erased.read_bytes())
    summary = installation.ingest(erased, copy)
    assert (summary.records, summary.unchanged) == (1, 1)


def test_a_file_that_differs_in_a_known_byte_is_another(installation: Any, erased: Path) -> None:
    erased.write_bytes(erased.read_bytes().replace(b"bo said this, 11", b"bo said THIS, 11"))
    assert installation.ingest(erased).unchanged == 0


def test_a_new_record_of_the_same_person_has_a_new_reference(
    installation: Any, erased: Path, event: Event, enrolled: Callable[..., list[str]], shown: Callable[..., bytes]
) -> None:
    with erased.open("ab") as file:
        file.write(event(60, "ana", text="I am back."))
    with installation.open() as store:
        gone = set(store.endings.subjects)
    assert installation.ingest(erased).records == 1
    (reference,) = enrolled(installation, "ana")
    assert reference not in gone
    assert shown(installation).count(b"ana said") == 1
    assert b"I am back." in shown(installation)
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT
    assert sum(report.explained.values()) > 0


def test_a_file_of_which_nothing_is_left_is_known_where_it_was(
    installation: Any, tmp_path: Path, event: Event, shown: Callable[..., bytes]
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"".join(event(number, "ana", own_id=False) for number in range(3)))
    installation.ingest(path)
    installation.erase("ana@example.org")
    assert installation.ingest(path).unchanged == 1
    elsewhere = tmp_path / "moved.jsonl"
    elsewhere.write_bytes(path.read_bytes())
    assert installation.ingest(elsewhere).unchanged == 1, "its lines still say when and how long each record was"
    with path.open("ab") as file:
        file.write(event(60, "bo"))
    assert installation.ingest(path).records == 1
    assert b"ana said" not in shown(installation)


def test_a_log_that_began_anew_in_the_same_place_is_no_erased_one(
    installation: Any, tmp_path: Path, event: Event, shown: Callable[..., bytes]
) -> None:
    """Rotated, and longer by now than what was erased: nothing left to compare, but the times of its lines differ."""
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"".join(event(number, "ana", own_id=False) for number in range(3)))
    installation.ingest(path)
    installation.erase("ana@example.org")
    path.write_bytes(b"".join(event(number, "cyd", own_id=False) for number in range(30, 36)))
    assert installation.ingest(path).records == 6
    assert shown(installation).count(b"cyd said") == 6


def test_only_the_portion_that_held_what_is_gone_is_compared(
    new_installation: Any, tmp_path: Path, event: Event
) -> None:
    installation = new_installation(tmp_path / "small", seal_bytes=4_096)
    path = tmp_path / "long.jsonl"
    people = ["bo"] * 40 + ["ana"] + ["bo"] * 40
    path.write_bytes(b"".join(event(number, person, own_id=False) for number, person in enumerate(people)))
    installation.ingest(path)
    installation.erase("ana@example.org")
    with installation.open() as store:
        (known,) = store.bookmarks.inputs_at(str(path.resolve()))
        steps = store.bookmarks.steps(known.ref, store.committed_paths())
    (gone,) = (step.step for step in steps if step.mac is None)
    assert 0 < gone < steps[-1].step
    assert installation.ingest(path).unchanged == 1
    with path.open("ab") as file:
        file.write(event(90, "bo"))
    assert installation.ingest(path).records == 1


def test_a_person_erased_between_reference_and_key_gets_a_new_one(
    installation: Any, tmp_path: Path, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(event(1, "ana"))
    with installation.open() as store:
        resolve = store.keyring.resolve

        def erased_right_after(identifiers: Any) -> Any:
            found = resolve(identifiers)
            monkeypatch.undo()
            with installation.open() as other:
                erase(other, Erasing(other.keyring.lookup("ana@example.org"), inputs=()))
            return found

        monkeypatch.setattr(store.keyring, "resolve", erased_right_after)
        assert Pipeline(store).run([str(path)]).records == 1
    assert installation.verify("deep").verdict is Verdict.INTACT
    assert installation.reconstruct(path) == [path.read_bytes()]


def test_an_old_erasure_does_not_hold_up_later_ingests(installation: Any, erased: Path, event: Event) -> None:
    """Another process commits meanwhile, so all is checked again: the erasure before that ended none of these keys."""
    other = erased.with_name("other.jsonl")
    other.write_bytes(event(70, "ana"))
    late = erased.with_name("late.jsonl")
    late.write_bytes(event(71, "ana"))
    with installation.open() as store:
        pipeline = Pipeline(store)
        installation.ingest(other)
        assert pipeline.run([str(late)]).records == 1
    assert installation.verify("deep").verdict is Verdict.INTACT
