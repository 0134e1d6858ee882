"""A small shop's store: three people over three days, two sources, and a policy that lets most of it go."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ledger.content import ContentReader
from ledger.expiring import Expired, Swept, complete, sweep
from ledger.store import Store
from replay import catalog
from reports.retention import policy as policies
from reports.retention.plan import RetentionPlan, carry_out, make_plan
from reports.retention.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.catalog import Catalog

POLICY = b"""format = "evidence/retention-policy/1"

[[rule]]
name = "month"
basis = "own-policy"
words = "A month."
content.maximum = "P1M"

[[rule]]
name = "till"
basis = "tax"
words = "Receipts."
sources = ["till"]
content.minimum = "P1Y"
content.maximum = "P2Y"
"""
DAYS = ("2026-01-05", "2026-01-06", "2026-03-10")
PEOPLE = ("ana@example.com", "ben@example.com", "cem@example.com")
AFTER_A_MONTH = "2026-03-01T00:00:00Z"
"""When the first two days have expired and the third has not."""


def events() -> bytes:
    """On each day each person talks to the assistant twice, in a session of their own, in which Ana also buys."""
    made = []
    for day in DAYS:
        for person in PEOPLE:
            name = person.partition("@")[0]
            made += [event(day, person, f"{name}-{day}", "chat", turn) for turn in range(2)]
        made.append(event(day, PEOPLE[0], f"ana-{day}", "till", 9))
    return b"".join(orjson.dumps(item) + b"\n" for item in made)


def event(day: str, person: str, session: str, source: str, turn: int) -> dict[str, Any]:
    return {
        "evidence": "event/1",
        "kind": "inference",
        "source": source,
        "id": f"{session}-{source}-{turn}",
        "time": f"{day}T08:0{turn}:00Z",
        "session": session,
        "subjects": {"end_user": [{"type": "email", "id": person}]},
        "output": [{"role": "assistant", "parts": [{"type": "text", "content": f"secret of {person} on {day}"}]}],
    }


@dataclass
class Shop:
    """The installation, and what the tests do with it."""

    installation: Any
    policy: Policy

    @contextmanager
    def opened(self) -> Iterator[tuple[Store, Catalog]]:
        with self.installation.open() as store, catalog.opened(store) as listed:
            yield store, listed

    def plan(self, now: str = AFTER_A_MONTH) -> RetentionPlan:
        with self.opened() as (_, listed):
            return make_plan(listed, self.policy, now)

    def apply(self, now: str = AFTER_A_MONTH) -> tuple[RetentionPlan, Expired, Swept]:
        """What the command does."""
        with self.opened() as (store, listed):
            before = complete(store)
            made = make_plan(listed, self.policy, now)
            done = carry_out(listed, self.policy, made)
            store.publish()
            after = sweep(store)
            return made, done, Swept(before.deleted + after.deleted, before.refused | after.refused)

    def states(self) -> dict[str, str]:
        """Source id of each record of the shop → the state of its content."""
        with self.installation.open() as store:
            found = {}
            for entry in store.history.partitions():
                for item in ContentReader(store.objects, store.keyring, store.ledger(), entry.value).all_rows():
                    if item.line["kind"] == "inference":
                        found[item.line["source_id"]] = item.state
            return found

    def readable(self) -> set[str]:
        return {name for name, state in self.states().items() if state == "verified"}

    def paths(self, prefix: str = "") -> set[str]:
        return {info.path for info in self.installation.objects().list(prefix)}

    def reference(self, person: str) -> str:
        with self.installation.open() as store:
            (found,) = store.keyring.lookup(person)
            return str(found)


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(tmp_path: Path, new_installation: Callable[..., Any]) -> MakeShop:
    """A filled shop; with a location, other settings."""

    def make(location: str | None = None, endpoint: str | None = None, **changes: Any) -> Shop:
        folder = tmp_path / f"shop-{secrets.token_hex(4)}"
        installation = new_installation(folder, location, endpoint, **changes)
        (folder / "events.jsonl").write_bytes(events())
        installation.ingest(folder / "events.jsonl")
        return Shop(installation, policies.parse(POLICY, "policy.toml"))

    return make


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    """In a folder; objects of what has expired stay."""
    return make_shop()


@pytest.fixture(params=["memory", "local", pytest.param("s3", marks=pytest.mark.s3)])
def deleting_shop(request: pytest.FixtureRequest, make_shop: MakeShop) -> Shop:
    """On each kind of store; objects of what has expired are deleted."""
    match request.param:
        case "memory":
            return make_shop(f"memory://{secrets.token_hex(8)}", delete_expired="true")
        case "local":
            return make_shop(delete_expired="true")
        case _:
            endpoint = request.getfixturevalue("s3_endpoint")
            return make_shop(request.getfixturevalue("s3_store_url"), endpoint, delete_expired="true")
