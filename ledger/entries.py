"""Ledger entries: small canonical JSON objects, the leaves of the log. See docs/FORMAT.md, "Entries"."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from ledger import canonical
from ledger.errors import FormatError

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

ROLES: Final = frozenset(ROLE_OF.values()) | {"log"}

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


def canonical_bytes(value: Any) -> bytes:
    """Canonical JSON of what goes into a blob instead of an entry."""
    return canonical.encode(value)


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def encode(entry_type: str, body: Mapping[str, Any]) -> bytes:
    """Canonical bytes of an entry. Raises FormatError if it is larger than 8 KiB."""
    data = canonical.encode({"_": TYPE, "type": entry_type, **body})
    if len(data) > MAX_ENTRY:
        raise FormatError(f"a ledger entry has at most {MAX_ENTRY} bytes, this one {len(data)}")
    return data


def decode(data: bytes) -> dict[str, Any]:
    """An entry as a mapping with at least ``type``. Raises FormatError; an unknown type passes."""
    if not data.startswith(PREFIX) or len(data) > MAX_ENTRY:
        raise FormatError("not a ledger entry of a known version")
    value = canonical.decode(data)
    if not isinstance(value, dict) or value.get("_") != TYPE or not isinstance(value.get("type"), str):
        raise FormatError("not a ledger entry of a known version")
    if value["type"] == "partition":
        _check_partition(value)
    return value


def _check_partition(entry: Mapping[str, Any]) -> None:
    for name in ("events", "content"):
        item = entry.get(name)
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("path"), str)
            or not isinstance(item.get("size"), int)
            or not _is_sha256(item.get("sha256"))
        ):
            raise FormatError(f"a partition entry without a valid {name} object")
    rows, segments = entry.get("rows"), entry.get("segments")
    if not isinstance(rows, int) or rows < 1 or not isinstance(segments, int) or segments < 1:
        raise FormatError("a partition entry with a wrong number of rows or segments")
    if not _is_sha256(entry.get("root")) or not _is_sha256(entry.get("schema")):
        raise FormatError("a partition entry without a valid root or schema")


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.match(value) is not None


def referenced_objects(entry: Mapping[str, Any]) -> list[tuple[str, int | None, str]]:
    """Every object that an entry vouches for: (path, size or None, SHA-256 in hex)."""
    if entry["type"] != "partition":
        return []
    objects: list[tuple[str, int | None, str]] = [
        (entry[name]["path"], entry[name]["size"], entry[name]["sha256"]) for name in ("events", "content")
    ]
    inputs = entry.get("inputs")
    if isinstance(inputs, dict) and _is_sha256(inputs.get("blob")):
        objects.append((blob_path(inputs["blob"]), None, inputs["blob"]))
    return objects


def blob_path(sha256: str) -> str:
    """Where a blob stands: named by its content."""
    return f"ledger/blob/{sha256}"
