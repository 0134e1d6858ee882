"""A timestamp authority of the tests' own: keys and answers by the command line of OpenSSL, served over HTTP."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

Answer = Callable[[bytes], bytes]
"""From a query (DER) to a response (DER)."""

OPENSSL = shutil.which("openssl") or "openssl"

_CONFIG = """\
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[service]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256,sha512
accuracy = secs:1
ess_cert_id_chain = no
"""


class Authority(NamedTuple):
    """An authority with its root certificate (``ca``), everything in ``folder``."""

    folder: Path
    ca: Path

    def answer(self, query: bytes) -> bytes:
        """What it answers to a query."""
        (self.folder / "query.tsq").write_bytes(query)
        openssl(
            self.folder, "ts", "-reply", "-queryfile", "query.tsq", "-config", "openssl.cnf", "-section", "service",
            "-out", "answer.tsr",
        )  # fmt: skip
        return (self.folder / "answer.tsr").read_bytes()

    def query(self, data: bytes) -> bytes:
        """A query of OpenSSL's own making, with a nonce of its own."""
        (self.folder / "data").write_bytes(data)
        openssl(self.folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "own.tsq")
        return (self.folder / "own.tsq").read_bytes()

    def verifies(self, data: bytes, token: bytes) -> bool:
        """Whether ``openssl ts -verify`` takes a token for these bytes."""
        (self.folder / "data").write_bytes(data)
        (self.folder / "token.tsr").write_bytes(token)
        command = [OPENSSL, "ts", "-verify", "-data", "data", "-in", "token.tsr", "-CAfile", str(self.ca)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert "Verification: OK" in done.stdout + done.stderr or done.returncode != 0
        return done.returncode == 0


def openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run([OPENSSL, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_authority(folder: Path, name: str = "Example Timestamps") -> Authority:
    """A root and an authority under it, both with RSA keys as most have."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
        "-subj", f"/CN={name} Root", "-config", "openssl.cnf", "-extensions", "root",
    )  # fmt: skip
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr",
        "-subj", f"/CN={name}", "-config", "openssl.cnf",
    )  # fmt: skip
    openssl(
        folder, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "tsa.pem", "-days", "3650", "-extfile", "openssl.cnf", "-extensions", "tsa",
    )  # fmt: skip
    return Authority(folder, folder / "ca.pem")


@contextmanager
def serving(answer: Answer, *, status: int = 200, redirect: str | None = None, drip: float = 0.0) -> Iterator[str]:
    """The URL of a server that answers so. ``drip``: seconds between the bytes of its answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            if redirect is not None:
                self.send_header("Location", redirect)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self._write(body)
            except OSError:
                """The client has had enough."""

        def _write(self, body: bytes) -> None:
            if not drip:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(drip)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/tsa"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
