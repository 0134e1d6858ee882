"""What only S3 has: lost and contradictory answers, multipart uploads, errors that quote secrets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ledger.errors import EvidenceError, MissingObjectError, StorageError, UnsafeStoreError
from ledger.objects import open_objects, s3

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

pytestmark = pytest.mark.s3

Serve = Callable[["WSGIApplication"], str]


def answering(status: str, body: str) -> WSGIApplication:
    """A server that gives every request the same answer."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, [("Content-Type", "application/xml")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body.encode()]

    return answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, moto_app: WSGIApplication) -> None:
    """No pauses and no repeated requests; ``moto_app`` for its invented credentials."""
    monkeypatch.setattr(s3, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setitem(s3._CONNECTION, "retries", {"mode": "standard", "total_max_attempts": 1})


def test_an_upload_in_parts_is_conditional_too(
    s3_endpoint: str | None, s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART_SIZE", 5 * 2**20)
    objects = open_objects(s3_store_url, endpoint=s3_endpoint)
    first, second = b"1" * (11 * 2**20), b"2" * (11 * 2**20)
    assert objects.put_if_absent("content/large", first) is True
    assert objects.put_if_absent("content/large", second) is False
    assert objects.put_if_absent("content/large", first) is True
    assert objects.get("content/large") == first
    assert objects.get_range("content/large", 5 * 2**20 - 1, 2) == b"11"
    assert [info.path for info in objects.list("")] == ["content/large"]


def test_a_store_that_denies_its_own_success_is_read_back(s3_fickle_endpoint: str, s3_store_url: str) -> None:
    objects = open_objects(s3_store_url, endpoint=s3_fickle_endpoint)
    for number in range(15):
        assert objects.put_if_absent(f"commit/{number}", b"%d" % number) is True
        assert objects.put_if_absent(f"commit/{number}", b"other") is False
        assert objects.get(f"commit/{number}") == b"%d" % number


def test_rivals_at_a_fickle_store_have_one_winner_a_claim(s3_fickle_endpoint: str, s3_store_url: str) -> None:
    objects = open_objects(s3_store_url, endpoint=s3_fickle_endpoint)
    start = threading.Barrier(4)

    def claim(writer: int) -> list[int]:
        start.wait()
        return [n for n in range(20) if objects.put_if_absent(f"commit/{n:02}", b"writer %d" % writer)]

    with ThreadPoolExecutor(4) as pool:
        wins = list(pool.map(claim, range(4)))
    assert sorted(number for won in wins for number in won) == list(range(20))
    for writer, won in enumerate(wins):
        for number in won:
            assert objects.get(f"commit/{number:02}") == b"writer %d" % writer


@pytest.mark.usefixtures("impatient")
def test_a_conflict_that_never_ends_is_an_error(s3_store_url: str, serve_wsgi: Serve) -> None:
    conflict = "<Error><Code>ConditionalRequestConflict</Code></Error>"

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        absent = environ["REQUEST_METHOD"] == "HEAD"
        return answering("404 Not Found" if absent else "409 Conflict", conflict)(environ, start_response)

    objects = open_objects(s3_store_url, endpoint=serve_wsgi(answer))
    with pytest.raises(StorageError, match=f"ConditionalRequestConflict, {s3.ATTEMPTS} times"):
        objects.put_if_absent("a", b"x")


@pytest.mark.usefixtures("impatient")
def test_a_store_without_conditional_writes_is_unsafe(s3_store_url: str, serve_wsgi: Serve) -> None:
    url = serve_wsgi(answering("501 Not Implemented", "<Error><Code>NotImplemented</Code></Error>"))
    with pytest.raises(UnsafeStoreError):
        open_objects(s3_store_url, endpoint=url).put_if_absent("a", b"x")


def every_call(url: str, endpoint: str) -> Iterable[Callable[[], object]]:
    objects = open_objects(url, endpoint=endpoint)
    yield lambda: objects.get("a")
    yield lambda: objects.get_range("a", 0, 1)
    yield lambda: objects.head("a")
    yield lambda: list(objects.list(""))
    yield lambda: objects.put_if_absent("a", b"x")
    yield lambda: objects.replace("ledger/checkpoint", b"x")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "code"), [("403 Forbidden", "InvalidAccessKeyId"), ("400 Bad Request", "AKIASECRET hunter2 as code")]
)
def test_what_a_server_says_in_words_is_not_repeated(
    s3_store_url: str, serve_wsgi: Serve, status: str, code: str
) -> None:
    url = serve_wsgi(answering(status, f"<Error><Code>{code}</Code><Message>AKIASECRET hunter2</Message></Error>"))
    for call in every_call(s3_store_url, url):
        with pytest.raises(StorageError) as failed:
            call()
        error = failed.value
        said = f"{error} {error.where} {error.next_step} {error.__cause__!r}"
        assert "AKIASECRET" not in said
        assert "hunter2" not in said


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "body"),
    [("502 Bad Gateway", "<html>proxy</html>"), ("200 OK", "<html>captive portal</html>"), ("200 OK", "<a><b>")],
)
def test_a_broken_answer_to_a_list_is_an_error(s3_store_url: str, serve_wsgi: Serve, status: str, body: str) -> None:
    objects = open_objects(s3_store_url, endpoint=serve_wsgi(answering(status, body)))
    with pytest.raises(StorageError):
        list(objects.list(""))


@pytest.mark.usefixtures("impatient")
def test_not_found_by_a_web_server_is_no_loss(s3_store_url: str, serve_wsgi: Serve) -> None:
    objects = open_objects(s3_store_url, endpoint=serve_wsgi(answering("404 Not Found", "<html>no page</html>")))
    with pytest.raises(StorageError):
        objects.get("a")
    with pytest.raises(StorageError):
        list(objects.list(""))


@pytest.mark.usefixtures("impatient")
def test_nobody_at_the_endpoint_is_a_storage_error(s3_store_url: str) -> None:
    for call in every_call(s3_store_url, "http://127.0.0.1:9"):
        with pytest.raises(StorageError, match="EndpointConnectionError"):
            call()


@pytest.mark.usefixtures("impatient")
def test_a_list_out_of_order_is_an_error(s3_store_url: str, serve_wsgi: Serve) -> None:
    entries = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in ("b", "a"))
    page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    objects = open_objects(s3_store_url, endpoint=serve_wsgi(answering("200 OK", page)))
    with pytest.raises(StorageError, match="order"):
        list(objects.list(""))


def test_a_bucket_that_is_not_there_reads_as_empty_and_cannot_be_written(s3_endpoint: str | None) -> None:
    objects = open_objects("s3://evidence-test-absent-3f9c/prefix", endpoint=s3_endpoint)
    assert list(objects.list("")) == []
    assert objects.head("a") is None
    with pytest.raises(MissingObjectError):
        objects.get("a")
    with pytest.raises(EvidenceError, match="NoSuchBucket") as refused:
        objects.put_if_absent("a", b"x")
    assert "Create the bucket" in refused.value.next_step


def test_two_stores_in_one_bucket_are_apart(s3_endpoint: str | None, s3_store_url: str) -> None:
    one = open_objects(s3_store_url, endpoint=s3_endpoint)
    other = open_objects(s3_store_url + "-other", endpoint=s3_endpoint)
    one.put_if_absent("a", b"1")
    assert list(other.list("")) == []
    assert other.put_if_absent("a", b"2") is True
    assert one.get("a") == b"1"


def test_the_endpoint_may_come_from_the_environment(
    serve_wsgi: Serve,
    moto_app: WSGIApplication,
    s3_fickle_endpoint: str,
    s3_store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", serve_wsgi(moto_app))
    objects = open_objects(s3_store_url)
    assert objects.put_if_absent("a", b"x") is True
    assert open_objects(s3_store_url, endpoint=s3_fickle_endpoint).get("a") == b"x"
