"""A ledger of small commits, made by hand: so that a test can also make the commits that nobody may make."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger import commits, entries, kek, merkle, notes
from ledger.history import History
from ledger.keyring.keyring import Keyring
from ledger.keyring.publication import PublicationState
from ledger.objects import Objects, open_objects
from ledger.publisher import Publisher

ORIGIN = "logs.example.com/made-by-hand"
TIME = "2026-10-01T00:00:00Z"
ROLES = {"writer": ["append"], "privacy": ["erasure", "retention"], "log": ["log"]}


@dataclass
class HandMade:
    """A log in memory with its signers: admin, writer, privacy, log; and ``stranger``, who is not enrolled."""

    objects: Objects
    signers: dict[str, notes.Signer]
    history: History = field(default_factory=History)

    def sign(self, *entry_list: bytes, by: Sequence[str] = ("writer",), **changes: Any) -> bytes:
        """The next commit over these entries, its statement changed, signed by the named keys."""
        history, after = self.history, self.history.frontier.copy()
        after.extend(merkle.leaf_hashes(entry_list))
        commit = commits.Commit(
            ORIGIN,
            history.seq + 1,
            TIME,
            history.digest,
            history.frontier.size,
            history.frontier.root(),
            after.size,
            after.root(),
            entry_list,
        )
        stated = dataclasses.replace(commit, **changes)
        return notes.sign_note(stated.text(), *(self.signers[name] for name in by))

    def put(self, data: bytes) -> None:
        """Claim the next number with a commit, whatever it is."""
        assert self.objects.put_if_absent(commits.commit_path(self.history.seq + 1), data)

    def append(self, count: int = 1) -> None:
        """Commit heartbeats, one a commit."""
        for _ in range(count):
            data = self.sign(heartbeat(self.history.frontier.size))
            self.put(data)
            self.history.apply(data)

    def enrolment(self, name: str, roles: Sequence[str]) -> bytes:
        return entries.encode("key", {"action": "enrol", "vkey": self.signers[name].vkey, "roles": list(roles)})


def heartbeat(number: int) -> bytes:
    return entries.encode("heartbeat", {"number": number})


def hand_made(objects: Objects | None = None) -> HandMade:
    """A new log with its genesis."""
    names = ("admin", "writer", "privacy", "stranger")
    signers = {name: notes.Signer.generate(f"{ORIGIN}/{name}") for name in names}
    signers["log"] = notes.Signer.generate(ORIGIN)
    log = HandMade(objects or open_objects(f"memory://{secrets.token_hex(8)}"), signers)
    genesis = {"origin": ORIGIN, "store": "0" * 32, "suites": {}, "admin": signers["admin"].vkey}
    keys = [log.enrolment(name, roles) for name, roles in ROLES.items()]
    data = log.sign(entries.encode("genesis", genesis), *keys, by=("admin", *ROLES))
    log.put(data)
    log.history.apply(data)
    return log


@pytest.fixture
def log() -> HandMade:
    """A new log in memory."""
    return hand_made()


@pytest.fixture
def new_log() -> Callable[..., HandMade]:
    """``hand_made``, for tests that need several logs or another kind of store."""
    return hand_made


@pytest.fixture
def keyring(tmp_path: Path) -> Any:
    """A new keyring."""
    kek.create_kek_file(tmp_path / "kek.key")
    provider = kek.open_kek(f"file:{tmp_path / 'kek.key'}")
    keyring = Keyring.create(f"sqlite:///{tmp_path / 'keyring.db'}", provider, "0" * 32)
    yield keyring
    keyring.close()


@pytest.fixture
def new_publisher(keyring: Keyring) -> Callable[..., Publisher]:
    """A publisher of a log, with the memory that all publishers of this keyring share."""

    def make(log: HandMade, objects: Objects | None = None) -> Publisher:
        return Publisher(objects or log.objects, PublicationState(keyring, ORIGIN), log.signers["log"])

    return make
