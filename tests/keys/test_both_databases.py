"""What the keyring does, on SQLite and on PostgreSQL alike: the same answers, the same states, the same refusals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger import kek
from ledger.errors import ConfigError, ErasedError, KeyringError
from ledger.keyring.access_numbers import AccessNumbers
from ledger.keyring.bookmarks import Bookmarks, Step
from ledger.keyring.destruction import Destruction
from ledger.keyring.identifiers import Identifier
from ledger.keyring.keyring import Keyring
from ledger.keyring.links import Links
from ledger.keyring.publication import PublicationState, Published
from ledger.keytree import KeyTree

ANA, BO = Identifier("email", "Ana@Example.org"), Identifier("email", "bo@example.org")


@pytest.fixture
def provider(tmp_path: Path) -> str:
    kek.create_kek_file(tmp_path / "kek.key")
    return f"file:{tmp_path / 'kek.key'}"


@pytest.fixture
def opened(keyring_url: str, provider: str) -> Iterator[Callable[[], Keyring]]:
    """Opens the keyring anew, as another process would."""
    every = [Keyring.create(keyring_url, kek.open_kek(provider), "0" * 32)]

    def again() -> Keyring:
        every.append(Keyring.open(keyring_url, kek.open_kek(provider)))
        return every[-1]

    yield again
    for keyring in every:
        keyring.close()


def test_a_keyring_is_made_once(opened: Callable[[], Keyring], keyring_url: str, provider: str) -> None:
    with pytest.raises(ConfigError, match="not overwritten"):
        Keyring.create(keyring_url, kek.open_kek(provider), "1" * 32)
    assert opened().store_id == "0" * 32


def test_identifiers_keep_their_references(opened: Callable[[], Keyring]) -> None:
    wanted = [ANA, *(Identifier("user_id", f"user {number} \udc80") for number in range(1200))]
    found = opened().resolve(wanted)
    assert len(set(found.values())) == len(wanted)
    other = opened()
    assert other.resolve(wanted) == found
    assert other.lookup(" ana@EXAMPLE.org") == [found[ANA]]
    assert other.lookup("nobody") == []


def test_a_key_is_live_then_erased_for_good(opened: Callable[[], Keyring]) -> None:
    keyring, other = opened(), opened()
    reference = keyring.resolve([ANA])[ANA]
    assert keyring.state(reference) == "never existed"
    key = keyring.data_keys([reference])[reference]
    assert other.data_keys([reference])[reference] == key
    act = Destruction(keyring)
    assert act.survivors([reference]) == [reference]
    assert act.begin([reference]) == 1
    assert other.state(reference) == "erasing"
    assert other.data_key(reference, 1) == key.key
    assert act.subjects([reference]) == 1
    assert act.survivors([reference]) == []
    assert other.state(reference) == "erased"
    for ask in (lambda: other.data_key(reference, 1), lambda: other.data_keys([reference])):
        with pytest.raises(ErasedError):
            ask()
    assert other.resolve([ANA])[ANA] != reference
    assert act.followed() == -1
    act.follow_to(7)
    act.follow_to(3)
    assert Destruction(other).followed() == 7


def test_key_trees(opened: Callable[[], Keyring]) -> None:
    keyring, tree = opened(), KeyTree.generate()
    keyring.put_tree("content/a", tree)
    assert opened().tree("content/a") == tree
    Destruction(keyring).trees({"content/a": tree.without([3])})
    assert not opened().tree("content/a").has(3)
    Destruction(keyring).trees({"content/a": None})
    with pytest.raises(ErasedError, match="expired"):
        opened().tree("content/a")
    with pytest.raises(KeyringError, match="not in this keyring"):
        opened().tree("content/b")


def test_links(opened: Callable[[], Keyring]) -> None:
    links = Links(opened())
    links.add("1" * 32, "2" * 32)
    links.add("2" * 32, "3" * 32)
    links.add("2" * 32, "3" * 32)
    assert links.group(["3" * 32]) == ["1" * 32, "2" * 32, "3" * 32]
    assert links.persons(["1" * 32, "3" * 32, "9" * 32]) == 2
    assert links.remove("2" * 32, "1" * 32)
    assert not links.remove("2" * 32, "1" * 32)
    assert links.persons(["1" * 32, "3" * 32]) == 2


def test_access_numbers(opened: Callable[[], Keyring]) -> None:
    numbers, other = AccessNumbers(opened()), AccessNumbers(opened())
    spool = numbers.new_spool("f" * 32)
    assert [numbers.take(spool.spool), other.take(spool.spool), numbers.take(spool.spool)] == [1, 2, 3]
    assert other.key(spool.spool) == spool.key
    assert other.close(spool.spool) == 3
    with pytest.raises(KeyringError, match="closed"):
        numbers.take(spool.spool)
    assert numbers.unsealed() == {spool.spool: 3}
    other.sealed([spool.spool])
    assert (numbers.key(spool.spool), numbers.unsealed()) == (None, {})


def test_bookmarks(opened: Callable[[], Keyring]) -> None:
    bookmarks, other = Bookmarks(opened()), Bookmarks(opened())
    ref = bookmarks.add_input("/logs/ä", "litellm", "lines")
    mac = bookmarks.new_mac()
    mac.update(b"0123456789")
    step = Step(ref, "content/a", "1", 0, 10, 0, mac.digest())
    bookmarks.add_steps([step])
    assert other.last_step(ref, {"content/a"}) == step
    assert other.last_step(ref, set()) is None
    assert [item.uri for item in other.inputs_at("/logs/ä")] == ["/logs/ä"]
    other.add_alias("/logs/b", ref)
    assert bookmarks.alias("/logs/b") == ref
    assert bookmarks.input(ref[:8]) == bookmarks.inputs_at("/logs/ä")[0]
    Destruction(opened()).forget_bytes([(ref, 0)])
    assert other.last_step(ref, {"content/a"}) == step._replace(mac=None)


def test_the_publishers_memory_moves_by_compare_and_set(opened: Callable[[], Keyring]) -> None:
    state, other = PublicationState(opened(), "logs.example"), PublicationState(opened(), "logs.example")
    first, second = Published(0, 4, bytes(32)), Published(1, 5, bytes(range(32)))
    assert state.advance(None, first)
    assert not other.advance(None, second)
    assert other.advance(first, second)
    assert state.read() == second


def test_several_processes_give_an_identifier_one_reference(
    opened: Callable[[], Keyring], keyring_url: str, provider: str
) -> None:
    code = (
        "import sys; from ledger import kek; from ledger.keyring.keyring import Keyring\n"
        "from ledger.keyring.identifiers import Identifier\n"
        "keyring = Keyring.open(sys.argv[1], kek.open_kek(sys.argv[2]))\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for number in range(30):\n"
        "    found = keyring.resolve([Identifier('user_id', f'user {number}')])\n"
        "    (reference,) = found.values()\n"
        "    print(reference, keyring.data_keys([reference])[reference].key.hex())\n"
    )
    command = [sys.executable, "-c", code, keyring_url, provider]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = {process.communicate("go\n", timeout=60)[0] for process in started}
    assert len(said) == 1, "all of them were told the same references and keys"
    assert len(set(said.pop().splitlines())) == 30
