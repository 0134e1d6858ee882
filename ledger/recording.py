"""Single records that the store itself makes: sealed in a small partition, committed together with entries about them.

So words about something (why a correction was made, what a requester wrote) stand encrypted under somebody's key, and
the entry of the same commit names the record by its id.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import canonical, following, merkle, partition_writer, records
from ledger.clock import utc_now
from ledger.errors import ErasedError, FormatError, UsageError
from ledger.partition_reader import open_parquet, read_table

if TYPE_CHECKING:
    from ledger.history import Entry
    from ledger.store import KeyName, Store

SOURCE: Final = "evidence"
ADAPTER: Final = "note/1"
NOTE: Final = "evidence/note/1"

Bodies = Sequence[tuple[str, dict[str, Any]]]
"""Entries to be: type and body of each."""


class NewRecord(NamedTuple):
    """A record to be made.

    ``fields`` are those of its line but ``_``, ``content``, ``observed_at`` and ``retention_class``; all of them but
    ``kind`` have a default. ``owner`` is the reference whose key protects the content.
    """

    fields: Mapping[str, Any]
    content: bytes
    owner: str


class Recorded(NamedTuple):
    """What was committed: the ids of the records, in the order given; the entries, the partition's first."""

    record_ids: list[str]
    entries: list[Entry]


def words(**values: Any) -> bytes:
    """The content of a record of adapter note/1: canonical JSON. Raises UsageError for text that is no Unicode."""
    try:
        return canonical.encode({"_": NOTE, **values})
    except FormatError as error:
        raise UsageError(f"this cannot be recorded: {error.message}") from None


def _nothing(_record_ids: list[str]) -> Bodies:
    return ()


def record(
    store: Store,
    made: Sequence[NewRecord],
    entries: Callable[[list[str]], Bodies] = _nothing,
    by: Sequence[KeyName] = ("writer",),
    recheck: Callable[[list[Entry]], None] | None = None,
) -> Recorded:
    """Seal records and commit them with entries; durable when it returns.

    ``entries`` is given the ids of the records and gives the entries that the same commit states behind the partition.
    ``by`` names the keys that sign, the writer's among them. Raises ErasedError where an owner's key was destroyed,
    also by another process meanwhile; then nothing is committed. ``recheck``: see LogWriter.append.
    """
    foreign = store.refresh()
    if foreign and recheck is not None:
        recheck(foreign)
    following.refuse_behind(store)
    owners = {item.owner for item in made}
    rows = [partition_writer.Row.of(_fields(store, item.fields), item.content, item.owner) for item in made]
    names = [(row.line.source, row.line.source_id) for row in rows]
    if not rows or len(set(names)) != len(names):
        raise UsageError("records are made one by one, at least one, and each has an id of its own")
    built, body = partition(store, rows, store.settings.retention_class)
    ids = _ids(built)

    def recheck_all(foreign: list[Entry]) -> None:
        if recheck is not None:
            recheck(foreign)
        for entry in foreign:
            if entry.value["type"] == "erasure" and not owners.isdisjoint(entry.value["subjects"]):
                raise ErasedError("the key that was to protect this record was destroyed meanwhile")

    found = [ids[name] for name in names]
    return Recorded(found, store.append([("partition", body), *entries(found)], recheck_all, by=by))


def partition(
    store: Store, rows: Iterable[partition_writer.Row], retention_class: str
) -> tuple[partition_writer.Built, dict[str, Any]]:
    """A partition of today's, of rows of one class: its files, which are durable, and the body of its entry."""
    listed = list(rows)
    day = utc_now()[:10]
    place, tree = store.new_partition(day)
    built = partition_writer.build(listed, place, tree, store.keyring.data_keys({row.owner for row in listed}))
    partition_writer.write(store.objects, place, built)
    return built, {**built.body, "date": day, "retention_class": retention_class}


def _fields(store: Store, given: Mapping[str, Any]) -> dict[str, Any]:
    """A line's fields, all that the store knows better than the caller filled in."""
    now = utc_now()
    fields: dict[str, Any] = {
        "source": SOURCE,
        "source_id": secrets.token_hex(16),
        "adapter": ADAPTER,
        "occurred_at": now,
        "time_basis": "source",
        "capture": "complete",
    }
    return {**fields, **given, "observed_at": now, "retention_class": store.settings.retention_class}


def _ids(built: partition_writer.Built) -> dict[tuple[str, str], str]:
    """Source and id of each record → its record id. A commitment is random, so an id is known only once it is built."""
    lines: list[bytes] = read_table(open_parquet(built.events, "new"), "new", columns=["line"])["line"].to_pylist()
    parsed = records.read_lines(lines)
    leaves = merkle.leaf_hashes(lines)
    return {(line.source, line.source_id): leaf.hex() for line, leaf in zip(parsed, leaves, strict=True)}
