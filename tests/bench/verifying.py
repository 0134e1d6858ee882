"""Times verification in a process of its own, on one core where that matters, and prints JSON.

Usage: python tests/bench/verifying.py CONFIG fast|lines|content [--runs N]

``fast`` runs in turn with hashlib's SHA-256 of the same objects, read in blocks of the same size by one thread.
``lines`` and ``content`` are level deep without and with the keyring, in this process alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ledger.notes import Verifier
from ledger.objects import open_objects
from ledger.settings import Settings, load
from ledger.store import Store, open_decryptor
from ledger.verify import Options, Report, verify

BLOCK = 4 * 1024 * 1024


def check(settings: Settings, key: Verifier, kind: str) -> Report:
    """One verification. Ends the process if the store is not intact: a figure of a failed check means nothing."""
    options = Options(
        level="fast" if kind == "fast" else "deep",
        trusted=[key],
        workers=1,
        open_decryptor=partial(open_decryptor, settings) if kind == "content" else None,
    )
    report, _ = verify(open_objects(settings.store, read_only=True), options)
    if report.exit_code:
        sys.exit(f"verify says {report.verdict}: {report.findings[:3]}")
    return report


def hashed(paths: list[Path]) -> None:
    """SHA-256 of each file."""
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        digest.hexdigest()


def listed_files(settings: Settings) -> list[Path]:
    """The files of the objects that the ledger's partitions list."""
    with Store.open(settings) as store:
        return [
            Path(settings.store) / entry.value[name]["path"]
            for entry in store.history.partitions()
            for name in ("events", "content")
        ]


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("kind", choices=("fast", "lines", "content"))
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    settings = load(str(given.config))
    if settings.log_vkey is None:
        sys.exit("the configuration names no log key to trust")
    key = Verifier.from_vkey(settings.log_vkey.read_text().strip())
    ours, plain = [], []
    covered = check(settings, key, given.kind).covered
    files = listed_files(settings) if given.kind == "fast" else []
    for _ in range(given.runs):
        ours.append(timed(lambda: check(settings, key, given.kind)))
        if files:
            plain.append(timed(lambda: hashed(files)))
    size = sum(path.stat().st_size for path in files)
    print(json.dumps({"ours": ours, "plain": plain, "covered": covered, "bytes": size}))


if __name__ == "__main__":
    main()
