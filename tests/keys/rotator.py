"""One rotation that is killed: ``CONFIG POINT``. The point is a place below, before or after which it dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ledger.kek import local
from ledger.key_management import backups, rotation
from ledger.keyring import copies, epochs
from ledger.settings import load
from ledger.store import Store

POINTS: dict[str, tuple[Any, str]] = {
    "the new key-encryption key is written": (local, "write_private"),
    "the key-encryption key is renewed": (local.FileKeys, "renew"),
    "all is wrapped again": (epochs, "_put_under_newest"),
    "the epoch has begun": (epochs.Epochs, "begin"),
    "the backup is copied": (copies, "write"),
    "the backup is compared": (copies, "differences"),
    "the backup is made": (backups, "write"),
    "the old key-encryption key is overwritten": (local, "_overwrite"),
    "the old key-encryption key is retired": (local.FileKeys, "retire"),
    "the ledger says so": (rotation, "_commit"),
    "the old epoch is dropped": (epochs.Epochs, "end"),
}


def die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def after(act: Callable[..., Any]) -> Callable[..., Any]:
    def acted(*arguments: Any, **named: Any) -> Any:
        act(*arguments, **named)
        die()

    return acted


def main(config: str, when: str, point: str) -> None:
    owner, name = POINTS[point]
    setattr(owner, name, die if when == "before" else after(getattr(owner, name)))
    with Store.open(load(config)) as store:
        rotation.rotate(store, Path(config).with_name("killed.db"))


if __name__ == "__main__":
    main(*sys.argv[1:])
