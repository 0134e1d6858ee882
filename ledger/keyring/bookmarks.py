"""Bookmarks: which inputs this store has taken in, and how far.

An input is known by keyed digests of its location and of the bytes of each of its portions, which stand here masked by
the newest epoch. A step is written before the partition that it belongs to is claimed, so it counts only if the ledger
lists that partition.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from ledger.clock import utc_now
from ledger.keyring import digests, tables
from ledger.keyring.digests import Borrowed as Borrowed
from ledger.keyring.digests import Portion as Portion
from ledger.keyring.engine import destroying, reading
from ledger.keyring.keyring import Keyring, new_reference


class Input(NamedTuple):
    """An input: its random reference, the adapter and framing that it was taken in with, and where it was."""

    ref: str
    adapter: str
    framing: str
    uri: str


class Step(NamedTuple):
    """One portion of an input, as one of the partitions that hold it (``path``) sees it.

    ``step`` counts an input's portions from 0; it took bytes ``from_byte`` to ``to_byte``, and ``mac`` is over those,
    or None once content of them was ended. It counts once the ledger lists every partition of one ``attempt`` at it.
    """

    input: str
    path: str
    attempt: str
    from_byte: int
    to_byte: int
    step: int
    mac: bytes | None


class Bookmarks:
    """The keyring's bookmarks. ``committed`` arguments are the content paths that the ledger lists."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def new_mac(self) -> hmac.HMAC:
        """A running HMAC-SHA256 under the store's bookmark key, for the bytes of an input."""
        return self._keyring.bookmark_mac()

    def uri_mac(self, uri: str) -> bytes:
        """The keyed digest of an input's location."""
        mac = self._keyring.bookmark_mac()
        mac.update(b"uri\0" + uri.encode("utf-8", "surrogatepass"))
        return mac.digest()

    def add_input(self, uri: str, adapter: str, framing: str, seen: Collection[str] = ()) -> str:
        """The reference of a new input at this location; durable when it returns.

        An input that another process has begun there meanwhile, besides those ``seen``, is taken up instead of adding
        a second one: of two processes that take in the same file, each then sees what the other commits.
        """
        ref = new_reference()
        table = tables.inputs
        with self._keyring.writing() as connection:
            uri_mac = self._keyring.mask(self.uri_mac(uri))
            same = (table.c.uri_mac == uri_mac, table.c.adapter == adapter, table.c.framing == framing)
            begun = connection.execute(select(table.c.ref).where(*same).order_by(table.c.created_at)).scalars()
            other = next((str(known) for known in begun if known not in seen), None)
            if other is None:
                row = {
                    "ref": ref,
                    "uri_mac": uri_mac,
                    "adapter": adapter,
                    "framing": framing,
                    "epoch": self._keyring.epoch,
                    "sealed_uri": self._keyring.seal_here(ref.encode(), uri.encode("utf-8", "surrogatepass")),
                    "created_at": utc_now(),
                }
                connection.execute(insert(table), row)
        return other or ref

    def add_alias(self, uri: str, ref: str) -> None:
        """Remember that the same bytes as an input's were also seen at this location; durable when it returns."""
        table = tables.aliases
        with self._keyring.writing() as connection:
            row = {"uri_mac": self._keyring.mask(self.uri_mac(uri)), "input": ref}
            connection.execute(delete(table).where(table.c.uri_mac == row["uri_mac"]))
            connection.execute(insert(table), row)

    def alias(self, uri: str) -> str | None:
        """The input whose bytes were last seen at this location under another name, if any."""
        table = tables.aliases
        with self._following() as connection:
            found = table.c.uri_mac == self._keyring.mask(self.uri_mac(uri))
            return connection.execute(select(table.c.input).where(found)).scalar()

    def add_steps(self, steps: Iterable[Step], borrowed: Collection[Borrowed] = ()) -> None:
        """Steps that one partition will hold, and what they borrow; durable when it returns.

        Where what one borrows was ended meanwhile, its digest is left out.
        """
        rows = [step._asdict() for step in steps]
        if not rows:
            return
        with self._keyring.writing() as connection:
            digests.lock(connection, {*(row["input"] for row in rows), *(item.lender.input for item in borrowed)})
            ended = digests.borrow(connection, borrowed)
            for row in rows:
                known = row["mac"] is not None and Portion(row["input"], row["step"]) not in ended
                row["mac"] = self._keyring.mask(row["mac"]) if known else None
            connection.execute(insert(tables.steps), rows)

    def forget_attempt(self, attempt: str) -> None:
        """Drop the digests of an attempt that will not be committed as it is: what they are over was erased."""
        table = tables.steps
        gone: list[bytes] = []
        with destroying(self._keyring.engine, gone) as connection:
            self._keyring.follow(connection, hold=True)
            which = (table.c.attempt == attempt, table.c.mac.is_not(None))
            gone += connection.execute(select(table.c.mac).where(*which)).scalars()
            connection.execute(update(table).where(*which).values(mac=None))

    def inputs_at(self, uri: str) -> list[Input]:
        """The inputs taken in from this location, newest first."""
        table = tables.inputs
        with self._following() as connection:
            here = table.c.uri_mac == self._keyring.mask(self.uri_mac(uri))
            statement = select(table).where(here).order_by(table.c.created_at.desc())
            return [self._input(row) for row in connection.execute(statement)]

    def input(self, ref: str) -> Input | None:
        """One input by its reference or a unique beginning of it."""
        table = tables.inputs
        with reading(self._keyring.engine) as connection:
            rows = connection.execute(select(table).where(table.c.ref.startswith(ref, autoescape=True)).limit(2)).all()
        return self._input(rows[0]) if len(rows) == 1 else None

    def all_inputs(self) -> list[Input]:
        """Every input, oldest first."""
        with reading(self._keyring.engine) as connection:
            rows = connection.execute(select(tables.inputs).order_by(tables.inputs.c.created_at)).all()
        return [self._input(row) for row in rows]

    def steps(self, ref: str, committed: Collection[str]) -> list[Step]:
        """The portions of an input that the ledger holds, in order, up to the first that it does not hold."""
        table = tables.steps
        statement = select(table).where(table.c.input == ref).order_by(table.c.step)
        with self._following() as connection:
            rows = [self._step(row) for row in connection.execute(statement)]
        found: list[Step] = []
        for _, same in groupby(rows, key=lambda step: step.step):
            done = _committed(list(same), committed)
            if done is None:
                break
            found.append(done)
        return found

    def last_step(self, ref: str, committed: Collection[str]) -> Step | None:
        """How far an input has been taken in, or None if the ledger holds none of it."""
        steps = self.steps(ref, committed)
        return steps[-1] if steps else None

    def paths(self, portion: Portion, committed: Collection[str]) -> list[str]:
        """The content paths of the partitions that hold some of a portion, whatever attempt brought it."""
        table = tables.steps
        statement = select(table.c.path).where(table.c.input == portion.input, table.c.step == portion.step)
        with reading(self._keyring.engine) as connection:
            return sorted(path for path in connection.execute(statement).scalars() if path in committed)

    def lenders(self, portion: Portion) -> list[Portion]:
        """The portions whose records a portion refers to."""
        table = tables.borrowed
        which = (table.c.input == portion.input, table.c.step == portion.step)
        with reading(self._keyring.engine) as connection:
            rows = connection.execute(select(table.c.lender, table.c.lender_step).where(*which)).all()
        return [Portion(row.lender, row.lender_step) for row in rows]

    def forgotten(self) -> list[Input]:
        """The inputs of which some digest is gone, oldest first."""
        table, inputs = tables.steps, tables.inputs
        some = select(table.c.input).where(table.c.mac.is_(None))
        statement = select(inputs).where(inputs.c.ref.in_(some)).order_by(inputs.c.created_at)
        with self._following() as connection:
            return [self._input(row) for row in connection.execute(statement)]

    def committed_step(self, ref: str, number: int, committed: Collection[str]) -> Step | None:
        """One portion of an input, if the ledger holds it."""
        table = tables.steps
        statement = select(table).where(table.c.input == ref, table.c.step == number)
        with self._following() as connection:
            steps = [self._step(row) for row in connection.execute(statement)]
        return _committed(steps, committed)

    def begun_step(self, ref: str, number: int, committed: Collection[str]) -> Step | None:
        """One portion of an input of which the ledger holds some partition, but not all of any attempt."""
        table = tables.steps
        statement = select(table).where(table.c.input == ref, table.c.step == number)
        with self._following() as connection:
            steps = [self._step(row) for row in connection.execute(statement)]
        if _committed(steps, committed) is not None:
            return None
        return next((step for step in steps if step.path in committed), None)

    def begun_elsewhere(self, ref: str, number: int, committed: Collection[str], attempt: str) -> bool:
        """Whether the ledger holds any part of a portion by another attempt than this one."""
        table = tables.steps
        statement = select(table.c.path).where(table.c.input == ref, table.c.step == number, table.c.attempt != attempt)
        with reading(self._keyring.engine) as connection:
            return any(path in committed for path in connection.execute(statement).scalars())

    def lengths(self) -> set[int]:
        """The lengths at which any input ends a step: where comparing digests can be worth reading a file twice."""
        with reading(self._keyring.engine) as connection:
            return set(connection.execute(select(tables.steps.c.to_byte).distinct()).scalars())

    def starts(self, to_byte: int) -> list[int]:
        """Where the steps begin that end at this byte."""
        table = tables.steps
        statement = select(table.c.from_byte).where(table.c.to_byte == to_byte, table.c.mac.is_not(None)).distinct()
        with reading(self._keyring.engine) as connection:
            return sorted(connection.execute(statement).scalars())

    def find(self, mac: bytes, from_byte: int, to_byte: int) -> list[Portion]:
        """The portions of any input that are exactly these bytes, at this place."""
        table = tables.steps
        with self._following() as connection:
            which = (table.c.mac == self._keyring.mask(mac), table.c.from_byte == from_byte, table.c.to_byte == to_byte)
            rows = connection.execute(select(table.c.input, table.c.step).where(*which).distinct())
            return sorted(Portion(row.input, row.step) for row in rows)

    def _input(self, row: Row[Any]) -> Input:
        uri = self._keyring.open_here(row.epoch, row.ref.encode(), row.sealed_uri)
        return Input(row.ref, row.adapter, row.framing, uri.decode("utf-8", "surrogatepass"))

    def _step(self, row: Row[Any]) -> Step:
        mac = row.mac and self._keyring.unmask(bytes(row.mac))
        return Step(row.input, row.path, row.attempt, row.from_byte, row.to_byte, row.step, mac)

    @contextmanager
    def _following(self) -> Iterator[Connection]:
        """A read transaction in which digests are masked as the rows are, also after another process rotated."""
        with reading(self._keyring.engine) as connection:
            self._keyring.follow(connection)
            yield connection


def _committed(steps: list[Step], committed: Collection[str]) -> Step | None:
    """The first attempt whose partitions are all in the ledger."""
    for attempt in sorted({step.attempt for step in steps}):
        paths = [step for step in steps if step.attempt == attempt]
        if all(step.path in committed for step in paths):
            return paths[0]
    return None
