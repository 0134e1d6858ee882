"""What entries hold at least, but for those of keys and partitions: erasures, holds, requests, exports, reports, …

See docs/FORMAT.md, "Entries". Further fields are kept and mean nothing to this version. No field holds personal data:
people are random references, reasons are codes, words stand in the encrypted content of a record that ``record`` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from ledger.errors import FormatError

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Reference = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Code = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.:-]{0,63}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Range = Annotated[list[Count], msgspec.Meta(min_length=2, max_length=2)]
"""First and last, both included."""


class Object(msgspec.Struct, frozen=True):
    """An object of the store."""

    path: str
    size: Positive
    sha256: Sha256


class Blob(msgspec.Struct, frozen=True):
    """What is too large for an entry: an object named by its SHA-256, and how many items it holds."""

    blob: Sha256
    count: Positive


class Segments(msgspec.Struct, frozen=True):
    """Segments of the content file of the partition in the entry with this index."""

    partition: Count
    segments: list[Range]


class Epoch(msgspec.Struct, frozen=True):
    """An epoch of the keyring that ended. ``unreadable_at``: from when no key opens a backup of it.

    ``depends_on``: ``operator`` where that is so only once a person has taken the old key-encryption key away.
    """

    ended: Positive
    begun: Positive
    unreadable_at: str
    depends_on: Code | None = None


class Erasure(msgspec.Struct, frozen=True):
    """Keys that were destroyed: of subjects, of single segments, of an epoch.

    ``sessions``: references of conversations of these people alone, whose identifiers were deleted.
    """

    subjects: list[Reference]
    sessions: list[Reference] = []
    segments: list[Segments] = []
    request: Reference | None = None
    plan: Sha256 | None = None
    epoch: Epoch | None = None


class Redacted(msgspec.Struct, frozen=True):
    """A row whose content was sealed again without a part of it; ``commitment`` is to what it is now."""

    row: Count
    commitment: Sha256
    reason: Code


class Reseal(msgspec.Struct, frozen=True):
    """Segments sealed again into a new object; the leaves that opened them before are destroyed.

    ``segments``: pairs of the number in the partition's content file and the number in the new object.
    """

    partition: Count
    content: Object
    segments: list[Range]
    redacted: list[Redacted]
    request: Reference | None = None
    plan: Sha256 | None = None


class Expired(msgspec.Struct, frozen=True):
    """A partition whose key was destroyed but for what is on hold: ``kept`` segments."""

    partition: Count
    kept: list[Range] = []


class Retention(msgspec.Struct, frozen=True):
    """What expired by a policy. ``what``: content alone, or lines too. ``deleted``: its objects may be gone."""

    policy: Sha256
    what: Literal["content", "metadata"]
    partitions: list[Expired]
    deleted: bool = False


class Scope(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """What a hold is on: subjects, a session, a time, or what all of those given have in common."""

    subjects: list[Reference] = []
    session: str | None = None
    first: str | None = None
    last: str | None = None


class Hold(msgspec.Struct, frozen=True):
    """A legal hold begins or ends. ``record``: the record whose content says why, in words."""

    action: Literal["add", "release"]
    hold: Reference
    basis: Code | None = None
    scope: Scope | None = None
    record: Sha256 | None = None


class Restriction(msgspec.Struct, frozen=True):
    """Processing of what is about these subjects is restricted (GDPR, Article 18), or no longer is."""

    action: Literal["restrict", "lift"]
    subjects: list[Reference]
    basis: Code | None = None
    request: Reference | None = None
    until: str | None = None


class Request(msgspec.Struct, frozen=True):
    """Something that happened to a data subject's request. ``details``: closed codes, numbers, times, digests."""

    request: Reference
    event: Code
    subjects: list[Reference] = []
    plan: Blob | None = None
    record: Sha256 | None = None
    details: dict[str, str | int | bool | list[str] | None] = {}


class Bundle(msgspec.Struct, frozen=True):
    """A file that was handed out; it is no object of the store."""

    sha256: Sha256
    size: Positive


class Export(msgspec.Struct, frozen=True):
    """A bundle that was handed out. ``record``: the record whose content says who asked, why, for whom, and its digest.

    ``rows``: which rows it holds, as a blob, where ``selection`` alone does not tell (a query, a control).
    """

    bundle: Bundle
    selection: dict[str, str | list[str]]
    with_content: bool
    partitions: Count
    records: Count
    checkpoint_size: Positive
    contents: dict[str, Count] = {}
    recipient: Reference | None = None
    record: Sha256 | None = None
    rows: Blob | None = None
    export: Reference | None = None
    revocable: bool = False


class Rendering(Object, frozen=True):
    """A report's file."""

    path: Annotated[str, msgspec.Meta(pattern=r"^reports/[A-Za-z0-9_-]+/[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")]


class Report(msgspec.Struct, frozen=True):
    """A report that was put into the store, under ``reports/``. It names nobody. ``verdicts``: how many of each."""

    name: Code
    objects: list[Rendering]
    checkpoint_size: Positive
    parameters: dict[str, str] = {}
    verdicts: dict[str, Count] = {}


class Verification(msgspec.Struct, frozen=True):
    """A verification that ran, as the one who ran it states: how deep, what was found, what was covered."""

    level: Literal["head", "fast", "deep"]
    verdict: Code
    exit_code: Count
    checkpoint_size: Positive
    grade: Code
    begun_at: str
    ended_at: str
    partitions: Count = 0
    records: Count = 0
    contents: Count = 0
    bytes: Count = 0


_SHAPES: Final[Mapping[str, type[msgspec.Struct]]] = {
    "erasure": Erasure,
    "reseal": Reseal,
    "retention": Retention,
    "hold": Hold,
    "restriction": Restriction,
    "request": Request,
    "export": Export,
    "report": Report,
    "verification": Verification,
}


def _checker(name: str, shape: type[msgspec.Struct]) -> Callable[[Mapping[str, Any]], None]:
    def check(entry: Mapping[str, Any]) -> None:
        try:
            msgspec.convert(entry, shape)
        except msgspec.ValidationError as error:
            raise FormatError(f"a malformed {name} entry: {error}") from None
        for first, last in _ranges(entry):
            if last < first:
                raise FormatError(f"a malformed {name} entry: a range ends before it begins")

    return check


def _ranges(entry: Mapping[str, Any]) -> list[tuple[int, int]]:
    listed = entry["segments"] if entry["type"] == "erasure" and "segments" in entry else ()
    runs = [run for item in listed for run in item["segments"]]
    if entry["type"] == "retention":
        runs += [run for item in entry["partitions"] for run in item.get("kept", ())]
    return [(first, last) for first, last in runs]


CHECKS: Final = {name: _checker(name, shape) for name, shape in _SHAPES.items()}


def read(entry: Mapping[str, Any]) -> Any:
    """A checked entry of one of these types as its Struct."""
    return msgspec.convert(entry, _SHAPES[entry["type"]])


def runs(numbers: Iterable[int]) -> list[list[int]]:
    """Ascending numbers as ranges [first, last]."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found
