"""The two verifiers that are handed out apart from bundles: one for Python, one for a browser."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reports.page import verifier
from reports.standalone import verify


def programs() -> dict[str, bytes]:
    """Both by file name. Their bytes depend on the release alone."""
    return {"verify.py": Path(verify.__file__).read_bytes(), "verifier.html": verifier()}


def digests() -> dict[str, str]:
    """SHA-256 in hex by file name."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in programs().items()}
