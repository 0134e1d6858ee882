"""Object stores for tests: an S3 over real HTTP, honest or not, and a fresh store of each kind.

With EVIDENCE_TEST_S3_ENDPOINT set (empty: AWS itself) the S3 tests run against that service, in the bucket
EVIDENCE_TEST_S3_BUCKET, with the credentials of the environment; otherwise against moto in this process.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.objects import Objects, open_objects

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BUCKET = os.environ.get("EVIDENCE_TEST_S3_BUCKET", "evidence-test")

REAL_ENDPOINT = os.environ.get("EVIDENCE_TEST_S3_ENDPOINT")


def serialised(app: WSGIApplication) -> WSGIApplication:
    """Let requests that write take turns: moto looks for the object and stores it in two steps."""
    turn = threading.Lock()

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"PUT", "POST"}:
            return app(environ, start_response)
        with turn:
            return app(environ, start_response)

    return answer


def ignoring_condition(app: WSGIApplication) -> WSGIApplication:
    """Accept If-None-Match and overwrite, as `rclone serve s3` does."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return app(environ, start_response)

    return answer


def fickle(app: WSGIApplication, seed: int = 0) -> WSGIApplication:
    """Do what is asked, yet answer half of the conditional writes wrongly, each in a way that real stores have.

    409 or 503 with nothing done, 412 to one's own success (without naming the condition), 500 after success.
    """
    chance = random.Random(seed)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        fate = chance.random() if "HTTP_IF_NONE_MATCH" in environ else 1.0
        if fate >= 0.5:
            return app(environ, start_response)
        if fate >= 0.25:
            list(app(environ, lambda *_: lambda _: None))
            if fate >= 0.35:
                return refused(start_response, "412 Precondition Failed", "PreconditionFailed")
            return refused(start_response, "500 Internal Server Error", "InternalError")
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        if fate >= 0.1:
            return refused(start_response, "409 Conflict", "ConditionalRequestConflict")
        return refused(start_response, "503 Slow Down", "SlowDown")

    return answer


def refused(start_response: StartResponse, status: str, code: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/xml")])
    return [f"<Error><Code>{code}</Code><Message>AKIASECRET said no</Message></Error>".encode()]


@pytest.fixture(scope="session")
def serve_wsgi() -> Iterator[Callable[[WSGIApplication], str]]:
    """Serve a WSGI application on a free port of 127.0.0.1; returns its URL."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class QuietHandler(WSGIRequestHandler):
        """No line on stderr for each request."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    running: list[tuple[Any, threading.Thread]] = []

    def serve(app: WSGIApplication) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def moto_app() -> Iterator[WSGIApplication]:
    """moto's S3; unless the tests use a real one, invented credentials in the environment, for child processes too."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    app = serialised(DomainDispatcherApplication(create_backend_app))
    if REAL_ENDPOINT is not None:
        yield app
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield app


@pytest.fixture(scope="session")
def s3_endpoint(request: pytest.FixtureRequest) -> str | None:
    """URL of an S3 that honours If-None-Match, with BUCKET in it; None: AWS."""
    if REAL_ENDPOINT is not None:
        return REAL_ENDPOINT or None
    return moto_server(request, lambda app: app)


@pytest.fixture(scope="session")
def s3_ignoring_endpoint(request: pytest.FixtureRequest) -> str:
    """URL of an S3 that ignores If-None-Match, with BUCKET in it."""
    return moto_server(request, ignoring_condition)


@pytest.fixture(scope="session")
def s3_fickle_endpoint(request: pytest.FixtureRequest) -> str:
    """URL of an S3 that honours If-None-Match and often answers wrongly, with BUCKET in it."""
    return moto_server(request, fickle)


def moto_server(request: pytest.FixtureRequest, layer: Callable[[WSGIApplication], WSGIApplication]) -> str:
    app = request.getfixturevalue("moto_app")
    url: str = request.getfixturevalue("serve_wsgi")(layer(app))
    make_bucket(url)
    return url


def make_bucket(endpoint: str) -> None:
    import s3fs

    files = s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True)
    if not files.exists(BUCKET):
        files.mkdir(BUCKET)


@pytest.fixture
def s3_store_url() -> str:
    """URL of an empty store in the bucket; open it with the endpoint of ``s3_endpoint`` or one of its relatives."""
    return f"s3://{BUCKET}/test-{secrets.token_hex(8)}"


@pytest.fixture(params=["memory", "local", pytest.param("s3", marks=pytest.mark.s3)])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """An empty store, of each kind in turn."""
    match request.param:
        case "memory":
            return open_objects(f"memory://{secrets.token_hex(8)}")
        case "local":
            return open_objects(str(tmp_path / "store"))
        case _:
            endpoint: str | None = request.getfixturevalue("s3_endpoint")
            return open_objects(request.getfixturevalue("s3_store_url"), endpoint=endpoint)
