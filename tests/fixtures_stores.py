"""Whole stores for tests: created, filled and verified as the commands do it, without the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.pipeline import Pipeline, Summary
from ledger import notes, records
from ledger.create import create
from ledger.decryption import Decryptor
from ledger.erasing import Erasing, erase
from ledger.objects import Objects, open_objects
from ledger.partition_reader import PartitionReader
from ledger.settings import Settings, load
from ledger.store import Store, open_keyring
from ledger.verify import Options, Pin, Report, verify
from replay import access, catalog
from replay.reconstruct import reconstruct, resolve_input

SAMPLE_LOGS = Path(__file__).resolve().parents[1] / "sample_data" / "logs"


@dataclass(frozen=True)
class Installation:
    """A store with its configuration, keys and keyring beside it."""

    settings: Settings
    config: Path

    @property
    def folder(self) -> Path:
        """The store's own folder, where it is a local one."""
        return Path(self.settings.store)

    @property
    def log_key(self) -> notes.Verifier:
        """The public key that an auditor holds."""
        private = self.config.parent / f"{self.config.stem}-private"
        return notes.Verifier.from_vkey((private / "log.vkey").read_text().strip())

    def objects(self) -> Objects:
        return open_objects(self.settings.store, endpoint=self.settings.s3_endpoint)

    def open(self) -> Store:
        return Store.open(self.settings)

    def open_on(self, objects: Objects) -> Store:
        """The store through other objects, such as ones that fail."""
        store = Store(self.settings, objects, open_keyring(self.settings))
        store.refresh()
        return store

    def ingest(self, *paths: Path, format_name: str | None = None) -> Summary:
        """Ingest and publish."""
        with self.open() as store:
            summary = Pipeline(store).run([str(path) for path in paths], format_name)
            store.publish()
        return summary

    def verify(self, level: str = "deep", *, keys: Sequence[notes.Verifier] | None = None, **options: Any) -> Report:
        """Verify with the log's key and, at level deep, with the keyring."""
        return self.verify_and_pin(level, keys=keys, **options)[0]

    def verify_and_pin(
        self, level: str = "deep", *, keys: Sequence[notes.Verifier] | None = None, **options: Any
    ) -> tuple[Report, Pin | None]:
        trusted = [self.log_key] if keys is None else keys
        keyring = open_keyring(self.settings)
        try:
            options.setdefault("open_decryptor", lambda: Decryptor(keyring, keyring.store_id))
            return verify(self.objects(), Options(level=level, trusted=trusted, **options))  # type: ignore[arg-type]
        finally:
            keyring.close()

    def erase(self, *values: str) -> list[str]:
        """Erase everything of the people who have these identifiers; their references."""
        with self.open() as store:
            subjects = [reference for value in values for reference in store.keyring.lookup(value)]
            erase(store, Erasing(subjects))
            store.publish()
        return subjects

    def lines(self) -> list[dict[str, Any]]:
        """Every record line, in the order of the log."""
        with self.open() as store:
            readers = [PartitionReader(store.objects, entry.value) for entry in store.history.partitions()]
            return [
                records.parse_line(line)
                for reader in readers
                for line in reader.all_rows(["line"]).column("line").to_pylist()
            ]

    def reconstruct(self, *paths: Path) -> list[bytes]:
        """The bytes of ingested files, from the store alone."""
        with self.open() as store, catalog.opened(store) as listed:
            receipt = access.record(store, "test", "test", {})
            found = [resolve_input(listed, os.path.realpath(path), "") for path in paths]
            return [b"".join(reconstruct(listed, name, receipt)) for name in found]


def make_installation(
    folder: Path,
    location: str | None = None,
    endpoint: str | None = None,
    *,
    keyring: str | None = None,
    kek: str | None = None,
    **changes: Any,
) -> Installation:
    """A new store; ``changes`` are settings, which also stand in its configuration file."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "evidence.toml"
    create(location or str(folder / "store"), config, endpoint=endpoint, keyring=keyring, kek_provider=kek)
    with config.open("a") as file:
        for name, value in {"workers": 0, **changes}.items():
            file.write(f"{name} = {value!r}\n")
    return Installation(load(str(config)), config)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """A new, empty store in a folder."""
    return make_installation(tmp_path / "installation")


@pytest.fixture(scope="session")
def new_installation() -> Callable[..., Installation]:
    """``make_installation``, for tests that need several stores or other settings."""
    return make_installation


@pytest.fixture(scope="session")
def sample_logs() -> Path:
    """The project's own sample logs."""
    return SAMPLE_LOGS
