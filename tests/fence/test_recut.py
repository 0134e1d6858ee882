"""What was erased comes again in another cut: its records are known by source and id, and nothing of them is sealed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ledger import resealing
from ledger.following import follow
from ledger.resealing import Redaction
from ledger.verify import Verdict

Event = Callable[..., bytes]

CUTS: Mapping[str, Callable[[list[bytes]], list[list[bytes]]]] = {
    "other order": lambda lines: [lines[::-1]],
    "split in two": lambda lines: [lines[:5], lines[5:]],
    "one line before": lambda lines: [[b'{"evidence": "event/1", "kind": "inference", "id": "new"}\n', *lines]],
    "one person alone": lambda lines: [lines[::2]],
    "a line twice": lambda lines: [[*lines[:3], *lines]],
    "other bytes under the same ids": lambda lines: [[line.replace(b"said", b"has said") for line in lines]],
    "half a line at the end": lambda lines: [[*lines[3:], lines[2].rstrip(b"\n")]],
}


@pytest.fixture
def lines(event: Event) -> list[bytes]:
    return [event(number, ("ana", "bo")[number % 2]) for number in range(12)]


@pytest.fixture
def erased(installation: Any, tmp_path: Path, lines: list[bytes]) -> Path:
    path = tmp_path / "desk.jsonl"
    path.write_bytes(b"".join(lines))
    installation.ingest(path)
    installation.erase("ana@example.org")
    return path


def write_cut(folder: Path, lines: list[bytes], cut: str) -> list[Path]:
    paths = []
    for number, part in enumerate(CUTS[cut](lines)):
        path = folder / f"cut-{number}.jsonl"
        path.write_bytes(b"".join(part))
        paths.append(path)
    return paths


@pytest.mark.parametrize("cut", list(CUTS))
def test_no_record_of_the_erased_person_is_sealed_and_nobody_is_enrolled_again(
    installation: Any,
    erased: Path,
    lines: list[bytes],
    cut: str,
    shown: Callable[..., bytes],
    enrolled: Callable[..., list[str]],
) -> None:
    paths = write_cut(erased.parent, lines, cut)
    summary = installation.ingest(*paths)
    assert summary.fenced == sum(b"ana@" in line for path in paths for line in path.read_bytes().splitlines())
    content = shown(installation)
    assert b"ana " not in content
    assert b"bo said" in content
    assert enrolled(installation, "ana") == []
    assert installation.verify("deep").verdict is Verdict.INTACT


def test_what_no_digest_is_kept_of_is_known_again_all_the_same(
    installation: Any, erased: Path, lines: list[bytes]
) -> None:
    (cut,) = write_cut(erased.parent, lines, "other order")
    assert installation.ingest(cut).unchanged == 0
    assert installation.ingest(cut).unchanged == 1
    copy = cut.with_name("copy.jsonl")
    copy.write_bytes(cut.read_bytes())
    assert installation.ingest(copy).unchanged == 1, "by the records that it refers to"


def test_a_record_without_an_id_comes_back_in_another_cut(
    installation: Any, tmp_path: Path, event: Event, shown: Callable[..., bytes]
) -> None:
    """A limit, and said to be one: nothing that may be kept tells such a record from a new one."""
    lines = [event(number, ("ana", "bo")[number % 2], own_id=False) for number in range(6)]
    path = tmp_path / "desk.jsonl"
    path.write_bytes(b"".join(lines))
    installation.ingest(path)
    installation.erase("ana@example.org")
    path.write_bytes(b"".join(lines[::-1]))
    summary = installation.ingest(path)
    assert (summary.records, summary.known) == (3 + 1, 3), "three, and the envelope that names the known three"
    assert shown(installation).count(b"ana said") == 3


def test_content_that_was_redacted_does_not_come_back(
    installation: Any, tmp_path: Path, event: Event, shown: Callable[..., bytes]
) -> None:
    path = tmp_path / "desk.jsonl"
    mention = event(1, "bo", text="Ana called.")
    path.write_bytes(event(0, "bo") + mention + event(2, "bo"))
    installation.ingest(path)
    with installation.open() as store:
        partition = next(entry for entry in store.history.partitions() if entry.value["rows"] == 3)
        resealing.reseal(store, partition, {1: Redaction(mention.replace(b"Ana", b"***"), "third_party")})
    assert installation.ingest(path).unchanged == 1
    recut = tmp_path / "recut.jsonl"
    recut.write_bytes(mention + event(3, "bo"))
    assert installation.ingest(recut).known == 1
    assert b"Ana called." not in shown(installation)


def test_content_that_expired_does_not_come_back(
    installation: Any, tmp_path: Path, event: Event, shown: Callable[..., bytes]
) -> None:
    path = tmp_path / "desk.jsonl"
    path.write_bytes(event(0, "bo") + event(1, "bo") + event(200, "bo"))
    installation.ingest(path)
    with installation.open() as store:
        first = min(store.history.partitions(), key=lambda entry: entry.value["date"])
        policy = b'{"_":"evidence/retention/1"}'
        digest = hashlib.sha256(policy).hexdigest()
        store.objects.put_if_absent(f"ledger/blob/{digest}", policy)
        body = {"policy": digest, "what": "content", "partitions": [{"partition": first.index}]}
        store.append([("retention", body)], by=("privacy",))
        follow(store)
    assert installation.ingest(path).unchanged == 1
    recut = tmp_path / "recut.jsonl"
    recut.write_bytes(event(1, "bo") + event(0, "bo"))
    assert installation.ingest(recut).known == 2
    assert shown(installation).count(b"bo said") == 1


def test_what_is_lost_is_taken_in_again(
    installation: Any, tmp_path: Path, event: Event, shown: Callable[..., bytes]
) -> None:
    """No entry says that it may be gone, so whoever brings it again mends the loss."""
    path = tmp_path / "desk.jsonl"
    path.write_bytes(event(0, "bo") + event(1, "cyd"))
    installation.ingest(path)
    with installation.open() as store:
        (reference,) = store.keyring.lookup("bo@example.org")
        keys = store.keyring.engine
        with keys.begin() as connection:
            connection.exec_driver_sql("DELETE FROM data_keys WHERE ref = ?", (reference,))
            connection.exec_driver_sql("DELETE FROM identifiers")
    assert b"bo said" not in shown(installation)
    recut = tmp_path / "recut.jsonl"
    recut.write_bytes(event(1, "cyd") + event(0, "bo"))
    assert installation.ingest(recut).known == 1
    assert b"bo said" in shown(installation)


@pytest.fixture
def conversations() -> bytes:
    """A compound document: three simulations, each a session of its own without a declared person."""
    simulations = [
        {
            "id": f"sim-{number}",
            "task_id": str(number),
            "trial": 0,
            "note": f"between the records of {number}",
            "messages": [
                {"role": "user", "content": f"I am caller {number}", "timestamp": "2025-08-01T16:20:50.284163"},
                {
                    "role": "assistant",
                    "content": f"Hello caller {number}",
                    "timestamp": "2025-08-01T16:20:51.284163",
                    "raw_data": {"model": "m"},
                },
            ],
        }
        for number in range(3)
    ]
    return json.dumps({"timestamp": "2025-08-01", "info": {}, "tasks": [], "simulations": simulations}).encode()


def erase_session(installation: Any, session: str) -> None:
    """Erase what belongs to one session, as where nobody is declared in it."""
    from ledger.erasing import Erasing, erase

    owners = {line["content"]["owner"] for line in installation.lines() if line.get("session") == session}
    assert owners
    with installation.open() as store:
        erase(store, Erasing(sorted(owners)))


def test_a_compound_document_is_known_and_a_cut_of_it_brings_nothing_back(
    installation: Any, tmp_path: Path, conversations: bytes, shown: Callable[..., bytes]
) -> None:
    path = tmp_path / "runs.json"
    path.write_bytes(conversations)
    assert installation.ingest(path).rejected == {}
    assert b"caller 1" in shown(installation)
    erase_session(installation, "sim-1")
    assert b"caller 1" not in shown(installation)
    copy = tmp_path / "copy.json"
    copy.write_bytes(conversations)
    assert installation.ingest(path, copy).unchanged == 2

    recut = tmp_path / "recut.json"
    value = json.loads(conversations)
    value["simulations"].reverse()
    recut.write_bytes(json.dumps(value).encode())
    summary = installation.ingest(recut)
    assert (summary.unchanged, summary.known > 0) == (0, True)
    content = shown(installation)
    assert b"caller 1" not in content
    assert b"between the records of 1" not in content, "nor what stands around the records of that session"
    assert b"caller 2" in content
    assert installation.verify("deep").verdict is Verdict.INTACT
    assert installation.ingest(recut).unchanged == 1
