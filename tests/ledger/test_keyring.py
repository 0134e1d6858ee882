"""The keyring: identifiers become random references, and a key is live, erased, or never was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from ledger import kek
from ledger.errors import ConfigError, ErasedError, KeyringError
from ledger.keyring import engine, tables
from ledger.keyring.access_numbers import AccessNumbers
from ledger.keyring.bookmarks import Bookmarks
from ledger.keyring.engine import destroying, empty_log, open_engine, reading, transaction
from ledger.keyring.epochs import Epochs
from ledger.keyring.identifiers import Identifier, mac_input, normalise
from ledger.keyring.keyring import Keyring
from ledger.keytree import KeyTree

ANA = Identifier("email", "Ana@Example.org")


def provider(folder: Path) -> kek.KeyEncryptionKey:
    return kek.open_kek(f"file:{folder / 'kek.key'}")


def erase(keyring: Keyring, reference: str) -> None:
    """What an erasure leaves of a subject in the database."""
    with transaction(keyring.engine) as connection:
        connection.execute(delete(tables.data_keys).where(tables.data_keys.c.ref == reference))
        connection.execute(update(tables.subjects).where(tables.subjects.c.ref == reference).values(state="erased"))


def test_an_identifier_keeps_its_reference(keyring: Keyring, tmp_path: Path) -> None:
    first = keyring.resolve([ANA])[ANA]
    assert len(bytes.fromhex(first)) == 16
    again = Keyring.open(f"sqlite:///{tmp_path / 'keyring.db'}", provider(tmp_path))
    assert again.resolve([ANA]) == {ANA: first}
    assert again.lookup("ana@example.org") == [first]
    assert again.lookup("somebody@else.org") == []
    again.close()


def test_nothing_to_resolve_needs_no_transaction(keyring: Keyring) -> None:
    assert keyring.resolve([]) == {}
    assert keyring.data_keys([]) == {}


def test_many_at_once(keyring: Keyring) -> None:
    """More than one statement can hold."""
    wanted = [Identifier("user_id", f"user {number}") for number in range(1200)]
    found = keyring.resolve(wanted)
    assert len(set(found.values())) == len(wanted)
    assert keyring.resolve(wanted) == found
    assert len(keyring.data_keys(found.values())) == len(wanted)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("email", "Ana@Example.ORG"), ("email", " ana@example.org ")),
        (("user_id", "STRASSE"), ("user_id", "straße")),
        (("user_id", "e\u0301"), ("user_id", "\u00e9")),
        (("user_id", "\uff41\uff42"), ("user_id", "ab")),
        (("phone", "+49 (30) 123-456"), ("phone", "0049 30 123456")),
    ],
)
def test_one_person_however_a_source_writes_it(keyring: Keyring, one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = Identifier(*one), Identifier(*other)
    found = keyring.resolve([first, second])
    assert found[first] == found[second]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("email", "ana@example.org"), ("user_id", "ana@example.org")),
        (("phone", "+4930123456"), ("phone", "030123456")),
        (("user_id", "ana"), ("user_id", "an a")),
        (("session", "x\0y"), ("session\0x", "y")),
    ],
)
def test_different_things_stay_different(keyring: Keyring, one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = Identifier(*one), Identifier(*other)
    found = keyring.resolve([first, second])
    assert found[first] != found[second]


@given(st.text(), st.sampled_from(["email", "phone", "user_id"]))
def test_a_normal_form_is_its_own_normal_form(value: str, kind: str) -> None:
    once = normalise(Identifier(kind, value))
    assert normalise(once) == once
    assert mac_input(once) == mac_input(Identifier(kind, value))


def test_the_states_of_a_key(keyring: Keyring) -> None:
    reference = keyring.resolve([ANA])[ANA]
    assert keyring.state(reference) == "never existed"
    with pytest.raises(KeyringError):
        keyring.data_key(reference, 1)

    key = keyring.data_keys([reference])[reference]
    assert (key.version, len(key.key)) == (1, 32)
    assert keyring.state(reference) == "live"
    assert keyring.data_keys([reference]) == {reference: key}
    assert keyring.data_key(reference, 1) == key.key
    assert keyring.existing_keys([(reference, 1), (reference, 2), ("0" * 32, 1)]) == {(reference, 1): key.key}
    with pytest.raises(KeyringError, match="(live)"):
        keyring.data_key(reference, 2)

    erase(keyring, reference)
    assert keyring.state(reference) == "erased"
    with pytest.raises(ErasedError):
        keyring.data_key(reference, 1)
    with pytest.raises(ErasedError):
        keyring.data_keys([reference])
    assert keyring.existing_keys([(reference, 1)]) == {}


def test_a_wrong_key_encryption_key_is_told(keyring: Keyring, tmp_path: Path) -> None:
    kek.create_kek_file(tmp_path / "other.key")
    with pytest.raises(KeyringError, match="does not open this keyring"):
        Keyring.open(f"sqlite:///{tmp_path / 'keyring.db'}", kek.open_kek(f"file:{tmp_path / 'other.key'}"))


def test_a_keyring_is_made_once(keyring: Keyring, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not overwritten"):
        Keyring.create(f"sqlite:///{tmp_path / 'keyring.db'}", provider(tmp_path), "1" * 32)
    assert keyring.store_id == "0" * 32


@pytest.mark.parametrize("url", ["sqlite:///{}/none.db", "sqlite:///{}/no/folder/none.db"])
def test_where_no_keyring_is_none_is_opened(keyring: Keyring, tmp_path: Path, url: str) -> None:
    with pytest.raises(KeyringError):
        Keyring.open(url.format(tmp_path), provider(tmp_path))


def test_what_is_no_database_is_told_without_its_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_engine("user:secret@host")
    assert "secret" not in caught.value.message


def test_a_row_of_one_subject_does_not_pass_for_another(keyring: Keyring) -> None:
    """What is sealed is bound to its row: copying it elsewhere gives nothing."""
    other = Identifier("email", "bo@example.org")
    keyring.resolve([ANA, other])
    with transaction(keyring.engine) as connection:
        rows = connection.execute(tables.identifiers.select()).all()
        connection.execute(update(tables.identifiers).values(sealed=rows[0].sealed))
    with pytest.raises(KeyringError, match="cannot be opened"):
        keyring.resolve([ANA, other])


def test_trees_are_kept_by_path(keyring: Keyring) -> None:
    tree = KeyTree.generate()
    keyring.put_tree("content/a", tree)
    assert keyring.tree("content/a") == tree
    with pytest.raises(KeyringError, match="not in this keyring"):
        keyring.tree("content/b")


def test_a_tree_that_was_destroyed_is_told_from_one_that_is_not_here(keyring: Keyring) -> None:
    keyring.put_tree("content/a", KeyTree.generate())
    with destroying(keyring.engine) as connection:
        values = {"sealed": None, "state": "expired", "ended_at": "2026-11-20T00:00:00Z"}
        connection.execute(update(tables.partition_trees).values(values))
    with pytest.raises(ErasedError, match="expired"):
        keyring.tree("content/a")


def rotate(folder: Path) -> None:
    """Another process rotates: all that lives is under a new epoch key, and the old one is destroyed."""
    keyring = Keyring.open(f"sqlite:///{folder / 'keyring.db'}", provider(folder))
    epochs = Epochs(keyring)
    epochs.begin()
    old, new = epochs.all()
    keyring.kek.retire(new.wrapped, [old.wrapped], 7)
    epochs.end([old.number])
    keyring.close()


@pytest.fixture
def rotated(keyring: Keyring, tmp_path: Path) -> Keyring:
    """A keyring that a long-lived process has open, and that another process has rotated."""
    keyring.resolve([ANA])
    rotate(tmp_path)
    return keyring


def test_after_a_rotation_elsewhere_nothing_is_written_under_the_old_epoch(rotated: Keyring, tmp_path: Path) -> None:
    reference = rotated.resolve([ANA])[ANA]
    key = rotated.data_keys([reference])[reference]
    tree = KeyTree.generate()
    rotated.put_tree("content/a", tree)
    spool = AccessNumbers(rotated).new_spool("f" * 32)
    ref = Bookmarks(rotated).add_input("file:///a", "litellm/1", "lines")

    later = Keyring.open(f"sqlite:///{tmp_path / 'keyring.db'}", provider(tmp_path))
    assert later.epoch == rotated.epoch == 2
    assert later.resolve([ANA]) == {ANA: reference}
    assert later.data_keys([reference]) == {reference: key}
    assert later.tree("content/a") == tree
    assert AccessNumbers(later).key(spool.spool) == spool.key
    assert [item.ref for item in Bookmarks(later).inputs_at("file:///a")] == [ref]
    later.close()


def test_after_a_rotation_elsewhere_a_person_is_still_found(keyring: Keyring, tmp_path: Path) -> None:
    """An index key of the old epoch would find nobody, which is no answer to a person who asks."""
    rotate(tmp_path)
    other = Keyring.open(f"sqlite:///{tmp_path / 'keyring.db'}", provider(tmp_path))
    reference = other.resolve([ANA])[ANA]
    key = other.data_keys([reference])[reference].key
    other.close()
    assert keyring.lookup("ana@example.org") == [reference]
    rotate(tmp_path)
    assert keyring.data_key(reference, 1) == key


@pytest.mark.parametrize("opened", [1, 3])
def test_a_destroyed_key_stands_in_no_file(keyring: Keyring, tmp_path: Path, opened: int) -> None:
    """Not in the write-ahead log either, and not while other processes have the keyring open."""
    others = [Keyring.open(f"sqlite:///{tmp_path / 'keyring.db'}", provider(tmp_path)) for _ in range(opened)]
    numbers = AccessNumbers(keyring)
    spool = numbers.new_spool("f" * 32).spool
    with reading(keyring.engine) as connection:
        wrapped = bytes(connection.execute(select(tables.spools.c.wrapped)).scalar_one())
    assert any(wrapped in path.read_bytes() for path in tmp_path.glob("keyring.db*"))
    numbers.sealed([spool])
    for path in tmp_path.glob("keyring.db*"):
        assert wrapped not in path.read_bytes(), path.name
    for other in others:
        other.close()


def test_who_reads_at_length_delays_no_sealing(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is gone for every reader; the log is emptied by the next destruction."""
    monkeypatch.setattr(engine, "FORGET_MS", 50)
    other = Keyring.open(f"sqlite:///{tmp_path / 'keyring.db'}", provider(tmp_path))
    numbers = AccessNumbers(keyring)
    spool, next_one = numbers.new_spool("f" * 32).spool, numbers.new_spool("f" * 32).spool
    with reading(other.engine) as connection:
        wrapped = bytes(connection.execute(select(tables.spools.c.wrapped)).scalars().first() or b"")
        numbers.sealed([spool])
        assert numbers.key(spool) is None
        assert not empty_log(keyring.engine)
    numbers.sealed([next_one])
    assert not any(wrapped in path.read_bytes() for path in tmp_path.glob("keyring.db*"))
    other.close()


def test_no_identifier_and_no_key_stands_in_the_file(keyring: Keyring, tmp_path: Path) -> None:
    reference = keyring.resolve([ANA])[ANA]
    key = keyring.data_keys([reference])[reference].key
    tree = KeyTree.generate()
    keyring.put_tree("content/a", tree)
    keyring.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("keyring.db*"))
    for secret in (b"ana@example.org", b"Ana@Example.org", key, tree.nodes[(0, 0)]):
        assert secret not in stored


def test_what_is_deleted_is_overwritten_and_what_is_written_is_durable(keyring: Keyring) -> None:
    with transaction(keyring.engine) as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("secure_delete", "synchronous", "journal_mode", "busy_timeout")
        }
    assert pragma == {"secure_delete": 1, "synchronous": 2, "journal_mode": "wal", "busy_timeout": 60000}


def test_several_processes_give_an_identifier_one_reference(keyring: Keyring, tmp_path: Path) -> None:
    code = (
        "import sys; from ledger import kek; from ledger.keyring.keyring import Keyring\n"
        "from ledger.keyring.identifiers import Identifier\n"
        "keyring = Keyring.open(sys.argv[1], kek.open_kek(sys.argv[2]))\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for number in range(40):\n"
        "    found = keyring.resolve([Identifier('user_id', f'user {number}')])\n"
        "    (reference,) = found.values()\n"
        "    print(reference, keyring.data_keys([reference])[reference].key.hex())\n"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'keyring.db'}", f"file:{tmp_path / 'kek.key'}"]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = {process.communicate("go\n", timeout=60)[0] for process in started}
    assert len(said) == 1, "all of them were told the same references and keys"
    assert len(set(said.pop().splitlines())) == 40
