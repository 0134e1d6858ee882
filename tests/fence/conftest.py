"""People, their events, and what a store can still show of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay import access


def _event(number: int, person: str = "", *, own_id: bool = True, text: str = "") -> bytes:
    """One line of the native format: what a person said, with an id of the source's or without one."""
    value: dict[str, Any] = {
        "evidence": "event/1",
        "kind": "inference",
        "source": "desk",
        "time": f"2026-10-0{1 + number // 100}T08:00:{number % 60:02}Z",
    }
    if own_id:
        value["id"] = f"e-{number}"
    if person:
        value["subjects"] = {"end_user": [{"type": "email", "id": f"{person}@example.org"}]}
    said = f"{person} said this, {number}. {text}"
    value["input"] = [{"role": "user", "parts": [{"type": "text", "content": said}]}]
    return json.dumps(value).encode() + b"\n"


def _shown(installation: Any) -> bytes:
    """Every byte of content that can be opened."""
    with installation.open() as store:
        receipt = access.record(store, "test", "test", {})
        return b"".join(
            row.bytes or b""
            for entry in store.history.partitions()
            for row in store.reveal(receipt, entry.value, range(entry.value["rows"]))
            if row.line["kind"] != "access"
        )


def _enrolled(installation: Any, person: str) -> list[str]:
    with installation.open() as store:
        found: list[str] = store.keyring.lookup(f"{person}@example.org", ["email"])
        return found


@pytest.fixture
def event() -> Callable[..., bytes]:
    return _event


@pytest.fixture
def shown() -> Callable[[Any], bytes]:
    return _shown


@pytest.fixture
def enrolled() -> Callable[[Any, str], list[str]]:
    """The references under which the keyring knows a person."""
    return _enrolled


@pytest.fixture
def raw_keyring() -> Callable[[Any], bytes]:
    """Every byte of the keyring's files."""

    def read(installation: Any) -> bytes:
        database = Path(installation.settings.keyring.removeprefix("sqlite:///"))
        return b"".join(path.read_bytes() for path in sorted(database.parent.glob(f"{database.name}*")))

    return read


@pytest.fixture
def candidate_digests() -> Callable[..., list[bytes]]:
    """What the keyring's own keys make of every run of a file's lines in which a person says something.

    The digests, plain and as they stand in the database: masked.
    """

    def digests(installation: Any, data: bytes, person: bytes = b"ana") -> list[bytes]:
        ends = sorted({at + 1 for at, byte in enumerate(data) if byte == 10} | {len(data)})
        found = []
        with installation.open() as store:
            for start in [0, *ends]:
                for end in (end for end in ends if person + b" said" in data[start:end]):
                    mac = store.bookmarks.new_mac()
                    mac.update(data[start:end])
                    found += [mac.digest(), store.keyring.mask(mac.digest())]
        return found

    return digests
