"""Grants: what opens the sealed content of a revocable bundle, for a time, fetched apart from it.

A grant holds one key a record, derived again from what the store can open at that moment: what was erased, has expired,
is restricted, or was redacted after the export has no key in it. It is a signed note by the key of role bundle.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from ledger import notes
from ledger.access import Receipt
from ledger.clock import utc_now
from ledger.entry_shapes import Reference
from ledger.errors import (
    ConfigError,
    FormatError,
    GrantRefusedError,
    NotFoundError,
    TamperedError,
    UnverifiableError,
    UsageError,
)
from ledger.revealed import Revealed
from ledger.store import Store
from replay.catalog import Catalog
from reports.exports.register import Exported, rows_of
from reports.exports.sealed_content import KEY_BYTES, RECORD_BYTES, record_key
from reports.selection.choosing import batches

TYPE: Final = "evidence/grant/1"
MAX_DAYS: Final = 90
"""Days that a grant lasts at most: what was erased meanwhile closes with the next one."""
MAX_GRANT: Final = 32 << 20
"""Bytes of a grant: some 290,000 records."""
_HELD: Final = frozenset({"verified", "redacted"})


class Granted(NamedTuple):
    """A grant that was made: the signed note, when it ends, how many records it opens.

    ``withheld``: how many records got no key, by the state that they are in now.
    """

    note: bytes
    expires_at: str
    opened: int
    withheld: Counter[str]


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"type": "_"}):
    """A grant as it was read: times are RFC 3339 UTC, ``keys`` base64 by record id."""

    type: str
    export: Reference
    expires_at: str
    issued_at: str
    keys: dict[str, str]
    origin: str

    def key(self, record: bytes) -> bytes | None:
        """The key of a record, if the grant opens it."""
        encoded = self.keys.get(record.hex())
        return None if encoded is None else base64.b64decode(encoded)


# ---- giving


def grant(catalog: Catalog, receipt: Receipt, item: Exported, until: str) -> Granted:
    """A grant for a revocable export until a time (RFC 3339 UTC). An access record was written before: the receipt.

    Raises GrantRefusedError for an export that is not revocable, or of which nothing can be opened any more,
    UsageError for a time that has passed or is too far away, ConfigError without a bundle key that the log knows.
    """
    if not item.revocable or item.export is None:
        raise GrantRefusedError("this export is not revocable: its bundle has no sealed content", hint=_SEE)
    store, now = catalog.store, utc_now()
    _check_until(until, now)
    signer = _signer(store)
    export, keys, withheld = bytes.fromhex(item.export), dict[str, str](), Counter[str]()
    for row in _rows(catalog, receipt, item):
        state = _state(row, item)
        if state in _HELD and row.row_key is not None:
            keys[row.record.hex()] = base64.b64encode(record_key(export, row.record, row.row_key)).decode()
        else:
            withheld[state] += 1
    if not keys:
        raise GrantRefusedError("nothing in this export can be opened any more", hint="The ledger says why.")
    made = Grant(TYPE, item.export, until, now, keys, store.history.origin)
    text = f"{TYPE}\n{made.origin}\n".encode() + _encode(made) + b"\n"
    return Granted(notes.sign_note(text, signer, limit=MAX_GRANT), until, len(keys), withheld)


_SEE: Final = "`evidence exports` says which are."


def _check_until(until: str, now: str) -> None:
    end, begin = _moment(until), _moment(now)
    if end <= begin:
        raise UsageError("a grant ends in the future")
    if end > begin + timedelta(days=MAX_DAYS):
        raise UsageError(f"a grant lasts at most {MAX_DAYS} days", hint="Give another one later.")


def _signer(store: Store) -> notes.Signer:
    signer = store.signer("bundle")
    if all(holder.vkey != signer.vkey for holder in store.history.holders("bundle")):
        raise ConfigError("the bundle key does not hold the role bundle in this log")
    return signer


def _rows(catalog: Catalog, receipt: Receipt, item: Exported) -> Iterator[Revealed]:
    """Every row of the bundle as it can be opened now."""
    try:
        listed = list(rows_of(catalog.store, item))
    except NotFoundError as error:
        raise GrantRefusedError(error.message, hint="Export it again.") from None
    for entry, numbers in listed:
        events = catalog.mirror.path(entry.value)
        for rows in batches(numbers):
            yield from catalog.store.reveal(receipt, entry.value, rows, events)


def _state(row: Revealed, item: Exported) -> str:
    """What a row is to this export: what was redacted after it stands in the bundle whole, and closes."""
    if row.state == "redacted" and (row.entry is None or row.entry >= item.checkpoint_size):
        return "redacted since"
    return row.state


# ---- reading


def read_grant(
    data: bytes, keys: Sequence[notes.Verifier], *, export: str, origin: str, now: str | None = None
) -> Grant:
    """A grant that one of the keys has signed, for this export of this log, and that has not expired at ``now``.

    ``now``: RFC 3339 UTC, by default this machine's clock. Raises FormatError for what is no grant, GrantRefusedError
    for one that is not to be used.
    """
    try:
        opened = notes.open_note(data, keys, limit=MAX_GRANT)
    except TamperedError:
        raise GrantRefusedError("the grant was changed: its signature does not verify") from None
    except UnverifiableError:
        raise GrantRefusedError("the grant is not signed by a key that the bundle's ledger entries name") from None
    found = _parse(opened.text)
    if found.origin != origin or found.export != export:
        raise GrantRefusedError("the grant is for another export")
    if _moment(found.expires_at) <= _moment(now or utc_now()):
        raise GrantRefusedError(f"the grant has expired: it ended at {found.expires_at}")
    return found


def holders(entries: Mapping[int, Mapping[str, object]]) -> list[notes.Verifier]:
    """The keys that may sign attestations and grants by these ledger entries (index → entry): enrolled, not retired."""
    enrolled: dict[str, object] = {}
    for _, entry in sorted(entries.items()):
        if entry["type"] != "key":
            continue
        if entry["action"] == "enrol":
            enrolled[str(entry["vkey"])] = entry["roles"]
        else:
            enrolled.pop(str(entry["vkey"]), None)
    return [
        notes.Verifier.from_vkey(vkey)
        for vkey, roles in enrolled.items()
        if isinstance(roles, list) and "bundle" in roles
    ]


def _parse(text: bytes) -> Grant:
    lines = text.split(b"\n")
    if len(lines) != 4 or lines[0] != TYPE.encode() or lines[3]:
        raise FormatError("this is no grant")
    try:
        found = msgspec.json.decode(lines[2], type=Grant)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise FormatError("the grant is malformed") from None
    if found.type != TYPE or found.origin.encode() != lines[1] or _encode(found) != lines[2]:
        raise FormatError("the grant is malformed, or not in its canonical form")
    for record, key in found.keys.items():
        if not _is_hex(record) or len(notes.decode_base64(key, "a key of the grant")) != KEY_BYTES:
            raise FormatError("the grant holds what is no key of a record")
    for moment in (found.expires_at, found.issued_at):
        _moment(moment)
    return found


def _is_hex(text: str) -> bool:
    return len(text) == 2 * RECORD_BYTES and not text.strip("0123456789abcdef")


def _encode(value: Grant) -> bytes:
    """RFC 8785. Our canonical JSON holds no keys that begin with a digit, as record ids do."""
    body = msgspec.to_builtins(value)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise FormatError("the grant states a time that is none") from None
    if not text.endswith("Z") or found.tzinfo != UTC:
        raise FormatError("the grant states a time that is not UTC")
    return found
