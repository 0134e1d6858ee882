"""A store in a folder: durable before it answers, closed against symbolic links, safe for several processes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import MissingObjectError, StorageError
from ledger.objects import Objects, open_objects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "above" / "store"


@pytest.fixture
def store(root: Path) -> Objects:
    return open_objects(str(root))


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.name.startswith(".tmp-")]


SYSTEM_CALLS = ("open", "mkdir", "fsync", "link", "unlink", "rename")


class SystemCalls:
    """Record the calls that a store makes, and let the ``at``-th fail with EIO."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.at: int | None = None
        for name in SYSTEM_CALLS:
            monkeypatch.setattr(os, name, self._recorded(name, getattr(os, name)))

    def _recorded(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any, **named: Any) -> Any:
            if self.at == len(self.made):
                self.at = None
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if name == "fsync":
                kind = "folder" if stat.S_ISDIR(os.fstat(given[0]).st_mode) else "file"
                self.made.append(f"fsync {kind}")
            else:
                self.made.append(name)
            return call(*given, **named)

        return recorded


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> SystemCalls:
    return SystemCalls(monkeypatch)


def test_bytes_are_durable_before_the_name_and_the_name_before_the_answer(store: Objects, calls: SystemCalls) -> None:
    store.put_if_absent("a/b", b"first makes the folder")
    calls.made.clear()
    store.put_if_absent("a/c", b"x")
    steps = [call for call in calls.made if call not in {"open", "mkdir"}]
    assert steps == ["fsync file", "link", "unlink", "fsync folder"]


def test_new_folders_are_durable_before_the_object(store: Objects, root: Path, calls: SystemCalls) -> None:
    store.put_if_absent("a/b/c", b"x")
    before_link = calls.made[: calls.made.index("link")]
    # The two above and including the root, the one above them again, then a and b.
    assert before_link.count("fsync folder") == 5
    assert before_link[-1] == "fsync file"


def test_the_loser_makes_durable_what_it_saw(store: Objects, calls: SystemCalls) -> None:
    store.put_if_absent("a/b", b"x")
    calls.made.clear()
    assert store.put_if_absent("a/b", b"y") is False
    assert calls.made[-1] == "fsync folder"
    assert "link" not in calls.made


def test_a_replacement_is_durable_before_it_is_renamed(store: Objects, calls: SystemCalls) -> None:
    store.replace("ledger/checkpoint", b"1")
    calls.made.clear()
    store.replace("ledger/checkpoint", b"2")
    steps = [call for call in calls.made if call not in {"open", "mkdir"}]
    assert steps == ["fsync file", "rename", "unlink", "fsync folder"]


def test_after_an_error_at_any_system_call_an_object_is_whole_or_absent_and_a_retry_succeeds(
    tmp_path: Path, calls: SystemCalls
) -> None:
    data = b"all or nothing"
    open_objects(str(tmp_path / "rehearsal")).put_if_absent("a/b/c", data)
    total = len(calls.made)
    assert total > 10
    for at in range(total):
        store = open_objects(str(tmp_path / f"store{at}"))
        calls.made.clear()
        calls.at = at
        with pytest.raises(StorageError, match="Input/output error"):
            store.put_if_absent("a/b/c", data)
        assert store.head("a/b/c") in {None, len(data)}
        assert store.put_if_absent("a/b/c", data) is True
        assert [(info.path, store.get(info.path)) for info in store.list("")] == [("a/b/c", data)]


def test_after_an_error_at_any_system_call_a_checkpoint_is_the_old_or_the_new(
    store: Objects, calls: SystemCalls
) -> None:
    store.replace("ledger/checkpoint", b"old")
    calls.made.clear()
    store.replace("ledger/checkpoint", b"old")
    for at in range(len(calls.made)):
        calls.made.clear()
        calls.at = at
        with pytest.raises(StorageError):
            store.replace("ledger/checkpoint", b"new")
        assert store.get("ledger/checkpoint") in {b"old", b"new"}
        store.replace("ledger/checkpoint", b"old")


def test_modes_keep_others_out(store: Objects, root: Path) -> None:
    store.put_if_absent("a/b", b"x")
    for path, allowed in ((root, 0o750), (root / "a", 0o750), (root / "a/b", 0o640)):
        assert path.stat().st_mode & 0o777 & ~allowed == 0


def test_nothing_temporary_stays(store: Objects, root: Path) -> None:
    store.put_if_absent("a/b", b"x")
    store.put_if_absent("a/b", b"y")
    store.replace("ledger/checkpoint", b"1")
    assert leftovers(root) == []


def test_what_a_killed_writer_left_is_no_object(store: Objects, root: Path) -> None:
    store.put_if_absent("a/b", b"x")
    (root / "a" / ".tmp-0123").write_bytes(b"half")
    assert [info.path for info in store.list("")] == ["a/b"]


def test_a_symbolic_link_is_not_followed(store: Objects, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"outside")
    store.put_if_absent("a/b", b"x")
    (root / "a/link").symlink_to(tmp_path / "secret")
    (root / "out").symlink_to(tmp_path)
    for path in ("a/link", "out/secret"):
        for read in (store.get, store.head):
            with pytest.raises(StorageError, match="symbolic link"):
                read(path)
        with pytest.raises(StorageError, match="symbolic link"):
            store.put_if_absent(path, b"outside")
    with pytest.raises(StorageError, match="symbolic link"):
        list(store.list("out/"))
    assert [info.path for info in store.list("")] == ["a/b"]
    assert (tmp_path / "secret").read_bytes() == b"outside"


def test_the_folder_of_the_store_may_itself_be_a_link(root: Path, tmp_path: Path) -> None:
    root.mkdir(parents=True)
    (tmp_path / "alias").symlink_to(root)
    open_objects(str(tmp_path / "alias")).put_if_absent("a", b"x")
    assert (root / "a").read_bytes() == b"x"


def test_what_is_no_regular_file_is_no_object(store: Objects, root: Path) -> None:
    store.put_if_absent("a/b", b"x")
    os.mkfifo(root / "a" / "pipe")
    for path in ("a/pipe", "a"):
        with pytest.raises(MissingObjectError):
            store.get(path)
        assert store.head(path) is None
    assert [info.path for info in store.list("")] == ["a/b"]


def test_files_of_others_are_listed_with_names_that_can_be_printed(store: Objects, root: Path) -> None:
    store.put_if_absent("b", b"x")
    (root / "c d").write_bytes(b"12")
    (Path(os.fsdecode(os.fsencode(root) + b"/a\xff"))).write_bytes(b"123")
    found = [(info.path, info.size) for info in store.list("")]
    assert found == [("a\\xff", 3), ("b", 1), ("c d", 2)]


def test_a_folder_that_vanishes_during_a_list_does_not_end_it_silently(store: Objects, root: Path) -> None:
    store.put_if_absent("a/1", b"x")
    store.put_if_absent("b/1", b"x")
    listing = store.list("")
    assert next(listing).path == "a/1"
    shutil.rmtree(root / "b")
    with pytest.raises(StorageError, match="No such file"):
        list(listing)


def test_a_folder_cannot_be_an_object_too(store: Objects) -> None:
    store.put_if_absent("a/b", b"x")
    for path in ("a", "a/b/c"):
        with pytest.raises(StorageError):
            store.put_if_absent(path, b"x")


def test_an_error_while_reading_is_never_taken_for_a_loss(store: Objects, calls: SystemCalls) -> None:
    store.put_if_absent("a/b", b"x")
    reads: list[Callable[[], object]] = [
        lambda: store.get("a/b"),
        lambda: store.get_range("a/b", 0, 1),
        lambda: store.head("a/b"),
        lambda: list(store.list("")),
    ]
    for read in reads:
        calls.made.clear()
        read()
        for at in range(len(calls.made)):
            calls.made.clear()
            calls.at = at
            with pytest.raises(StorageError, match="Input/output error"):
                read()


CLAIM = """
import sys
from ledger.objects import open_objects
store = open_objects(sys.argv[1])
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    if store.put_if_absent(f"ledger/commit/{number:03}", f"writer {sys.argv[2]}".encode()):
        print(number, flush=True)
"""


def start_claimant(root: Path, writer: int, claims: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLAIM, str(root), str(writer), str(claims)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_of_four_processes_one_wins_each_claim(store: Objects, root: Path) -> None:
    claims = 200
    processes = [start_claimant(root, writer, claims) for writer in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    wins: dict[int, int] = {}
    for writer, process in enumerate(processes):
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        for number in map(int, output.split()):
            assert number not in wins, "two winners"
            wins[number] = writer
    assert len(wins) == claims
    for number, writer in wins.items():
        assert store.get(f"ledger/commit/{number:03}") == b"writer %d" % writer


def test_what_was_acknowledged_survives_kill_9(store: Objects, root: Path) -> None:
    process = start_claimant(root, 7, 100_000)
    output, _ = kill_soon(process)
    acknowledged = [int(line) for line in output.splitlines()[:-1]]
    assert acknowledged
    for number in acknowledged:
        assert store.get(f"ledger/commit/{number:03}") == b"writer 7"
    assert {store.get(info.path) for info in store.list("")} == {b"writer 7"}


def kill_soon(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    first = process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate(timeout=60)
    return first + rest, errors
