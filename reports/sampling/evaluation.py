"""What was found in a sample: exceptions, replacements, and what they say of the population."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ledger import merkle, records
from ledger.errors import FormatError, NotFoundError, TamperedError, UsageError
from reports.codes import check_code
from reports.sampling.drawing import PopulationRow, Replace, Sample, checkpoint_text, draw, stratum_of
from reports.sampling.exception_rate import clopper_pearson, upper_bound
from reports.sampling.files import read_population, redraw

FILES: Final = tuple(f"data/{name}" for name in ("sampling.json", "sample.csv", "population.csv", "checkpoint"))
RECORDS: Final = "data/records.jsonl"


class Sampled(NamedTuple):
    """A sample with its population, and what its key is made from; the lines of what was taken, by record id."""

    sample: Sample
    population: list[PopulationRow]
    text: bytes
    lines: dict[bytes, dict[str, Any]]

    def replaced(self, wishes: Sequence[Replace]) -> Sample:
        """The sample with further replacements. Raises UsageError as ``draw`` does."""
        old, done = self.sample, [Replace(item.reason, item.record) for item in self.sample.replacements]
        return draw(self.population, old.seed, self.text, old.size, [*done, *wishes], old.field)


class Found(msgspec.Struct, frozen=True):
    """An exception: a record of the sample that is not as it ought to be, and why, as a code."""

    record: str
    code: str
    stratum: str


class Part(msgspec.Struct, frozen=True):
    """A stratum: how many records it has, how many were looked at, and how many of these were exceptions.

    ``upper``: the one-sided bound for the stratum by itself; its rate where all of it was looked at.
    """

    stratum: str
    population: int
    tested: int
    exceptions: int
    upper: str


class Evaluation(msgspec.Struct, frozen=True):
    """A sample looked at. Rates are decimals from 0 to 1 as text, rounded up (``low`` down) to six places.

    ``upper`` is the one-sided bound, ``low`` and ``high`` the two-sided interval, both at ``confidence`` percent. Where
    all of the population was looked at, ``whole``, the rate is known and all three are the rate.
    """

    population: int
    tested: int
    exceptions: list[Found]
    confidence: str
    rate: str
    upper: str
    low: str
    high: str
    whole: bool
    strata: list[Part]


def read_sampled(bundle: Path) -> Sampled:
    """The sample of a bundle that was checked before, drawn again. Raises UsageError for one without a sample.

    Raises TamperedError where the sample comes out otherwise, or a record is not of the stratum that it is listed in.
    """
    files = _files(bundle)
    if files is None:
        raise UsageError("this bundle holds no sample", hint="`evidence sample draw` makes one.")
    sampling, listed, population, note = (files[name] for name in FILES)
    rows, text = read_population(population), checkpoint_text(note)
    sample = redraw(sampling, listed, rows, text)
    lines = {merkle.leaf_hash(line): records.parse_line(line) for line in files[RECORDS].split(b"\n") if line}
    for item in sample.items:
        line = lines.get(item.row.record)
        if line is None or (sample.field is not None and stratum_of(line, sample.field) != item.row.stratum):
            raise TamperedError(f"record {item.row.record.hex()[:12]} is missing, or of another stratum than stated")
    return Sampled(sample, rows, text, lines)


def _files(bundle: Path) -> dict[str, bytes] | None:
    wanted = (*FILES, RECORDS)
    try:
        if bundle.is_dir():
            return {name: (bundle / name).read_bytes() for name in wanted} if (bundle / FILES[0]).exists() else None
        with zipfile.ZipFile(bundle) as archive:
            return {name: archive.read(name) for name in wanted} if FILES[0] in archive.namelist() else None
    except (OSError, KeyError, zipfile.BadZipFile):
        raise FormatError("the bundle cannot be read, or lacks files of its sample") from None


def find(known: Collection[bytes], text: str) -> bytes:
    """The one record id that begins so: at least 6 hex digits. Raises UsageError, NotFoundError."""
    if len(text) < 6 or not set(text) <= set("0123456789abcdef"):
        raise UsageError("a record id is 64 hex digits, or the first 6 or more of them")
    found = [each for each in known if each.hex().startswith(text)]
    if len(found) != 1:
        problem = "several records of the sample begin with" if found else "the sample has no record"
        raise NotFoundError(f"{problem} {text}", hint="`sample.csv` in the bundle lists them.")
    return found[0]


def evaluate(sample: Sample, exceptions: Sequence[tuple[bytes, str]], confidence: Decimal) -> Evaluation:
    """Judge a sample. ``exceptions``: records of it with a code each; ``confidence`` in percent.

    Raises UsageError for an exception that is no record of the sample, was replaced, or is stated twice.
    """
    counting = {item.row.record: item.row for item in sample.counting}
    found = []
    for each, code in exceptions:
        check_code(code, "an exception")
        if each not in counting:
            raise UsageError(f"record {each.hex()[:12]} does not count: it was replaced, or is not in the sample")
        found.append(Found(each.hex(), code, counting[each].stratum))
    if len({item.record for item in found}) != len(found):
        raise UsageError("a record is one exception at most")
    tested, hits = (Counter(each) for each in ([r.stratum for r in counting.values()], [e.stratum for e in found]))
    level = float(confidence / 100)
    strata = [
        Part(name, rows, tested[name], hits[name], _upper(hits[name], tested[name], rows, level))
        for name, rows, _ in sample.strata
    ]
    population, size = sum(part.population for part in strata), len(counting)
    is_whole = population == size
    low, high = (len(found) / size,) * 2 if is_whole and size else clopper_pearson(len(found), size, level)
    return Evaluation(
        population=population,
        tested=size,
        exceptions=found,
        confidence=str(confidence),
        rate=_decimal(len(found) / size, "ROUND_HALF_EVEN"),
        upper=_upper(len(found), size, population, level),
        low=_decimal(low, "ROUND_DOWN"),
        high=_decimal(high, "ROUND_UP"),
        whole=is_whole,
        strata=strata,
    )


def _upper(exceptions: int, tested: int, population: int, level: float) -> str:
    """The one-sided bound, or the rate where all was looked at; nothing is known where nothing was looked at."""
    if tested == 0:
        return "1.000000"
    return _decimal(exceptions / tested if tested == population else upper_bound(exceptions, tested, level), "ROUND_UP")


def _decimal(rate: float, rounding: str) -> str:
    return str(Decimal(rate).quantize(Decimal("0.000001"), rounding))
