"""An old keyring is put back: nothing is opened or sealed until it has followed the ledger, and nobody comes back."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from ingest.pipeline import Pipeline
from ledger import following
from ledger.errors import KeyringError, UsageError
from ledger.key_management import backups, reconciliation, rotation
from ledger.key_management.drill import drill
from ledger.key_management.overview import overview
from ledger.keyring import copies, tables
from ledger.keyring.engine import reading
from ledger.verify import Verdict

PERSON = "HV-102949"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that is behind is told at once."""
    monkeypatch.setattr(following, "PATIENCE", 0.1)


@pytest.fixture
def backup(filled: Any, tmp_path: Path) -> Path:
    """A backup from before an erasure."""
    with filled.open() as store:
        return backups.write(store.keyring, tmp_path / "backup.db").path


@pytest.fixture
def restored(filled: Any, backup: Path) -> Any:
    """A store whose keyring is older than an erasure."""
    filled.erase(PERSON)
    backups.restore(filled.settings, backup, replace=True)
    return filled


def rows(installation: Any) -> dict[str, int]:
    with installation.open() as store, reading(store.keyring.engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.metadata.sorted_tables
        }


def reveal(store: Any) -> list[Any]:
    receipt = store.record_access(b"test", {})
    return [row for entry in store.history.partitions() for row in store.reveal(receipt, entry.value, range(1))]


def test_it_holds_who_was_erased(restored: Any) -> None:
    with restored.open() as store:
        (person,) = store.keyring.lookup(PERSON)
        assert store.keyring.state(person) == "live"
        assert overview(store).behind


def test_nothing_is_opened(restored: Any) -> None:
    with restored.open() as store, pytest.raises(KeyringError, match="older than the ledger") as caught:
        reveal(store)
    assert "reconcile" in caught.value.next_step


def test_nothing_is_sealed(restored: Any, tmp_path: Path, logs: list[Path]) -> None:
    more = tmp_path / "more.jsonl"
    more.write_bytes(logs[0].read_bytes().replace(b"call-", b"more-"))
    with restored.open() as store:
        before = store.history.seq
        with pytest.raises(KeyringError, match="older than the ledger"):
            Pipeline(store).run([str(more)])
        assert store.refresh() == []
        assert store.history.seq == before


def test_verification_fails(restored: Any) -> None:
    assert restored.verify("deep").verdict is not Verdict.INTACT


def test_reconciling_repairs_it_and_nobody_is_resurrected(restored: Any, logs: list[Path]) -> None:
    with restored.open() as store:
        (person,) = store.keyring.lookup(PERSON)
        done = reconciliation.reconcile(store)
        assert (done.subjects, done.keys, done.without_key, done.ended) == (1, 1, 0, {})
        assert store.keyring.lookup(PERSON) == []
        assert store.keyring.state(person) == "erased"
        assert store.keyring.existing_keys([(person, 1)]) == {}
        assert {row.state for row in reveal(store)} <= {"verified", "erased"}
        assert not overview(store).behind
    report = restored.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    with restored.open() as store:
        assert reconciliation.reconcile(store).keys == 0, "it is safe to repeat"


def test_the_person_comes_again_as_somebody_else(restored: Any, tmp_path: Path, logs: list[Path]) -> None:
    with restored.open() as store:
        (person,) = store.keyring.lookup(PERSON)
        reconciliation.reconcile(store)
    more = tmp_path / "more.jsonl"
    more.write_bytes(logs[0].read_bytes().replace(b"call-", b"more-").replace(b"run-", b"rerun-"))
    restored.ingest(more)
    with restored.open() as store:
        (other,) = store.keyring.lookup(PERSON)
        assert other != person
        assert store.keyring.state(person) == "erased"


def test_a_tree_that_expired_comes_back_for_no_moment(filled: Any, backup: Path) -> None:
    """A partition's key and a segment's leaf are destroyed again, too."""
    from ledger.erasing import Erasing, erase

    with filled.open() as store:
        first = store.history.partitions()[0]
        erase(store, Erasing(segments={first.index: [0]}))
        path = first.value["content"]["path"]
    backups.restore(filled.settings, backup, replace=True)
    with filled.open() as store:
        assert store.keyring.tree(path).has(0), "the backup has the leaf"
        assert reconciliation.reconcile(store).trees == 1
        assert not store.keyring.tree(path).has(0)


def test_what_there_is_is_kept_before_it_is_replaced(filled: Any, backup: Path, tmp_path: Path) -> None:
    with filled.open() as store:
        store.reference("email", "later@example.org")
    with pytest.raises(UsageError, match="keyring already"):
        backups.restore(filled.settings, backup)
    with filled.open() as store:
        assert store.keyring.lookup("later@example.org")

    done = backups.restore(filled.settings, backup, replace=True)

    assert done.kept is not None
    with filled.open() as store:
        assert store.keyring.lookup("later@example.org") == []
    backups.restore(filled.settings, done.kept, replace=True)
    with filled.open() as store:
        assert store.keyring.lookup("later@example.org")


def test_a_lost_keyring_is_restored(filled: Any, backup: Path) -> None:
    before = rows(filled)
    if filled.settings.keyring.startswith("sqlite"):
        file = Path(filled.settings.keyring.removeprefix("sqlite:///"))
        for path in file.parent.glob("keyring.db*"):
            path.unlink()
    else:
        from ledger.keyring.engine import open_engine

        engine = open_engine(filled.settings.keyring)
        tables.metadata.drop_all(engine)
        engine.dispose()
    assert backups.restore(filled.settings, backup).kept is None
    assert rows(filled) == before
    assert filled.verify("deep").verdict is Verdict.INTACT


def test_who_has_the_keyring_open_goes_on_with_what_was_restored(filled: Any, backup: Path) -> None:
    """Though the number of the epoch is the same, its key is another one."""
    with filled.open() as long_lived:
        rotation.rotate(long_lived)
        newer = backups.default_path(filled.settings, 2)
        backups.write(long_lived.keyring, newer)
        backups.restore(filled.settings, newer, replace=True)
        assert long_lived.keyring.lookup(PERSON)
        assert long_lived.reference("email", "new@example.org")
    with filled.open() as store:
        assert store.keyring.lookup("new@example.org")


def test_a_backup_is_for_its_owner_only_and_never_half(filled: Any, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "new.db"
    with filled.open() as store:
        made = backups.write(store.keyring, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert made.opened["data_keys"] > 0
        with pytest.raises(UsageError, match="not overwritten"):
            backups.write(store.keyring, path)
        monkeypatch.setattr(copies, "differences", lambda *_: ["data_keys"])
        with pytest.raises(KeyringError, match="differs from the keyring in data_keys"):
            backups.write(store.keyring, tmp_path / "other.db")
    assert sorted(item.name for item in tmp_path.glob("*.db*")) == ["new.db"]
    assert list(tmp_path.glob(".*")) == []


def test_a_copy_that_lacks_or_alters_a_row_is_told(filled: Any, tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    for number, statement in enumerate(
        ("DELETE FROM data_keys WHERE rowid = 1", "UPDATE spools SET last_number = last_number + 1")
    ):
        path = tmp_path / f"{number}.db"
        path.touch()
        with filled.open() as store, reading(store.keyring.engine) as connection:
            copies.write(store.keyring, connection, path)
            assert copies.differences(connection, path) == []
            with closing(sqlite3.connect(path)) as altered:
                assert altered.execute(statement).rowcount > 0
                altered.commit()
            assert copies.differences(connection, path) == [("data_keys", "spools")[number]]


def test_a_drill_opens_content_and_changes_nothing(filled: Any, backup: Path) -> None:
    before = rows(filled)
    found = drill(filled.settings, backup)
    assert set(found.content) == {"verified"}
    assert found.opened["data_keys"] > 0
    assert not found.behind
    assert rows(filled) == before
    assert list(backup.parent.glob(".drill-*")) == []


def test_a_drill_says_what_the_backup_lacks(filled: Any, backup: Path, tmp_path: Path, logs: list[Path]) -> None:
    filled.erase(PERSON)
    later = tmp_path / "later.jsonl"
    later.write_bytes(logs[1].read_bytes().replace(b"call-", b"later-").replace(b"run-", b"rerun-"))
    filled.ingest(later)
    found = drill(filled.settings, backup)
    assert found.behind
    assert found.content["unverifiable"] > 0
    assert found.content["erased"] > 0, "what the ledger has ended is not opened, whatever the backup holds"


@pytest.mark.parametrize("bytes_", [b"", b"no database", b"SQLite format 3\0" + bytes(100)])
def test_what_is_no_backup_is_refused(filled: Any, tmp_path: Path, bytes_: bytes) -> None:
    path = tmp_path / "strange"
    path.write_bytes(bytes_)
    for act in (drill, lambda settings, file: backups.restore(settings, file, replace=True)):
        with pytest.raises((UsageError, KeyringError)):
            act(filled.settings, path)
    assert rows(filled)["epochs"] == 1


def test_a_backup_of_another_store_is_no_backup_of_this(filled: Any, new_installation: Any, tmp_path: Path) -> None:
    other = new_installation(tmp_path / "other", kek=filled.settings.kek)
    with other.open() as store:
        path = backups.write(store.keyring, tmp_path / "other.db").path
    with pytest.raises(KeyringError, match="another store"):
        drill(filled.settings, path)
    with pytest.raises(KeyringError, match="another store"):
        backups.restore(filled.settings, path, replace=True)
    with filled.open() as store:
        assert store.keyring.lookup(PERSON)
