"""One writer process: ``ingest CONFIG FILE...`` or ``beat CONFIG COUNT NAME``. Waits for a line on stdin to begin."""

from __future__ import annotations

import sys

from ingest.pipeline import Pipeline
from ledger.settings import load
from ledger.store import Store


def main(command: str, config: str, *rest: str) -> None:
    with Store.open(load(config)) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        if command == "ingest":
            Pipeline(store).run(rest)
            store.publish()
            return
        count, name = rest
        for number in range(int(count)):
            store.append([("heartbeat", {"from": name, "number": number})])


if __name__ == "__main__":
    main(*sys.argv[1:])
