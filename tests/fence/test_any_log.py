"""Whatever a log holds and whoever of it is erased: the log stays known, and nothing of them is sealed again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.verify import Verdict

PEOPLE = ("ana", "bo", "cyd", "dia")


def any_line(chance: random.Random, number: int, event: Callable[..., bytes]) -> bytes:
    """An event with or without an id or a person, a line that nobody understands, or nothing."""
    kind = chance.random()
    if kind < 0.08:
        return chance.choice([b"\n", b"  \n", b"\r\n"])
    if kind < 0.2:
        return json.dumps({"unknown": number, "x": "y" * chance.randrange(300)}).encode() + b"\n"
    text = chance.choice(["", "again and again ", "z" * 400]) * chance.randrange(4)
    return event(number, chance.choice([*PEOPLE, ""]), own_id=chance.random() < 0.5, text=text)


@pytest.mark.parametrize("seed", range(6))
def test_an_erased_log_is_known_again(
    new_installation: Any, tmp_path: Path, event: Callable[..., bytes], shown: Callable[..., bytes], seed: int
) -> None:
    chance = random.Random(seed)
    installation = new_installation(tmp_path / "small", seal_bytes=4_096)
    lines = [any_line(chance, number, event) for number in range(chance.randrange(20, 80))]
    lines += [chance.choice(lines) for _ in range(10)]
    path, copy = tmp_path / "any.jsonl", tmp_path / "copy.jsonl"
    path.write_bytes(b"".join(lines))
    installation.ingest(path)
    gone = chance.sample(PEOPLE, chance.randrange(1, 4))
    for person in gone:
        installation.erase(f"{person}@example.org")
        copy.write_bytes(path.read_bytes())
        again = installation.ingest(path, copy)
        assert (again.unchanged, again.records) == (2, 0)
        path.write_bytes(path.read_bytes() + event(200 + PEOPLE.index(person), "eve"))
        assert installation.ingest(path).records == 1
    content = shown(installation)
    for person in PEOPLE:
        said = f"{person} said".encode()
        assert (said in content) == (person not in gone and said in path.read_bytes())
    assert installation.verify("deep").verdict is Verdict.INTACT

    altered = bytearray(path.read_bytes())
    known = altered.index(b"eve said")
    altered[known : known + 3] = b"EVE"
    path.write_bytes(altered)
    assert installation.ingest(path).unchanged == 0, "or this test would prove nothing"
