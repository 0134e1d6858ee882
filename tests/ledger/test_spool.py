"""The spool: what was acknowledged survives the death of its process; what was not is left out."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import spool
from ledger.errors import AccessNotRecordedError, ConfigError
from ledger.spool import Frame, SpoolFile, read_frames

KEY, NAME = bytes(range(32)), "0" * 32
FRAMES = [Frame(number, {"kind": "access", "seq": number}, b"content %d" % number) for number in (1, 2, 3)]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    file = SpoolFile(tmp_path, NAME, KEY)
    for frame in FRAMES:
        file.append(frame)
    file.close()
    return tmp_path


def path_of(folder: Path) -> Path:
    (path,) = folder.glob("*.spool")
    return path


def test_frames_come_back(filled: Path) -> None:
    assert read_frames(filled, NAME, KEY) == FRAMES
    assert path_of(filled).stat().st_mode & 0o777 == 0o600


def test_a_frame_cut_short_by_a_crash_is_left_out(filled: Path) -> None:
    """It was never acknowledged: append had not returned. At every length, all before it are there."""
    path = path_of(filled)
    data = path.read_bytes()
    whole = [len(data)]
    for length in reversed(range(len(data))):
        path.write_bytes(data[:length])
        found = read_frames(filled, NAME, KEY)
        assert found == FRAMES[: len(found)]
        if len(found) < len(FRAMES) + 1 - len(whole):
            whole.append(length)
    assert len(whole) == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_an_altered_frame_is_left_out_and_hides_no_other(filled: Path, data: st.DataObject) -> None:
    path = path_of(filled)
    before = path.read_bytes()
    changed = bytearray(before)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    found = spool.read(filled, NAME, KEY)
    path.write_bytes(before)
    assert [frame for frame in FRAMES if frame in found.frames] == found.frames
    assert len(found.frames) == len(FRAMES) - 1
    assert found.may_hold_more(last=4), "the frame that does not open may have been acknowledged"


@pytest.mark.parametrize(("length", "last"), [(0, 4), (3, 4), (12, 4), (60, 4)])
def test_the_last_frame_cut_short_holds_nothing(filled: Path, length: int, last: int) -> None:
    with path_of(filled).open("ab") as file:
        file.write(((4).to_bytes(8, "big") + (500).to_bytes(4, "big") + bytes(60))[:length])
    found = spool.read(filled, NAME, KEY)
    assert found.frames == FRAMES
    assert not found.may_hold_more(last)


def test_a_frame_cut_short_after_which_numbers_were_taken_may_hide_others(filled: Path) -> None:
    with path_of(filled).open("ab") as file:
        file.write((4).to_bytes(8, "big") + (500).to_bytes(4, "big") + bytes(range(60)))
    assert spool.read(filled, NAME, KEY).may_hold_more(last=5)
    assert not spool.read(filled, NAME, KEY).may_hold_more(last=3), "every number has its frame"


def test_frames_behind_a_torn_one_are_found(filled: Path) -> None:
    path = path_of(filled)
    whole = path.read_bytes()
    torn = (9).to_bytes(8, "big") + (9000).to_bytes(4, "big") + bytes(range(200))
    for at in (0, len(whole) // 3):
        path.write_bytes(whole[:at] + torn + whole[at:])
        found = read_frames(filled, NAME, KEY)
        assert found == FRAMES
        assert not spool.read(filled, NAME, KEY).may_hold_more(last=3)


def test_a_frame_that_stands_twice_is_one(filled: Path) -> None:
    path = path_of(filled)
    path.write_bytes(path.read_bytes() * 2)
    assert read_frames(filled, NAME, KEY) == FRAMES


def test_another_key_and_another_spool_open_nothing(filled: Path) -> None:
    assert read_frames(filled, NAME, bytes(32)) == []
    path_of(filled).rename(filled / f"{'1' * 32}.spool")
    assert read_frames(filled, "1" * 32, KEY) == [], "frames are bound to their spool"
    assert read_frames(filled, NAME, KEY) == []


def test_content_is_not_readable_without_the_key(filled: Path) -> None:
    assert b"content" not in path_of(filled).read_bytes()


def test_what_cannot_be_written_is_not_acknowledged(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, NAME, KEY)
    file.append(FRAMES[0])
    file.close()
    with pytest.raises(AccessNotRecordedError):
        file.append(FRAMES[1])
    assert read_frames(tmp_path, NAME, KEY) == FRAMES[:1]


def write_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes half of what it is given, and then nothing more."""
    real, calls = os.write, []

    def half(descriptor: int, data: bytes) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, bytes(data)[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)


def test_a_write_that_fails_half_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is acknowledged later stands behind the last whole frame."""
    file = SpoolFile(tmp_path, NAME, KEY)
    file.append(FRAMES[0])
    size = path_of(tmp_path).stat().st_size
    with monkeypatch.context() as patched:
        write_half(patched)
        with pytest.raises(AccessNotRecordedError, match="No space left"):
            file.append(FRAMES[1])
    assert path_of(tmp_path).stat().st_size == size
    file.append(FRAMES[2])
    assert read_frames(tmp_path, NAME, KEY) == [FRAMES[0], FRAMES[2]]
    file.close()


def test_a_disk_that_takes_little_at_a_time_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    file = SpoolFile(tmp_path, NAME, KEY)
    file.append(FRAMES[0])
    file.close()
    assert read_frames(tmp_path, NAME, KEY) == FRAMES[:1]


@pytest.mark.parametrize("call", ["ftruncate", "fsync"])
def test_where_a_failed_write_cannot_be_taken_back_the_spool_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = SpoolFile(tmp_path, NAME, KEY)
    file.append(FRAMES[0])
    with monkeypatch.context() as patched:
        if call == "ftruncate":
            write_half(patched)
        patched.setattr(os, call, fails)
        with pytest.raises(AccessNotRecordedError):
            file.append(FRAMES[1])
    assert file.closed
    with pytest.raises(AccessNotRecordedError, match="closed"):
        file.append(FRAMES[2])
    assert not spool.in_use(tmp_path, NAME)
    assert not spool.read(tmp_path, NAME, KEY).may_hold_more(last=2)


def test_threads_that_write_at_once_do_not_mix_their_frames(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, NAME, KEY)
    frames = [Frame(number, {"seq": number}, b"x" * number) for number in range(1, 41)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(file.append, frames))
    file.close()
    assert sorted(read_frames(tmp_path, NAME, KEY)) == frames


def test_a_spool_folder_keeps_its_reference(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    assert spool.identity(folder) is None
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: spool.identify(folder), range(8)))
    assert found == {spool.identity(folder)}
    assert [path.name for path in folder.iterdir()] == [spool.IDENTITY]
    assert spool.identify(tmp_path / "other") not in found


def test_a_reference_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / spool.IDENTITY).write_text("no reference")
    with pytest.raises(ConfigError, match="cannot be read"):
        spool.identity(tmp_path)


def test_what_no_reader_would_accept_is_not_acknowledged(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, NAME, KEY)
    with pytest.raises(AccessNotRecordedError, match="at most"):
        file.append(Frame(1, {}, bytes(spool.MAX_FRAME)))
    file.append(FRAMES[0])
    file.close()
    assert read_frames(tmp_path, NAME, KEY) == FRAMES[:1]


def test_where_no_spool_can_be_nothing_is_acknowledged(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.spool").mkdir()
    with pytest.raises(AccessNotRecordedError):
        SpoolFile(tmp_path, NAME, KEY)


def test_a_spool_is_in_use_for_as_long_as_its_process_lives(tmp_path: Path) -> None:
    """SIGKILL leaves the acknowledged frames and no lock."""
    code = (
        "import sys; from pathlib import Path; from ledger.spool import Frame, SpoolFile\n"
        f"file = SpoolFile(Path(sys.argv[1]), {NAME!r}, bytes(range(32)))\n"
        "file.append(Frame(1, {'kind': 'access', 'seq': 1}, b'content 1'))\n"
        "print('acknowledged', flush=True); sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "acknowledged\n"
        assert spool.in_use(tmp_path, NAME)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with path_of(tmp_path).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not spool.in_use(tmp_path, NAME), "somebody else who asks is not mistaken for a writer"
    assert read_frames(tmp_path, NAME, KEY) == FRAMES[:1]
    spool.remove(tmp_path, NAME)
    assert not spool.in_use(tmp_path, NAME)
    spool.remove(tmp_path, NAME)
