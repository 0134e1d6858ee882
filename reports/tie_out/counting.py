"""Counts that must be equal, each made another way: ledger = events files = population = what is reported.

Each count names what was counted and how, so that somebody else can count it again. What differs is named, by partition
too: no difference is averaged away.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.history import Entry
from replay.catalog import Catalog, parameter
from reports.document import Column, Table
from reports.published import Published

Period = tuple[str | None, str | None]
"""[from, to), RFC 3339 UTC, None for open. A record's time is ``occurred_at``, else ``observed_at``."""

TIME: Final = "rtrim(coalesce(json->>'$.occurred_at', json->>'$.observed_at'), 'Z')"
"""SQL: a record's time as text. Without its Z, RFC 3339 UTC text sorts at any precision."""
LINES: Final = "(SELECT *, decode(line)::JSON AS json FROM read_parquet($files, filename = true))"
"""SQL: the lines of events files, as text of JSON: typed columns are an index over them, which is not trusted here."""


class Count(NamedTuple):
    """A count: its name, the number, and what was counted by which query or code."""

    name: str
    number: int
    query: str


class PartitionCount(NamedTuple):
    """One partition counted: by its ledger entry, in its events file, those selected there, those in the population."""

    entry: int
    date: str
    ledger: int
    events: int
    selected: int
    population: int | None


@dataclass(frozen=True)
class Scope:
    """What is counted: a period, and a further condition in SQL on ``json``, the parsed line, with its parameters.

    ``may_hold``: whether a partition of this entry can hold such records at all.
    """

    period: Period = (None, None)
    condition: str = "true"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    may_hold: Callable[[Mapping[str, Any]], bool] | None = None

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Whether a partition is counted: its time overlaps the period, to the second, as its bounds sort as text."""
        if self.may_hold is not None:
            return self.may_hold(entry)
        (start, end), first, last = self.period, entry["time"]["from"][:19], entry["time"]["to"][:19]
        return (start is None or start[:19] <= last) and (end is None or first <= end[:19])

    def sql(self) -> tuple[str, dict[str, Any]]:
        """The whole condition and all its parameters."""
        start, end = self.period
        parts, given = [f"({self.condition})"] if self.condition != "true" else [], dict(self.parameters)
        if start is not None:
            parts.append(f"{TIME} >= $from")
            given["from"] = start[:-1]
        if end is not None:
            parts.append(f"{TIME} < $to")
            given["to"] = end[:-1]
        return " AND ".join(parts) or "true", given

    def words(self) -> str:
        """The condition with its parameters, for whoever counts again."""
        condition, given = self.sql()
        shown = ", ".join(f"{name} = {_shown(value)}" for name, value in sorted(given.items()))
        return f"{condition} -- {shown}" if shown else condition


def scope_of(selection: Mapping[str, Any], records: Collection[str] = ()) -> Scope:
    """The scope of a selection as bundles state it; ``records``: the ids of one that its statement does not tell."""
    period = (selection.get("from"), selection.get("to"))
    match selection["type"]:
        case "time":
            return Scope(period)
        case "session":
            return Scope(period, "json->>'$.session' = $session", {"session": selection["session"]})
        case "subject":
            return Scope(period, _SUBJECTS, {"subjects": list(selection["subjects"])})
        case "model" if "version" in selection:
            condition = f"{_MODEL} AND json->>'$.model_ref.version' = $version"
            return Scope(period, condition, {"model": selection["model"], "version": selection["version"]})
        case "model":
            return Scope(period, _MODEL, {"model": selection["model"]})
    return Scope(period, f"list_contains($records::VARCHAR[], {_ID})", {"records": sorted(records)})


_ID: Final = "lower(sha256('\\x00'::BLOB || line))"
_MODEL: Final = (
    "$model IN (json->>'$.model_ref.name', json->>'$.gen_ai_request_model', json->>'$.gen_ai_response_model')"
)
_SUBJECTS: Final = (
    "list_has_any(list_append(flatten(map_values((json->'$.subjects')::MAP(VARCHAR, VARCHAR[]))), "
    "json->>'$.content.owner'), $subjects::VARCHAR[])"
)


@dataclass(frozen=True)
class TieOut:
    """The counts of one scope. ``differences``: in words, what is not equal; empty where everything ties."""

    counts: tuple[Count, ...]
    partitions: tuple[PartitionCount, ...]
    differences: tuple[str, ...]

    def csv(self, *more: Count) -> bytes:
        """``tie-out.csv`` of a bundle: count, number, query. ``more``: what the bundle counts itself."""
        file = io.StringIO(newline="")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("count", "number", "query"))
        writer.writerows((*self.counts, *more))
        return file.getvalue().encode()

    def table(self) -> Table:
        """The counts for a report."""
        columns = (Column("Count"), Column("Number", "number"), Column("Counted by", "code"))
        return Table("tie-out", "Tie-out", columns, self.counts, note=self._note())

    def by_partition(self) -> Table:
        """The counts by partition."""
        numbers = ("Ledger", "Events file", "Selected there", "Population")
        columns = (Column("Entry", "number"), Column("Date", "code"), *(Column(title, "number") for title in numbers))
        return Table("tie-out-partitions", "Tie-out by partition", columns, self.partitions)

    def _note(self) -> str:
        return "All counts tie." if not self.differences else " ".join(f"{item}." for item in self.differences)


def table(
    catalog: Catalog,
    published: Published,
    period: Period,
    population: int,
    report: int,
    scope: Scope | None = None,
    by_entry: Mapping[int, int] | None = None,
) -> Table:
    """The tie-out of a report as a table. See ``tie_out``."""
    return tie_out(catalog, published, scope or Scope(period), population, report, by_entry).table()


def tie_out(
    catalog: Catalog,
    published: Published,
    scope: Scope,
    population: int,
    report: int | None,
    by_entry: Mapping[int, int] | None = None,
    how: tuple[str, str] = ("record lines chosen by the selection", "records in this report"),
) -> TieOut:
    """Count the records of a scope under a checkpoint, in the ledger and in the events files, and compare.

    ``population``: those that were chosen, by other code than this; ``by_entry``: the same by the index of partition
    entries. ``report``: those that are shown; None where fewer are shown on purpose. ``how``: what these two counted.
    Raises LostError or TamperedError where an events file is not the one that its entry names.
    """
    size = published.checkpoint.size
    entries = [item for item in catalog.partitions() if item.index < size and scope.holds(item.value)]
    found = _in_files(catalog, entries, scope)
    partitions = tuple(
        PartitionCount(
            *(entry.index, entry.value["date"], entry.value["rows"], *found.get(entry.index, (0, 0))),
            None if by_entry is None else by_entry.get(entry.index, 0),
        )
        for entry in entries
    )
    events, selected = sum(item.events for item in partitions), sum(item.selected for item in partitions)
    counts = [
        Count("ledger", sum(item.ledger for item in partitions), f"rows stated by {_entries(entries)} below {size}"),
        Count("events", events, f"SELECT count(line) FROM read_parquet(their {len(entries)} events files)"),
        Count("selected", selected, f"SELECT count(*) FROM (lines of these files as json) WHERE {scope.words()}"),
        Count("population", population, how[0]),
    ]
    if report is not None:
        counts.append(Count("report", report, how[1]))
    stray = set(by_entry or ()) - {entry.index for entry in entries}
    return TieOut(tuple(counts), partitions, tuple(_differences(counts, partitions, sorted(stray))))


def _entries(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} partition {'entry' if len(entries) == 1 else 'entries'} of the ledger"


def _in_files(catalog: Catalog, entries: Sequence[Entry], scope: Scope) -> dict[int, tuple[int, int]]:
    """By entry the rows of its events file, and those of them in the scope."""
    paths = {str(catalog.mirror.path(entry.value)): entry.index for entry in entries}
    if not paths:
        return {}
    condition, given = scope.sql()
    rows = catalog.connection.execute(
        f"SELECT filename, count(line), count(*) FILTER ({condition}) FROM {LINES} GROUP BY filename",
        {"files": list(paths), **{name: _plain(value) for name, value in given.items()}},
    ).fetchall()
    return {paths[path]: (events, selected) for path, events, selected in rows}


def _shown(value: Any) -> str:
    """A parameter as text; of a long list how many it has."""
    return f"{len(value)} values" if isinstance(value, list) and len(value) > 8 else str(value)


def _plain(value: Any) -> Any:
    return parameter(value) if isinstance(value, str) else value


def _differences(counts: Sequence[Count], partitions: Sequence[PartitionCount], stray: Sequence[int]) -> list[str]:
    number = {count.name: count.number for count in counts}
    found = []
    for item in partitions:
        if item.ledger != item.events:
            found.append(f"entry {item.entry} states {item.ledger} rows, its events file has {item.events}")
        if item.population is not None and item.population != item.selected:
            found.append(
                f"entry {item.entry}: {item.selected} records selected there, {item.population} in the population"
            )
    found += [f"the population has records of entry {index}, which is out of scope" for index in stray]
    for one, two in (("selected", "population"), ("population", "report")):
        if two in number and number[one] != number[two]:
            found.append(f"{one} counts {number[one]}, {two} {number[two]}")
    return found
