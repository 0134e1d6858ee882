"""Commits: signed notes by writer keys, numbered without gaps, each naming its predecessor by hash.

The lines of a commit object:

    evidence/commit/1
    <origin>
    <seq>
    <time, RFC 3339 UTC>
    <SHA-256 of the previous commit object in hex, 64 zeros for the first>
    <size before> <base64 of the root before>
    <size after> <base64 of the root after>
    <base64 of an entry>            one line an entry, at least one

    - <key name> <base64(key id || signature)>    one line a signer (C2SP signed-note)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger import entries as entry_format
from ledger import merkle, notes
from ledger.errors import FormatError

TYPE: Final = "evidence/commit/1"
NO_PREDECESSOR: Final = "0" * 64
MAX_SEQ: Final = 999_999_999
MAX_BYTES: Final = 1024 * 1024

_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,17})\Z")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\Z")


@dataclass(frozen=True)
class Commit:
    """One commit's statement. ``previous`` is the SHA-256 (hex) of the whole previous commit object."""

    origin: str
    seq: int
    time: str
    previous: str
    size_before: int
    root_before: bytes
    size_after: int
    root_after: bytes
    entries: tuple[bytes, ...]

    def text(self) -> bytes:
        """The note's text: what the writers sign."""
        lines = [
            TYPE,
            self.origin,
            str(self.seq),
            self.time,
            self.previous,
            f"{self.size_before} {base64.b64encode(self.root_before).decode()}",
            f"{self.size_after} {base64.b64encode(self.root_after).decode()}",
            *(base64.b64encode(entry).decode() for entry in self.entries),
        ]
        return ("\n".join(lines) + "\n").encode()


def commit_path(seq: int) -> str:
    """Where commit ``seq`` stands: ``ledger/commit/000/000/042``."""
    if not 0 <= seq <= MAX_SEQ:
        raise FormatError(f"no commit number {seq}")
    digits = f"{seq:09d}"
    return f"ledger/commit/{digits[:3]}/{digits[3:6]}/{digits[6:]}"


def digest(data: bytes) -> str:
    """SHA-256 of a commit object in hex, as its successor names it."""
    return hashlib.sha256(data).hexdigest()


def parse_commit(data: bytes) -> tuple[Commit, notes.Note]:
    """A commit object's statement and its note, signatures unchecked. Raises FormatError."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"a commit has at most {MAX_BYTES} bytes")
    note = notes.parse_note(data)
    try:
        lines = note.text.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise FormatError("a commit is ASCII") from None
    if lines[0] != TYPE:
        entry_format.refuse_version(note.text, b"evidence/commit/", "commit")
    if len(lines) < 9 or lines[-1] != "":
        raise FormatError("not a commit of a known version")
    if not _NUMBER.match(lines[2]) or not _TIME.match(lines[3]) or not re.match(r"[0-9a-f]{64}\Z", lines[4]):
        raise FormatError("a commit with a malformed number, time or predecessor")
    _check_time(lines[3])
    size_before, root_before = _size_and_root(lines[5])
    size_after, root_after = _size_and_root(lines[6])
    entries = tuple(_base64(line) for line in lines[7:-1])
    commit = Commit(
        lines[1], int(lines[2]), lines[3], lines[4], size_before, root_before, size_after, root_after, entries
    )
    return commit, note


def _check_time(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise FormatError("a commit with a time that no calendar has") from None


def _size_and_root(line: str) -> tuple[int, bytes]:
    size, _, root = line.partition(" ")
    value = _base64(root)
    if not _NUMBER.match(size) or len(value) != 32:
        raise FormatError("a commit with a malformed size or root")
    return int(size), value


def _base64(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise FormatError("a commit with malformed base64") from None
    if base64.b64encode(value).decode() != text:
        raise FormatError("a commit with base64 that is not canonical")
    return value


def next_commit(
    origin: str, time: str, previous: tuple[int, str] | None, frontier: merkle.Frontier, entries: Sequence[bytes]
) -> Commit:
    """The commit that appends ``entries`` to a log with this frontier, after commit (seq, digest)."""
    for entry in entries:
        entry_format.decode(entry)
    after = frontier.copy()
    after.extend([merkle.leaf_hash(entry) for entry in entries])
    seq, digest_before = (previous[0] + 1, previous[1]) if previous else (0, NO_PREDECESSOR)
    return Commit(
        origin, seq, time, digest_before, frontier.size, frontier.root(), after.size, after.root(), tuple(entries)
    )
