"""Erasing and redacting on each kind of store, and with a fault at each of their writes."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger import following, resealing
from ledger.content import ContentReader
from ledger.erasing import Erasing, erase
from ledger.errors import EvidenceError
from ledger.resealing import Redaction
from ledger.store import Store
from ledger.verify import Verdict

if TYPE_CHECKING:
    from tests.simulator.faulty_objects import Fault, FaultyObjects

ANA, BO = "ana@example.org", "bo@example.org"


def event(number: int, person: str, text: str) -> bytes:
    value = {
        "evidence": "event/1",
        "kind": "inference",
        "source": "desk",
        "id": f"e-{number}",
        "time": f"2026-10-01T08:00:0{number}Z",
        "session": f"s-{person[:2]}",
        "subjects": {"end_user": [{"type": "email", "id": person}]},
        "input": [{"role": "user", "parts": [{"type": "text", "content": text}]}],
    }
    return json.dumps(value).encode() + b"\n"


Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path, new_installation: Callable[..., Any]) -> Make:
    """``make(location, endpoint)``: Ana says two things, Bo two, one of them about her."""

    def act(location: str | None = None, endpoint: str | None = None) -> Any:
        installation = new_installation(tmp_path / secrets.token_hex(4), location, endpoint)
        path = tmp_path / "desk.jsonl"
        path.write_bytes(event(1, ANA, "one") + event(2, ANA, "two") + event(3, BO, "Ana said") + event(4, BO, "x"))
        installation.ingest(path)
        return installation

    return act


def take_out(store: Store) -> None:
    """Bo's mention of Ana."""
    for entry in store.history.partitions():
        for row, item in enumerate(ContentReader(store.objects, store.keyring, store.ledger(), entry.value).all_rows()):
            if item.bytes is not None and b"Ana said" in item.bytes:
                changed = item.bytes.replace(b"Ana", b"[redacted]")
                resealing.reseal(store, entry, {row: Redaction(changed, "mention")})
                return


def end(store: Store) -> None:
    """Ana is erased, and taken out of what Bo said, as far as that is not done yet."""
    if not store.endings.redacted:
        take_out(store)
    subjects = [*store.keyring.lookup(ANA), *store.endings.subjects]
    if subjects and not store.endings.subjects:
        erase(store, Erasing(subjects))


@pytest.mark.parametrize("kind", ["memory", "local", pytest.param("s3", marks=pytest.mark.s3)])
def test_on_each_kind_of_store(request: pytest.FixtureRequest, make: Make, kind: str) -> None:
    if kind == "s3":
        installation = make(request.getfixturevalue("s3_store_url"), request.getfixturevalue("s3_endpoint"))
    else:
        installation = make(f"memory://{secrets.token_hex(8)}" if kind == "memory" else None)
    with installation.open() as store:
        end(store)
        store.publish()
    report = installation.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"erased": 2, "redacted": 1})
    assert set(report.explained_by) == {"erased", "redacted"}


FAULTS = ("FAILS_BEFORE", "FAILS_AFTER", "KILLED_BEFORE", "KILLED_AFTER", "ARRIVES_LATE")
WRITES = 3
"""The resealed object, its commit, and the commit of the erasure."""


def test_it_takes_so_many_writes(make: Make, faulty: type[FaultyObjects]) -> None:
    installation = make()
    objects = faulty(installation.objects(), only="put_if_absent")
    with installation.open_on(objects) as store:
        end(store)
    assert sum(operation.name == "put_if_absent" for operation in objects.operations) == WRITES


@pytest.mark.parametrize("at", range(WRITES))
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_write_loses_nothing_and_the_next_run_completes_it(
    make: Make, faulty: type[FaultyObjects], fault: type[Fault], killed: type[BaseException], kind: str, at: int
) -> None:
    installation = make()
    objects = faulty(installation.objects(), fault=fault[kind], at=at, only="put_if_absent")
    with installation.open_on(objects) as store, contextlib.suppress(EvidenceError, killed):
        end(store)
    objects.settle()
    # Whoever comes next: what the ledger says is carried out, what it does not say is begun again.
    with installation.open() as store:
        following.follow(store)
        subjects = list(store.endings.subjects)
        if not store.endings.redacted:
            take_out(store)
        if not subjects:
            gone = [*store.keyring.lookup(ANA), *begun(store)]
            erase(store, Erasing(gone))
        store.publish()
    report = installation.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {"erased": 2, "redacted": 1})


def begun(store: Store) -> list[str]:
    """People whose identifiers are gone and whose erasure no entry tells of yet: named by the lines."""
    owners = {
        item.line["content"]["owner"]
        for entry in store.history.partitions()
        for item in ContentReader(store.objects, store.keyring, store.ledger(), entry.value).all_rows()
    }
    return [owner for owner in sorted(owners) if store.keyring.state(owner) == "erasing"]
