"""Sealing: each access is stated once, by whoever comes first, and never called unrecorded while its record waits."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger import sealing, spool
from ledger.errors import AccessNotRecordedError
from ledger.store import Store
from ledger.verify import Verdict


def look(installation: Any, count: int = 1) -> str:
    """A process that looked at something and ended; the name of its spool."""
    with installation.open() as store:
        receipts = [store.record_access(b"access %d" % number, {}) for number in range(count)]
    return str(receipts[-1].spool)


def elsewhere(installation: Any, **changes: Any) -> Any:
    """The same store, keyring and keys with other settings: another host."""
    return replace(installation, settings=installation.settings.model_copy(update=changes))


def assert_all_there(installation: Any, records: int) -> None:
    """Every access is in the store, once, and none is called unrecorded."""
    with installation.open() as store:
        store.publish()
        assert store.waiting() == 0
    lines = [line["source_id"] for line in installation.lines() if line["kind"] == "access"]
    assert len(lines) == len(set(lines)) == records
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    assert not any("never recorded" in note for note in report.notes), report.notes


def test_a_spool_of_another_folder_is_left_alone(installation: Any, tmp_path: Path) -> None:
    """Two hosts share a keyring, and each has its own spool folder."""
    look(installation, 2)
    other = elsewhere(installation, spool=tmp_path / "other host")
    look(other)
    with other.open() as store:
        assert store.seal() == sealing.Sealed(records=1, spools=1, in_use=0, elsewhere=1)
        assert store.waiting() == 2
    with installation.open() as store:
        assert store.seal() == sealing.Sealed(records=2, spools=1, in_use=0)
    assert_all_there(installation, 3)


def test_a_spool_folder_that_is_not_mounted_is_waited_for(installation: Any, tmp_path: Path) -> None:
    look(installation)
    folder = installation.settings.spool
    folder.rename(tmp_path / "away")
    folder.mkdir()
    with installation.open() as store:
        assert store.seal() == sealing.Sealed(records=0, spools=0, in_use=0, elsewhere=1)
    shutil.rmtree(folder)
    (tmp_path / "away").rename(folder)
    with installation.open() as store:
        assert store.seal().records == 1
    assert_all_there(installation, 1)


def test_a_file_that_is_missing_from_its_own_folder_is_stated(installation: Any) -> None:
    """Its process died before it made the file, or somebody took the file away."""
    name = look(installation, 2)
    spool.remove(installation.settings.spool, name)
    with installation.open() as store:
        assert store.seal() == sealing.Sealed(records=0, spools=1, in_use=0)
        store.publish()
        (stated,) = store.history.entries[-1].value["spools"]
    assert stated == {"spool": name, "first": 1, "last": 2, "missing": [[1, 2]]}


@pytest.mark.parametrize("step", ["close", "key", "data_keys", "append"])
def test_of_two_that_seal_at_once_one_states_the_spool(installation: Any, step: str) -> None:
    """Wherever the slower one is when the faster one begins and ends."""
    look(installation, 2)
    with installation.open() as faster, installation.open() as slower:
        owner = {"close": slower.accesses, "key": slower.accesses, "data_keys": slower.keyring}.get(step, slower)
        original = getattr(owner, step)

        def meanwhile(*arguments: Any) -> Any:
            setattr(owner, step, original)
            assert faster.seal().records == 2
            return original(*arguments)

        setattr(owner, step, meanwhile)
        assert slower.seal().records == 0
    assert_all_there(installation, 2)


def test_the_slower_one_still_seals_what_the_faster_one_did_not_see(
    installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = look(installation), look(installation)
    with installation.open() as faster, installation.open() as slower:
        (seen,) = [item for item in faster.accesses.waiting() if item.name == first]
        monkeypatch.setattr(faster.accesses, "waiting", lambda: [seen])
        append = slower.append

        def meanwhile(*arguments: Any) -> Any:
            monkeypatch.setattr(slower, "append", append)
            assert faster.seal().records == 1
            return append(*arguments)

        monkeypatch.setattr(slower, "append", meanwhile)
        assert slower.seal().records == 1
        assert slower.history.entries[-1].value["spools"] == [{"spool": second, "first": 1, "last": 1}]
    assert_all_there(installation, 2)


def test_processes_that_seal_at_once(installation: Any) -> None:
    for _ in range(6):
        look(installation, 3)
    code = (
        "import sys; from ledger.settings import load; from ledger.store import Store\n"
        "with Store.open(load(sys.argv[1])) as store:\n"
        "    print('ready', flush=True); sys.stdin.readline(); print(store.seal().records)\n"
    )
    command = [sys.executable, "-c", code, str(installation.config)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(process.communicate(timeout=120)[0]) for process in started) == 18
    assert all(process.returncode == 0 for process in started)
    assert_all_there(installation, 18)


def test_a_sealing_that_died_after_its_commit_is_finished(installation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step: before the file is gone, and before the key is."""
    for step, owner in (("remove", spool), ("sealed", None)):
        look(installation)
        with installation.open() as store, monkeypatch.context() as patched:
            patched.setattr(owner or store.accesses, step, _die)
            with pytest.raises(KeyboardInterrupt):
                store.seal()
            assert store.waiting() == 1
        with installation.open() as store:
            assert store.seal() == sealing.Sealed(records=0, spools=1, in_use=0)
    assert _files(installation) == []
    assert_all_there(installation, 2)


def test_records_keep_the_retention_class_that_they_were_made_under(installation: Any) -> None:
    look(installation)
    look(elsewhere(installation, retention_class="long"), 2)
    with elsewhere(installation, retention_class="brief").open() as store:
        assert store.seal().records == 3
        classes = [(entry.value["retention_class"], entry.value["rows"]) for entry in store.history.partitions()]
        seqs = {entry.seq for entry in store.history.partitions()}
    assert Counter(classes) == {("standard", 1): 1, ("long", 2): 1}
    assert len(seqs) == 2, "the commit of a partition states its own spools"
    assert_all_there(installation, 3)


def test_a_spool_with_bytes_that_may_be_records_is_kept(installation: Any) -> None:
    """What could be read is sealed; the file and its key stay for whoever can make sense of the rest."""
    name = look(installation, 3)
    path = installation.settings.spool / f"{name}.spool"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with installation.open() as store:
        assert store.seal() == sealing.Sealed(records=2, spools=1, in_use=0, damaged=1)
        assert store.history.entries[-1].value["spools"][0]["missing"] == [[2, 2]]
        assert store.accesses.key(name) is not None
        assert store.waiting() == 0
        assert store.seal() == sealing.Sealed(records=0, spools=0, in_use=0)
    assert path.read_bytes() == data


def test_a_spool_that_nothing_was_taken_from_is_cleared_away(installation: Any) -> None:
    with installation.open() as store:
        folder = spool.identify(installation.settings.spool)
        key = store.accesses.new_spool(folder)
        spool.SpoolFile(installation.settings.spool, key.spool, key.key).close()
        assert store.seal() == sealing.Sealed(records=0, spools=1, in_use=0)
        assert store.accesses.waiting() == []
    assert _files(installation) == []


def test_a_process_whose_empty_spool_was_cleared_away_begins_another(
    installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sealer came between the spool's file and its lock."""
    with installation.open() as store, installation.open() as sealer:
        take = store.accesses.take

        def late(name: str) -> Any:
            monkeypatch.setattr(store.accesses, "take", take)
            assert sealer.accesses.unused(name)
            return take(name)

        monkeypatch.setattr(store.accesses, "take", late)
        store.record_access(b"looked", {})
        assert store.seal().records == 1
    assert_all_there(installation, 1)


def test_after_a_disk_that_failed_the_next_access_begins_another_spool(
    installation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with installation.open() as store:
        first = store.record_access(b"looked", {})
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fails)
            with pytest.raises(AccessNotRecordedError):
                store.record_access(b"refused", {})
        assert store.record_access(b"looked again", {}).spool != first.spool
        assert store.seal() == sealing.Sealed(records=2, spools=2, in_use=0)


@pytest.fixture
def anchored(new_installation: Callable[..., Any], tmp_path: Path) -> Any:
    return new_installation(tmp_path / "anchored", reveal="anchored")


def test_an_anchored_reveal_waits_for_who_holds_its_spool_for_a_moment(
    anchored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, True])
    original = spool.in_use
    monkeypatch.setattr(spool, "in_use", lambda folder, name: next(answers, None) or original(folder, name))
    with anchored.open() as store:
        receipt = store.record_access(b"looked", {})
        assert store.history.entries[-1].value["spools"] == [{"spool": receipt.spool, "first": 1, "last": 1}]


def test_an_anchored_reveal_whose_record_is_not_committed_is_refused(
    anchored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child process that was forked while the spool was open holds its lock."""
    monkeypatch.setattr(sealing, "_PAUSE", 0.001)
    original = sealing.seal

    def held(store: Store) -> sealing.Sealed:
        store.close_spool()
        (path,) = anchored.settings.spool.glob("*.spool")
        with path.open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            return original(store)

    monkeypatch.setattr(sealing, "seal", held)
    with anchored.open() as store, pytest.raises(AccessNotRecordedError, match="not committed"):
        store.record_access(b"looked", {})


def test_an_anchored_reveal_whose_record_is_stated_as_missing_is_refused(
    anchored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "_PAUSE", 0.001)
    with anchored.open() as store:
        monkeypatch.setattr(store, "close_spool", lambda: _remove_files(store, anchored))
        with pytest.raises(AccessNotRecordedError, match="not committed"):
            store.record_access(b"looked", {})


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def _files(installation: Any) -> list[str]:
    return [path.name for path in installation.settings.spool.glob("*.spool")]


def _remove_files(store: Store, installation: Any) -> None:
    store._recorder.close()
    for path in installation.settings.spool.glob("*.spool"):
        path.unlink()
