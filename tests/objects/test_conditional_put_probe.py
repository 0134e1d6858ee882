"""The probe passes every store that honours conditional writes and refuses each way of not doing so."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import pytest

from ledger.errors import UnsafeStoreError
from ledger.objects import AppendObjects, Objects, open_objects, probe_conditional_put
from ledger.objects.memory import MemoryObjects

if TYPE_CHECKING:
    from tests.simulator.faulty_objects import IgnoringObjects


@pytest.fixture
def name() -> str:
    return f"probed-{secrets.token_hex(8)}"


def test_an_honest_store_passes_and_keeps_two_small_objects(objects: Objects) -> None:
    probe_conditional_put(objects)
    left = list(objects.list(""))
    assert [info.size for info in left] == [32, 32]
    assert all(info.path.startswith("probe/") for info in left)


def test_two_probes_do_not_meet(objects: Objects) -> None:
    probe_conditional_put(objects)
    probe_conditional_put(objects)
    assert len(list(objects.list("probe/"))) == 4


@pytest.mark.s3
def test_a_fickle_store_passes(s3_fickle_endpoint: str, s3_store_url: str) -> None:
    probe_conditional_put(open_objects(s3_store_url, endpoint=s3_fickle_endpoint))


def test_a_store_that_overwrites_is_refused(ignoring: IgnoringObjects) -> None:
    with pytest.raises(UnsafeStoreError, match="second writer"):
        probe_conditional_put(ignoring)


@pytest.mark.s3
def test_a_store_that_overwrites_is_refused_over_http(s3_ignoring_endpoint: str, s3_store_url: str) -> None:
    objects = open_objects(s3_store_url, endpoint=s3_ignoring_endpoint)
    with pytest.raises(UnsafeStoreError, match="second writer"):
        probe_conditional_put(objects)


class SaysNoAndOverwrites(MemoryObjects):
    """Answers "already there" honestly, after having overwritten."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        was_there = self.head(path) is not None
        self._write(path, data)
        return not was_there


class SaysYesAndKeeps(MemoryObjects):
    """Keeps the first, and tells everybody that their write is done."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        super().put_if_absent(path, data)
        return True


class LooksThenWrites(MemoryObjects):
    """Honours the condition for one writer after another, not for several at once."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        if self.head(path) is not None:
            return self.get(path) == data
        time.sleep(0.05)
        self._write(path, data)
        return True


class RefusesRivals(MemoryObjects):
    """Like a store that answers 409 to all of several writers at once."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        return not path.endswith("race") and super().put_if_absent(path, data)


class Garbles(MemoryObjects):
    """Gives back other bytes than it took."""

    def get(self, path: str) -> bytes:
        return bytes(byte ^ 1 for byte in super().get(path))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (SaysNoAndOverwrites, "replaced"),
        (SaysYesAndKeeps, "second writer"),
        (LooksThenWrites, "won instead of one"),
        (RefusesRivals, "0 won instead of one"),
        (Garbles, "replaced"),
    ],
)
def test_each_unsafe_store_is_refused(kind: type[MemoryObjects], reason: str, name: str) -> None:
    unsafe: AppendObjects = kind(name)
    with pytest.raises(UnsafeStoreError, match=reason):
        probe_conditional_put(unsafe)
