"""Reading the files of a sample: its population and how it was drawn; and drawing it again."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable
from typing import Literal

import msgspec

from ledger import canonical
from ledger.errors import FormatError, TamperedError
from reports.sampling.drawing import (
    ALGORITHM,
    POPULATION,
    TYPE,
    PopulationRow,
    Replace,
    Sample,
    SamplingRequest,
    Seed,
    population_csv,
)


def read_population(data: bytes) -> list[PopulationRow]:
    """The rows of ``population.csv``. Raises FormatError unless it is as population_csv writes it."""
    try:
        header, *lines = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        rows = [PopulationRow(int(part), int(row), bytes.fromhex(record), name) for part, row, record, name in lines]
    except (ValueError, csv.Error):
        raise FormatError("population.csv is malformed") from None
    if tuple(header) != POPULATION or population_csv(rows) != data or any(len(row.record) != 32 for row in rows):
        raise FormatError("population.csv is malformed")
    if any(one[:2] >= two[:2] for one, two in itertools.pairwise(rows)):
        raise FormatError("population.csv is not in order")
    return rows


class _Seed(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["given", "nonce"]
    seed: str | None = None
    nonce: str | None = None


class _Made(msgspec.Struct, forbid_unknown_fields=True, rename={"by": "with"}):
    reason: str
    record: str
    by: str


class _File(msgspec.Struct, forbid_unknown_fields=True, rename={"type": "_"}):
    """The fields of ``sampling.json``."""

    type: str
    algorithm: str
    replacements: list[_Made]
    seed: _Seed
    size: int
    strata: list[dict[str, str | int]]
    stratify: str | None


def read_sampling(data: bytes) -> SamplingRequest:
    """What ``sampling.json`` says was wanted. Raises FormatError, UsageError where it has another form."""
    try:
        found = msgspec.convert(canonical.decode(data), _File)
        wishes = tuple(Replace(item.reason, bytes.fromhex(item.record)) for item in found.replacements)
    except (msgspec.ValidationError, ValueError):
        raise FormatError("sampling.json is malformed") from None
    if (found.type, found.algorithm) != (TYPE, ALGORITHM):
        raise FormatError("the sample was drawn by an algorithm that this version does not know")
    text = found.seed.nonce if found.seed.kind == "nonce" else found.seed.seed
    return SamplingRequest(Seed(found.seed.kind, text or ""), found.size, found.stratify, wishes)


def redraw(sampling_json: bytes, sample_csv: bytes, rows: Iterable[PopulationRow], text: bytes) -> Sample:
    """Draw a sample again as its files say. Raises TamperedError where it comes out otherwise."""
    sample = read_sampling(sampling_json).draw(rows, text)
    if (sample.sampling_json(), sample.sample_csv()) != (sampling_json, sample_csv):
        raise TamperedError("the sample is not the one that its seed and population give")
    return sample
