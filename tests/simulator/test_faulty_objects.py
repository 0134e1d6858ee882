"""The simulator itself: each fault does what it says, at the operation it was given."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from ledger.errors import StorageError
from ledger.objects import Objects, open_objects

if TYPE_CHECKING:
    from tests.simulator.faulty_objects import Fault, FaultyObjects, Killed


@pytest.fixture
def inner() -> Objects:
    return open_objects(f"memory://{secrets.token_hex(8)}")


def test_without_a_fault_it_is_the_store_and_counts(inner: Objects, faulty: type[FaultyObjects]) -> None:
    objects = faulty(inner)
    assert objects.put_if_absent("a", b"x") is True
    assert objects.get("a") == b"x"
    objects.replace("ledger/checkpoint", b"1")
    assert [info.path for info in objects.list("")] == ["a", "ledger/checkpoint"]
    assert [operation.name for operation in objects.operations] == ["put_if_absent", "get", "replace", "list"]
    assert not objects.hit


@pytest.mark.parametrize(("name", "persisted"), [("FAILS_BEFORE", False), ("FAILS_AFTER", True)])
def test_a_failure_persists_or_not_and_passes(
    inner: Objects, faulty: type[FaultyObjects], fault: type[Fault], name: str, persisted: bool
) -> None:
    objects = faulty(inner, fault=fault[name], at=1)
    assert objects.put_if_absent("a", b"x") is True
    with pytest.raises(StorageError, match="injected"):
        objects.put_if_absent("b", b"x")
    assert objects.hit
    assert (inner.head("b") is not None) is persisted
    assert objects.put_if_absent("b", b"x") is True


@pytest.mark.parametrize(("name", "persisted"), [("KILLED_BEFORE", False), ("KILLED_AFTER", True)])
def test_a_dead_process_stays_dead(
    inner: Objects, faulty: type[FaultyObjects], fault: type[Fault], killed: type[Killed], name: str, persisted: bool
) -> None:
    objects = faulty(inner, fault=fault[name], at=0)
    with pytest.raises(killed):
        objects.put_if_absent("a", b"x")
    with pytest.raises(killed):
        objects.head("a")
    assert (inner.head("a") is not None) is persisted


def test_a_late_write_arrives_after_a_read_that_did_not_find_it(
    inner: Objects, faulty: type[FaultyObjects], fault: type[Fault]
) -> None:
    objects = faulty(inner, fault=fault.ARRIVES_LATE, at=0, delay=2)
    with pytest.raises(StorageError):
        objects.put_if_absent("a", b"mine")
    assert objects.head("a") is None
    assert objects.head("a") == 4


def test_a_late_write_loses_against_whoever_came_in_between(
    inner: Objects, faulty: type[FaultyObjects], fault: type[Fault]
) -> None:
    objects = faulty(inner, fault=fault.ARRIVES_LATE, at=0, delay=99)
    with pytest.raises(StorageError):
        objects.put_if_absent("a", b"mine")
    assert inner.put_if_absent("a", b"other") is True
    objects.settle()
    assert inner.get("a") == b"other"


def test_operations_can_be_narrowed_to_one_kind(
    inner: Objects, faulty: type[FaultyObjects], fault: type[Fault]
) -> None:
    objects = faulty(inner, fault=fault.FAILS_BEFORE, at=0, only="replace")
    assert objects.put_if_absent("a", b"x") is True
    with pytest.raises(StorageError):
        objects.replace("ledger/checkpoint", b"1")
