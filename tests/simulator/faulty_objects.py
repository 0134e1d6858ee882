"""Object stores that fail: at a chosen operation, in each of the ways in which a storage operation can.

``faulty`` wraps any store: run the code under test once with no fault to learn how many operations it makes, then
once for each of them and each ``Fault``. ``ignoring`` is a store whose creates overwrite.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import pytest

from ledger.errors import StorageError
from ledger.objects import ObjectInfo, Objects
from ledger.objects.memory import MemoryObjects

Answer = TypeVar("Answer")


class Fault(enum.Enum):
    """What happens at the chosen operation. Reading has no effect to lose, so for it "after" is like "before"."""

    FAILS_BEFORE = "an error, nothing persisted; the store works again afterwards"
    FAILS_AFTER = "an error although it persisted; the store works again afterwards"
    KILLED_BEFORE = "the process dies, nothing persisted"
    KILLED_AFTER = "the process dies right after it persisted"
    ARRIVES_LATE = "an error by timeout; the write takes effect some operations later, or at settle()"


class Killed(BaseException):
    """The process is dead: no handler for ordinary errors catches this, and every further operation raises it."""


class Operation(NamedTuple):
    """One call that reached the store."""

    name: str
    path: str


class FaultyObjects:
    """A store around another one that fails at operation ``at``, counted from 0 in ``operations``."""

    def __init__(
        self, inner: Objects, *, fault: Fault | None = None, at: int = 0, delay: int = 3, only: str | None = None
    ) -> None:
        """``delay``: operations until a late write arrives. ``only``: count only the operations of this name."""
        self.inner = inner
        self.url = inner.url
        self.operations: list[Operation] = []
        self.dead = False
        self._fault = fault
        self._at = at
        self._delay = delay
        self._only = only
        self._late: Callable[[], object] | None = None
        self._waits = 0

    @property
    def hit(self) -> bool:
        """Whether the fault has happened."""
        return len(self.operations) > self._at and self._fault is not None

    def settle(self) -> None:
        """Let a late write arrive now."""
        if self._late is not None:
            arrive, self._late = self._late, None
            arrive()

    def get(self, path: str) -> bytes:
        return self._run("get", path, lambda: self.inner.get(path))

    def get_range(self, path: str, start: int, length: int) -> bytes:
        return self._run("get_range", path, lambda: self.inner.get_range(path, start, length))

    def head(self, path: str) -> int | None:
        return self._run("head", path, lambda: self.inner.head(path))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._run("list", prefix, lambda: self.inner.list(prefix))

    def put_if_absent(self, path: str, data: bytes) -> bool:
        return self._run("put_if_absent", path, lambda: self.inner.put_if_absent(path, data), writes=True)

    def replace(self, path: str, data: bytes) -> None:
        return self._run("replace", path, lambda: self.inner.replace(path, data), writes=True)

    def _run(self, name: str, path: str, act: Callable[[], Answer], *, writes: bool = False) -> Answer:
        if self.dead:
            raise Killed
        self._tick()
        if self._only not in {None, name}:
            return act()
        number = len(self.operations)
        self.operations.append(Operation(name, path))
        if self._fault is None or number != self._at:
            return act()
        return self._fail(self._fault, act, writes)

    def _tick(self) -> None:
        if self._late is not None:
            self._waits -= 1
            if self._waits <= 0:
                self.settle()

    def _fail(self, fault: Fault, act: Callable[[], Answer], writes: bool) -> Answer:
        if writes and fault in {Fault.FAILS_AFTER, Fault.KILLED_AFTER}:
            act()
        if writes and fault is Fault.ARRIVES_LATE:
            self._late, self._waits = act, self._delay
        if fault in {Fault.KILLED_BEFORE, Fault.KILLED_AFTER}:
            self.dead = True
            raise Killed
        raise StorageError(f"injected: {fault.value}")


class IgnoringObjects(MemoryObjects):
    """A store that reports every create as done and overwrites what was there."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        self._write(path, data)
        return True


@pytest.fixture
def faulty() -> type[FaultyObjects]:
    """The class, to wrap a store with: ``faulty(objects, fault=fault.KILLED_AFTER, at=7)``."""
    return FaultyObjects


@pytest.fixture
def fault() -> type[Fault]:
    """The kinds of fault; iterate over them, or take one by name."""
    return Fault


@pytest.fixture
def killed() -> type[Killed]:
    """What a killed store raises."""
    return Killed


@pytest.fixture
def ignoring() -> IgnoringObjects:
    """An empty store that ignores the condition of a create."""
    return IgnoringObjects(f"ignoring-{secrets.token_hex(8)}")
