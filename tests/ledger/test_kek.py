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
