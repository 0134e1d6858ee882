"""Published keys and logs that several tests of the ledger's formats share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class PublishedLog:
    """transparency-dev/tessera, testdata/log: a test log with a published private key, at size 3."""

    vkey: str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
    skey: str = "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg"
    entries: tuple[bytes, ...] = (b"one", b"two", b"three")
    bundle: bytes = bytes.fromhex("00036f6e65000374776f00057468726565")
    checkpoint: bytes = (
        b"example.com/log/testdata\n"
        b"3\n"
        b"Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n"
        b"\n"
        b"\xe2\x80\x94 example.com/log/testdata "
        b"M9e0lvAQRtH832pk2RTbeSeZMkp4FZSdJYFBUjO5SKxuRbywPUF3cx+HUrb50kjd3rUWW/fj53Wj1dwcwh9bGQnqVAg=\n"
    )


@pytest.fixture(scope="session")
def tessera() -> PublishedLog:
    return PublishedLog()
