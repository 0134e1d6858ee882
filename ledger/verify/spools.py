"""The numbers of accesses: what commits state of them, and whether each has its record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ledger.history import Entry, History
from ledger.verify.report import Report, Verdict


def check_statements(report: Report, history: History) -> None:
    """Each spool's numbers are stated once and from 1 on, and without a partition all of them are missing."""
    reached: dict[str, int] = {}
    sealing = {entry.seq for entry in history.partitions() if "spools" in entry.value}
    for entry, item in _statements(history):
        spool, first, last = item["spool"], item["first"], item["last"]
        where = f"ledger entry {entry.index}"
        if first != reached.get(spool, 0) + 1:
            report.add(Verdict.TAMPERED, where, f"access {first} of spool {spool} does not follow what was stated")
        if entry.seq not in sealing and _numbers(item):
            report.add(Verdict.TAMPERED, where, f"accesses of spool {spool} have no partition with their records")
        reached[spool] = max(last, reached.get(spool, 0))
        for start, end in item.get("missing", ()):
            numbers = str(start) if start == end else f"{start} to {end}"
            report.notes.append(f"access {numbers} of spool {spool} was taken and never recorded")


def check_records(report: Report, history: History, chosen: Sequence[Entry], found: Mapping[str, set[int]]) -> None:
    """Every number that a commit states has its record in a partition of that commit, if all of them were read."""
    read = {entry.index for entry in chosen}
    unread = {entry.seq for entry in history.partitions() if entry.index not in read}
    paths = {entry.seq: entry.value["events"]["path"] for entry in chosen}
    for entry, item in _statements(history):
        if entry.seq in paths and entry.seq not in unread:
            for number in sorted(_numbers(item) - found.get(item["spool"], set())):
                reason = f"access {number} of spool {item['spool']} has no record"
                report.add(Verdict.TAMPERED, paths[entry.seq], reason)


def _statements(history: History) -> Iterator[tuple[Entry, Mapping[str, Any]]]:
    return ((entry, item) for entry in history.entries for item in entry.value.get("spools", ()))


def _numbers(statement: Mapping[str, Any]) -> set[int]:
    """The numbers that a statement does not call missing."""
    return set(range(statement["first"], statement["last"] + 1)) - _all(statement.get("missing", ()))


def _all(ranges: Iterable[Sequence[int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}
