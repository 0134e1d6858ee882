"""Times finding one person, warm, here and in DuckDB over the plain Parquet file, in turn; prints JSON.

Usage: python tests/bench/finding.py CONFIG PARQUET COLUMN [--people N] [--seed S]

Ours is what `evidence dsar find` does by identifier: the access record written and durable, the identifier resolved in
the keyring, every record in which the person has a role found and read, the index asked for mentions. DuckDB scans for
the same identifier; its rows stay in Arrow: none of them becomes a Python object while the clock runs. People are drawn
evenly among all.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import duckdb

from ledger.settings import load
from ledger.store import Store
from replay import access, catalog
from replay.catalog import Catalog
from replay.findings import find
from replay.persons import PersonRow

WARM_UP = 5


def ours(listed: Catalog, person: str) -> tuple[PersonRow, ...]:
    """The records of one person as `evidence dsar find` looks them up."""
    receipt = access.record(listed.store, "dsar find", "benchmark", {"identifiers": "1"})
    return find(listed, receipt, [person]).rows


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("parquet", type=Path)
    parser.add_argument("column", help="where the plain file has the user, as SQL")
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plain = duckdb.connect()
    source = f"read_parquet('{given.parquet}') WHERE {given.column}"
    query = f"SELECT * FROM {source} = ?"
    names = [row[0] for row in plain.execute(f"SELECT DISTINCT {given.column} FROM {source} IS NOT NULL").fetchall()]
    chosen = random.Random(given.seed).choices(sorted(names), k=given.people + WARM_UP)
    seconds: tuple[list[float], list[float]] = ([], [])
    rows = 0
    with Store.open(load(str(given.config))) as store, catalog.opened(store) as listed:
        for person in chosen:
            start = time.perf_counter()
            found = ours(listed, person)
            middle = time.perf_counter()
            fetched: Any = plain.execute(query, [person]).to_arrow_table()
            end = time.perf_counter()
            # A line that was delivered twice may be one record here.
            expected = len(set(map(repr, fetched.to_pylist())))
            if len([row for row in found if row.kind != "envelope"]) < expected:
                raise SystemExit(f"{len(found)} records here, {expected} in the plain file")
            seconds[0].append(middle - start)
            seconds[1].append(end - middle)
            rows += fetched.num_rows
    measured = {"ours": seconds[0][WARM_UP:], "plain": seconds[1][WARM_UP:], "rows": rows / len(chosen)}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
