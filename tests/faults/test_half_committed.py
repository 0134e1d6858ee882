"""A portion of many days whose commits were cut short, from a file that is another one when ingest runs again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest import pipeline
from ledger.store import Store
from ledger.verify import Verdict


class PowerCut(BaseException):
    """What ends the first run."""


def lines(word: str, days: int = 6) -> bytes:
    events = [
        {
            "evidence": "event/1",
            "kind": "inference",
            "source": "shop",
            "id": f"call-{day}",
            "time": f"2026-10-{day + 1:02d}T08:00:00Z",
            "session": "s-1",
            "output": [{"role": "assistant", "parts": [{"type": "text", "content": f"{word} {day}"}]}],
        }
        for day in range(days)
    ]
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


@pytest.fixture
def half_committed(installation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path]:
    """A store whose ledger has two of six days of a file."""
    file = tmp_path / "calls.jsonl"
    file.write_bytes(lines("first"))
    append, calls = Store.append, []

    def append_once(self: Store, *arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise PowerCut
        return append(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "ENTRIES_A_COMMIT", 2)
        patched.setattr(Store, "append", append_once)
        with pytest.raises(PowerCut):
            installation.ingest(file)
    return installation, file


def test_the_same_file_is_completed(half_committed: tuple[Any, Path]) -> None:
    installation, file = half_committed
    installation.ingest(file)

    assert installation.verify("deep").verdict is Verdict.INTACT
    assert installation.reconstruct(file) == [file.read_bytes()]


def test_a_file_that_changed_meanwhile_is_another_input(half_committed: tuple[Any, Path]) -> None:
    installation, file = half_committed
    file.write_bytes(lines("second"))
    installation.ingest(file)

    assert installation.verify("deep").verdict is Verdict.INTACT
    assert installation.reconstruct(file) == [file.read_bytes()]


def test_portions_cut_by_other_settings_are_another_input(half_committed: tuple[Any, Path]) -> None:
    installation, file = half_committed
    smaller = installation.settings.model_copy(update={"seal_rows": 2})
    replace(installation, settings=smaller).ingest(file)

    assert installation.verify("deep").verdict is Verdict.INTACT
    assert installation.reconstruct(file) == [file.read_bytes()]
