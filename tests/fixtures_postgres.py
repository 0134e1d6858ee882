"""A PostgreSQL for tests: Debian's, started in a temporary folder on a free port of 127.0.0.1, by an unprivileged user.

Tests that need it are skipped where it, or its driver (the extra `postgres`), is not installed.
"""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "evidence"


def binaries() -> Path | None:
    """Where initdb and postgres are: Debian keeps them out of the search path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    which = shutil.which("initdb")
    return found[-1].parent if found else Path(which).parent if which else None


def as_unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server, without a database's name."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    try:
        importlib.import_module("psycopg")
    except ImportError:
        pytest.skip("the driver is not installed: the extra `postgres`")
    place = Path(tempfile.mkdtemp(prefix="evidence-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(place, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(folder / "initdb"), "-D", str(place / "data"), "-U", USER, "-A", "trust", "--no-sync"]
    run(command, place)
    options = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={place}", "max_connections=60"]
    started = subprocess.Popen(
        [str(folder / "postgres"), "-D", str(place / "data"), *(part for item in options for part in ("-c", item))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=place,
        **as_unprivileged(),  # type: ignore[call-overload]
    )
    try:
        wait_for(port, started)
        yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait(30)
        shutil.rmtree(place, ignore_errors=True)


def run(command: list[str], place: Path) -> None:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, **as_unprivileged())  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr


def wait_for(port: int, started: subprocess.Popen[bytes]) -> None:
    """Until the server answers queries."""
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        assert started.poll() is None, "PostgreSQL has ended"
        try:
            psycopg.connect(host="127.0.0.1", port=port, user=USER, dbname="postgres").close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.1)
        else:
            return


def new_database(server: str) -> str:
    """The URL of a new, empty database."""
    import psycopg

    name = f"keyring_{secrets.token_hex(6)}"
    with psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of a new, empty database."""
    return new_database(postgres_server)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def keyring_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new keyring can be made, in each database in turn."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    (tmp_path / "private").mkdir()
    return f"sqlite:///{tmp_path / 'private' / 'keyring.db'}"
