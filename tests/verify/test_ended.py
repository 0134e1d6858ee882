"""Content that is lawfully gone is told from content that is lost, and a key that came back is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ledger import following, resealing
from ledger.content import ContentReader
from ledger.erasing import Erasing, erase
from ledger.errors import AccessNotRecordedError, ErasedError, KeyringError
from ledger.keyring.destruction import Destruction
from ledger.resealing import Redaction
from ledger.verify import Verdict
from replay import access

PEOPLE = ("ana@example.org", "bo@example.org")


def event(number: int, person: str, session: str, text: str) -> bytes:
    value = {
        "evidence": "event/1",
        "kind": "inference",
        "source": "desk",
        "id": f"e-{number}",
        "time": f"2026-10-0{1 + number // 4}T08:00:0{number % 10}Z",
        "session": session,
        "subjects": {"end_user": [{"type": "email", "id": person}]},
        "input": [{"role": "user", "parts": [{"type": "text", "content": text}]}],
    }
    return json.dumps(value).encode() + b"\n"


@pytest.fixture
def desk(installation: Any, tmp_path: Path) -> Any:
    """Two people, two sessions each, two days; Bo mentions Ana in his last record."""
    lines = [
        event(number, PEOPLE[number % 2], f"s-{number % 4}", "Ana is on leave" if number == 7 else f"text {number}")
        for number in range(8)
    ]
    (tmp_path / "desk.jsonl").write_bytes(b"".join(lines))
    installation.ingest(tmp_path / "desk.jsonl")
    return installation


def contents(installation: Any) -> dict[str, tuple[str, bytes | None]]:
    """State and content of every record by its source's id."""
    with installation.open() as store:
        receipt = access.record(store, "test", "test", {})
        return {
            row.line["source_id"]: (row.state, row.bytes)
            for entry in store.history.partitions()
            for row in store.reveal(receipt, entry.value, range(entry.value["rows"]))
            if row.line["kind"] == "inference"
        }


def partition_of(store: Any, source_id: str) -> tuple[Any, int, int]:
    """The partition entry, row and segment of a record."""
    for entry in store.history.partitions():
        reader = ContentReader(store.objects, store.keyring, store.ledger(), entry.value)
        for row, item in enumerate(reader.all_rows()):
            if item.line["source_id"] == source_id:
                segment = reader._reader.all_rows(["segment"]).column("segment").to_pylist()[row]
                return entry, row, segment
    raise AssertionError(source_id)


def test_a_person_is_erased_everywhere_and_nobody_else(desk: Any) -> None:
    before = contents(desk)
    assert {state for state, _ in before.values()} == {"verified"}
    desk.erase(PEOPLE[0])
    report = desk.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"erased": 4})
    with desk.open() as store:
        (entry,) = [entry.index for entry in store.history.entries if entry.value["type"] == "erasure"]
    assert report.explained_by == {"erased": {entry}}
    after = contents(desk)
    assert [name for name, (state, _) in after.items() if state == "erased"] == ["e-0", "e-2", "e-4", "e-6"]
    assert all(after[name] == before[name] for name, (state, _) in after.items() if state == "verified")


def test_one_segment_is_erased_and_its_neighbours_stay(desk: Any) -> None:
    with desk.open() as store:
        entry, _, segment = partition_of(store, "e-3")
        erase(store, Erasing(segments={entry.index: [segment]}))
        store.publish()
        assert store.keyring.tree(entry.value["content"]["path"]).has(segment) is False
    report = desk.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"erased": 1})
    states = {name: state for name, (state, _) in contents(desk).items()}
    assert states.pop("e-3") == "erased"
    assert set(states.values()) == {"verified"}


def redact(installation: Any, source_id: str, old: bytes, new: bytes) -> None:
    with installation.open() as store:
        entry, row, _ = partition_of(store, source_id)
        (item,) = ContentReader(store.objects, store.keyring, store.ledger(), entry.value).chosen([row])
        assert item.bytes is not None
        assert old in item.bytes
        resealing.reseal(store, entry, {row: Redaction(item.bytes.replace(old, new), "third_party")})
        store.publish()


def test_a_mention_is_taken_out_and_the_rest_of_the_segment_still_fits_its_lines(desk: Any) -> None:
    before = contents(desk)
    redact(desk, "e-7", b"Ana", b"[redacted]")
    report = desk.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"redacted": 1})
    after = contents(desk)
    state, content = after.pop("e-7")
    assert state == "redacted"
    assert content is not None
    assert b"Ana" not in content
    assert b"[redacted] is on leave" in content
    assert all(after[name] == before[name] for name in after)


def test_a_segment_can_be_redacted_twice_and_then_erased_with_its_owner(desk: Any) -> None:
    redact(desk, "e-7", b"Ana", b"[redacted]")
    redact(desk, "e-7", b"leave", b"[redacted]")
    assert desk.verify("deep").explained == {"redacted": 1}
    assert contents(desk)["e-7"][1].count(b"[redacted]") == 2  # type: ignore[union-attr]
    desk.erase(PEOPLE[1])
    report = desk.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"erased": 4})


def test_what_opened_a_redacted_segment_is_gone(desk: Any) -> None:
    """The old ciphertext may stand in a bucket under object lock for years."""
    with desk.open() as store:
        entry, _, segment = partition_of(store, "e-7")
        path = entry.value["content"]["path"]
        old = store.keyring.tree(path)
        assert old.has(segment)
    redact(desk, "e-7", b"Ana", b"[redacted]")
    with desk.open() as store:
        left = store.keyring.tree(path)
        assert not left.has(segment)
        with pytest.raises(ErasedError):
            left.leaf(segment)
        assert (desk.folder / path).exists()


def test_a_resealed_object_is_checked_like_any_other(desk: Any) -> None:
    redact(desk, "e-7", b"Ana", b"[redacted]")
    with desk.open() as store:
        (moved,) = {place.content.path for places in store.endings.moved.values() for place in places.values()}
    file = desk.folder / moved
    whole = file.read_bytes()
    for level in ("fast", "deep"):
        data = bytearray(whole)
        data[len(data) // 3] ^= 1
        assert bytes(data) != whole
        file.write_bytes(bytes(data))
        assert desk.verify(level).verdict is Verdict.TAMPERED
        file.unlink()
        assert desk.verify(level).verdict is Verdict.LOST
        file.write_bytes(whole)
        assert desk.verify(level).verdict is Verdict.INTACT


def test_a_key_that_is_gone_without_an_entry_is_lost(desk: Any) -> None:
    with desk.open() as store:
        Destruction(store.keyring).subjects(store.keyring.lookup(PEOPLE[0]))
    report = desk.verify("deep")
    assert (report.verdict, report.exit_code) == (Verdict.LOST, 5)
    assert contents(desk)["e-0"] == ("lost", None)


def keyring_files(installation: Any) -> list[Path]:
    database = Path(installation.settings.keyring.removeprefix("sqlite:///"))
    return sorted(database.parent.glob(f"{database.name}*"))


def test_a_restored_keyring_resurrects_nobody(desk: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for file in keyring_files(desk):
        shutil.copy(file, kept)
    (reference,) = desk.erase(PEOPLE[0])
    for file in keyring_files(desk):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, keyring_files_folder(desk))
    with desk.open() as store:
        assert store.keyring.lookup(PEOPLE[0]) == [reference], "the old keyring knows the person again"
        assert following.behind(store)

    report = desk.verify("deep")
    assert (report.verdict, report.exit_code) == (Verdict.UNVERIFIABLE, 3)
    assert any("keys reconcile" in finding.reason for finding in report.findings)
    with desk.open() as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "PATIENCE", 0.0)
        receipt = access.record(store, "test", "test", {})
        with pytest.raises(KeyringError, match="older than the ledger"):
            store.reveal(receipt, store.history.partitions()[0].value, range(1))

    with desk.open() as store:
        following.follow(store)
        assert store.keyring.lookup(PEOPLE[0]) == []
        assert store.keyring.state(reference) == "erased"
    assert (desk.verify("deep").verdict, desk.verify("deep").explained) == (Verdict.INTACT, {"erased": 4})
    assert contents(desk)["e-0"] == ("erased", None)


@pytest.mark.parametrize("redactions", [1, 2])
def test_a_keyring_from_before_a_redaction_follows_it_and_loses_no_neighbour(
    desk: Any, tmp_path: Path, redactions: int
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for file in keyring_files(desk):
        shutil.copy(file, kept)
    for word in (b"Ana", b"leave")[:redactions]:
        redact(desk, "e-7", word, b"[redacted]")
    wanted = contents(desk)
    for file in keyring_files(desk):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, keyring_files_folder(desk))
    assert desk.verify("deep").verdict is Verdict.UNVERIFIABLE

    with desk.open() as store:
        following.follow(store)
        entry, _, segment = partition_of(store, "e-7")
        assert not store.keyring.tree(entry.value["content"]["path"]).has(segment)

    assert contents(desk) == wanted
    # What was looked at since the backup was sealed under keys that it cannot have.
    with desk.open() as store:
        store.seal()
    report = desk.verify("deep")
    assert report.explained == {"redacted": 1}


def keyring_files_folder(installation: Any) -> Path:
    return Path(installation.settings.keyring.removeprefix("sqlite:///")).parent


@pytest.mark.parametrize("died_before", ["append", "follow"])
def test_an_erasure_that_was_interrupted_is_completed(
    desk: Any, monkeypatch: pytest.MonkeyPatch, died_before: str
) -> None:
    with desk.open() as store:
        subjects = store.keyring.lookup(PEOPLE[0])

        def die(*_: object, **__: object) -> None:
            raise AccessNotRecordedError("the process died here")

        with monkeypatch.context() as patch:
            if died_before == "append":
                patch.setattr(type(store), "append", die)
            else:
                patch.setattr(following, "follow", die)
            with pytest.raises(AccessNotRecordedError):
                erase(store, Erasing(subjects))
        assert store.keyring.lookup(PEOPLE[0]) == []
        assert store.keyring.state(subjects[0]) == "erasing"
    if died_before == "append":
        assert desk.verify("deep").verdict is Verdict.INTACT, "nothing is gone yet"
        with desk.open() as store:
            erase(store, Erasing(subjects))
    else:
        assert desk.verify("deep").verdict is Verdict.UNVERIFIABLE, "the ledger says what is not done yet"
        with desk.open() as store:
            following.follow(store)
    with desk.open() as store:
        store.publish()
    assert (desk.verify("deep").verdict, desk.verify("deep").explained) == (Verdict.INTACT, {"erased": 4})


def test_future_records_of_the_person_get_a_new_reference(desk: Any, tmp_path: Path) -> None:
    (old,) = desk.erase(PEOPLE[0])
    (tmp_path / "later.jsonl").write_bytes(event(9, PEOPLE[0], "s-9", "Good morning"))
    desk.ingest(tmp_path / "later.jsonl")
    with desk.open() as store:
        (new,) = store.keyring.lookup(PEOPLE[0])
    assert new != old
    assert contents(desk)["e-9"][0] == "verified"
    assert desk.verify("deep").explained == {"erased": 4}


def test_an_entry_that_names_a_segment_whose_leaf_lives_is_not_believed(desk: Any) -> None:
    """The keyring was told nothing: what the ledger says is not true yet."""
    with desk.open() as store:
        entry, _, segment = partition_of(store, "e-3")
        body = {"subjects": [], "segments": [{"partition": entry.index, "segments": [[segment, segment]]}]}
        store.append([("erasure", body)], by=("privacy",))
        store.publish()
    report = desk.verify("deep")
    assert report.verdict is Verdict.UNVERIFIABLE
    assert any("should have been destroyed" in finding.reason for finding in report.findings)
    assert contents_of_withheld(desk) == ("erased", None)


def contents_of_withheld(installation: Any) -> tuple[str, bytes | None]:
    """What the ledger has ended is not opened, even while the key is here."""
    with installation.open() as store:
        entry, row, _ = partition_of(store, "e-3")
        (item,) = ContentReader(store.objects, store.keyring, store.ledger(), entry.value).chosen([row])
        return item.state, item.bytes
