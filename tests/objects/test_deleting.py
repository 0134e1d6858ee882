"""Deleting: apart from what appends, only partitions' files, and only those that the ledger lists as deleted."""

from __future__ import annotations

import pytest

from ledger.errors import StorageError
from ledger.objects import DeleteObjects, Objects, open_deleting
from ledger.objects.deleting import Deleter

CONTENT = f"content/date=2026-11-20/{'4f' * 16}.parquet"
EVENTS = f"events/date=2026-11-20/{'4f' * 16}.parquet"
NEVER = (
    "evidence.json",
    "ledger/commit/000/000/001",
    "ledger/checkpoint",
    "ledger/checkpoints/4",
    "ledger/tile/0/000",
    "ledger/tile/entries/000",
    f"ledger/blob/{'ab' * 32}",
    "content/date=2026-11-20/named.parquet",
    f"content/date=2026-11-20/{'4f' * 16}.parquet/below",
    f"other/content/date=2026-11-20/{'4f' * 16}.parquet",
    "content",
)


@pytest.fixture
def deleting(objects: Objects, request: pytest.FixtureRequest) -> DeleteObjects:
    endpoint = request.getfixturevalue("s3_endpoint") if objects.url.startswith("s3://") else None
    return open_deleting(objects.url, endpoint=endpoint)


def test_what_is_listed_goes_and_its_neighbours_stay(objects: Objects, deleting: DeleteObjects) -> None:
    for path in (CONTENT, EVENTS):
        objects.put_if_absent(path, b"PAR1")
    deleter = Deleter(deleting, [CONTENT])

    deleter.delete(CONTENT)

    assert objects.head(CONTENT) is None
    assert objects.head(EVENTS) == 4
    deleter.delete(CONTENT)  # nothing is there any more, and nothing happens


def test_what_is_not_listed_stays(objects: Objects, deleting: DeleteObjects) -> None:
    objects.put_if_absent(CONTENT, b"PAR1")

    with pytest.raises(StorageError, match="no entry says"):
        Deleter(deleting, [EVENTS]).delete(CONTENT)
    assert objects.head(CONTENT) == 4


@pytest.mark.parametrize("path", NEVER)
def test_nothing_but_files_of_partitions_ever_goes(objects: Objects, deleting: DeleteObjects, path: str) -> None:
    objects.put_if_absent(path, b"evidence")

    with pytest.raises(StorageError, match="only what has expired"):
        Deleter(deleting, [path]).delete(path)
    assert objects.get(path) == b"evidence"


@pytest.mark.parametrize("path", ["content/../ledger/checkpoint", "/content/x", "content//x", ""])
def test_a_path_that_leads_elsewhere_is_none(deleting: DeleteObjects, path: str) -> None:
    with pytest.raises(StorageError, match="not a path"):
        deleting.delete(path)


def test_what_deletes_cannot_write(deleting: DeleteObjects) -> None:
    assert not hasattr(deleting, "put_if_absent")
    assert not hasattr(deleting, "replace")


def test_a_symbolic_link_is_not_followed(objects: Objects, deleting: DeleteObjects, tmp_path: object) -> None:
    if not objects.url.startswith("file://"):
        pytest.skip("folders alone have links")
    from pathlib import Path
    from urllib.parse import unquote, urlsplit

    outside = Path(str(tmp_path)) / "outside"
    outside.mkdir()
    (outside / CONTENT.rpartition("/")[2]).write_bytes(b"of others")
    root = Path(unquote(urlsplit(objects.url).path))
    (root / "content").mkdir(parents=True)
    (root / "content" / "date=2026-11-20").symlink_to(outside)

    with pytest.raises(StorageError, match="symbolic link"):
        deleting.delete(CONTENT)
    assert (outside / CONTENT.rpartition("/")[2]).exists()
