"""Trains the zstd dictionary that the ledger ships, from the sample data and nothing else.

A dictionary trained on recorded content would be content, in the clear and out of an erasure's reach. Once shipped, a
dictionary stays for as long as a store may hold segments that need it: a new one gets a new file, named by its SHA-256.

Usage: python sample_data/train_dictionary.py FOLDER
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import zstandard

LOGS = Path(__file__).resolve().with_name("logs")
SIZE = 16_384
LEVEL = 3
LONGEST = 20_000


def samples() -> list[bytes | bytearray | memoryview[int]]:
    """The lines of the sample logs, in the order of the files' names."""
    files = [*sorted(LOGS.rglob("*.jsonl")), *sorted(LOGS.rglob("*.json"))]
    lines = (line for file in files for line in file.read_bytes().split(b"\n"))
    return [line[:LONGEST] for line in lines if len(line) > 50]


def main() -> None:
    """Train, and write the dictionary under its name."""
    data = zstandard.train_dictionary(SIZE, samples(), level=LEVEL).as_bytes()
    path = Path(sys.argv[1]) / f"{hashlib.sha256(data).hexdigest()}.zdict"
    path.write_bytes(data)
    print(path)


if __name__ == "__main__":
    main()
