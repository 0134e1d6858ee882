"""Several processes on one keyring, in each database: concurrent ingest, and a rotation while they write."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from ledger.errors import ConfigError, KeyringError
from ledger.key_management import rotation
from ledger.keyring import tables
from ledger.keyring.engine import open_engine, reading
from ledger.keyring.epochs import Epochs
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import Keyring
from ledger.keytree import KeyTree
from ledger.verify import Verdict

WRITER = Path(__file__).parents[1] / "concurrency" / "writer.py"


@pytest.fixture
def parts(tmp_path: Path, sample_logs: Path) -> list[Path]:
    """Files with different records of the same people."""
    lines = (sample_logs / "mira" / "2026-W41.jsonl").read_bytes().splitlines(keepends=True)
    found = []
    for number in range(4):
        path = tmp_path / f"part-{number}.jsonl"
        path.write_bytes(b"".join(lines[number::4][:15]))
        found.append(path)
    return found


def started(config: Path, *paths: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(WRITER), "ingest", str(config), *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


def assert_whole(installation: Any, parts: list[Path]) -> None:
    report = installation.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    lines = installation.lines()
    twice = [name for name, count in Counter((x["source"], x["source_id"]) for x in lines).items() if count > 1]
    assert twice == []
    assert installation.reconstruct(*parts) == [path.read_bytes() for path in parts]


def test_two_processes_ingest_at_once(anywhere: Any, parts: list[Path]) -> None:
    """Different files and a shared one; one person has one reference, whoever enrols it."""
    processes = [started(anywhere.config, *parts[:3]), started(anywhere.config, *parts[1:])]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with anywhere.open() as store:
        assert len(store.keyring.lookup("HV-102949")) == 1
    assert_whole(anywhere, parts)


def test_rotations_while_two_processes_ingest(anywhere: Any, parts: list[Path]) -> None:
    """Nothing is left under an epoch that ended: all content opens, and all inputs are found again."""
    anywhere.ingest(parts[0])
    processes = [started(anywhere.config, *parts[:3]), started(anywhere.config, *parts[2:])]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    rotations = 0
    with anywhere.open() as store:
        while rotations < 2 or any(process.poll() is None for process in processes):
            rotation.rotate(store)
            rotations += 1
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with anywhere.open() as store:
        store.publish()
        assert store.keyring.live_epochs() == [rotations + 1]
    again = anywhere.ingest(*parts)
    assert again.unchanged == again.inputs == len(parts)
    assert_whole(anywhere, parts)


@pytest.fixture
def opened(keyring_url: str, tmp_path: Path) -> Callable[[], Keyring]:
    """Opens one keyring, as another process would."""
    from ledger import kek

    kek.create_kek_file(tmp_path / "kek.key")
    Keyring.create(keyring_url, kek.open_kek(f"file:{tmp_path / 'kek.key'}"), "0" * 32).close()
    return lambda: Keyring.open(keyring_url, kek.open_kek(f"file:{tmp_path / 'kek.key'}"))


def test_a_writer_that_began_before_a_rotation_holds_it_up(opened: Callable[[], Keyring]) -> None:
    """What it wraps under the old epoch is moved with all the rest."""
    writer, rotator = opened(), opened()
    done = threading.Event()

    def rotate() -> None:
        Epochs(rotator).begin()
        done.set()

    thread = threading.Thread(target=rotate)
    with writer.writing() as connection:
        thread.start()
        assert not done.wait(0.5)
        sealed = writer.seal_here(b"content/a", KeyTree.generate().to_bytes())
        row = {"path": "content/a", "epoch": writer.epoch, "sealed": sealed, "state": "live"}
        connection.execute(tables.partition_trees.insert(), row)
        assert writer.epoch == 1
    assert done.wait(30)
    thread.join()
    with reading(rotator.engine) as connection:
        assert connection.execute(select(tables.partition_trees.c.epoch)).scalars().all() == [2]
    assert rotator.tree("content/a") == writer.tree("content/a")
    writer.close()
    rotator.close()


def test_a_writer_that_began_during_a_rotation_waits_for_its_end(opened: Callable[[], Keyring]) -> None:
    """It then wraps under the new epoch: a look at the rows before the wait would miss it."""
    writer, rotator = opened(), opened()
    found: list[str] = []
    begun = threading.Event()

    def write() -> None:
        begun.set()
        found.extend(writer.resolve([Identifier("email", "ana@example.org")]).values())

    thread = threading.Thread(target=write)
    from ledger.keyring import epochs

    put = epochs._put_under_newest

    def slowly(*arguments: Any) -> dict[str, int]:
        thread.start()
        assert begun.wait(10)
        thread.join(0.5)
        assert thread.is_alive()
        return put(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs, "_put_under_newest", slowly)
        Epochs(rotator).begin()
    thread.join(30)
    assert writer.epoch == 2
    assert rotator.lookup("ana@example.org") == found
    with reading(rotator.engine) as connection:
        assert connection.execute(select(tables.identifiers.c.epoch)).scalars().all() == [2]
    writer.close()
    rotator.close()


def test_what_is_read_is_of_one_moment(opened: Callable[[], Keyring]) -> None:
    """A rotation between two statements of a reader changes nothing for it: an old index key would find nobody."""
    reader, rotator = opened(), opened()
    reference = reader.resolve([Identifier("email", "ana@example.org")])
    with reading(reader.engine) as connection:
        reader.follow(connection)
        Epochs(rotator).begin()
        rows = connection.execute(select(tables.identifiers)).all()
        assert [reader.open_identifier(row)[1] for row in rows] == list(reference.values())
    assert reader.lookup("ana@example.org") == list(reference.values())
    reader.close()
    rotator.close()


@pytest.mark.postgres
def test_postgres_holds_no_identifier_and_no_key_in_the_clear(
    postgres_url: str, new_installation: Callable[..., Any], parts: list[Path], tmp_path: Path
) -> None:
    installation = new_installation(tmp_path / "installation", keyring=postgres_url)
    installation.ingest(parts[0])
    assert "postgresql" in installation.config.read_text()
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        stored = [
            bytes(value) if isinstance(value, memoryview) else str(value).encode()
            for table in tables.metadata.sorted_tables
            for row in connection.execute(text(f"SELECT * FROM {table.name}"))
            for value in row
        ]
    engine.dispose()
    assert len(stored) > 50
    assert not [value for value in stored if b"HV-102949" in value or b"part-0" in value]


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_told_without_its_url() -> None:
    with pytest.raises(KeyringError) as caught, reading(open_engine("postgresql+psycopg://u:secret@127.0.0.1:9/x")):
        pass
    assert "secret" not in caught.value.message


def test_a_driver_that_is_not_installed_is_told() -> None:
    with pytest.raises(ConfigError, match="driver"):
        open_engine("postgresql+psycopg2://127.0.0.1/x")
