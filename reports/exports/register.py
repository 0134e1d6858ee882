"""The register of exports, which bundles were handed out: the ledger has numbers and references, a sealed note words.

No record, no bundle: a file gets its name only after ``record_export`` has returned.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ledger import canonical, entries, entry_shapes
from ledger.access import Receipt
from ledger.errors import FormatError, NotFoundError, TamperedError, UsageError
from ledger.history import Entry
from ledger.recording import NewRecord, record, words
from ledger.store import Store
from replay import access
from reports.bundle.rows import read_rows

ABOUT: Final = "export"
_PURPOSE: Final = "export-digest"
"""The use of the keyring's key for the keyed digest of a bundle."""
_IN_WORDS: Final = frozenset({"query"})
"""Selections whose words can name a person: the entry has their type and period, the sealed note the words."""


class Outgoing(NamedTuple):
    """A bundle that is about to be handed out, as its ledger entry states it: nothing here may name a person.

    ``rows``: the blob that lists the rows (reports.bundle.rows), for a revocable bundle and where the entry does not
    have all of the selection. ``export``: the reference in a revocable bundle, made beforehand since content is sealed
    under it. ``recipient``: a reference (reports.exports.recipients).
    """

    sha256: str
    size: int
    checkpoint_size: int
    selection: Mapping[str, Any]
    partitions: int
    records: int
    contents: Mapping[str, int]
    with_content: bool
    revocable: bool = False
    export: str | None = None
    rows: Mapping[str, Any] | None = None
    recipient: str | None = None


class Words(NamedTuple):
    """What is said of an export, sealed: why, what was asked for as it was typed, and the recipient's name.

    ``asked``: labels (``[a-z][a-z0-9_]*``) and texts, such as the identifiers of a person or the SQL of a query.
    """

    purpose: str
    asked: Mapping[str, str]
    recipient: str | None = None


class _Operator(msgspec.Struct, frozen=True):
    name: str
    host: str


class _Note(msgspec.Struct, frozen=True):
    """What a sealed note says; see docs/FORMAT.md."""

    asked: dict[str, str]
    bundle_mac: str
    operator: _Operator
    purpose: str
    recipient: str | None = None


def record_export(store: Store, outgoing: Outgoing, said: Words) -> Entry:
    """Record an export: its entry, and in the same commit the sealed note that the entry names; durable on return.

    The note is owned by the export's own reference. Raises what appending raises, UsageError for words that are no
    Unicode.
    """
    reference = outgoing.export or secrets.token_hex(16)
    body = {
        "bundle": {"sha256": outgoing.sha256, "size": outgoing.size},
        "checkpoint_size": outgoing.checkpoint_size,
        "contents": dict(outgoing.contents),
        "export": reference,
        "partitions": outgoing.partitions,
        "records": outgoing.records,
        "revocable": outgoing.revocable,
        "selection": _stated(outgoing.selection),
        "with_content": outgoing.with_content,
        **({} if outgoing.recipient is None else {"recipient": outgoing.recipient}),
        **({} if outgoing.rows is None else {"rows": dict(outgoing.rows)}),
    }
    if outgoing.rows is None and (outgoing.revocable or outgoing.selection["type"] in _IN_WORDS):
        raise UsageError("an export that its selection does not tell states its rows")
    content = words(
        about=ABOUT,
        asked=dict(said.asked),
        bundle_mac=_mac(store, outgoing.sha256),
        operator=access.who(),
        purpose=said.purpose,
        **({} if said.recipient is None else {"recipient": said.recipient}),
    )
    fields = {"kind": "review", "source_id": reference, "subjects": {"actor": [access.operator(store)]}}
    made = NewRecord(fields, content, reference)
    return record(store, [made], lambda ids: [("export", {**body, "record": ids[0]})]).entries[-1]


def _stated(selection: Mapping[str, Any]) -> dict[str, Any]:
    if selection["type"] not in _IN_WORDS:
        return dict(selection)
    return {name: value for name, value in selection.items() if name in ("type", "from", "to")}


def _mac(store: Store, sha256: str) -> str:
    mac = store.keyring.secret_mac(_PURPOSE)
    mac.update(bytes.fromhex(sha256))
    return mac.hexdigest()


# ---- reading the register


class Exported(msgspec.Struct, frozen=True):
    """An export as the ledger lists it. ``entry``: its index; ``at``: its commit's time, RFC 3339 UTC.

    ``contents`` counts by state. ``export``, ``record``, ``recipient`` are references, None where the entry has none.
    """

    entry: int
    at: str
    sha256: str
    size: int
    selection: dict[str, str | list[str]]
    partitions: int
    records: int
    contents: dict[str, int]
    with_content: bool
    revocable: bool
    checkpoint_size: int
    recipient: str | None
    export: str | None
    record: str | None


class Details(msgspec.Struct, frozen=True):
    """The words of an export. ``state`` as of any content; nothing else is there but for ``verified`` and ``redacted``.

    ``same_bundle``: whether the note's keyed digest is over the digest that the entry states.
    """

    state: str
    operator: str | None = None
    host: str | None = None
    purpose: str | None = None
    asked: dict[str, str] = {}
    recipient: str | None = None
    same_bundle: bool | None = None


def exports(store: Store) -> list[Exported]:
    """Every export, in the order of the log."""
    return [_exported(entry) for entry in store.history.entries if entry.value["type"] == "export"]


def find(store: Store, text: str) -> Exported:
    """The export of an entry index, or whose reference or bundle's SHA-256 begins so (4 digits at least).

    Raises NotFoundError, also where several do.
    """
    listed = exports(store)
    if text.isdecimal() and len(text) < 10:
        found = [item for item in listed if item.entry == int(text)]
    else:
        found = [item for item in listed if len(text) >= 4 and _is_named(item, text)]
    if len(found) != 1:
        problem = "several exports are" if found else "no export is"
        raise NotFoundError(f"{problem} named so", hint="`evidence exports` lists them.")
    return found[0]


def _is_named(item: Exported, text: str) -> bool:
    return item.sha256.startswith(text) or (item.export is not None and item.export.startswith(text))


def _exported(entry: Entry) -> Exported:
    shape = entry_shapes.read(entry.value)
    return Exported(
        entry=entry.index,
        at=entry.time,
        sha256=shape.bundle.sha256,
        size=shape.bundle.size,
        selection=shape.selection,
        partitions=shape.partitions,
        records=shape.records,
        contents=shape.contents,
        with_content=shape.with_content,
        revocable=shape.revocable,
        checkpoint_size=shape.checkpoint_size,
        recipient=shape.recipient,
        export=shape.export,
        record=shape.record,
    )


def details(store: Store, receipt: Receipt, item: Exported) -> Details | None:
    """The words of an export; None where it has none. Raises what revealing content raises."""
    if item.record is None:
        return None
    commit = store.history.entries[item.entry].seq
    for partition in (entry for entry in store.history.partitions() if entry.seq == commit):
        for row in store.reveal(receipt, partition.value, range(partition.value["rows"])):
            if row.record.hex() == item.record:
                return Details(row.state) if row.bytes is None else _details(store, item, row.state, row.bytes)
    raise TamperedError("an export names a record that its commit does not hold")


def _details(store: Store, item: Exported, state: str, content: bytes) -> Details:
    try:
        said = msgspec.convert(canonical.decode(content), _Note)
    except (FormatError, msgspec.ValidationError):
        return Details("unverifiable")
    same = hmac.compare_digest(said.bundle_mac.encode(), _mac(store, item.sha256).encode())
    return Details(state, said.operator.name, said.operator.host, said.purpose, said.asked, said.recipient, same)


def rows_of(store: Store, item: Exported) -> Iterator[tuple[Entry, list[int]]]:
    """The partitions that an export holds rows of, and which, where its entry has them; in the order of the log.

    Raises NotFoundError where it has none, LostError or TamperedError where the blob is not what the entry names.
    """
    history = store.history
    stated = history.entries[item.entry].value.get("rows")
    if stated is None:
        raise NotFoundError("the ledger does not list the rows of this export")
    for index, runs in sorted(read_rows(store, stated["blob"]).items()):
        known = history.entries[index] if index < len(history.entries) else None
        if known is None or known.value["type"] != "partition" or sum(runs[-1]) > known.value["rows"]:
            raise TamperedError("an export lists rows that no partition has", path=entries.blob_path(stated["blob"]))
        yield known, [row for first, number in runs for row in range(first, first + number)]
