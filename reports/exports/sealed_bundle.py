"""Opening the sealed content of a revocable bundle with a grant, and checking it as disclosed content is checked.

verify.py has no AES and checks everything else; this runs after it, on the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger import canonical, merkle, notes, records
from ledger.errors import EvidenceError, GrantRefusedError, TamperedError, UsageError
from reports.bundle.checking import proven
from reports.exports.grants import MAX_GRANT, Grant, holders, read_grant
from reports.exports.sealed_content import Unsealed, fits, unseal
from reports.standalone import verify

_MANIFEST: Final = "data/bundle.json"
_ENTRIES: Final = "data/entries.jsonl"
_RECORDS: Final = "data/records.jsonl"
_CONTENT: Final = "data/content.jsonl"


class Opening(NamedTuple):
    """What a grant opened. ``closed``: sealed content that it has no key for."""

    expires_at: str
    opened: int
    closed: int


class _Sealed(NamedTuple):
    """One record's sealed content: the line of content.jsonl about it, the record line, the sealed bytes."""

    listed: dict[str, Any]
    line: dict[str, Any]
    record: bytes
    data: bytes

    @property
    def where(self) -> str:
        """As a finding names it."""
        row, partition = self.listed["row"], self.listed["partition"]
        return f"{_CONTENT}, row {row} of partition {partition} (record {self.record.hex()[:12]})"


def open_sealed(
    bundle: Path, grant: Path, result: verify.Result, *, now: str | None = None, max_size: int = verify.MAX_SIZE
) -> Opening | None:
    """Open what the grant has keys for; what does not fit is added to the findings of ``result``, a check without keys.

    None where that check found anything lost or tampered: then no content is opened. Raises GrantRefusedError for a
    grant that is not to be used on this bundle, FormatError, UsageError.
    """
    data = _read(grant)
    if result.verdict in (verify.TAMPERED, verify.LOST, verify.NOTHING_THERE):
        return None
    with verify.open_bundle(str(bundle), max_size) as files:
        manifest = canonical.decode(files.read(_MANIFEST))
        if manifest.get("content") != "sealed":
            raise GrantRefusedError("this bundle holds no sealed content, so there is nothing to open")
        entries = _entries(files)
        opened = read_grant(data, holders(entries), export=manifest["export"], origin=manifest["origin"], now=now)
        counts: Counter[str] = Counter()
        for item in sealed(files):
            counts[_check(item, opened, entries, result)] += 1
    if counts.keys() == {"opened"}:
        proven(result, "sealed")
    return Opening(opened.expires_at, counts["opened"], counts["closed"])


def sealed(files: verify.Bundle) -> Iterator[_Sealed]:
    """The sealed contents of a bundle that was checked, in its order."""
    with ExitStack() as stack:
        partition, file = -1, None
        for listed_line, line in zip(files.lines(_CONTENT), files.lines(_RECORDS), strict=True):
            listed = canonical.decode(listed_line)
            if "offset" not in listed:
                continue
            if file is None or listed["partition"] != partition:
                stack.close()
                partition = listed["partition"]
                file = stack.enter_context(files.open(f"data/content/{partition}.bin"))
            yield _Sealed(listed, records.parse_line(line), merkle.leaf_hash(line), file.read(listed["size"]))


def unsealed(item: _Sealed, grant: Grant, entries: Mapping[int, Mapping[str, Any]]) -> Unsealed | None:
    """A record's content, as its line or a redaction commits to it; None where the grant has no key for it.

    Raises TamperedError for anything else, FormatError for what is cut short.
    """
    key, export = grant.key(item.record), bytes.fromhex(grant.export)
    if key is None:
        return None
    opened = unseal(export, item.record, key, item.data)
    if not fits(opened, export, item.record, key, _commitment(item, entries)):
        raise TamperedError("the sealed content is not the one that the record commits to")
    return opened


def _check(item: _Sealed, grant: Grant, entries: Mapping[int, Mapping[str, Any]], result: verify.Result) -> str:
    try:
        opened = unsealed(item, grant, entries)
        if opened is None:
            return "closed"
        _check_parts(opened)
    except (EvidenceError, KeyError, TypeError, ValueError) as error:
        reason = error.message if isinstance(error, EvidenceError) else "is malformed"
        result.add(verify.TAMPERED, item.where, reason)
        return "failed"
    return "opened"


def _check_parts(opened: Unsealed) -> None:
    """What the exporter calls the record's own words stands in its content."""
    parts = canonical.decode(opened.parts)
    searched = verify.texts_of(opened.content) if parts else ()
    for part in parts:
        if part["verbatim"] and not any(part["text"] in text for text in searched):
            raise TamperedError("a part that is said to be the record's own words is not in its content")


def _commitment(item: _Sealed, entries: Mapping[int, Mapping[str, Any]]) -> str:
    """What the content commits to: the line, or the newest redaction of the row."""
    if item.listed["state"] == "verified":
        return str(item.line["content"]["commitment"])
    found = [
        redacted["commitment"]
        for _, entry in sorted(entries.items())
        if entry["type"] == "reseal" and entry["partition"] == item.listed["partition"]
        for redacted in entry["redacted"]
        if redacted["row"] == item.listed["row"]
    ]
    if not found:
        raise TamperedError("the record is called redacted, and no entry says so")
    return str(found[-1])


def _entries(files: verify.Bundle) -> dict[int, dict[str, Any]]:
    """The ledger entries of the bundle by index; the check before has proven them."""
    lines = map(canonical.decode, files.lines(_ENTRIES))
    return {line["index"]: canonical.decode(notes.decode_base64(line["entry"], "an entry")) for line in lines}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_GRANT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
