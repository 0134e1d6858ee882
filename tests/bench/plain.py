"""The plain alternative, in a process of its own: DuckDB reads the same file and writes one Parquet file.

Usage: python tests/bench/plain.py SOURCE OUT [--ignore-errors]
"""

from __future__ import annotations

import argparse

import duckdb

THREADS = 2


def copy(source: str, out: str, *, ignore_errors: bool) -> None:
    """COPY with the defaults of read_json but for ``ignore_errors``, which leaves out lines that do not fit."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    options = ", ignore_errors = true" if ignore_errors else ""
    connection.execute(
        f"COPY (SELECT * FROM read_json('{source}', format = 'newline_delimited'{options})) "
        f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
    )


def main() -> None:
    """Read the command line and copy."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--ignore-errors", action="store_true")
    given = parser.parse_args()
    copy(given.source, given.out, ignore_errors=given.ignore_errors)


if __name__ == "__main__":
    main()
