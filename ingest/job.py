"""What the parent and a building process say to each other. Plain values, sent as MessagePack."""

from __future__ import annotations

from typing import Any

import msgspec


class Portion(msgspec.Struct):
    """A run of bytes of one input. ``adapter`` is empty for bytes that no format knows (``reason`` says why).

    ``owner`` is the store-owned reference under which bytes without a person are sealed.
    """

    input: str
    step: int
    owner: str
    adapter: str
    framing: str
    reason: str
    data: bytes


class Job(msgspec.Struct):
    """Portions that become one or more partitions, one or more a UTC day, at most ``seal_rows`` rows each.

    ``fenced``: the ledger has ended content, so that what comes again is looked for before anything else.
    """

    observed_at: str
    retention_class: str
    seal_rows: int
    store: str
    portions: list[Portion]
    fenced: bool = False


class Wanted(msgspec.Struct, tag=True):
    """Asks for references: the identifiers found (type, value). ``owners`` need a data key besides."""

    identifiers: list[tuple[str, str]]
    owners: list[tuple[str, str]]


class Keys(msgspec.Struct, tag=True):
    """References in the order of Wanted.identifiers; per owner its reference, key version and data key."""

    references: list[str]
    owners: list[tuple[str, int, bytes]]
    store_owned: dict[str, tuple[int, bytes]]


class Planned(msgspec.Struct, tag=True):
    """Asks what the ledger has: the rows' source keys (little-endian u64) and places (portion, part or -1).

    And the days to store; none where a fenced job asks this first.
    """

    source_keys: bytes
    places: list[tuple[int, int]]
    days: list[str]


class Place(msgspec.Struct):
    """Where one partition goes, and the root of its key tree."""

    events: str
    content: str
    root: bytes


class Held(msgspec.Struct):
    """A row of the ledger with the same source key: its source and id, its record id, its content's digest.

    ``sha256`` is None where the content was ended: erased, expired or redacted.
    ``here``: it is this very piece of this input, from an attempt that was interrupted.
    """

    source: str
    source_id: str
    record: bytes
    sha256: bytes | None
    here: bool

    @property
    def ended(self) -> bool:
        """Whether it is a record whose content must not come back."""
        return self.sha256 is None and not self.here


class Go(msgspec.Struct, tag=True):
    """The places of Planned.days, and per row position what the ledger already has."""

    places: list[Place]
    held: dict[int, list[Held]]


class Partition(msgspec.Struct):
    """A partition whose objects are durable: the body of its entry, and its source keys in row order."""

    body: dict[str, Any]
    source_keys: bytes


class Done(msgspec.Struct, tag=True):
    """Last answer: the partitions, and how many rows were not admitted again.

    ``fenced``: how many of those because their content was ended.
    """

    partitions: list[Partition]
    known: int
    warnings: dict[str, int]
    fenced: int = 0


class Failed(msgspec.Struct, tag=True):
    """The building process could not go on; ``message`` holds no content."""

    error: str
    message: str
    exit_code: int


Answer = Wanted | Planned | Done | Failed
Reply = Keys | Go
