"""No record, no reveal: content is decrypted only after an access record is durable, whatever fails."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ledger.access import Receipt
from ledger.content import ContentReader
from ledger.errors import AccessNotRecordedError, KeyringError
from ledger.keyring.access_numbers import AccessNumbers
from ledger.keyring.keyring import Keyring
from replay import access
from replay.catalog import session_parts
from replay.timeline import open_session

Turn = Callable[..., dict[str, Any]]


@pytest.fixture
def filled(desk: Any, turn: Turn) -> Any:
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))
    return desk


@pytest.fixture
def decryptions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every attempt to open a partition's content."""
    attempts: list[str] = []
    original = ContentReader.__init__

    def noted(self: ContentReader, *arguments: Any, **named: Any) -> None:
        attempts.append("opened")
        original(self, *arguments, **named)

    monkeypatch.setattr(ContentReader, "__init__", noted)
    return attempts


def refuse_to_replay(desk: Any) -> AccessNotRecordedError:
    with pytest.raises(AccessNotRecordedError) as refused:
        desk.replay("s1")
    return refused.value


def test_with_a_record_it_is_shown(filled: Any, decryptions: list[str]) -> None:
    assert filled.replay("s1").events[0].state == "verified"
    assert decryptions == ["opened"]


def test_a_spool_folder_that_cannot_be_made(filled: Any, decryptions: list[str]) -> None:
    filled.installation.settings.spool.parent.mkdir(exist_ok=True)
    filled.installation.settings.spool.write_text("a file stands where the folder should")

    assert refuse_to_replay(filled).exit_code == 19
    assert decryptions == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_is_full_or_broken(
    filled: Any, decryptions: list[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with filled.listed() as (store, opened):
        access.record(store, "test", "", {})
        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(AccessNotRecordedError):
            open_session(opened, "s1", access.record(store, "test", "", {}))
    assert decryptions == []


@pytest.mark.parametrize(
    ("owner", "method"), [(AccessNumbers, "take"), (AccessNumbers, "new_spool"), (Keyring, "resolve")]
)
def test_a_keyring_that_fails(
    filled: Any, decryptions: list[str], monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    def fails(*_: Any) -> None:
        raise KeyringError("the keyring's database failed")

    monkeypatch.setattr(owner, method, fails)

    assert refuse_to_replay(filled).exit_code == 19
    assert decryptions == []


def test_a_receipt_of_another_process_or_of_nobody_is_refused(filled: Any, decryptions: list[str]) -> None:
    with filled.listed() as (store, _):
        foreign = access.record(store, "test", "", {})
    with filled.listed() as (store, opened):
        own = access.record(store, "test", "", {})
        wrongs: list[Any] = [foreign, Receipt("0" * 32, 1), own._replace(number=2), (), None]
        for wrong in wrongs:
            with pytest.raises(AccessNotRecordedError):
                open_session(opened, "s1", wrong)
        assert decryptions == []
        assert open_session(opened, "s1", own).events


def test_the_record_says_who_looked_at_what_and_why_and_names_nobody_in_its_line(filled: Any) -> None:
    with filled.listed() as (store, opened):
        access.record(store, "replay", "ticket 4711 of Ana", {"session": "s1"})
        store.seal()
        store.publish()
    with filled.listed() as (store, opened):
        entry = opened.partitions()[-1]
        receipt = access.record(store, "test", "", {})
        (row,) = store.reveal(receipt, entry.value, range(1))

    assert row.line["kind"] == "access"
    assert [len(reference) for reference in row.line["subjects"]["viewer"]] == [32]
    assert b"ticket 4711 of Ana" in row.bytes
    assert b'"command":"replay"' in row.bytes
    assert b'"asserted":true' in row.bytes
    assert "Ana" not in str(row.line)
    assert "ticket" not in str(row.line)


def test_where_the_settings_demand_it_the_record_is_committed_before_anything_is_shown(
    new_installation: Callable[..., Any], desk: Any, turn: Turn
) -> None:
    desk.installation = new_installation(desk.folder / "anchored", reveal="anchored")
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))

    with desk.listed() as (store, opened):
        before = len(store.history.partitions())
        receipt = access.record(store, "test", "", {})

        assert store.waiting() == 0
        assert len(store.history.partitions()) == before + 1
        assert store.checkpoint()[0] == len(store.history.entries)
        assert open_session(opened, "s1", receipt).events[0].state == "verified"
    assert [line["kind"] for line in desk.installation.lines()] == ["inference", "access"]


DIES = """
import os, signal, sys
from ledger import spool
from ledger.settings import load
from ledger.store import Store
from replay import access

spool.SpoolFile.append = lambda self, frame: os.kill(os.getpid(), signal.SIGKILL)
with Store.open(load(sys.argv[1])) as store:
    access.record(store, "test", "", {})
"""


def test_a_process_killed_between_number_and_record_leaves_a_gap_that_verify_names(filled: Any) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(filled.installation.config)], check=False)
    assert done.returncode == -signal.SIGKILL

    with filled.installation.open() as store:
        assert store.waiting() == 1
        assert store.seal().records == 0
        store.publish()
        assert store.waiting() == 0

    report = filled.installation.verify("deep")
    assert report.exit_code == 0
    assert any("was taken and never recorded" in note for note in report.notes), report.notes


def test_a_process_killed_after_its_record_has_left_it(filled: Any) -> None:
    """Acknowledged means durable: the next seal takes up what the dead process recorded."""
    program = DIES.replace("spool.SpoolFile.append = lambda self, frame: ", "die = lambda: ") + "    die()\n"
    done = subprocess.run([sys.executable, "-c", program, str(filled.installation.config)], check=False)
    assert done.returncode == -signal.SIGKILL

    with filled.installation.open() as store:
        assert store.seal().records == 1
    assert [line["kind"] for line in filled.installation.lines()] == ["inference", "access"]


def test_one_access_record_serves_all_that_one_command_opens(filled: Any, turn: Turn) -> None:
    filled.ingest(turn("q", "b", id="e2", time="2025-03-02T10:00:00Z"))
    with filled.listed() as (store, opened):
        assert len(session_parts(opened, "s1")) == 2
        open_session(opened, "s1", access.record(store, "test", "", {}))

        assert store.waiting() == 1
