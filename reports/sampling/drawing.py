"""Samples that anybody can draw again: which rows of a population are looked at, decided by a seed and nothing else.

The population is frozen first, under a signed checkpoint. A row's place is HMAC-SHA256 of its record id, under a key
made from the seed, so it depends neither on the order of the rows nor on how many there are. docs/SAMPLING.md says it
for auditors, docs/FORMAT.md ("Sampling") to the byte. Pure: nothing here reads a store.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from ledger import canonical, notes
from ledger.errors import FormatError, UsageError
from reports.codes import check_code

TYPE: Final = "evidence/sample/1"
ALGORITHM: Final = "hmac-sha256-order/1"
FIELDS: Final = frozenset(
    {
        *("adapter", "capture", "decision", "environment", "error_type", "kind", "retention_class", "source", "status"),
        *("system", "time_basis", "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"),
        *("gen_ai_response_model", "gen_ai_tool_name", "model_ref.name", "model_ref.version"),
        *("change.name", "change.type"),
    }
)
"""Fields of a line that a population may be stratified by: closed codes and opaque names, never a person's."""
MAX_SEED: Final = 1024
"""Bytes of a seed or nonce."""

_GIVEN: Final = b"evidence/sample-seed/1\n"
_NONCE: Final = b"evidence/sample-nonce/1\n"
_STRATUM: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:/+=#~,()\[\]-]{0,255})?\Z")
POPULATION: Final = ("partition", "row", "record", "stratum")
_SAMPLE: Final = ("rank", "partition", "row", "record", "stratum", "replaces")


class PopulationRow(NamedTuple):
    """A row that can be drawn. ``partition`` is the index of its ledger entry, ``record`` the record id, 32 bytes."""

    partition: int
    row: int
    record: bytes
    stratum: str = ""


@dataclass(frozen=True)
class Seed:
    """What decides the order. ``given``: a text, such as thrown dice. ``nonce``: named once the checkpoint is known."""

    kind: Literal["given", "nonce"]
    text: str

    def __post_init__(self) -> None:
        try:
            size = len(self.text.encode())
        except UnicodeEncodeError:
            size = 0
        if not 0 < size <= MAX_SEED:
            raise UsageError(f"a seed is text of 1 to {MAX_SEED} bytes of UTF-8")

    def key(self, checkpoint_text: bytes) -> bytes:
        """The key of the order; a nonce's depends on the checkpoint too, so that neither side can choose it alone."""
        prefix = _NONCE + checkpoint_text if self.kind == "nonce" else _GIVEN
        return hashlib.sha256(prefix + self.text.encode()).digest()

    def as_json(self) -> dict[str, str]:
        """As sampling.json states it."""
        return {"kind": self.kind, "nonce" if self.kind == "nonce" else "seed": self.text}


class Replace(NamedTuple):
    """A wish: this record cannot be looked at, for a reason (a code); take the next one of its stratum instead."""

    reason: str
    record: bytes


class Replacement(NamedTuple):
    """A wish fulfilled: ``by`` is the record that was taken instead."""

    reason: str
    record: bytes
    by: bytes

    def as_json(self) -> dict[str, str]:
        """As sampling.json states it."""
        return {"reason": self.reason, "record": self.record.hex(), "with": self.by.hex()}


class Stratum(NamedTuple):
    """A part of the population: how many rows it has, and how many were drawn before any replacement."""

    stratum: str
    population: int
    drawn: int


class Drawn(NamedTuple):
    """A row of the sample: its place in the order of its stratum, from 1, and which record it stands in for."""

    rank: int
    row: PopulationRow
    replaces: bytes | None


@dataclass(frozen=True)
class SamplingRequest:
    """What somebody wants drawn. ``field``: one of FIELDS, or None for a population in one piece."""

    seed: Seed
    size: int
    field: str | None = None
    replacements: tuple[Replace, ...] = ()

    def draw(self, rows: Iterable[PopulationRow], checkpoint_text: bytes) -> Sample:
        """The sample of a population whose strata are those of ``field``. Raises as ``draw`` does."""
        return draw(rows, self.seed, checkpoint_text, self.size, self.replacements, self.field)


@dataclass(frozen=True)
class Sample:
    """What was drawn. ``items``: every row that was taken, replaced ones too, by stratum and rank."""

    seed: Seed
    size: int
    field: str | None
    strata: tuple[Stratum, ...]
    items: tuple[Drawn, ...]
    replacements: tuple[Replacement, ...]

    @property
    def records(self) -> set[bytes]:
        """The ids of all rows that were taken: nothing that was drawn disappears, also where it was replaced."""
        return {item.row.record for item in self.items}

    @property
    def counting(self) -> list[Drawn]:
        """The rows that an evaluation counts: those taken, without those that were replaced."""
        replaced = {item.record for item in self.replacements}
        return [item for item in self.items if item.row.record not in replaced]

    def sampling_json(self) -> bytes:
        """``sampling.json``: how the sample was drawn."""
        return canonical.encode(
            {
                "_": TYPE,
                "algorithm": ALGORITHM,
                "replacements": [item.as_json() for item in self.replacements],
                "seed": self.seed.as_json(),
                "size": self.size,
                "strata": [item._asdict() for item in self.strata],
                "stratify": self.field,
            }
        )

    def sample_csv(self) -> bytes:
        """``sample.csv``: the rows that were taken."""
        return _csv(
            _SAMPLE,
            (
                (rank, row.partition, row.row, row.record.hex(), row.stratum, replaces.hex() if replaces else "")
                for rank, row, replaces in self.items
            ),
        )


def draw(
    rows: Iterable[PopulationRow],
    seed: Seed,
    checkpoint_text: bytes,
    size: int,
    replacements: Sequence[Replace] = (),
    field: str | None = None,
) -> Sample:
    """Draw ``size`` rows, or all where there are fewer. ``checkpoint_text``: see the function of that name.

    Raises UsageError for a size below 0, and for a replacement of what was not drawn, was replaced already, or is of a
    stratum that has no row left; and for any in a population that has the same line twice.
    """
    if size < 0:
        raise UsageError("a sample has no fewer than 0 records")
    strata: defaultdict[str, list[PopulationRow]] = defaultdict(list)
    for row in rows:
        strata[row.stratum].append(row)
    if replacements and len({row.record for each in strata.values() for row in each}) < sum(map(len, strata.values())):
        raise UsageError(
            "the same line stands in the population twice: its records cannot be told apart to be replaced"
        )
    names = sorted(strata, key=str.encode)
    counts = {name: len(strata[name]) for name in names}
    drawn = allocate(counts, size)
    key = seed.key(checkpoint_text)
    orders = {name: sorted(strata[name], key=lambda row: _place(key, row)) for name in names}
    taken = {name: [Drawn(at, row, None) for at, row in enumerate(orders[name][: drawn[name]], 1)] for name in names}
    made = tuple(_replace(wish, orders, taken) for wish in replacements)
    items = tuple(item for name in names for item in taken[name])
    return Sample(seed, size, field, tuple(Stratum(name, counts[name], drawn[name]) for name in names), items, made)


def allocate(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """How many rows each stratum gives: in proportion, by largest remainder, and at least one where size allows it.

    Remainders that are equal go by the name of the stratum. No stratum gives more than it has.
    """
    size = min(size, sum(counts.values()))
    fixed: dict[str, int] = {}
    while size >= len(counts):
        left, rest = size - len(fixed), {name: count for name, count in counts.items() if name not in fixed}
        small = [name for name, count in rest.items() if left * count < sum(rest.values())]
        if not small:
            break
        fixed.update(dict.fromkeys(small, 1))
    left, rest = size - len(fixed), {name: count for name, count in counts.items() if name not in fixed}
    total = sum(rest.values())
    drawn = {name: left * count // total for name, count in rest.items()}
    most = sorted(rest, key=lambda name: (-(left * rest[name] % total), name.encode()))
    for name in most[: left - sum(drawn.values())]:
        drawn[name] += 1
    return fixed | drawn


def _place(key: bytes, row: PopulationRow) -> tuple[bytes, int, int]:
    return hmac.digest(key, row.record, "sha256"), row.partition, row.row


def _replace(
    wish: Replace, orders: Mapping[str, Sequence[PopulationRow]], taken: Mapping[str, list[Drawn]]
) -> Replacement:
    """Take the next row of the stratum of a record that was taken."""
    check_code(wish.reason, "the reason of a replacement")
    found = [name for name, items in taken.items() if any(item.row.record == wish.record for item in items)]
    short = wish.record.hex()[:12]
    if not found:
        raise UsageError(f"record {short} was not drawn, so it is not replaced")
    if any(item.replaces == wish.record for items in taken.values() for item in items):
        raise UsageError(f"record {short} was replaced already", hint="Replace the one that was taken instead of it.")
    name = found[0]
    if len(taken[name]) == len(orders[name]):
        raise UsageError(f"record {short} cannot be replaced: all of its population, or stratum, was drawn")
    row = orders[name][len(taken[name])]
    taken[name].append(Drawn(len(taken[name]) + 1, row, wish.record))
    return Replacement(wish.reason, wish.record, row.record)


def checkpoint_text(note: bytes) -> bytes:
    """The signed bytes of a checkpoint's note, which a nonce's key is made from: up to its empty line."""
    return notes.parse_note(note).text


def check_field(field: str) -> str:
    """The field itself. Raises UsageError for one that no population is stratified by."""
    if field not in FIELDS:
        raise UsageError(f"no sample is stratified by {field!a}", hint=f"There are: {', '.join(sorted(FIELDS))}.")
    return field


def stratum_of(line: Mapping[str, Any], field: str | None) -> str:
    """The stratum of a record: the text of a field of its line, empty where it has none. Raises FormatError."""
    value: Any = line if field is not None else ""
    for part in field.split(".") if field is not None else ():
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    if not isinstance(value, str) or not _STRATUM.match(value):
        raise FormatError(f"the field {field} of a record is no code", hint="Stratify by another field.")
    return value


def population_csv(rows: Iterable[PopulationRow]) -> bytes:
    """``population.csv``: every row that could be drawn, in the order given, which is ascending (partition, row)."""
    return _csv(POPULATION, ((row.partition, row.row, row.record.hex(), row.stratum) for row in rows))


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue().encode()
