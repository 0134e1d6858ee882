"""What was destroyed stands in no byte of any file beside the store: database, write-ahead log, free pages, backups.

Each test first finds what it will look for, in the same files.
"""

from __future__ import annotations

import base64
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ledger.key_management import rotation
from ledger.keyring import tables
from ledger.keyring.destruction import Destruction
from ledger.keyring.engine import reading
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import Keyring

PERSON = "HV-102949"


def database(installation: Any) -> Path:
    return Path(installation.settings.keyring.removeprefix("sqlite:///"))


def found_in(folder: Path, needles: dict[str, bytes]) -> dict[str, set[str]]:
    """In which files of a folder, and below, each of these bytes stand; also any 16 bytes from their middle."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {
        what: {name for name, data in files.items() if needle in data or middle(needle) in data}
        for what, needle in needles.items()
    }


def middle(needle: bytes) -> bytes:
    at = len(needle) // 2 - 8
    return needle[at : at + 16]


def rows_of(keyring: Keyring, reference: str) -> dict[str, bytes]:
    """Everything that the keyring keeps of a person: wrapped key, identifier's digest, sealed identifier."""
    with reading(keyring.engine) as connection:
        keys = connection.execute(select(tables.data_keys).where(tables.data_keys.c.ref == reference)).all()
        mac = keyring.subject_mac(reference, keyring.epoch)
        identifiers = connection.execute(
            select(tables.identifiers).where(tables.identifiers.c.subject_mac == mac)
        ).all()
    (key,), (identifier,) = keys, identifiers
    return {
        "wrapped key": bytes(key.wrapped),
        "digest of the identifier": bytes(identifier.mac),
        "digest of the reference": bytes(identifier.subject_mac),
        "sealed identifier": bytes(identifier.sealed),
    }


@pytest.fixture
def private(installation: Any, logs: list[Path]) -> Path:
    """The folder of keys and keyring of a filled store."""
    installation.ingest(*logs)
    return database(installation).parent


@pytest.mark.parametrize("others", [0, 2], ids=["alone", "beside readers"])
def test_after_an_erasure(installation: Any, private: Path, others: int) -> None:
    held = [installation.open() for _ in range(others)]
    with installation.open() as store:
        (person,) = store.keyring.lookup(PERSON)
        needles = rows_of(store.keyring, person)
    before = found_in(private, needles)
    assert all("keyring.db" in where or "keyring.db-wal" in where for where in before.values()), before

    assert installation.erase(PERSON) == [person]

    assert found_in(private, needles) == {what: set() for what in needles}
    for other in held:
        assert other.keyring.state(person) == "erased"
        other.close()
    assert found_in(private, needles) == {what: set() for what in needles}


def test_after_a_rotation(installation: Any, private: Path) -> None:
    """What the old epoch wrapped, its wrapped key, and the key-encryption key, also as text."""
    kek = Path(installation.settings.kek.removeprefix("file:"))
    old_kek = kek.read_bytes().strip()
    with installation.open() as store, reading(store.keyring.engine) as connection:
        (person,) = store.keyring.lookup(PERSON)
        epoch = bytes(connection.execute(select(tables.epochs.c.wrapped)).scalar_one())
        needles = rows_of(store.keyring, person) | {"epoch": epoch, "key-encryption key": old_kek}
        tree, uri, mac = (
            bytes(connection.execute(select(column)).scalars().first() or b"")
            for column in (
                tables.partition_trees.c.sealed,
                tables.inputs.c.sealed_uri,
                tables.steps.c.mac,
            )
        )
    needles |= {"tree": tree, "location": uri, "digest of an input": mac, "raw kek": base64.b64decode(old_kek)}
    before = found_in(private, needles)
    assert before.pop("raw kek") == set()
    assert all(before.values()), before

    with installation.open() as store:
        rotation.rotate(store)

    assert found_in(private, needles) == {what: set() for what in needles}
    assert list(private.rglob("keyring-epoch-2-*.db")), "the backup is among the files that were searched"


def test_a_copy_that_sqlite_has_left_in_a_page_goes_too(installation: Any, private: Path) -> None:
    """As it leaves some when it moves rows between pages: `secure_delete` does not know of them."""
    with installation.open() as store:
        (person,) = store.keyring.lookup(PERSON)
        needle = rows_of(store.keyring, person)["wrapped key"]
    file = database(installation)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    data = file.read_bytes()
    gap = data.index(bytes(200), data.index(needle) // 4096 * 4096) + 80
    with file.open("r+b") as raw:
        raw.seek(gap)
        raw.write(needle)
    assert file.read_bytes().count(needle) == 2

    installation.erase(PERSON)

    assert found_in(private, {"wrapped key": needle}) == {"wrapped key": set()}
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_pages_that_were_split_joined_and_freed_keep_nothing(keyring: Keyring, tmp_path: Path) -> None:
    """A thousand people are destroyed while the tables grow and shrink: with `secure_delete` alone some stay."""
    chance = random.Random(7)
    live: list[str] = []
    gone: list[bytes] = []
    act = Destruction(keyring)
    for step in range(12):
        people = [Identifier("email", f"{step}-{number}@example.org") for number in range(150)]
        live += sorted(keyring.resolve(people).values())
        keyring.data_keys(live)
        ended = chance.sample(live, chance.randint(60, 120))
        live = sorted(set(live) - set(ended))
        gone += values_of(keyring, ended)
        for start in range(0, len(ended), 15):
            act.begin(ended[start : start + 15])
            act.subjects(ended[start : start + 15])
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("keyring.db*"))
    kept = values_of(keyring, live)
    assert sum(value in stored for value in kept) == len(kept) > 2000
    assert len(gone) > 2800
    assert [value for value in gone if middle(value) in stored] == []


def values_of(keyring: Keyring, references: list[str]) -> list[bytes]:
    """Wrapped keys, digests and sealed identifiers of people."""
    with reading(keyring.engine) as connection:
        macs = {keyring.subject_mac(reference, keyring.epoch) for reference in references}
        keys = connection.execute(select(tables.data_keys)).all()
        identifiers = connection.execute(select(tables.identifiers)).all()
    found = [bytes(row.wrapped) for row in keys if row.ref in set(references)]
    for row in identifiers:
        if bytes(row.subject_mac) in macs:
            found += [bytes(row.mac), bytes(row.subject_mac), bytes(row.sealed)]
    return found
