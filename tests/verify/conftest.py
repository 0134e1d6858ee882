"""A small store with every class of object, to be damaged: each test leaves it as it found it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger.decryption import Decryptor
from ledger.store import open_keyring
from ledger.verify import Report

CLASSES = {
    "commit": r"ledger/commit/",
    "checkpoint": r"ledger/checkpoint\Z",
    "kept checkpoint": r"ledger/checkpoints/",
    "tile": r"ledger/tile/0/",
    "bundle": r"ledger/tile/entries/",
    "blob": r"ledger/blob/",
    "events": r"events/",
    "content": r"content/",
}


@dataclass
class Victim:
    """A filled store on disk. ``changed`` damages one object for the length of a block, and proves that it did."""

    installation: Any
    decryptor: Decryptor
    log: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        folder: Path = self.installation.folder
        return folder

    def paths(self, kind: str) -> list[str]:
        every = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        return [path for path in every if re.match(CLASSES[kind], path)]

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    @contextmanager
    def changed(self, path: str, data: bytes | None) -> Iterator[None]:
        """``data`` None deletes the object. A path that is not there is an extra object, deleted afterwards."""
        file = self.folder / path
        before = file.read_bytes() if file.exists() else None
        assert data != before, "a mutation that changes nothing proves nothing"
        folders = [folder for folder in file.parents if not folder.exists()]
        try:
            if data is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            self.log.append(path)
            yield
        finally:
            if before is None:
                file.unlink()
                for folder in folders:
                    folder.rmdir()
            else:
                file.write_bytes(before)

    def verify(self, level: str = "deep", **options: Any) -> Report:
        report: Report = self.installation.verify(level, **{"open_decryptor": lambda: self.decryptor, **options})
        return report


def fill(installation: Any, folder: Path, sample_logs: Path) -> None:
    """Three ingests and publications; 18 small rejected files make a list of inputs that goes to a blob."""
    folder.mkdir()
    lines = (sample_logs / "mira" / "2026-W40.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "a.jsonl").write_bytes(b"".join(lines[:12]))
    installation.ingest(folder / "a.jsonl")
    for number in range(18):
        (folder / f"note-{number}.txt").write_text(f"not a log, number {number}\n")
    installation.ingest(*sorted(folder.glob("note-*")))
    installation.ingest(sample_logs / "mira" / "2026-10-23-recovered.jsonl")


@pytest.fixture(scope="module")
def victim(
    tmp_path_factory: pytest.TempPathFactory, new_installation: Callable[..., Any], sample_logs: Path
) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("victim")
    installation = new_installation(folder / "installation")
    fill(installation, folder / "logs", sample_logs)
    keyring = open_keyring(installation.settings)
    victim = Victim(installation, Decryptor(keyring, keyring.store_id))
    yield victim
    keyring.close()
    print(f"\n{len(victim.log)} mutations")


@pytest.fixture
def filled(installation: Any, tmp_path: Path) -> Any:
    """A store with one small partition."""
    source = tmp_path / "note.txt"
    source.write_text("not a log\n")
    installation.ingest(source)
    return installation


@pytest.fixture
def seeded() -> random.Random:
    return random.Random(20261120)
