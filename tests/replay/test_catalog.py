"""The catalog is a cache: deleted, damaged, outdated or another store's, it is made again and says the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ledger.errors import LostError, StorageError, TamperedError
from replay import catalog
from replay.query import query
from replay.sessions import Filter, find_sessions

Turn = Callable[..., dict[str, Any]]
TABLES = (
    "state",
    "partition_list",
    "session_parts",
    "echoes",
    "subject_runs",
    "input_parts",
    "change_list",
    "entry_list",
)


def dump(desk: Any) -> dict[str, list[dict[str, Any]]]:
    with desk.listed() as (_, opened):
        tables = {name: opened.connection.table(name).to_arrow_table().to_pylist() for name in TABLES}
    return {name: sorted(rows, key=str) for name, rows in tables.items()}


def sessions(desk: Any) -> list[str]:
    with desk.listed() as (_, opened):
        return [row.session for row in find_sessions(opened, Filter())]


def file_of(desk: Any) -> Path:
    cache: Path = desk.installation.settings.cache
    return cache / "catalog.duckdb"


@pytest.fixture
def filled(desk: Any, turn: Turn) -> Any:
    for day in (1, 2, 3):
        desk.ingest(turn("q", "a", id=f"e{day}", session=f"s{day}", time=f"2025-03-0{day}T10:00:00Z"))
    return desk


def test_a_deleted_catalog_is_made_again_and_is_the_same(sample: Any) -> None:
    before = dump(sample)
    file_of(sample).unlink()

    assert dump(sample) == before
    assert before["session_parts"]
    assert before["change_list"]


def test_it_takes_in_only_what_is_new(filled: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions(filled)
    added: list[int] = []
    add = catalog.Catalog._add

    def noted(self: Any, number: int, entry: Any) -> None:
        added.append(number)
        add(self, number, entry)

    monkeypatch.setattr(catalog.Catalog, "_add", noted)

    filled.ingest(turn("q", "a", id="e4", session="s4", time="2025-03-04T10:00:00Z"))

    assert sessions(filled) == ["s4", "s3", "s2", "s1"]
    assert added == [3]


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrambled(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(byte ^ 0x55 for byte in data[4096:]))


def foreign(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE state (colour VARCHAR)")


def of_another_version(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE state SET version = 0")
        connection.execute("UPDATE session_parts SET session = 'wrong'")


def of_another_store(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE state SET store = repeat('0', 32)")
        connection.execute("UPDATE session_parts SET session = 'wrong'")


def ahead_of_the_ledger(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE state SET partitions = 4")
        connection.execute("INSERT INTO session_parts (session, partition) VALUES ('wrong', 3)")


def of_another_history(path: Path) -> None:
    """As after the store was restored from a backup and other logs were ingested."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE partition_list SET events = 'events/other' WHERE partition = 2")
        connection.execute("UPDATE session_parts SET session = 'wrong'")


@pytest.mark.parametrize(
    "damage",
    [
        *(garbage, empty, halved, scrambled, foreign),
        *(of_another_version, of_another_store, ahead_of_the_ledger, of_another_history),
    ],
)
def test_a_catalog_that_is_no_use_is_made_again(filled: Any, damage: Callable[[Path], None]) -> None:
    before = dump(filled)
    damage(file_of(filled))

    assert dump(filled) == before


def test_a_cache_folder_that_cannot_be_made_is_named(filled: Any) -> None:
    cache = filled.installation.settings.cache
    shutil.rmtree(cache)
    cache.write_text("a file")

    with filled.installation.open() as store, pytest.raises(StorageError, match="catalog cannot be used"):
        catalog.opened(store).__enter__()


@pytest.mark.parametrize(("error", "data"), [(LostError, None), (TamperedError, b"no Parquet file")])
def test_events_that_are_missing_or_altered_are_named(filled: Any, error: type[Exception], data: bytes | None) -> None:
    path = next((filled.installation.folder / "events").rglob("*.parquet"))
    path.unlink()
    if data is not None:
        path.write_bytes(data)

    with filled.installation.open() as store:
        with pytest.raises(error, match=path.name):
            catalog.opened(store).__enter__()
        with pytest.raises(error, match=path.name):
            query(store, "FROM records")


HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
connection.close()
"""


def test_two_processes_take_turns(filled: Any) -> None:
    sessions(filled)
    command = [sys.executable, "-c", HOLD, str(file_of(filled))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        release = threading.Timer(0.5, other.stdin.close)
        release.start()

        assert sessions(filled) == ["s3", "s2", "s1"]

        release.join()
    assert other.returncode == 0


def test_a_catalog_that_another_process_keeps_is_waited_for_only_so_long(
    filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions(filled)
    monkeypatch.setattr(catalog, "_PATIENCE", 0.2)
    command = [sys.executable, "-c", HOLD, str(file_of(filled))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()

        with filled.installation.open() as store:
            with pytest.raises(StorageError, match="in use by another process"):
                catalog.opened(store).__enter__()
            with pytest.raises(StorageError, match="in use by another process"):
                query(store, "SELECT 1")
        other.communicate()

    assert sessions(filled) == ["s3", "s2", "s1"]


def test_the_threads_of_one_process_take_turns(filled: Any) -> None:
    """As in the app: some list sessions while others query."""
    done: list[Any] = []

    def ask(number: int) -> None:
        with filled.installation.open() as store:
            for _ in range(5):
                if number % 2:
                    done.append(query(store, "SELECT count(*) FROM sessions").rows() == [[3]])
                else:
                    with catalog.opened(store) as opened:
                        done.append(len(find_sessions(opened, Filter())) == 3)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [True] * 20


def test_an_open_catalog_is_free_for_any_kind_of_query(filled: Any) -> None:
    for _ in ("made", "found in step with the store"):
        with filled.listed() as (_, opened):
            assert len(opened.connection.table("session_parts").to_arrow_table()) == 3
