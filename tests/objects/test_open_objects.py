"""Which URLs name a store, and that credentials in one are neither used nor repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.errors import ConfigError
from ledger.objects import open_objects


def test_a_plain_path_is_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_objects("./evidence-store").url == (tmp_path / "evidence-store").as_uri()


def test_a_url_opens_the_same_store_again(tmp_path: Path) -> None:
    first = open_objects(str(tmp_path / "odd name #1 50%"))
    first.put_if_absent("a", b"x")
    assert open_objects(first.url, read_only=True).get("a") == b"x"


def test_opening_creates_nothing(tmp_path: Path) -> None:
    open_objects(str(tmp_path / "store"))
    open_objects(str(tmp_path / "store"), read_only=True).head("a")
    assert list(tmp_path.iterdir()) == []


def test_memory_stores_are_apart_by_name() -> None:
    open_objects("memory://one").put_if_absent("a", b"x")
    assert open_objects("memory://one").head("a") == 1
    assert open_objects("memory://other").head("a") is None


def test_a_prefix_in_a_bucket_keeps_its_name() -> None:
    assert open_objects("s3://bucket").url == "s3://bucket"
    assert open_objects("s3://bucket/a/b/").url == "s3://bucket/a/b"


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("s3://AKIASECRET:hunter2@bucket/prefix", None),
        ("s3://bucket/prefix?X-Amz-Signature=hunter2", None),
        ("s3://bucket/pre@hunter2", None),
        ("file://user:hunter2@host/path", None),
        ("https://user:hunter2@host/bucket", None),
        ("memory://user:hunter2@name", None),
        ("s3://bucket", "https://user:hunter2@host"),
        ("s3://bucket", "https://host/?token=hunter2"),
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str, endpoint: str | None) -> None:
    with pytest.raises(ConfigError) as refused:
        open_objects(url, endpoint=endpoint)
    error = refused.value
    assert "hunter2" not in f"{error} {error.where} {error.next_step} {error.__cause__!r}"


@pytest.mark.parametrize(
    "url",
    ["", "gs://bucket", "simplecache::s3://bucket", "s3://", "s3:///prefix", "s3://Bucket", "s3://b", "s3://bucket/..",
     "s3://bucket/a//b", "file://", "file://host/path", "file:///path?x", "memory://..", "\0"],
)  # fmt: skip
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_objects(url)


def test_an_endpoint_without_a_bucket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="s3://"):
        open_objects(str(tmp_path), endpoint="http://127.0.0.1:9000")


def test_a_local_store_needs_neither_s3fs_nor_fsspec(tmp_path: Path) -> None:
    code = (
        "import sys; from ledger.objects import open_objects; open_objects(sys.argv[1]).put_if_absent('a', b'x');"
        "print(sorted({'s3fs', 'fsspec', 'botocore', 'aiohttp'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
