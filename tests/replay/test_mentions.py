"""The mention index finds people in other people's content, says what it covers, and keeps nothing of the erased."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.access import Receipt
from ledger.erasing import Erasing, erase
from ledger.errors import AccessNotRecordedError
from ledger.keyring.identifiers import Identifier
from ledger.resealing import Redaction, reseal
from ledger.settings import load
from replay import mention_index, mentions
from replay.detectors import detect
from replay.persons import resolve_person
from replay.redacting import redacted
from tests.replay.conftest import receipt

Turn = Callable[..., dict[str, Any]]
ANA = {"end_user": [{"type": "email", "id": "ana@b.org"}]}
BEA = {"end_user": [{"type": "email", "id": "bea@b.org"}]}


@pytest.fixture
def told(desk: Any, turn: Turn) -> Any:
    """Bea talks of Ana, Ana of herself, and a third of both."""
    time = "2025-03-01T10:00:00Z"
    desk.ingest(
        turn("Ana is ANA@b.org", "ok", id="b1", session="sb", time=time, subjects=BEA),
        turn("I am ana@b.org", "ok", id="a1", session="sa", time=time, subjects=ANA),
        turn("ana@b.org, bea@b.org", "ok", id="c1", session="sc", time="2025-03-02T10:00:00Z"),
    )
    return desk


def scan(desk: Any) -> mentions.Scanned:
    with desk.listed() as (store, opened):
        return mentions.scan(opened, receipt(store))


def of(desk: Any, *identifiers: str) -> list[tuple[str, str]]:
    """Record and text of the mentions of somebody, each checked to be what it says."""
    with desk.listed() as (store, opened):
        return named(store, opened, mentions.indexed_mentions(opened, resolve_person(store, identifiers)))


def named(store: Any, opened: Any, found: list[mentions.Mention]) -> list[tuple[str, str]]:
    result = []
    for item in found:
        entry = opened.partitions()[item.partition]
        assert entry.index == item.entry
        (row,) = store.reveal(receipt(store), entry.value, [item.row])
        assert row.record.hex() == item.record_id
        assert row.line["content"]["owner"] == item.owner
        result.append((row.line["source_id"], row.bytes[item.start : item.end].decode()))
    return result


def state(desk: Any) -> mention_index.State:
    with desk.listed() as (_, opened):
        return mentions.index_state(opened)


def file_of(desk: Any) -> Path:
    path: Path = desk.installation.settings.cache / mention_index.FILE
    return path


def rows(desk: Any) -> int:
    with sqlite3.connect(file_of(desk)) as connection:
        number: int = connection.execute("SELECT count(*) FROM mentions").fetchone()[0]
    connection.close()
    return number


def test_mentions_are_found_in_content_that_is_not_the_persons_own(told: Any) -> None:
    scanned = scan(told)

    # Ana and Bea stand in the native format's fields as well, beside what they said: in their own content.
    assert scanned == mentions.Scanned(partitions=2, records=3, mentions=6, unread={})
    assert of(told, "ana@b.org") == [("b1", "ANA@b.org"), ("c1", "ana@b.org")]
    assert of(told, "bea@b.org") == [("c1", "bea@b.org")]


def test_an_identifier_that_the_keyring_does_not_know_is_found_too(told: Any, turn: Turn) -> None:
    told.ingest(turn("call +49 151 0123456", "ok", id="d1", time="2025-03-01T10:00:00Z"))
    scan(told)
    with told.listed() as (store, opened):
        found = mentions.mentions_of(opened, [Identifier("phone", "0151 0123456")])
        assert named(store, opened, found) == [("d1", "+49 151 0123456")]


def test_a_second_scan_reads_only_what_is_new(told: Any, turn: Turn) -> None:
    scan(told)
    assert scan(told).partitions == 0

    told.ingest(turn("ana@b.org", "ok", id="e1", session="se", time="2025-03-03T10:00:00Z", subjects=BEA))
    before = state(told)
    assert (before.scanned, before.partitions, len(before.missing)) == (before.partitions - 1, before.partitions, 1)
    assert scan(told).partitions == 1
    assert [record for record, _ in of(told, "ana@b.org")] == ["b1", "c1", "e1"]


def test_a_detector_that_changes_reads_again_and_the_others_do_not(
    told: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.ingest(turn("HV-104417 and HV-1", "ok", id="f1", session="sf", time="2025-03-03T10:00:00Z"))
    scan(told)
    configure(told, 'detectors = ["email", { name = "customer", type = "user_id", pattern = "HV-[0-9]{6}" }]')
    read: list[list[str]] = []
    original = detect

    def noted(contents: Any, detectors: Any) -> Any:
        read.append([detector.name for detector in detectors])
        return original(contents, detectors)

    monkeypatch.setattr(mentions, "detect", noted)
    assert scan(told).partitions == state(told).partitions
    assert {name for names in read for name in names} == {"customer"}
    assert found_as(told, "HV-104417") == ["f1"]

    configure(told, 'detectors = ["email", { name = "customer", type = "user_id", pattern = "HV-[0-9]+" }]')
    scan(told)
    assert found_as(told, "HV-1") == ["f1"]

    configure(told, 'detectors = ["email"]')
    scan(told)
    assert found_as(told, "HV-1") == []
    assert of(told, "ana@b.org")


def configure(desk: Any, line: str) -> None:
    config = desk.installation.config
    kept = [text for text in config.read_text().splitlines() if not text.startswith("detectors")]
    config.write_text("\n".join([*kept, line, ""]))
    desk.installation = type(desk.installation)(load(str(config)), config)


def found_as(desk: Any, user: str) -> list[str]:
    with desk.listed() as (store, opened):
        return [
            record for record, _ in named(store, opened, mentions.mentions_of(opened, [Identifier("user_id", user)]))
        ]


def test_a_scan_needs_an_access_record(told: Any) -> None:
    with told.listed() as (_, opened), pytest.raises(AccessNotRecordedError):
        mentions.scan(opened, Receipt("0" * 32, 1))
    assert state(told).scanned == 0


def test_the_file_says_nothing_of_anybody(told: Any) -> None:
    scan(told)
    data = file_of(told).read_bytes()
    with told.installation.open() as store:
        known = [*store.keyring.lookup("ana@b.org"), *store.keyring.lookup("bea@b.org")]

    assert file_of(told).stat().st_mode & 0o077 == 0
    for text in ("ana@b.org", "bea@b.org", "ana", *known):
        assert text.encode() not in data
        assert text.encode().hex().encode() not in data


@pytest.mark.parametrize("damage", ["garbage", "halved", "sealed", "gone", "version"])
def test_a_file_that_is_no_use_is_made_again(told: Any, damage: str) -> None:
    scan(told)
    before = of(told, "ana@b.org")
    path = file_of(told)
    if damage == "garbage":
        path.write_bytes(b"no database at all, but long enough" * 100)
    elif damage == "halved":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "gone":
        path.unlink()
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE meta SET value = x'00' WHERE name = ?", [{"sealed": "mark"}.get(damage, damage)])
        connection.close()

    scan(told)

    assert of(told, "ana@b.org") == before


# -- erasure


def test_after_an_erasure_that_tells_nothing_of_the_person_is_left_and_the_rest_stays(told: Any) -> None:
    scan(told)
    with told.listed() as (store, opened):
        references = resolve_person(store, ["ana@b.org"])
        macs = mentions.mention_macs(store, references)
        everything = file_of(told).read_bytes()
        assert all(mac in everything for mac in macs)
        erase(store, Erasing(references))
        assert mentions.forget(store, macs, references) >= 3
        assert mentions.indexed_mentions(opened, references) == []
        assert mentions.mentions_of(opened, [Identifier("email", "ana@b.org")]) == []

    left = file_of(told).read_bytes()
    assert not any(mac in left for mac in macs)
    assert state(told).missing == ()
    assert of(told, "bea@b.org") == [("c1", "bea@b.org")]


def test_mentions_in_the_content_of_somebody_erased_go_too(told: Any) -> None:
    scan(told)
    with told.listed() as (store, _):
        references = resolve_person(store, ["bea@b.org"])
        macs = mentions.mention_macs(store, references)
        erase(store, Erasing(references))
        mentions.forget(store, macs, references)

    assert of(told, "ana@b.org") == [("c1", "ana@b.org")]


def test_an_index_that_was_not_told_of_an_erasure_is_emptied(told: Any) -> None:
    """Another machine's, or that of a process that died between the entry and the index."""
    scan(told)
    assert rows(told)
    told.installation.erase("ana@b.org")

    assert state(told).scanned == 0
    assert rows(told) == 0
    scan(told)
    assert of(told, "bea@b.org") == [("c1", "bea@b.org")]


def test_an_index_under_an_epoch_that_is_gone_is_noise_and_made_again(told: Any) -> None:
    scan(told)
    old = file_of(told).read_bytes()
    with told.installation.open() as store:
        before, keyring = store.mention_keys(), store.keyring
        keyring._epochs[keyring.epoch] = bytes(32)  # as after a rotation: another newest epoch key
        after = store.mention_keys()
    mac = before.mac(Identifier("email", "ana@b.org"))

    assert before.mark != after.mark
    assert mac in old
    assert after.mac(Identifier("email", "ana@b.org")) not in old
    with pytest.raises(Exception, match="cannot be opened"):
        after.open(mac, before.seal(mac, b"x"))


# -- what the ledger moves


def test_a_redacted_partition_is_read_again_and_the_mention_is_gone(told: Any) -> None:
    scan(told)
    with told.listed() as (store, opened):
        (first, *_) = mentions.indexed_mentions(opened, resolve_person(store, ["ana@b.org"]))
        entry = opened.partitions()[first.partition]
        (row,) = store.reveal(receipt(store), entry.value, [first.row])
        content = redacted(row.bytes, [(first.start, first.end)])
        reseal(store, entry, {first.row: Redaction(content, "third_party")})

    after = state(told)
    assert after.missing == (first.entry,)
    scan(told)
    assert of(told, "ana@b.org") == [("c1", "ana@b.org")]


def test_what_cannot_be_opened_is_counted_and_read_when_it_can_be(told: Any) -> None:
    with told.listed() as (store, _):
        subjects = resolve_person(store, ["bea@b.org"])
        body = {"action": "restrict", "subjects": subjects, "basis": "accuracy_contested"}
        store.append([("restriction", body)], by=("privacy",))
    assert scan(told).unread == {"restricted": 1}
    assert state(told).unread == 1
    assert of(told, "ana@b.org") == [("c1", "ana@b.org")]

    with told.listed() as (store, _):
        store.append([("restriction", {"action": "lift", "subjects": subjects})], by=("privacy",))
    assert len(state(told).missing) == 1
    scan(told)
    assert of(told, "ana@b.org") == [("b1", "ANA@b.org"), ("c1", "ana@b.org")]
    assert state(told).unread == 0
