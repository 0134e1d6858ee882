"""A rotation: all that lives is under a new key, and every older backup is noise, even with everything that lives."""

from __future__ import annotations

import base64
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from ledger import following, kek
from ledger.errors import ConfigError, KeyringError
from ledger.kdf import derive
from ledger.key_management import backups, reconciliation, rotation
from ledger.keyring import tables
from ledger.keyring.bookmarks import Bookmarks
from ledger.keyring.engine import reading
from ledger.keyring.epochs import Epochs
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import Keyring, meta_label
from ledger.keytree import KeyTree
from ledger.settings import Settings
from ledger.verify import Verdict

PERSON = "HV-102949"


def rotate(installation: Any, **options: Any) -> rotation.Rotated:
    with installation.open() as store:
        done = rotation.rotate(store, **options)
        store.publish()
    return done


def back_up(installation: Any, path: Path) -> Path:
    with installation.open() as store:
        backups.write(store.keyring, path)
    return path


def rows(path: Path) -> dict[str, list[Any]]:
    """Every row of a backup, by table."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            return {table.name: list(connection.execute(select(table))) for table in tables.metadata.sorted_tables}
    finally:
        engine.dispose()


def opens(key: bytes, found: dict[str, list[Any]]) -> tuple[int, int]:
    """How many of the wrapped and sealed values in a backup a key opens as epoch key, and how many there are."""
    siv = AESSIV(derive(key, b"evidence/v1/mask/mac") + derive(key, b"evidence/v1/mask/encrypt"))

    def sealed(blob: bytes, label: bytes) -> bytes:
        return AESGCM(key).decrypt(blob[:12], blob[12:], label)

    attempts: list[Callable[[], bytes]] = [
        *((lambda r=r: aes_key_unwrap(key, r.wrapped)) for r in found["data_keys"]),
        *((lambda r=r: aes_key_unwrap(key, r.wrapped)) for r in found["spools"] if r.wrapped),
        *((lambda r=r: sealed(r.sealed, r.mac)) for r in found["identifiers"]),
        *((lambda r=r: sealed(r.sealed, r.path.encode())) for r in found["partition_trees"] if r.sealed),
        *((lambda r=r: sealed(r.sealed_uri, r.ref.encode())) for r in found["inputs"]),
        *((lambda r=r: sealed(r.value, meta_label(r.name))) for r in found["meta"] if r.epoch is not None),
        *((lambda r=r: siv.decrypt(r.uri_mac, None)) for r in found["inputs"]),
        *((lambda r=r: siv.decrypt(r.mac, None)) for r in found["steps"] if r.mac),
    ]
    opened = 0
    for attempt in attempts:
        try:
            attempt()
        except (InvalidTag, InvalidUnwrap):
            continue
        opened += 1
    return opened, len(attempts)


def epoch_keys(settings: Settings, found: dict[str, list[Any]]) -> list[bytes]:
    """The epoch keys of a backup that the key-encryption key, as it is now, unwraps."""
    provider = kek.open_kek(settings.kek)
    keys = []
    for row in found["epochs"]:
        try:
            keys.append(provider.unwrap(bytes(row.wrapped), "0" * 32))
        except KeyringError:
            continue
    return keys


def living_secrets(installation: Any) -> list[bytes]:
    """Every key of 32 bytes that the keyring holds, and the key-encryption key itself."""
    with installation.open() as store, reading(store.keyring.engine) as connection:
        keyring = store.keyring
        wrapped = connection.execute(select(tables.data_keys)).all()
        trees = connection.execute(select(tables.partition_trees.c.path)).scalars().all()
        return [
            base64.b64decode(Path(installation.settings.kek.removeprefix("file:")).read_bytes()),
            *keyring._epochs.values(),
            keyring._bookmark_key,
            *(keyring.unwrap(row.epoch, row.wrapped) for row in wrapped),
            *(node for path in trees for node in keyring.tree(path).nodes.values()),
        ]


def test_an_old_backup_and_everything_that_lives_open_nothing(filled: Any, tmp_path: Path) -> None:
    old = rows(back_up(filled, tmp_path / "old.db"))
    (key,) = epoch_keys(filled.settings, old)
    opened, every = opens(key, old)
    assert opened == every > 10, "before the rotation the same key-encryption key opens all of it"

    done = rotate(filled)

    assert epoch_keys(filled.settings, old) == []
    living = living_secrets(filled)
    assert len(living) > 5
    assert [opens(secret, old)[0] for secret in living] == [0] * len(living)
    assert not any(unwraps(secret, bytes(row.wrapped)) for row in old["epochs"] for secret in living)
    with pytest.raises(KeyringError, match="the backup does not open"):
        backups.restore(filled.settings, tmp_path / "old.db", replace=True)
    new = rows(done.backup.path)
    (new_key,) = epoch_keys(filled.settings, new)
    assert opens(new_key, new) == (every, every)


def unwraps(key: bytes, wrapped: bytes) -> bool:
    try:
        aes_key_unwrap(key, wrapped)
    except InvalidUnwrap:
        return False
    return True


def test_what_lives_is_what_it_was(filled: Any, logs: list[Path]) -> None:
    with filled.open() as store:
        before = {
            "person": store.keyring.lookup(PERSON),
            "inputs": store.bookmarks.all_inputs(),
            "waiting": store.accesses.waiting(),
            "key": store.accesses.key(store.accesses.waiting()[0].name),
        }
    assert before["person"]

    done = rotate(filled)

    assert (done.ended, done.begun) == ([1], 2)
    assert done.moved["identifiers"] == done.backup.opened["identifiers"] > 0
    with filled.open() as store:
        assert store.keyring.live_epochs() == [2]
        assert before == {
            "person": store.keyring.lookup(PERSON),
            "inputs": store.bookmarks.all_inputs(),
            "waiting": store.accesses.waiting(),
            "key": store.accesses.key(store.accesses.waiting()[0].name),
        }
        assert store.seal().records == 1
    again = filled.ingest(*logs)
    assert again.unchanged == again.inputs == len(logs), "the same inputs are found by their masked digests"
    report = filled.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
    assert filled.reconstruct(*logs) == [path.read_bytes() for path in logs]


def test_the_ledger_says_that_an_epoch_ended(filled: Any) -> None:
    done = rotate(filled)
    again = rotate(filled)
    with filled.open() as store:
        ends = [entry for entry in store.history.entries if entry.value["type"] == "erasure"]
        assert [entry.value["epoch"] for entry in ends] == [
            {"ended": 1, "begun": 2, "unreadable_at": done.unreadable_at},
            {"ended": 2, "begun": 3, "unreadable_at": again.unreadable_at},
        ]
        assert all(entry.value["subjects"] == [] for entry in ends)
        assert done.unreadable_at < ends[0].time, "the key was gone before the ledger said so"
        assert not following.behind(store), "there is nothing for a keyring to follow"
        assert rotation.ended_epochs(store) == {1: done.unreadable_at, 2: again.unreadable_at}


def test_who_had_the_keyring_open_meanwhile_goes_on(filled: Any, logs: list[Path], tmp_path: Path) -> None:
    """Every part of it: looked up, written, read, under whatever epoch is newest."""
    extra = tmp_path / "extra.jsonl"
    extra.write_bytes(logs[0].read_bytes().replace(b"call-", b"other-").replace(PERSON.encode(), b"HV-999999"))
    with filled.open() as long_lived:
        (person,) = long_lived.keyring.lookup(PERSON)
        for _ in range(2):
            rotate(filled)
        assert long_lived.keyring.lookup(PERSON) == [person]
        assert long_lived.keyring.data_keys([person])
        assert len(long_lived.bookmarks.all_inputs()) == len(logs)
        from ingest.pipeline import Pipeline

        Pipeline(long_lived).run([str(extra)])
        assert long_lived.keyring.epoch == 3
        (other,) = long_lived.keyring.lookup("HV-999999")
        long_lived.publish()
    with filled.open() as store:
        assert store.keyring.lookup("HV-999999") == [other]
        assert store.keyring.live_epochs() == [3]
    assert filled.verify("deep").verdict is Verdict.INTACT


def test_what_was_erased_is_not_carried_over(filled: Any) -> None:
    (person,) = filled.erase(PERSON)
    done = rotate(filled)
    found = rows(done.backup.path)
    assert person not in {row.ref for row in found["data_keys"]}
    with filled.open() as store:
        assert store.keyring.lookup(PERSON) == []
        assert store.keyring.state(person) == "erased"
    report = filled.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings


def test_two_rotations_at_once_are_one_or_two(filled: Any) -> None:
    """The second to begin takes up what the first began, or makes an epoch of its own; both end."""
    with filled.open() as one, filled.open() as other:
        Epochs(one.keyring).begin()
        assert Epochs(other.keyring).begin() == {}
        done = rotation.rotate(other)
        assert (done.ended, done.begun, done.moved) == ([1], 2, {})
        assert rotation.rotate(one).begun == 3
    assert filled.verify("deep").verdict is Verdict.INTACT


def test_only_who_may_say_so_ends_an_epoch(filled: Any) -> None:
    filled.config.write_text(
        "\n".join(line for line in filled.config.read_text().splitlines() if not line.startswith("privacy_key"))
    )
    from ledger.settings import load
    from ledger.store import Store

    with Store.open(load(str(filled.config))) as store:
        with pytest.raises(ConfigError, match="privacy_key"):
            rotation.rotate(store)
        assert [epoch.number for epoch in Epochs(store.keyring).all()] == [1]


def test_a_backup_that_cannot_be_written_ends_nothing(filled: Any, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_bytes(b"something else")
    before = back_up(filled, tmp_path / "old.db")
    with filled.open() as store, pytest.raises(Exception, match="not overwritten"):
        rotation.rotate(store, tmp_path / "there.db")
    assert epoch_keys(filled.settings, rows(before)), "the old key-encryption key is still there"
    assert rotate(filled).ended == [1]
    assert epoch_keys(filled.settings, rows(before)) == []


def test_an_epoch_that_has_ended_and_still_opens_is_told(filled: Any, tmp_path: Path) -> None:
    """As with a KMS that waits, or an environment that nobody cleaned."""
    old_key = tmp_path / "old.key"
    shutil.copy(filled.settings.kek.removeprefix("file:"), old_key)
    old = back_up(filled, tmp_path / "old.db")
    done = rotate(filled)
    with_old = filled.settings.model_copy(update={"kek": f"file:{old_key}"})
    backups.restore(with_old, old, replace=True)
    from ledger.store import Store

    with Store.open(with_old) as store:
        assert reconciliation.reconcile(store).ended == {1: done.unreadable_at}
        again = rotation.rotate(store)
        assert again.begun == 3, "no number of an epoch comes twice"
        assert reconciliation.reconcile(store).ended == {}


def test_many_identifiers_rotate_in_reasonable_time(keyring: Keyring, tmp_path: Path) -> None:
    """In pages: neither all rows at once in memory, nor a search from the start for each page."""
    people = [Identifier("email", f"person-{number}@example.org") for number in range(20_000)]
    found = keyring.resolve(people)
    keyring.data_keys(found.values())
    began = time.monotonic()
    moved = Epochs(keyring).begin()
    took = time.monotonic() - began
    print(f"{len(people):,} identifiers and data keys: {took:.1f} s")
    assert moved["identifiers"] == moved["data_keys"] == len(people)
    assert took < 60
    assert keyring.resolve(people[:50]) == {person: found[person] for person in people[:50]}
    with reading(keyring.engine) as connection:
        assert set(connection.execute(select(tables.identifiers.c.epoch).distinct()).scalars()) == {2}


def test_with_a_key_in_the_environment_it_depends_on_a_person(
    new_installation: Callable[..., Any], logs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the old key away ends the older backups; the ledger says that it depends on that."""
    old, new = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
    monkeypatch.setenv("TEST_KEK", old)
    installation = new_installation(tmp_path / "installation", kek="env:TEST_KEK")
    installation.ingest(*logs)
    before = back_up(installation, tmp_path / "old.db")
    with installation.open() as store, pytest.raises(ConfigError, match="no new key"):
        rotation.rotate(store)
    with installation.open() as store:
        assert [epoch.number for epoch in Epochs(store.keyring).all()] == [1], "nothing was changed"

    monkeypatch.setenv("TEST_KEK", f"{new},{old}")
    assert rotate(installation).depends_on == "operator"

    with installation.open() as store:
        (end,) = rotation._ends(store)
        assert end["depends_on"] == "operator"
    assert epoch_keys(installation.settings, rows(before)), "until then it opens"
    monkeypatch.setenv("TEST_KEK", new)
    assert epoch_keys(installation.settings, rows(before)) == []
    assert installation.verify("deep").verdict is Verdict.INTACT


@given(
    identifiers=st.lists(st.tuples(st.sampled_from(["email", "phone", "x/y"]), st.text(max_size=40)), max_size=8),
    places=st.lists(st.text(max_size=40), max_size=4, unique=True),
    leaves=st.lists(st.integers(1, 64), max_size=3),
)
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_it_holds_is_the_same_afterwards(
    keyring: Keyring, identifiers: list[tuple[str, str]], places: list[str], leaves: list[int]
) -> None:
    """Names and locations of any text, also such that UTF-8 cannot hold; trees of any shape; twice in a row."""
    people = [Identifier(kind, f"{value}\udcff" if len(value) % 2 else value) for kind, value in identifiers]
    references = keyring.resolve(people)
    keys = keyring.data_keys(references.values())
    bookmarks = Bookmarks(keyring)
    inputs = {place: bookmarks.add_input(place, "any", "lines") for place in places}
    trees = {f"content/{secrets.token_hex(8)}": KeyTree.generate(count).without([count // 2]) for count in leaves}
    for path, tree in trees.items():
        keyring.put_tree(path, tree)

    for _ in range(2):
        before = keyring.epoch
        epochs = Epochs(keyring)
        epochs.begin()
        *old, newest = epochs.all()
        keyring.kek.retire(newest.wrapped, [epoch.wrapped for epoch in old], 7)
        epochs.end([epoch.number for epoch in old])

        assert keyring.live_epochs() == [before + 1]
        assert keyring.resolve(people) == references
        assert keyring.data_keys(references.values()) == keys
        assert {path: keyring.tree(path) for path in trees} == trees
        for place, ref in inputs.items():
            assert ref in {item.ref for item in bookmarks.inputs_at(place)}
            assert {item.uri for item in bookmarks.inputs_at(place)} == {place}
