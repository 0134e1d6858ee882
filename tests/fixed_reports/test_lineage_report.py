"""Model lineage: versions in force, on whose approval, tested and trained on what, and what they served."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ledger import records
from ledger.access import Receipt
from ledger.errors import AccessNotRecordedError
from ledger.partition_reader import PartitionReader
from replay import access
from replay.approvals import APPROVED_LATE, NOT_EVIDENCED
from replay.lineage import Lineage
from replay.query import query
from reports.fixed import datasets, served
from reports.fixed.lineage import model_lineage
from reports.published import read_published
from tests.fixed_reports.conftest import ALWAYS, Read, approval, call, change

JAN, FEB, MAR, APR = (f"2026-0{month}-01T00:00:00Z" for month in (1, 2, 3, 4))


def test_the_sample_month_shows_which_version_was_in_force_when(month: Any) -> None:
    read = month.report(model_lineage)
    columns = ("Model", "Version", "From", "Until", "Ended by being")
    assert read.column("in-force", *columns)[:4] == [
        ("mira-7b (mira)", "v1.4.0", "2026-09-25T05:30:12Z", "2026-10-12T05:30:21Z", "replaced"),
        ("mira-7b (mira)", "v1.5.0", "2026-10-12T05:30:21Z", "2026-10-16T11:20:02Z", "rolled back"),
        ("mira-7b (mira)", "v1.4.0", "2026-10-16T11:20:02Z", "2026-10-22T05:30:17Z", "replaced"),
        ("mira-7b (mira)", "v1.5.1", "2026-10-22T05:30:17Z", None, None),
    ]
    assert read.column("roll-backs", "From", "Back to", "Was in force for") == [("v1.5.0", "v1.4.0", "4 days")]
    assert [row[2] for row in read.chart("models-in-force").rows][:4] == ["v1.4.0", "v1.5.0", "v1.4.0", "v1.5.1"]
    before = read.column("approvals", "Model", "Version", "Approved before use", "Approval in the log")
    assert before[1] == ("mira-7b", "v1.5.0", "yes", "same commit")
    assert Counter(read.column("evaluations", "Version", "Taking effect")) == {
        ("v1.4.0", "before"): 2,
        ("v1.5.0", "before"): 2,
        ("v1.5.1", "before"): 2,
    }
    data = read.column("datasets", "Model", "Version", "Its version", "Basis", "Approval of the dataset")
    assert ("mira-7b", "v1.5.0", "2024-02", datasets.BEFORE, None) in data
    assert ("mira-7b", "v1.5.1", "2026-01", datasets.IN_FORCE, APPROVED_LATE) in data
    prompts = [row for row in read.column("others", "Name", "Version", "Approval") if row[0] == "mira-system (mira)"]
    assert prompts[0] == ("mira-system (mira)", "p-08", NOT_EVIDENCED)


def test_calls_are_counted_as_the_lineage_of_each_says(month: Any) -> None:
    """The report asks in SQL what replay/lineage.py decides line by line: both come to the same numbers."""
    counted: Counter[tuple[str, str | None]] = Counter()
    with month.opened() as (store, listed):
        lineage = Lineage(listed)
        for entry in store.history.partitions():
            for raw in PartitionReader(store.objects, entry.value).all_rows(["line"]).column("line").to_pylist():
                line = records.parse_line(raw)
                if line["kind"] == "inference":
                    models = [item for item in lineage.at(line, entry.seq) if item.type == "model"]
                    basis = models[0].basis if models else served.UNKNOWN
                    counted[basis, models[0].version if models else None] += 1
    told: Counter[tuple[str, str | None]] = Counter()
    for basis, version, calls in month.report(model_lineage).column("served", "Version is", "Version", "Calls"):
        told[basis, version] += calls
    assert told == counted
    assert counted[served.INFERRED, "v1.4.0"] == 6


@pytest.mark.parametrize("version", [None, "v2"])
def test_a_version_other_than_the_one_in_force_and_one_of_which_nothing_is_known(
    bank: Any, version: str | None
) -> None:
    asserted: dict[str, Any] = {} if version is None else {"model": {"name": "m", "version": version}}
    bank.ingest(
        *(change("c1", JAN, "v1"), change("c8", FEB, "v8"), change("c9", FEB, "v9"), approval("c1", JAN)),
        call("e1", JAN, **asserted),
        call("e2", MAR, **asserted),
        call("e3", MAR, model={"name": "stranger"}),
        call("e4", None),
    )
    read = bank.report(model_lineage)
    columns = ("Version is", "Version", "The changes say")
    found = dict(zip(read.column("served", "Model", "First"), read.column("served", *columns), strict=True))
    if version is None:
        assert found["m", JAN] == (served.INFERRED, "v1", None)
        assert found["m", MAR] == (served.AMBIGUOUS, "v8 or v9", None)
        assert "changes at one instant contend" in read.alerts()
    else:
        assert found["m", JAN] == (served.ASSERTED, "v2", served.ASSERTED_OTHERWISE)
        assert "2 calls assert a version other than" in read.alerts()
    assert found["stranger", MAR] == (served.UNKNOWN, None, served.NO_CHANGE)
    assert "stranger" in read.alerts()


def test_use_before_approval_shows_by_time_and_by_commit_order(bank: Any) -> None:
    bank.ingest(change("c1", JAN, "v1", was="v0"), call("e1", FEB, model={"name": "m", "version": "v1"}))
    bank.ingest(approval("c1", MAR))
    read = bank.report(model_lineage)
    columns = ("Approval", "First use", "Approved before use", "Approval in the log")
    assert read.column("approvals", *columns) == [(APPROVED_LATE, FEB, "no", "later")]


def test_an_earlier_version_put_in_force_again_is_used_from_then_on(bank: Any) -> None:
    version: dict[str, Any] = {"model": {"name": "m", "version": "v1"}}
    bank.ingest(*(change(f"c{at}", at, to) for at, to in ((JAN, "v1"), (FEB, "v2"), (MAR, "v1"))))
    bank.ingest(approval(f"c{MAR}", FEB), call("e1", JAN, **version), call("e2", APR, **version))
    read = bank.report(model_lineage)
    assert read.column("approvals", "First use", "Approved before use")[2] == (APR, "yes")
    assert read.column("roll-backs", "From", "Back to", "Takes back") == [("v2", "v1", None)]


def test_a_dataset_that_a_change_names_is_linked(bank: Any) -> None:
    data = change("d2", JAN, "2026", of="dataset", name="prices", digest="sha256:aa")
    trained: dict[str, Any] = {"links": [{"relation": "caused_by", "source": "desk", "id": "d2"}]}
    bank.ingest(data, change("d1", FEB, "other", of="dataset", name="faqs"), change("c1", MAR, "v1", **trained))
    read = bank.report(model_lineage)
    columns = ("Version", "Dataset", "Its version", "Basis", "Digest")
    assert read.column("datasets", *columns) == [("v1", "prices", "2026", datasets.LINKED, "sha256:aa")]


def test_a_period_cuts_spans_and_calls(month: Any) -> None:
    read = month.report(model_lineage, ("2026-10-13T00:00:00Z", "2026-10-14T00:00:00Z"))
    assert read.column("in-force", "Model", "Version") == [
        ("mira-7b (mira)", "v1.5.0"),
        ("retail.assistants.mira-7b@production", "15"),
    ]
    assert read.chart("models-in-force").rows[0][:2] == ("2026-10-13T00:00:00Z", "2026-10-14T00:00:00Z")
    assert all(str(first).startswith("2026-10-13") for first in read.column("served", "First"))


def test_the_same_question_has_the_same_answer(month: Any) -> None:
    assert month.report(model_lineage).report == month.report(model_lineage).report


def test_an_empty_store_is_reported_on(bank: Any) -> None:
    with bank.installation.open() as store:
        store.publish()
    read = bank.report(model_lineage)
    assert read.rows("in-force") == read.rows("served") == read.rows("datasets") == []
    assert read.report.as_of.size > 0


def test_the_queries_that_tables_name_can_be_repeated(month: Any) -> None:
    read = month.report(model_lineage)
    for name in ("in-force", "evaluations", "datasets"):
        with month.installation.open() as store:
            assert query(store, str(read.table(name).query)).table.num_rows > 0
    assert "in_force" in str(read.table("served").query)


def test_what_evaluations_found_is_opened_with_a_receipt_alone(month: Any) -> None:
    assert "0.708" not in str(month.report(model_lineage).report)
    with month.opened() as (store, listed):
        receipt = access.record(store, "test", "a test", {})
        read = Read(model_lineage(listed, read_published(store), ALWAYS, receipt))
        with pytest.raises(AccessNotRecordedError):
            model_lineage(listed, read_published(store), ALWAYS, Receipt("ab" * 16, 1))
    found = read.column("evaluations", "Version", "Result")
    assert ("v1.5.0", "suite fees, score 0.708, cases 48") in found
