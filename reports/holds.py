"""Legal holds: what is not to be erased, nor to expire, whatever the policy says; and what they hold up, row by row."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ledger.access import Receipt
from ledger.entry_shapes import Scope
from ledger.erasing import check_role
from ledger.errors import NotFoundError, UsageError
from ledger.history import Entry
from ledger.recording import NewRecord, record, words
from ledger.standing import ActiveHold
from ledger.store import Store
from replay.catalog import Catalog, session_parts
from reports.dsar.said import Said, read_words
from reports.retention.policy import Policy
from reports.retention.rows import facts_of
from reports.retention.solver import Facts, covers, decide, expiry

BASES: Final[Mapping[str, str]] = {
    "litigation": "a lawsuit is pending or expected",
    "legal_claim": "a legal claim is made, exercised or defended (GDPR, Article 17(3)(e))",
    "authority": "an authority has asked for it, or may",
    "incident": "a serious incident is being looked into",
    "investigation": "an internal investigation",
    "audit": "an audit is under way",
    "contract": "a contract demands it",
}
MAX_SUBJECTS: Final = 150
"""References that one hold names: an entry has at most 8 KiB."""
_REFERENCE: Final = re.compile(r"[0-9a-f]{4,32}\Z")


class Wanted(NamedTuple):
    """What is to be held: what all that is given have in common. A period is [first, last), RFC 3339 UTC."""

    subjects: Sequence[str] = ()
    session: str | None = None
    first: str | None = None
    last: str | None = None


def add(store: Store, wanted: Wanted, basis: str, why: str | None = None) -> Entry:
    """Begin a hold; its entry. ``why``: words, which are sealed as a record that the entry names.

    Raises UsageError for a hold on nothing in particular, ConfigError where this installation may not hold.
    """
    check_role(store, "retention")
    if basis not in BASES:
        raise UsageError(f"no basis {basis!a}", hint=f"There are: {', '.join(BASES)}.")
    scope = _scope(wanted)
    reference = secrets.token_hex(16)
    return _commit(store, {"action": "add", "hold": reference, "basis": basis, "scope": scope}, why)


def release(store: Store, hold: ActiveHold, why: str | None = None) -> Entry:
    """End a hold; its entry. What it held up is due again. Raises ConfigError where this installation may not."""
    check_role(store, "retention")
    return _commit(store, {"action": "release", "hold": hold.hold}, why)


def find(store: Store, text: str) -> ActiveHold:
    """The hold in force whose reference begins with these digits. Raises NotFoundError, UsageError."""
    if not _REFERENCE.match(text):
        raise UsageError("a hold is named by its reference: 32 hex digits, or the first 4 or more of them")
    found = [hold for reference, hold in store.standing.holds.items() if reference.startswith(text)]
    if len(found) != 1:
        problem = "several holds in force begin with" if found else "no hold in force is"
        raise NotFoundError(f"{problem} {text}", hint="`evidence hold list` names them.")
    return found[0]


def _scope(wanted: Wanted) -> dict[str, Any]:
    subjects = sorted(set(wanted.subjects))
    if len(subjects) > MAX_SUBJECTS:
        raise UsageError(f"a hold names at most {MAX_SUBJECTS} references", hint="Add several holds.")
    if wanted.first is not None and wanted.last is not None and wanted.first[:-1] >= wanted.last[:-1]:
        raise UsageError("the period ends before it begins")
    given = {"subjects": subjects, "session": wanted.session, "from": wanted.first, "to": wanted.last}
    scope = {name: value for name, value in given.items() if value}
    if not scope:
        raise UsageError("a hold is on somebody, on a session or on a period")
    return scope


def _commit(store: Store, body: dict[str, Any], why: str | None) -> Entry:
    if why is None:
        return store.append([("hold", body)], by=("privacy",))[0]
    name = f"{body['hold']}/{body['action']}"
    made = NewRecord({"kind": "review", "source_id": name}, words(about="hold", why=why), body["hold"])
    done = record(store, [made], lambda ids: [("hold", {**body, "record": ids[0]})], by=("writer", "privacy"))
    return done.entries[-1]


def said(store: Store, receipt: Receipt, hold: ActiveHold) -> Said | None:
    """The words with which a hold was begun; None where there are none. Raises what revealing content raises."""
    record_id = hold.entry.value.get("record")
    listed = (item for item in store.history.partitions() if item.seq == hold.entry.seq)
    for partition in listed if record_id is not None else ():
        for item in store.reveal(receipt, partition.value, range(partition.value["rows"])):
            if item.record.hex() == record_id:
                return Said(item.state, read_words(item.bytes))
    return None


class Blocked(msgspec.Struct, frozen=True):
    """Rows of one partition and session that holds keep from erasure or expiry, and why.

    ``row``: where one row is meant, else None. ``erasure``: what an erasure request may do now, on which ``basis``.
    ``without``: what it might do but for the holds, and ``until``, where a rule's minimum has not passed. ``last_day``:
    the day with whose end content expires but for the holds, None for never; ``overdue``: whether that day has passed.
    ``rules``: every rule that was looked at, as codes.
    """

    entry: int
    date: str
    session: str | None
    row: int | None
    rows: int
    holds: tuple[str, ...]
    erasure: str
    basis: str
    without: str
    until: str | None
    last_day: str | None
    overdue: bool
    rules: tuple[str, ...]


def blocked(
    catalog: Catalog, policy: Policy, holds: Collection[ActiveHold], now: str, *, by_row: bool = False
) -> Iterator[Blocked]:
    """What these holds keep: summarised by session, or ``by_row``; in the order of the log."""
    possible = {hold.hold: _partitions(catalog, hold) for hold in holds}
    for number, entry in enumerate(catalog.partitions()):
        here = [hold for hold in holds if number in possible[hold.hold]]
        if not here:
            continue
        found: Counter[Blocked] = Counter()
        for item in facts_of(catalog, number):
            covering = [hold for hold in here if covers(hold, item.facts)]
            if covering:
                found[_why(entry, item.row if by_row else None, item.facts, covering, policy, now)] += 1
        for why, rows in found.items():
            yield msgspec.structs.replace(why, rows=rows)


def _why(
    entry: Entry, row: int | None, facts: Facts, covering: Sequence[ActiveHold], policy: Policy, now: str
) -> Blocked:
    held, free = decide(policy, covering, facts, now), decide(policy, (), facts, now)
    expires = expiry(policy, covering, facts, now)
    references = tuple(sorted(hold.hold for hold in covering))
    where = (entry.index, entry.value["date"], facts.session, row, 1, references)
    overdue = expires.last_day is not None and now[:10] > expires.last_day
    # The same holds and rules come first in both; what each says of minimum and maximum comes last.
    rules = (*held.rules, *(code for code in expires.rules if code not in held.rules))
    return Blocked(*where, held.outcome, held.basis, free.outcome, free.until, expires.last_day, overdue, rules)


def _partitions(catalog: Catalog, hold: ActiveHold) -> set[int]:
    """The numbers of the partitions that can hold what a hold is on: a look-up, where it names people or a session."""
    scope: Scope = hold.scope
    found = {number for number, entry in enumerate(catalog.partitions()) if _overlaps(scope, entry.value)}
    if scope.session is not None:
        found &= {part.partition for part in session_parts(catalog, scope.session)}
    if scope.subjects:
        rows = catalog.connection.execute(
            "SELECT DISTINCT partition FROM subject_runs WHERE subject IN (SELECT unnest(?::VARCHAR[]))",
            [scope.subjects],
        ).fetchall()
        found &= {number for (number,) in rows}
    return found


def _overlaps(scope: Scope, entry: Mapping[str, Any]) -> bool:
    """Whether a partition can hold rows of a hold's period, by its entry; to the day, since clocks can be ahead."""
    first, last = min(entry["date"], entry["time"]["from"][:10]), max(entry["date"], entry["time"]["to"][:10])
    return (scope.first is None or scope.first[:10] <= last) and (scope.last is None or first <= scope.last[:10])
