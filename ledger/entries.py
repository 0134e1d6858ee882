"""Ledger entries: small canonical JSON objects, the leaves of the log. See docs/FORMAT.md, "Entries"."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Final, NoReturn

import msgspec

from ledger import canonical, entry_shapes
from ledger.entry_shapes import Blob, Count, Object, Positive, Reference, Sha256
from ledger.errors import FormatError, UnverifiableError

TYPE: Final = "evidence/entry/1"
PREFIX: Final = b'{"_":"evidence/entry/1"'
MAX_ENTRY: Final = 8 * 1024

ROLE_OF: Final[Mapping[str, str]] = {
    "genesis": "admin",
    "key": "admin",
    "policy": "admin",
    "partition": "append",
    "compact": "append",
    "export": "append",
    "report": "append",
    "request": "append",
    "verification": "append",
    "heartbeat": "append",
    "retention": "retention",
    "hold": "retention",
    "erasure": "erasure",
    "reseal": "erasure",
    "restriction": "erasure",
}
"""The role that a key needs to commit an entry of each type."""

UNDERSTOOD: Final = frozenset({"genesis", "key", "partition", "heartbeat", *entry_shapes.CHECKS})
"""The entry types whose meaning this version knows; of the others only the inclusion can be verified."""

ROLES: Final = frozenset(ROLE_OF.values()) | {"log", "approver", "certificate", "bundle"}
"""``log``: signs checkpoints; ``approver``: approves plans; ``certificate``: signs certificates; ``bundle``: signs what
is exported, and grants to open it. None commits by it."""

MAX_SPOOL: Final = 1_000_000
"""Access numbers that one entry may state for a spool."""

MAX_ROWS: Final = 1 << 20
"""Rows of a partition: bounds what a reader must hold for a proof."""
MAX_SEGMENTS: Final = 1 << 24
"""Segments of a partition: as many as a key tree has leaves."""

_PARTITION_PATH: Final = re.compile(r"(events|content)/date=(\d{4}-\d\d-\d\d)/[0-9a-f]{32}\.parquet\Z")
_LATER: Final = re.compile(rb"(?!1[^0-9])[1-9][0-9]{0,8}[^0-9]")


def canonical_bytes(value: Any) -> bytes:
    """Canonical JSON of what goes into a blob instead of an entry."""
    return canonical.encode(value)


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def refuse_version(data: bytes, family: bytes, what: str) -> NoReturn:
    """Raise UnverifiableError for another version of a known format, FormatError for anything else."""
    if data.startswith(family) and _LATER.match(data, len(family)):
        raise UnverifiableError(f"a {what} of a version that this program does not know", hint="Use a newer release.")
    raise FormatError(f"not a {what} of a known version")


def encode(entry_type: str, body: Mapping[str, Any]) -> bytes:
    """Canonical bytes of an entry. Raises FormatError if it is larger than 8 KiB."""
    data = canonical.encode({"_": TYPE, "type": entry_type, **body})
    if len(data) > MAX_ENTRY:
        raise FormatError(f"a ledger entry has at most {MAX_ENTRY} bytes, this one {len(data)}")
    return data


def decode(data: bytes) -> dict[str, Any]:
    """An entry as a mapping with at least ``type``. An unknown type passes.

    Raises FormatError, and UnverifiableError for an entry of a later version.
    """
    if not data.startswith(PREFIX) or len(data) > MAX_ENTRY:
        refuse_version(data, b'{"_":"evidence/entry/', "ledger entry")
    value = canonical.decode(data)
    if not isinstance(value, dict) or value.get("_") != TYPE or not isinstance(value.get("type"), str):
        raise FormatError("not a ledger entry of a known version")
    check = _CHECKS.get(value["type"])
    if check is not None:
        check(value)
    if "spools" in value:
        _check_spools(value["spools"])
    return value


def _check_genesis(entry: Mapping[str, Any]) -> None:
    if not all(isinstance(entry.get(name), str) for name in ("origin", "store", "admin")):
        raise FormatError("a genesis entry without origin, store or admin key")


def _check_key(entry: Mapping[str, Any]) -> None:
    roles = entry.get("roles", [])
    if (
        entry.get("action") not in ("enrol", "retire")
        or not isinstance(entry.get("vkey"), str)
        or not isinstance(roles, list)
        or not all(isinstance(role, str) for role in roles)
    ):
        raise FormatError("a key entry without a known action, a key or a list of roles")


def _check_spools(spools: Any) -> None:
    if not isinstance(spools, list) or not all(_is_spool(item) for item in spools):
        raise FormatError("an entry with malformed spool numbers")


def _is_spool(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("spool"), str):
        return False
    first: Any = item.get("first")
    last: Any = item.get("last")
    missing = item.get("missing", [])
    return (
        _is_count(first)
        and _is_count(last)
        and first <= last < first + MAX_SPOOL
        and isinstance(missing, list)
        and all(_is_range(item, first, last) for item in missing)
    )


def _is_range(item: Any, first: int, last: int) -> bool:
    return (
        isinstance(item, list) and len(item) == 2 and all(map(_is_count, item)) and first <= item[0] <= item[1] <= last
    )


class _Input(msgspec.Struct, frozen=True):
    ref: Reference
    step: Count
    rows: Positive
    digest: Sha256


class _Source(msgspec.Struct, frozen=True):
    source: str
    rows: Positive


class _Time(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: str
    last: str


class _Partition(msgspec.Struct, frozen=True):
    """What a partition entry holds at least (docs/FORMAT.md, "Entries")."""

    events: Object
    content: Object
    rows: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS)]
    segments: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEGMENTS)]
    root: Sha256
    schema: Sha256
    date: str
    retention_class: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]
    kinds: dict[str, Positive]
    sources: list[_Source]
    other_sources: Count
    time: _Time
    rejected: Count
    inputs: list[_Input] | Blob


def _check_partition(entry: Mapping[str, Any]) -> None:
    try:
        found = msgspec.convert(entry, _Partition)
        date.fromisoformat(found.date)
    except ValueError as error:
        raise FormatError(f"a malformed partition entry: {error}") from None
    for name, item in (("events", found.events), ("content", found.content)):
        place = _PARTITION_PATH.match(item.path)
        if place is None or place.groups() != (name, found.date):
            raise FormatError(f"a partition entry whose {name} object stands at no place of its day")


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {
    "genesis": _check_genesis,
    "key": _check_key,
    "partition": _check_partition,
    **entry_shapes.CHECKS,
}


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def referenced_objects(entry: Mapping[str, Any]) -> list[tuple[str, int | None, str]]:
    """Every object that an entry vouches for: (path, size or None, SHA-256 in hex)."""
    listed = [
        entry[name] for name in ("events", "content") if entry["type"] in ("partition", "reseal") and name in entry
    ]
    listed += entry["objects"] if entry["type"] == "report" else []
    objects: list[tuple[str, int | None, str]] = [(item["path"], item["size"], item["sha256"]) for item in listed]
    return objects + [(blob_path(digest), None, digest) for digest in _blobs(entry)]


def _blobs(entry: Mapping[str, Any]) -> list[str]:
    """The digests of what stands beside an entry."""
    if entry["type"] == "retention":
        return [entry["policy"]]
    listed = {"partition": entry.get("inputs"), "request": entry.get("plan"), "export": entry.get("rows")}.get(
        entry["type"]
    )
    return [listed["blob"]] if isinstance(listed, dict) else []


def decode_inputs(data: bytes) -> list[dict[str, Any]]:
    """The list of inputs in a blob. Raises FormatError."""
    value = canonical.decode(data)
    try:
        msgspec.convert(value, list[_Input])
    except msgspec.ValidationError as error:
        raise FormatError(f"a malformed list of inputs: {error}") from None
    return value  # type: ignore[no-any-return]  # msgspec has checked it


def blob_path(sha256: str) -> str:
    """Where a blob stands: named by its content."""
    return f"ledger/blob/{sha256}"
