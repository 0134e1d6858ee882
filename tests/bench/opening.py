"""Times opening one session, warm, here and in DuckDB over the plain Parquet file, in turn; prints JSON.

Usage: python tests/bench/opening.py CONFIG PARQUET COLUMN [--sessions N] [--seed S]

Ours is what a reader waits for: the session found by the source's own id, the access record written and durable,
its rows read, decrypted, checked against their commitments and rendered with what was in force. DuckDB's rows stay
in Arrow: none of them becomes a Python object while the clock runs.
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
from replay.sessions import resolve_session
from replay.timeline import Session, open_session

WARM_UP = 5


def ours(listed: Catalog, session: str) -> Session:
    """One session as `evidence replay` opens it."""
    name = resolve_session(listed, session)
    receipt = access.record(listed.store, "replay", "benchmark", {"session": name})
    return open_session(listed, name, receipt)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("parquet", type=Path)
    parser.add_argument("column")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plain = duckdb.connect()
    source = f"read_parquet('{given.parquet}') WHERE {given.column}"
    query = f"SELECT * FROM {source} = ?"
    names = [row[0] for row in plain.execute(f"SELECT DISTINCT {given.column} FROM {source} IS NOT NULL").fetchall()]
    chosen = random.Random(given.seed).choices(sorted(names), k=given.sessions + WARM_UP)
    seconds: tuple[list[float], list[float]] = ([], [])
    rows = 0
    with Store.open(load(str(given.config))) as store, catalog.opened(store) as listed:
        for session in chosen:
            start = time.perf_counter()
            opened = ours(listed, session)
            middle = time.perf_counter()
            fetched: Any = plain.execute(query, [session]).to_arrow_table()
            end = time.perf_counter()
            # A line that was delivered twice may be one record here.
            expected = len(set(map(repr, fetched.to_pylist())))
            if {event.state for event in opened.events} != {"verified"} or len(opened.events) < expected:
                raise SystemExit(f"{session}: {len(opened.events)} events here, {expected} in the plain file")
            seconds[0].append(middle - start)
            seconds[1].append(end - middle)
            rows += fetched.num_rows
    measured = {"ours": seconds[0][WARM_UP:], "plain": seconds[1][WARM_UP:], "rows": rows / len(chosen)}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
