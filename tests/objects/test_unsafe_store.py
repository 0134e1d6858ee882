"""A store that ignores If-None-Match is refused: when it is made, and when an installation first writes to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.create import create
from ledger.errors import UnsafeStoreError
from ledger.objects import open_objects


def test_no_store_is_made_there(tmp_path: Path, s3_ignoring_endpoint: str, s3_store_url: str) -> None:
    with pytest.raises(UnsafeStoreError):
        create(s3_store_url, tmp_path / "evidence.toml", endpoint=s3_ignoring_endpoint)


def test_a_store_that_was_moved_there_is_not_written_to(
    tmp_path: Path,
    new_installation: Callable[..., Any],
    s3_endpoint: str,
    s3_ignoring_endpoint: str,
    s3_store_url: str,
) -> None:
    installation = new_installation(tmp_path, s3_store_url, s3_endpoint)
    moved = installation.settings.model_copy(update={"s3_endpoint": s3_ignoring_endpoint})
    with type(installation)(moved, installation.config).open() as store:
        before = store.history.seq
        with pytest.raises(UnsafeStoreError):
            store.append([("heartbeat", {})])
        store.refresh()

        assert store.history.seq == before


def test_it_is_probed_once(
    tmp_path: Path, new_installation: Callable[..., Any], s3_endpoint: str, s3_store_url: str
) -> None:
    installation = new_installation(tmp_path, s3_store_url, s3_endpoint)
    with installation.open() as store:
        store.append([("heartbeat", {})])
        store.append([("heartbeat", {})])
    probes = list(open_objects(s3_store_url, endpoint=s3_endpoint).list("probe/"))

    assert len({info.path.split("/")[1] for info in probes}) == 2, "one by init, one by the first write"
