"""A sample from draw to judgement: as a bundle that verifies, drawn again by its verifier and by the evaluation."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import EvidenceError, FormatError, NotFoundError, TamperedError, UsageError
from ledger.store import Store
from replay import access
from replay.catalog import opened
from reports.bundle.checking import check_bundle
from reports.bundle.export import Order
from reports.published import publish_all
from reports.sampling.drawing import Replace, SamplingRequest, Seed
from reports.sampling.evaluation import FILES, RECORDS, Sampled, evaluate, find, read_sampled
from reports.sampling.populations import freeze
from reports.sampling.results import put_on_record, results
from reports.selection.predicates import PeriodSelection, QuerySelection, SessionSelection
from reports.selection.queries import chosen_by
from tests.reports.bundles import Bank

NONCE = Seed("nonce", "11 to 4")
EVERYTHING = PeriodSelection(None, None)


def write(bank: Bank, path: Path, order: Order, selection: Any = EVERYTHING) -> Path:
    path.write_bytes(bank.export(selection, order=order)[0])
    return path


def check(bank: Bank, path: Path) -> Any:
    return check_bundle(path, [bank.log_vkey])


@pytest.fixture(scope="module")
def drawn(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty of all records, by kind."""
    order = Order(sampling=SamplingRequest(NONCE, 20, "kind"), frameworks=())
    return write(bank, tmp_path_factory.mktemp("drawn") / "sample.zip", order)


@pytest.fixture(scope="module")
def sampled(drawn: Path) -> Sampled:
    return read_sampled(drawn)


# -- drawing


def test_the_bundle_verifies_and_shows_the_drawn_lines_alone(bank: Bank, drawn: Path, sampled: Sampled) -> None:
    result = check(bank, drawn)

    assert result.exit_code == 0, result.findings
    assert result.checked["records drawn again"] == len(sampled.lines) == 20
    assert result.checked["population"] == len(sampled.population) > 400
    assert sum(stratum.drawn for stratum in sampled.sample.strata) == 20
    assert all(stratum.drawn for stratum in sampled.sample.strata)


def test_a_population_is_drawn_from_as_it_was_when_it_was_frozen(fresh_bank: Bank, tmp_path: Path) -> None:
    with Store.open(fresh_bank.settings) as store, opened(store) as catalog:
        published = publish_all(store)
        frozen = freeze(catalog, published, EVERYTHING, "kind")
    with Store.open(fresh_bank.settings) as store:
        store.record_access(b"{}", {})
        store.close_spool()
        store.seal()
        store.publish()
    order = Order(at=published.checkpoint.size, sampling=SamplingRequest(NONCE, 5, "kind"), frameworks=())
    path = write(fresh_bank, tmp_path / "sample.zip", order)

    assert check(fresh_bank, path).exit_code == 0
    assert zipfile.ZipFile(path).read("data/population.csv") == frozen.csv
    assert zipfile.ZipFile(path).read("data/checkpoint") == published.note
    assert sum(frozen.by_entry.values()) == sum(frozen.by_stratum.values()) == len(frozen.rows)


def test_the_records_of_a_query_are_a_population(bank: Bank, tmp_path: Path) -> None:
    with Store.open(bank.settings) as store:
        chosen = chosen_by(store, "SELECT record_id FROM records WHERE kind = 'change' ORDER BY random()")
        later = QuerySelection(chosen.records | {"0" * 64}, chosen.sql)
        with opened(store) as catalog:
            frozen = freeze(catalog, publish_all(store), later)
    order = Order(sampling=SamplingRequest(Seed("given", "6 2 5 5 1"), 100), frameworks=())
    found = read_sampled(write(bank, tmp_path / "sample.zip", order, chosen))

    assert {row.record.hex() for row in frozen.rows} == chosen.records
    assert frozen.later == 1
    assert {line["kind"] for line in found.lines.values()} == {"change"}
    assert len(found.sample.items) == len(chosen.records)


# -- replacements


def test_a_replacement_is_said_before_it_is_drawn(bank: Bank, drawn: Path, sampled: Sampled, tmp_path: Path) -> None:
    out = next(item.row for item in sampled.sample.items if item.row.stratum == "inference")
    wish = Replace("not_available", out.record)
    said = sampled.replaced([wish]).replacements[0]
    frozen = json.loads(zipfile.ZipFile(drawn).read("data/bundle.json"))["checkpoint"]["size"]
    order = Order(at=frozen, sampling=SamplingRequest(NONCE, 20, "kind", (wish,)), frameworks=())
    path = write(bank, tmp_path / "again.zip", order)
    again = read_sampled(path)

    assert check(bank, path).exit_code == 0
    assert said.by not in sampled.lines
    assert again.sample.replacements == (said,)
    assert again.lines.keys() == sampled.lines.keys() | {said.by}
    assert evaluate(again.sample, [(said.by, "late")], Decimal(95)).tested == 20
    with pytest.raises(UsageError, match="does not count"):
        evaluate(again.sample, [(out.record, "late")], Decimal(95))


# -- judging


def test_exceptions_are_listed_and_bounded(sampled: Sampled) -> None:
    first, second = (item.row for item in sampled.sample.items[:2])
    judged = evaluate(sampled.sample, [(first.record, "no_approval"), (second.record, "late")], Decimal(95))

    assert [(each.record, each.code) for each in judged.exceptions] == [
        (first.record.hex(), "no_approval"),
        (second.record.hex(), "late"),
    ]
    assert (judged.tested, judged.rate, judged.whole) == (20, "0.100000", False)
    assert (judged.upper, judged.low, judged.high) == ("0.282619", "0.012348", "0.316983")
    assert sum(part.exceptions for part in judged.strata) == 2
    assert sum(part.population for part in judged.strata) == judged.population == len(sampled.population)


def test_where_all_was_looked_at_the_rate_is_known(bank: Bank, tmp_path: Path) -> None:
    order = Order(sampling=SamplingRequest(NONCE, 10_000), frameworks=())
    found = read_sampled(write(bank, tmp_path / "all.zip", order, SessionSelection(bank.session)))
    size = len(found.population)
    judged = evaluate(found.sample, [(found.sample.items[0].row.record, "late")], Decimal(95))

    assert judged.whole
    assert (
        Decimal(judged.low) <= Decimal(1) / size <= Decimal(judged.upper) <= Decimal(judged.low) + Decimal("0.000001")
    )


def test_what_is_no_exception_of_this_sample(sampled: Sampled) -> None:
    first = sampled.sample.items[0].row.record
    other = next(row.record for row in sampled.population if row.record not in sampled.lines)
    for exceptions, problem in (
        ([(first, "late"), (first, "late")], "one exception at most"),
        ([(other, "late")], "does not count"),
        ([(first, "Ines said so")], "a code, not words"),
    ):
        with pytest.raises(UsageError, match=problem):
            evaluate(sampled.sample, exceptions, Decimal(95))


def test_records_are_named_by_the_beginning_of_their_ids(sampled: Sampled) -> None:
    first = sampled.sample.items[0].row.record

    assert find(sampled.lines, first.hex()[:12]) == first
    for text in ("abc", "xyzxyz", first.hex().upper()):
        with pytest.raises(UsageError, match="a record id"):
            find(sampled.lines, text)
    with pytest.raises(NotFoundError, match="no record"):
        find(sampled.lines, "0" * 64)


# -- files that were changed


def changed(path: Path, to: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of a bundle with one file changed; digests are not made anew."""
    before, out = zipfile.ZipFile(path), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info in before.infolist():
            data = before.read(info)
            archive.writestr(info.filename, change(data) if info.filename == name else data)
    assert change(before.read(name)) != before.read(name)
    to.write_bytes(out.getvalue())
    return to


def other_size(data: bytes) -> bytes:
    return data.replace(b'"size":20', b'"size":21')


def other_stratum(data: bytes) -> bytes:
    return data.replace(b",tool\n", b",policy\n", 1)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("data/sampling.json", other_size),
        ("data/sampling.json", lambda data: data.replace(b"11 to 4", b"11 to 5")),
        ("data/sample.csv", lambda data: b"".join(data.splitlines(keepends=True)[:-1])),
        ("data/population.csv", other_stratum),
        ("data/population.csv", lambda data: b"".join(data.splitlines(keepends=True)[:-1])),
        (RECORDS, lambda data: b"".join(data.splitlines(keepends=True)[1:])),
    ],
    ids=["size", "nonce", "sample", "stratum", "population", "line"],
)
def test_a_sample_that_was_changed_is_not_drawn_again(
    bank: Bank, drawn: Path, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    path = changed(drawn, tmp_path / "changed.zip", name, change)

    assert check(bank, path).exit_code == 1
    with pytest.raises(EvidenceError) as error:
        read_sampled(path)
    assert isinstance(error.value, TamperedError)


def test_a_bundle_without_a_sample(session_bundle: bytes, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(session_bundle)

    with pytest.raises(UsageError, match="holds no sample"):
        read_sampled(tmp_path / "bundle.zip")


def test_a_folder_serves_as_well_as_a_zip(drawn: Path, sampled: Sampled, tmp_path: Path) -> None:
    zipfile.ZipFile(drawn).extractall(tmp_path)

    assert read_sampled(tmp_path) == sampled
    (tmp_path / FILES[1]).unlink()
    with pytest.raises(FormatError, match="lacks files"):
        read_sampled(tmp_path)


# -- on record


def test_a_result_is_sealed_and_read_again(fresh_bank: Bank, tmp_path: Path) -> None:
    order = Order(sampling=SamplingRequest(NONCE, 5), frameworks=())
    found = read_sampled(write(fresh_bank, tmp_path / "sample.zip", order))
    exception = found.sample.items[0].row.record
    judged = evaluate(found.sample, [(exception, "no_approval")], Decimal("97.5"))
    with Store.open(fresh_bank.settings) as store:
        done = put_on_record(store, found.sample, judged, {"origin": "x", "checkpoint_size": 3}, "Ines Aster was asked")
        entry = done.entries[0].data.decode()
        with opened(store) as catalog:
            (kept,) = results(catalog, access.record(store, "test", "test", {}))
        line = catalog_line(store, done.record_ids[0])

    assert (kept.record, kept.state) == (done.record_ids[0], "verified")
    assert kept.said["why"] == "Ines Aster was asked"
    assert kept.said["evaluation"]["exceptions"][0]["record"] == exception.hex()
    assert kept.said["sampling"] == {"seed": {"kind": "nonce", "nonce": "11 to 4"}, "size": 5, "stratify": None}
    assert (line["kind"], line["decision"], line["adapter"]) == ("review", "flagged", "note/1")
    for text in ("Ines", exception.hex(), "no_approval", "11 to 4"):
        assert text not in entry + json.dumps(line)


def catalog_line(store: Store, record_id: str) -> dict[str, Any]:
    from replay.records import find_record, line_of

    with opened(store) as catalog:
        return line_of(catalog, find_record(catalog, record_id))
