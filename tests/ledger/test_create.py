"""Making a store: its keys stand apart from it, and all of it survives a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger import kek, notes
from ledger.create import create
from ledger.durable import make_folder
from ledger.errors import ConfigError
from ledger.verify import Pin
from ledger.verify.pin import save


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was fsynced, in order."""
    real = os.fsync
    paths: list[Path] = []

    def noted(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}", "file://{}/"])
def test_keys_inside_the_store_are_refused(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "a store"
    with pytest.raises(ConfigError, match="inside the store"):
        create(form.format(folder), folder / "evidence.toml")
    with pytest.raises(ConfigError, match="inside the store"):
        create(form.format(folder).replace(" ", "%20" if "file" in form else " "), folder / "sub" / "evidence.toml")
    assert not folder.exists()


def test_a_file_url_beside_the_configuration_is_accepted(tmp_path: Path) -> None:
    create(f"file://{tmp_path}/store", tmp_path / "evidence.toml")
    assert (tmp_path / "store" / "evidence.json").exists()


def test_keys_and_configuration_are_durable_before_the_first_commit(tmp_path: Path, synced: list[Path]) -> None:
    config = tmp_path / "new" / "evidence.toml"
    private = config.parent / "evidence-private"
    create(str(tmp_path / "store"), config)

    first_commit = next(at for at, path in enumerate(synced) if path.is_relative_to(tmp_path / "store" / "ledger"))
    before = synced[:first_commit]
    names = ("kek.key", "admin.key", "writer.key", "privacy.key", "log.key", "log.vkey")
    for path in (config, config.parent, private, tmp_path, *(private / name for name in names)):
        assert path in before, path
    assert before[::-1].index(private) < before[::-1].index(private / "log.vkey"), "a folder after what is in it"


def test_a_key_file_and_its_entry_are_durable(tmp_path: Path, synced: list[Path]) -> None:
    kek.create_kek_file(tmp_path / "kek.key")
    assert synced == [tmp_path / "kek.key", tmp_path]


def test_a_folder_and_all_above_it_are_durable(tmp_path: Path, synced: list[Path]) -> None:
    make_folder(tmp_path / "a" / "b" / "c", 0o700)
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o700


def test_a_pin_and_its_entry_are_durable(tmp_path: Path, synced: list[Path]) -> None:
    key = notes.Signer.generate("logs.example.com")
    save(tmp_path / "pin.json", Pin(key.vkey, "", 0, "2026-11-20T00:00:00Z"))
    assert synced[-1] == tmp_path
    assert len(synced) == 2
