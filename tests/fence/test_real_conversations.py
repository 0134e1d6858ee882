"""Recorded conversations of others: one is erased, the file comes again, whole, renamed and cut differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.erasing import Erasing, erase
from ledger.verify import Verdict

TAU2 = "tau2/gpt-4.1_airline_default_gpt-4.1_1trials.json"
TAU_BENCH = "tau-bench/gpt-4o-airline.json"


def erase_owners(installation: Any, owners: list[str]) -> None:
    with installation.open() as store:
        erase(store, Erasing(owners))
        store.publish()


def test_a_file_of_simulations(
    installation: Any, tmp_path: Path, shared_data: Path, shown: Callable[..., bytes]
) -> None:
    value = json.loads((shared_data / TAU2).read_bytes())
    path = tmp_path / "original.json"
    path.write_bytes(json.dumps(value, ensure_ascii=False).encode())
    installation.ingest(path)
    gone = value["simulations"][3]
    said = next(message["content"] for message in gone["messages"] if message["role"] == "user")
    sentence = json.dumps(said, ensure_ascii=False)[1:-1]
    owners = {line["content"]["owner"] for line in installation.lines() if line.get("session") == gone["id"]}
    assert sentence.encode() in shown(installation)
    erase_owners(installation, sorted(owners))
    assert sentence.encode() not in shown(installation)

    renamed = tmp_path / "renamed.json"
    renamed.write_bytes(path.read_bytes())
    again = installation.ingest(path, renamed)
    assert (again.unchanged, again.ended, again.records) == (2, 2, 0)

    cuts = {
        "reversed": {**value, "simulations": value["simulations"][::-1]},
        "first half": {**value, "simulations": value["simulations"][:10]},
        "alone": {**value, "simulations": [gone]},
    }
    for name, cut in cuts.items():
        recut = tmp_path / f"{name}.json"
        recut.write_bytes(json.dumps(cut, ensure_ascii=False, indent=1).encode())
        assert installation.ingest(recut).known >= len(gone["messages"]) // 2
        content = shown(installation)
        assert sentence.encode() not in content, name
        assert installation.ingest(recut).unchanged == 1, name
    assert installation.verify("deep").verdict is Verdict.INTACT


def test_a_file_of_runs_without_ids(
    installation: Any, tmp_path: Path, shared_data: Path, shown: Callable[..., bytes]
) -> None:
    """The whole file is known. Cut differently it is not: its records have no ids, so what is erased comes back."""
    value = json.loads((shared_data / TAU_BENCH).read_bytes())[:12]
    path = tmp_path / "original.json"
    path.write_bytes(json.dumps(value).encode())
    installation.ingest(path)
    user = value[5]["info"]["task"]["user_id"]
    with installation.open() as store:
        subjects = store.keyring.lookup(user, ["user_id"])
        assert len(subjects) == 1
    said = next(message["content"] for message in value[5]["traj"] if message["role"] == "user")
    sentence = json.dumps(said)[1:-1].encode()
    assert sentence in shown(installation)
    erase_owners(installation, subjects)
    assert sentence not in shown(installation)

    renamed = tmp_path / "renamed.json"
    renamed.write_bytes(path.read_bytes())
    again = installation.ingest(path, renamed)
    assert (again.unchanged, again.ended, again.records) == (2, 2, 0)
    assert installation.verify("deep").verdict is Verdict.INTACT

    recut = tmp_path / "recut.json"
    recut.write_bytes(json.dumps(value[::-1]).encode())
    installation.ingest(recut)
    assert sentence in shown(installation), "a limit, said in the documents"
    with installation.open() as store:
        (reference,) = store.keyring.lookup(user, ["user_id"])
    assert reference not in subjects, "under a new reference, so that it can be erased again"


@pytest.mark.parametrize("name", ["gateway", "policy-assistant"])
def test_the_sample_logs(installation: Any, sample_logs: Path, tmp_path: Path, name: str) -> None:
    """Every owner in turn is erased, until nothing is left: the files stay known."""
    files = sorted(path for path in (sample_logs / name).rglob("*") if path.is_file())
    installation.ingest(*files)
    owners = sorted({line["content"]["owner"] for line in installation.lines() if line["kind"] != "envelope"})
    for start in range(0, len(owners), max(len(owners) // 3, 1)):
        erase_owners(installation, owners[start : start + max(len(owners) // 3, 1)])
        again = installation.ingest(*files)
        assert (again.unchanged, again.records) == (len(files), 0)
    assert installation.verify("deep").verdict is Verdict.INTACT
