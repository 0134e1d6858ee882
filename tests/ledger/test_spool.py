"""The spool: what was acknowledged survives the death of its process; what was not is left out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import spool
from ledger.errors import AccessNotRecordedError
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
def test_an_altered_frame_ends_the_spool(filled: Path, data: st.DataObject) -> None:
    path = path_of(filled)
    before = path.read_bytes()
    changed = bytearray(before)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    found = read_frames(filled, NAME, KEY)
    path.write_bytes(before)
    assert len(found) < len(FRAMES)
    assert found == FRAMES[: len(found)]


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
    assert not spool.in_use(tmp_path, NAME)
    assert read_frames(tmp_path, NAME, KEY) == FRAMES[:1]
    spool.remove(tmp_path, NAME)
    assert not spool.in_use(tmp_path, NAME)
    spool.remove(tmp_path, NAME)
