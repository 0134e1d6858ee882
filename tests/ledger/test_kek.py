"""Key-encryption keys: from a private file or the environment, and told from a wrong one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ledger import kek
from ledger.errors import ConfigError, KeyringError
from ledger.kek.local import LocalKeys

KEY = bytes(range(32))
STORE = "0" * 32


def test_wrap_and_unwrap() -> None:
    """RFC 3394, section 4.6: wrap 256 bits of key data with a 256-bit KEK."""
    data = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = bytes.fromhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
    assert LocalKeys([KEY], "test").wrap(data) == wrapped
    assert LocalKeys([KEY], "test").unwrap(wrapped) == data


def test_a_wrong_key_or_an_altered_one_is_told() -> None:
    wrapped = LocalKeys([KEY], "test").wrap(bytes(32))
    for wrong in (LocalKeys([bytes(32)], "other"), LocalKeys([KEY[::-1]], "other")):
        with pytest.raises(KeyringError, match="other"):
            wrong.unwrap(wrapped)
    with pytest.raises(KeyringError):
        LocalKeys([KEY], "test").unwrap(wrapped[:-1])


def test_a_new_file_is_private_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    kek.create_kek_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    provider = kek.open_kek(f"file:{path}")
    assert provider.unwrap(provider.wrap(KEY, STORE), STORE) == KEY
    with pytest.raises(ConfigError, match="not overwritten"):
        kek.create_kek_file(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek.key"
    kek.create_kek_file(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="read by others") as caught:
        kek.open_kek(f"file:{path}")
    assert "chmod 600" in caught.value.next_step


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEK", base64.b64encode(KEY).decode())
    assert kek.open_kek("env:TEST_KEK").wrap(KEY, STORE) == LocalKeys([KEY], "").wrap(KEY)


@pytest.mark.parametrize("provider", ["env:NOT_SET", "file:/nowhere", "vault:x", "", "env:SHORT", "env:NO_BASE64"])
def test_what_is_no_key_is_refused_without_showing_it(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", base64.b64encode(b"secret").decode())
    monkeypatch.setenv("NO_BASE64", "secret, secret!")
    with pytest.raises(ConfigError) as caught:
        kek.open_kek(provider)
    assert "secret" not in caught.value.message


def test_two_keys_while_they_are_changed(tmp_path: Path) -> None:
    """The first wraps, all unwrap; another process that has the file open follows."""
    path = tmp_path / "kek.key"
    kek.create_kek_file(path)
    provider, other = kek.open_kek(f"file:{path}"), kek.open_kek(f"file:{path}")
    old = provider.wrap(KEY, STORE)

    provider.renew(old)
    new = provider.wrap(KEY, STORE)

    assert path.stat().st_mode & 0o777 == 0o600
    assert new != old
    assert len(path.read_bytes().split()) == 2
    for one in (provider, other, kek.open_kek(f"file:{path}")):
        assert one.unwrap(old, STORE) == one.unwrap(new, STORE) == KEY
    provider.renew(old)
    assert provider.wrap(KEY, STORE) == new, "a key that is new already is taken"

    text = path.read_bytes()
    provider.retire(new, [old], 7)

    assert path.read_bytes() == text.splitlines(keepends=True)[0]
    assert sorted(tmp_path.iterdir()) == [path]
    for one in (provider, kek.open_kek(f"file:{path}")):
        assert one.unwrap(new, STORE) == KEY
        with pytest.raises(KeyringError):
            one.unwrap(old, STORE)


def test_the_old_bytes_are_overwritten(tmp_path: Path) -> None:
    """A second name for the old file shows what becomes of its bytes."""
    path = tmp_path / "kek.key"
    kek.create_kek_file(path)
    provider = kek.open_kek(f"file:{path}")
    old, text = provider.wrap(KEY, STORE), path.read_bytes()
    provider.renew(old)
    (tmp_path / "seen").hardlink_to(path)
    assert text.strip() in (tmp_path / "seen").read_bytes()
    provider.retire(provider.wrap(KEY, STORE), [old], 7)
    assert text.strip() not in (tmp_path / "seen").read_bytes()


def test_no_key_is_retired_where_none_opens_what_lives(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    kek.create_kek_file(path)
    provider = kek.open_kek(f"file:{path}")
    old = provider.wrap(KEY, STORE)
    provider.renew(old)
    text = path.read_bytes()
    with pytest.raises(ConfigError, match="none is destroyed"):
        provider.retire(bytes(40), [old], 7)
    assert path.read_bytes() == text


def test_an_order_that_somebody_changed_costs_no_living_key(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    kek.create_kek_file(path)
    provider = kek.open_kek(f"file:{path}")
    old = provider.wrap(KEY, STORE)
    provider.renew(old)
    new = provider.wrap(KEY, STORE)
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    provider.retire(new, [old], 7)
    assert kek.open_kek(f"file:{path}").unwrap(new, STORE) == KEY


def test_in_the_environment_a_person_brings_the_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (base64.b64encode(key).decode() for key in (KEY, KEY[::-1]))
    monkeypatch.setenv("TEST_KEK", first)
    provider = kek.open_kek("env:TEST_KEK")
    old = provider.wrap(KEY, STORE)
    with pytest.raises(ConfigError, match="no new key") as caught:
        provider.renew(old)
    assert "NEW,OLD" in caught.value.next_step
    monkeypatch.setenv("TEST_KEK", f"{second},{first}")
    provider = kek.open_kek("env:TEST_KEK")
    provider.renew(old)
    new = provider.wrap(KEY, STORE)
    assert provider.unwrap(old, STORE) == provider.unwrap(new, STORE) == KEY
    assert provider.retire(new, [old], 7).depends_on == "operator"
