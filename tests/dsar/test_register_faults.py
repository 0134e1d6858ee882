"""A store that fails, or a process that dies, at any write of a request: the request has the event whole, or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from ledger.errors import EvidenceError
from ledger.store import Store
from ledger.verify import Verdict
from reports.dsar.register import Opening, identify, open_request, pause
from reports.dsar.requests import requests
from tests.simulator.faulty_objects import Fault, FaultyObjects, Killed

SAID = {"requester": "Nadia Canary"}


def opening(store: Store) -> Opening:
    return Opening([store.reference("email", "nadia@example.org")], "gdpr", "erasure", date(2026, 11, 2), SAID)


def writes_of(installation: Any, act: Callable[[Store], object]) -> int:
    objects = FaultyObjects(installation.objects(), only="put_if_absent")
    with installation.open_on(objects) as store:
        act(store)
    return len(objects.operations)


@pytest.mark.parametrize("fault", list(Fault))
def test_opening_is_whole_or_not_at_all(installation: Any, fault: Fault) -> None:
    writes = writes_of(installation, lambda store: open_request(store, opening(store)))
    assert writes == 3, "events, content, commit"
    for at in range(writes):
        with installation.open() as store:
            before = set(requests(store))
        objects = FaultyObjects(installation.objects(), fault=fault, at=at, only="put_if_absent")
        with installation.open_on(objects) as store, contextlib.suppress(EvidenceError, Killed):
            open_request(store, opening(store))
        assert objects.hit
        objects.settle()

        with installation.open() as store:
            new = [state for reference, state in requests(store).items() if reference not in before]
            assert len(new) <= 1
            assert all(state.due_at == "2026-12-02" and state.events[0].record for state in new)
    assert installation.verify("deep").verdict is Verdict.INTACT, "what is left over is listed by no commit"


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
def test_an_identity_and_the_end_of_its_pause_come_together(installation: Any, fault: Fault) -> None:
    """Else a clock would stand still for somebody who is known."""
    for at in range(3):
        with installation.open() as store:
            state = pause(store, open_request(store, opening(store)), "identity", {})
        objects = FaultyObjects(installation.objects(), fault=fault, at=at, only="put_if_absent")
        with installation.open_on(objects) as store, pytest.raises(Killed):
            identify(store, state, "account", None, {"checked_by": "Olga"})
        with installation.open() as store:
            after = requests(store)[state.request]
            assert (after.identified_at is None) == (after.paused_since is not None)
