"""Times erasing one person by key destruction: identifiers, the ledger's entry, keys; prints JSON.

Usage: python tests/bench/erasing.py CONFIG [--people N] [--seed S]

Each run erases another person of the store, drawn evenly among the owners of content, as a request's execution does:
``ledger.erasing.erase`` from its start until the keys are gone and the keyring's log is empty. Before it the store is
open and the person's records are found; mentions are not redacted and nothing is searched again. What is erased here
is gone for good, so the store is one that may be lost.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

from ledger.erasing import Erasing, erase
from ledger.settings import load
from ledger.store import Store
from replay import catalog
from replay.persons import person_rows

WARM_UP = 2


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    seconds, rows = [], []
    with Store.open(load(str(given.config))) as store:
        with catalog.opened(store) as listed:
            named = listed.connection.execute("SELECT DISTINCT subject FROM subject_runs ORDER BY subject").fetchall()
            owners = [person for (person,) in named if store.keyring.state(person) == "live"]
            wanted = min(given.people + WARM_UP, len(owners))
            chosen = random.Random(given.seed).sample(owners, wanted)
            found = {person: [row for row in person_rows(listed, [person]) if row.owner == person] for person in chosen}
        for person, theirs in found.items():
            portions = {(row.input, row.step) for row in theirs if row.input is not None and row.step is not None}
            start = time.perf_counter()
            done = erase(store, Erasing([person], inputs=sorted(portions)))
            seconds.append(time.perf_counter() - start)
            rows.append(len(theirs))
            if not done.keys or store.keyring.state(person) != "erased":
                raise SystemExit("nothing was erased")
    print(json.dumps({"seconds": seconds[WARM_UP:], "rows": sum(rows) / len(rows), "people": len(owners)}))


if __name__ == "__main__":
    main()
