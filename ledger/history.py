"""The log's history: applies commits in order and says who may commit what. Pure; every rule that a commit must keep.

The publisher, every reader and verification all come to the state of the log through this one class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger import commits, entries, merkle, notes
from ledger.errors import EvidenceError, FormatError, TamperedError, UnverifiableError


class Entry(NamedTuple):
    """One entry of the log: its index, the commit that brought it, its bytes and its meaning."""

    index: int  # type: ignore[assignment]  # a tuple has a method of this name, which no entry needs
    seq: int
    time: str
    data: bytes
    value: dict[str, Any]


@dataclass
class EnrolledKey:
    """A key that may commit: its verifier, its roles, and the commit that enrolled it."""

    verifier: notes.Verifier
    roles: frozenset[str]
    since: int


class Checked(NamedTuple):
    """A commit that may follow: its statement, what its entries mean, their leaf hashes, and the tree after it."""

    commit: commits.Commit
    added: list[dict[str, Any]]
    leaves: list[bytes]
    frontier: merkle.Frontier


@dataclass
class History:
    """The state after the commits applied so far. ``seq`` is -1 before the first."""

    origin: str = ""
    store: str = ""
    seq: int = -1
    digest: str = commits.NO_PREDECESSOR
    time: str = ""
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    keys: dict[str, EnrolledKey] = field(default_factory=dict)
    retired: dict[str, EnrolledKey] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)

    def apply(self, data: bytes) -> list[Entry]:
        """Take the next commit object and return its entries.

        Raises TamperedError for a commit that is forged, altered or out of place; the state is then as it was.
        """
        checked = self.check(data)
        return self._accept(checked, data)

    def check(self, data: bytes) -> Checked:
        """Every rule that the next commit object must keep, without taking it.

        Raises TamperedError; UnverifiableError for a later version of the format that an enrolled key has signed.
        """
        try:
            commit, _ = commits.parse_commit(data)
            added = [entries.decode(entry) for entry in commit.entries]
        except FormatError as error:
            raise TamperedError(f"commit {self.seq + 1} is malformed: {error.message}") from None
        except UnverifiableError:
            self._check_later_version(data)
            raise
        self._check_place(commit)
        keys = _first_keys(commit, added) if commit.seq == 0 else self.keys
        signers = _signers(commit, data, added, keys)
        _check_roles(commit, added, signers)
        new_leaves = [merkle.leaf_hash(entry) for entry in commit.entries]
        frontier = self.frontier.copy()
        frontier.extend(new_leaves)
        if (frontier.size, frontier.root()) != (commit.size_after, commit.root_after):
            raise TamperedError(f"commit {commit.seq} states another root than its entries have")
        return Checked(commit, added, new_leaves, frontier)

    def _accept(self, checked: Checked, data: bytes) -> list[Entry]:
        commit, added, new_leaves, frontier = checked
        start = self.frontier.size
        if commit.seq == 0:
            self.origin, self.store, self.keys = commit.origin, added[0]["store"], _first_keys(commit, added)
        self.frontier, self.seq, self.digest, self.time = frontier, commit.seq, commits.digest(data), commit.time
        self.leaves += new_leaves
        new = [
            Entry(start + offset, commit.seq, commit.time, raw, value)
            for offset, (raw, value) in enumerate(zip(commit.entries, added, strict=True))
        ]
        self.entries += new
        for entry in new:
            if entry.value["type"] == "key":
                self._change_key(entry.value)
        return new

    def _check_later_version(self, data: bytes) -> None:
        """A version that this program does not know is not to be told from an altered byte, but by its signature."""
        try:
            notes.open_note(data, [key.verifier for key in self.keys.values()])
        except EvidenceError:
            # Before the first commit there is no key to ask.
            if self.keys:
                raise TamperedError(f"commit {self.seq + 1} is signed by no enrolled key") from None

    def _check_place(self, commit: commits.Commit) -> None:
        expected = (self.seq + 1, self.digest, self.frontier.size, self.frontier.root())
        stated = (commit.seq, commit.previous, commit.size_before, commit.root_before)
        if stated != expected:
            raise TamperedError(f"commit {self.seq + 1} does not follow the one before it")
        if commit.seq > 0 and commit.origin != self.origin:
            raise TamperedError(f"commit {commit.seq} is of another log")

    def _change_key(self, entry: dict[str, Any]) -> None:
        if entry["action"] == "enrol":
            verifier = _verifier(entry["vkey"])
            self.keys[verifier.vkey] = EnrolledKey(verifier, frozenset(entry.get("roles", ())), self.seq)
        elif entry["vkey"] in self.keys:
            self.retired[entry["vkey"]] = self.keys.pop(entry["vkey"])

    def log_verifiers(self) -> list[notes.Verifier]:
        """The keys that may sign (or once might sign) checkpoints, as the log itself names them."""
        every = [*self.keys.values(), *self.retired.values()]
        return [key.verifier for key in every if "log" in key.roles]

    def holders(self, role: str) -> list[notes.Verifier]:
        """The keys that hold a role now."""
        return [key.verifier for key in self.keys.values() if role in key.roles]

    def partitions(self) -> list[Entry]:
        """The partition entries, in the order of the log."""
        return [entry for entry in self.entries if entry.value["type"] == "partition"]


def _first_keys(commit: commits.Commit, added: Sequence[Mapping[str, Any]]) -> dict[str, EnrolledKey]:
    genesis = added[0]
    if genesis["type"] != "genesis" or genesis["origin"] != commit.origin:
        raise TamperedError("the first commit is no genesis of its log")
    verifier = _verifier(genesis["admin"])
    return {verifier.vkey: EnrolledKey(verifier, frozenset({"admin"}), 0)}


def _signers(
    commit: commits.Commit, data: bytes, added: Sequence[Mapping[str, Any]], keys: Mapping[str, EnrolledKey]
) -> dict[str, frozenset[str]]:
    """The verified signers by vkey with their roles; keys enrolled by this commit count as signers without one."""
    candidates = {vkey: key.verifier for vkey, key in keys.items()}
    for entry in added:
        if entry["type"] == "key" and entry["action"] == "enrol":
            verifier = _verifier(entry["vkey"])
            candidates.setdefault(verifier.vkey, verifier)
    try:
        opened = notes.open_note(data, list(candidates.values()))
    except UnverifiableError:
        raise TamperedError(f"commit {commit.seq} is signed by no enrolled key") from None
    except EvidenceError:
        raise TamperedError(f"commit {commit.seq} has a signature that does not verify") from None
    known = {vkey: key.roles for vkey, key in keys.items()}
    return {verifier.vkey: known.get(verifier.vkey, frozenset()) for verifier in opened.verified}


def _check_roles(
    commit: commits.Commit, added: Sequence[Mapping[str, Any]], signers: Mapping[str, frozenset[str]]
) -> None:
    held = frozenset[str]().union(*signers.values())
    for position, entry in enumerate(added):
        needed = entries.ROLE_OF.get(entry["type"], "append")
        if needed not in held:
            raise TamperedError(f"commit {commit.seq} is signed by no key with the role {needed}")
        if entry["type"] == "genesis" and (commit.seq, position) != (0, 0):
            raise TamperedError(f"commit {commit.seq} holds a second genesis")
        if entry["type"] == "key" and _may_commit(entry) and entry["vkey"] not in signers:
            raise TamperedError(f"commit {commit.seq} enrols a key that did not sign it")


def _may_commit(entry: Mapping[str, Any]) -> bool:
    """Whether this enrols a key that can commit. An approver's key cannot: it may be one that signs nothing but SSH."""
    return entry["action"] == "enrol" and entry.get("roles") != ["approver"]


def _verifier(vkey: str) -> notes.Verifier:
    try:
        return notes.Verifier.from_vkey(vkey)
    except FormatError as error:
        raise TamperedError(f"a key entry holds no key: {error.message}") from None
