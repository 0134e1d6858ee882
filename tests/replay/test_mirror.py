"""A store in a bucket: events files are copied to the cache once, and a copy counts only with the right SHA-256."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LostError, MissingObjectError, StorageError, TamperedError
from ledger.objects.base import Objects
from replay.mirror import Mirror
from replay.query import query
from replay.sessions import Filter, find_sessions

Turn = Callable[..., dict[str, Any]]


@pytest.fixture
def remote(desk: Any, turn: Turn, new_installation: Callable[..., Any], s3_endpoint: str, s3_store_url: str) -> Any:
    """A store in a bucket with two sessions."""
    desk.installation = new_installation(desk.folder / "remote", s3_store_url, s3_endpoint)
    for day in (1, 2):
        desk.ingest(turn("q", f"a{day}", id=f"e{day}", session=f"s{day}", time=f"2025-03-0{day}T10:00:00Z"))
    return desk


def copies(desk: Any) -> list[Path]:
    return sorted((desk.installation.settings.cache / "events").glob("*.parquet"))


@pytest.mark.s3
def test_sessions_query_and_replay_work_through_the_cache(remote: Any) -> None:
    with remote.listed() as (store, opened):
        assert [row.session for row in find_sessions(opened, Filter())] == ["s2", "s1"]
    assert query(store, "SELECT count(*) FROM records").rows() == [[2]]
    assert remote.replay("s1").events[0].rendered.output[0].parts[0].text == "a1"
    assert len(copies(remote)) == 2


@pytest.mark.s3
def test_a_damaged_copy_is_fetched_again(remote: Any) -> None:
    remote.replay("s1")
    for copy in copies(remote):
        copy.write_bytes(b"damaged")

    assert [remote.replay(name).events[0].state for name in ("s1", "s2")] == ["verified", "verified"]


class Altered:
    """A store whose events files have other bytes, or are gone."""

    def __init__(self, inner: Objects, data: bytes | None) -> None:
        self._inner = inner
        self.data = data
        self.url = "s3://elsewhere/store"

    def get(self, path: str) -> bytes:
        if not path.startswith("events/"):
            return self._inner.get(path)
        if self.data is None:
            raise MissingObjectError(f"no such object: {path}", path=path)
        return self.data or self._inner.get(path)


def test_a_copy_with_a_wrong_sha256_is_refused_and_does_not_stay(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1"))
    with desk.installation.open() as store:
        (entry,) = store.history.partitions()
        store.objects = altered = Altered(store.objects, b"other bytes")

        with pytest.raises(TamperedError, match="SHA-256"):
            Mirror(store).path(entry.value)
        assert copies(desk) == []

        altered.data = b""
        assert Mirror(store).path(entry.value).read_bytes() == store.objects.get(entry.value["events"]["path"])


def test_an_object_that_is_gone_is_lost(desk: Any, turn: Turn) -> None:
    desk.ingest(turn("q", "a", id="e1"))
    with desk.installation.open() as store:
        (entry,) = store.history.partitions()
        store.objects = Altered(store.objects, None)

        with pytest.raises(LostError, match="is missing"):
            Mirror(store).path(entry.value)


def test_an_events_file_that_may_not_be_read_is_named(desk: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ingest(turn("q", "a", id="e1"))
    with desk.listed() as (store, opened):
        (entry,) = opened.partitions()
    for mark in desk.installation.settings.cache.rglob("*.checked"):
        mark.write_bytes(b"\xff")
    refuse(monkeypatch)

    with pytest.raises(StorageError, match=entry.value["events"]["path"]):
        Mirror(store).path(entry.value)


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Parquet file can be opened: what root, who runs some of these tests, never meets."""
    real = Path.open

    def open_(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.suffix == ".parquet":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_)


@pytest.mark.parametrize("folder", ["plain", "with space", "per%20cent", "ümläut", "quote's"])
def test_a_local_store_is_read_where_it_is(
    desk: Any, turn: Turn, new_installation: Callable[..., Any], folder: str
) -> None:
    place = desk.folder / folder / "store"
    desk.installation = new_installation(desk.folder / "keys", place.as_uri())
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z"))

    with desk.listed() as (store, opened):
        path = opened.mirror.path(opened.partitions()[0].value)
    assert query(store, "SELECT count(*) FROM records").rows() == [[1]]
    assert path.is_relative_to(place)
    assert copies(desk) == []
