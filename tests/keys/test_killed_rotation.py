"""A rotation is killed with SIGKILL at each step: the keyring opens, and rotating again completes it."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger import kek
from ledger.errors import KeyringError
from ledger.key_management import backups, rotation
from ledger.keyring.epochs import Epochs
from ledger.verify import Verdict

ROTATOR = Path(__file__).with_name("rotator.py")
PERSON = "HV-102949"


def points() -> list[str]:
    spec = importlib.util.spec_from_file_location("rotator", ROTATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.POINTS)


ON_POSTGRES = ("all is wrapped again", "the epoch has begun", "the ledger says so")
"""The steps that the database takes part in."""

EVERY = [
    *(("sqlite", when, point) for point in points() for when in ("before", "after")),
    *(pytest.param("postgres", "after", point, marks=pytest.mark.postgres) for point in ON_POSTGRES),
]


@pytest.mark.parametrize(("anywhere", "when", "point"), EVERY, indirect=["anywhere"])
def test_it_opens_and_completes(filled: Any, tmp_path: Path, when: str, point: str) -> None:
    with filled.open() as store:
        person = store.keyring.lookup(PERSON)
        old = backups.write(store.keyring, tmp_path / "old.db").path

    died = subprocess.run(
        [sys.executable, str(ROTATOR), str(filled.config), when, point], capture_output=True, check=False, timeout=120
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()

    with filled.open() as store:
        assert store.keyring.lookup(PERSON) == person
        # It may have died in the very last moment: then this one is the next rotation.
        begun = rotation.rotate(store).begun
        store.publish()
        assert [epoch.number for epoch in Epochs(store.keyring).all()] == [begun]
        assert begun == (3 if (when, point) == ("after", "the old epoch is dropped") else 2)
        ends = [(end["ended"], end["begun"]) for end in rotation._ends(store)]
        assert ends == [(number, number + 1) for number in range(1, begun)], "each end is said, and said once"
        assert store.keyring.lookup(PERSON) == person

    private = Path(filled.settings.kek.removeprefix("file:"))
    assert len(private.read_bytes().split()) == 1
    assert sorted(path.name for path in private.parent.glob(".*")) == []
    with pytest.raises(KeyringError), backups.opened(old, kek.open_kek(filled.settings.kek)):
        pass
    report = filled.verify("deep")
    assert report.verdict is Verdict.INTACT, report.findings
