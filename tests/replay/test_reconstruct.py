"""An ingested file comes back byte for byte, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from ledger.erasing import Erasing, erase
from ledger.errors import ErasedError, LostError, NotFoundError, TamperedError, UnverifiableError
from ledger.keyring import tables
from ledger.keyring.destruction import Destruction
from replay import access
from replay.reconstruct import reconstruct, resolve_input

Turn = Callable[..., dict[str, Any]]


def again(desk: Any, named: str) -> bytes:
    """A file by its path, its reference or the beginning of that."""
    with desk.listed() as (store, opened):
        name = resolve_input(opened, os.path.realpath(named), named)
        receipt = access.record(store, "reconstruct", "a test", {"input": name})
        return b"".join(reconstruct(opened, name, receipt))


def test_every_file_of_the_sample_comes_back(sample: Any, sample_logs: Path) -> None:
    files = [path for path in sample_logs.rglob("*") if path.is_file()]
    assert len(files) == 30

    for path in files:
        assert again(sample, str(path)) == path.read_bytes(), path


def test_a_file_is_named_by_its_reference_too(sample: Any, sample_logs: Path) -> None:
    path = next(sample_logs.rglob("2026-10-23-recovered.jsonl"))
    with sample.listed() as (_, opened):
        reference = resolve_input(opened, str(path), "")

    assert again(sample, reference) == path.read_bytes()
    assert again(sample, reference[:16]) == path.read_bytes()
    for text in ("", "nowhere.jsonl", "0" * 32):
        with pytest.raises(NotFoundError, match="no input"):
            again(sample, text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n  \n",
        b"no log\x00\xff",
        b'{"evidence":"event/1","kind":"tool","source":"x"}',
        b"[]",
        b"{}\r\n{}",
    ],
)
def test_whatever_the_bytes_were(desk: Any, data: bytes) -> None:
    path = desk.folder / "odd"
    path.write_bytes(data)
    desk.installation.ingest(path)

    assert again(desk, str(path)) == data


def test_a_file_that_grew_comes_back_whole(desk: Any, turn: Turn) -> None:
    lines = [turn("q", "a", id=f"e{at}", time=f"2025-03-0{at}T10:00:00Z") for at in (1, 2, 3)]
    for count in (1, 2, 3):
        path = desk.ingest(*lines[:count], name="growing.jsonl")

    assert again(desk, str(path)) == path.read_bytes()


def test_a_file_cut_anew_refers_to_what_another_brought(desk: Any, turn: Turn) -> None:
    """Records that the store has are not sealed again: the second file is put together from the first."""
    lines = [turn("q", "a", id=f"e{at}", time=f"2025-03-0{at}T10:00:00Z") for at in (1, 2, 3, 4)]
    first = desk.ingest(*lines)
    second = desk.ingest(lines[3], lines[1], lines[3], turn("q", "a", id="new"), lines[0])

    assert again(desk, str(second)) == second.read_bytes()
    assert again(desk, str(first)) == first.read_bytes()
    assert sum(line["kind"] == "inference" for line in desk.installation.lines()) == 5


def test_a_missing_piece_is_lost_and_nothing_is_made_up(desk: Any, turn: Turn) -> None:
    path = desk.ingest(*(turn("q", "a", id=f"e{at}", time="2025-03-01T10:00:00Z") for at in (1, 2, 3)))
    with desk.listed() as (store, opened):
        name = resolve_input(opened, os.path.realpath(path), "")
        receipt = access.record(store, "test", "", {})
        reveal = store.reveal

        def without_one(*arguments: Any) -> Any:
            return [row for row in reveal(*arguments) if row.line["source_id"] != "e2"]

        store.reveal = without_one
        with pytest.raises(LostError, match="a piece of portion 0"):
            list(reconstruct(opened, name, receipt))


def test_a_missing_portion_is_lost(desk: Any, turn: Turn) -> None:
    lines = [turn("q", "a", id=f"e{at}", time=f"2025-03-0{at}T10:00:00Z") for at in (1, 2, 3)]
    for count in (1, 2, 3):
        path = desk.ingest(*lines[:count], name="growing.jsonl")
    with desk.listed() as (store, opened):
        name = resolve_input(opened, os.path.realpath(path), "")
        opened.connection.execute("DELETE FROM input_parts WHERE step = 1")

        with pytest.raises(LostError, match="portion 1"):
            list(reconstruct(opened, name, access.record(store, "test", "", {})))


@pytest.mark.parametrize(
    ("state", "error"), [("erased", ErasedError), ("lost", LostError), ("unverifiable", UnverifiableError)]
)
def test_content_whose_key_is_gone_does_not_come_back(
    desk: Any, turn: Turn, state: str, error: type[Exception]
) -> None:
    person = {"end_user": [{"type": "customer_number", "id": "K1"}]}
    path = desk.ingest(turn("q", "a", id="e1", subjects=person), turn("q", "b", id="e2"))
    with desk.installation.open() as store:
        (reference,) = store.keyring.lookup("K1")
        if state == "erased":
            erase(store, Erasing([reference]))
        elif state == "lost":
            Destruction(store.keyring).subjects([reference])
        else:
            with store.keyring.engine.begin() as connection:
                connection.execute(delete(tables.data_keys).where(tables.data_keys.c.ref == reference))

    with pytest.raises(error, match="cannot be opened"):
        again(desk, str(path))


def test_an_altered_events_file_is_refused(desk: Any, turn: Turn) -> None:
    path = desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))
    with desk.listed():
        pass
    (events,) = (desk.installation.folder / "events").rglob("*.parquet")
    data = bytearray(events.read_bytes())
    data[len(data) // 3] ^= 1
    events.write_bytes(data)

    with pytest.raises(TamperedError):
        again(desk, str(path))
