"""The contract of ledger.objects.base, the same for memory, a local folder and S3 over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import MissingObjectError, StorageError
from ledger.objects import ObjectInfo, Objects, open_objects


def paths(objects: Objects, prefix: str = "") -> list[str]:
    return [info.path for info in objects.list(prefix)]


def test_what_is_put_can_be_read(objects: Objects) -> None:
    assert objects.put_if_absent("events/date=2026-11-20/4f.parquet", b"PAR1") is True
    assert objects.get("events/date=2026-11-20/4f.parquet") == b"PAR1"
    assert objects.head("events/date=2026-11-20/4f.parquet") == 4
    assert list(objects.list("")) == [ObjectInfo("events/date=2026-11-20/4f.parquet", 4)]


def test_every_byte_value_survives(objects: Objects) -> None:
    data = bytes(range(256)) * 4096
    objects.put_if_absent("blob", data)
    assert objects.get("blob") == data


def test_an_object_is_created_once(objects: Objects) -> None:
    assert objects.put_if_absent("ledger/commit/000/000/001", b"mine") is True
    assert objects.put_if_absent("ledger/commit/000/000/001", b"other") is False
    assert objects.put_if_absent("ledger/commit/000/000/001", b"of another size") is False
    assert objects.get("ledger/commit/000/000/001") == b"mine"


def test_creating_identical_bytes_again_is_success(objects: Objects) -> None:
    assert objects.put_if_absent("ledger/tile/0/000", b"same") is True
    assert objects.put_if_absent("ledger/tile/0/000", b"same") is True


def test_an_empty_object_is_refused(objects: Objects) -> None:
    with pytest.raises(StorageError, match="empty"):
        objects.put_if_absent("nothing", b"")
    with pytest.raises(StorageError, match="empty"):
        objects.replace("ledger/checkpoint", b"")
    assert paths(objects) == []


def test_an_absent_object_is_missing_and_nothing_else(objects: Objects) -> None:
    objects.put_if_absent("a/b", b"x")
    for path in ("absent", "a", "a/b/c", "a/c", "b/c"):
        assert objects.head(path) is None
        with pytest.raises(MissingObjectError):
            objects.get(path)
        for length in (0, 1):
            with pytest.raises(MissingObjectError):
                objects.get_range(path, 0, length)


RANGES = [(0, 1), (0, 10), (0, 11), (0, 0), (3, 4), (9, 1), (9, 5), (10, 0), (10, 1), (11, 1), (99, 99), (0, 2**40)]


def test_a_range_is_a_slice(objects: Objects) -> None:
    data = b"0123456789"
    objects.put_if_absent("digits", data)
    for start, length in RANGES:
        assert objects.get_range("digits", start, length) == data[start : start + length], (start, length)


def test_a_range_outside_all_objects_is_refused(objects: Objects) -> None:
    objects.put_if_absent("digits", b"0123456789")
    for start, length in [(-1, 1), (0, -1), (2**63, 1), (1, 2**63)]:
        with pytest.raises(StorageError, match="range"):
            objects.get_range("digits", start, length)


def test_a_list_is_in_the_order_of_the_paths_across_folders(objects: Objects) -> None:
    expected = ["a+b", "a-b/c", "a.b", "a/a", "a/b.p/7", "a/b/c", "a/bc", "a0", "a=1/x", "aB", "b"]
    for path in reversed(expected):
        objects.put_if_absent(path, b"x")
    assert expected == sorted(expected)
    assert paths(objects) == expected


def test_a_prefix_is_text_and_need_not_end_at_a_folder(objects: Objects) -> None:
    for path in ("ledger/commit/000/009", "ledger/commit/000/010", "ledger/commits", "ledgers/x"):
        objects.put_if_absent(path, b"x")
    assert paths(objects, "ledger/commit/") == ["ledger/commit/000/009", "ledger/commit/000/010"]
    assert paths(objects, "ledger/commit") == ["ledger/commit/000/009", "ledger/commit/000/010", "ledger/commits"]
    assert paths(objects, "ledger/commit/000/01") == ["ledger/commit/000/010"]
    assert paths(objects, "ledger/commit/000/010") == ["ledger/commit/000/010"]
    assert paths(objects, "ledger/commit/001") == []
    assert paths(objects, "absent/folder/x") == []


def test_a_store_that_is_not_there_yet_is_empty(objects: Objects) -> None:
    assert paths(objects) == []
    assert objects.head("evidence.json") is None


def test_a_list_sees_what_was_put_after_an_earlier_list(objects: Objects) -> None:
    objects.put_if_absent("a", b"x")
    assert paths(objects) == ["a"]
    objects.put_if_absent("b", b"x")
    assert paths(objects) == ["a", "b"]


def test_a_list_may_be_left_in_the_middle(objects: Objects) -> None:
    for path in ("a/1", "a/2", "b/1"):
        objects.put_if_absent(path, b"x")
    assert next(objects.list("")) == ObjectInfo("a/1", 1)


@pytest.mark.slow
def test_a_list_goes_on_after_a_thousand(objects: Objects) -> None:
    expected = [f"ledger/commit/{number // 100:03}/{number % 100:03}" for number in range(1050)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda path: objects.put_if_absent(path, b"x"), expected))
    assert paths(objects, "ledger/") == expected


ODD_PATHS = [
    "", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".hidden", "a/.tmp-1",
    "a\\b", "a\0b", "a\nb", "a\n", "a b", "a?versionId=1", "a#b", "a%2e", "a*", "a:b", "~", "straße", "a\u202eb",
    "a" * 201, "/".join(["a" * 100] * 11),
]  # fmt: skip


def test_an_odd_path_is_refused_everywhere(objects: Objects) -> None:
    calls: list[Callable[[str], object]] = [
        objects.get,
        objects.head,
        lambda path: objects.get_range(path, 0, 1),
        lambda path: objects.put_if_absent(path, b"x"),
        lambda path: objects.replace(path, b"x"),
    ]
    for path in ODD_PATHS:
        for call in calls:
            with pytest.raises(StorageError):
                call(path)


def test_an_odd_prefix_is_refused_before_the_first_step(objects: Objects) -> None:
    for prefix in ("/", "../", "a//", "a/..", ".", "a\0", "é"):
        with pytest.raises(StorageError):
            objects.list(prefix)


def test_the_longest_path_is_taken(objects: Objects) -> None:
    path = "/".join(["a" * 98] * 9)
    assert objects.put_if_absent(path, b"x")
    assert paths(objects) == [path]


def test_only_the_checkpoint_is_ever_replaced(objects: Objects) -> None:
    objects.replace("ledger/checkpoint", b"size 1")
    objects.replace("ledger/checkpoint", b"size 2, longer")
    assert objects.get("ledger/checkpoint") == b"size 2, longer"
    objects.put_if_absent("ledger/commit/000", b"claim")
    with pytest.raises(StorageError, match="never overwritten"):
        objects.replace("ledger/commit/000", b"forged")
    assert objects.get("ledger/commit/000") == b"claim"


def test_nothing_can_delete(objects: Objects) -> None:
    public = {name for name in dir(objects) if not name.startswith("_")}
    assert public == {"url", "get", "get_range", "head", "list", "put_if_absent", "replace"}


def test_read_only_has_no_method_that_writes(objects: Objects, request: pytest.FixtureRequest) -> None:
    objects.put_if_absent("a", b"x")
    endpoint = request.getfixturevalue("s3_endpoint") if objects.url.startswith("s3://") else None
    reader = open_objects(objects.url, read_only=True, endpoint=endpoint)
    assert reader.get("a") == b"x"
    assert not hasattr(reader, "put_if_absent")
    assert not hasattr(reader, "replace")


def test_of_eight_threads_one_wins_each_claim(objects: Objects) -> None:
    claims = [b"writer %d" % number for number in range(8)]
    start = threading.Barrier(8)

    def claim(path: str, data: bytes) -> bool:
        start.wait()
        return objects.put_if_absent(path, data)

    with ThreadPoolExecutor(8) as pool:
        for path in ("ledger/commit/000", "ledger/commit/001", "ledger/commit/002"):
            won = list(pool.map(claim, [path] * 8, claims))
            assert won.count(True) == 1
            assert objects.get(path) == claims[won.index(True)]


def test_eight_threads_that_derive_the_same_bytes_all_succeed(objects: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: objects.put_if_absent("ledger/tile/0/000", b"derived"), range(8)))


def test_a_reader_sees_all_of_an_object_or_nothing(objects: Objects) -> None:
    data = bytes(2**20)
    done = threading.Event()

    def watch() -> set[int]:
        seen = set()
        while not done.is_set():
            size = objects.head("large")
            seen.add(0 if size is None else len(objects.get("large")))
        return seen

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            objects.put_if_absent("large", data)
        finally:
            done.set()
        assert watching.result() <= {0, len(data)}
    assert objects.head("large") == len(data)
