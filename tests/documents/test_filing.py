"""Reports in the store: objects that an entry vouches for, under a checkpoint, and that name nobody."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger import entries
from ledger.errors import FormatError, UsageError
from ledger.history import Entry
from ledger.verify import Verdict
from reports import documents, filing
from reports.document import Report
from reports.published import as_of, publish_all
from tests.documents import sample_reports
from tests.fixtures_stores import SAMPLE_LOGS, Installation, make_installation

FORMATS = ("json", "csv")


def current(office: Installation) -> Report:
    """The sample report, as of this store's checkpoint."""
    with office.open() as store:
        return msgspec.structs.replace(sample_reports.report(), as_of=as_of(store, publish_all(store)))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = make_installation(tmp_path_factory.mktemp("office"))
    installation.ingest(SAMPLE_LOGS / "mlflow")
    return installation


@pytest.fixture(scope="module")
def report(office: Installation) -> Report:
    return current(office)


@pytest.fixture(scope="module")
def filed(office: Installation, report: Report) -> Entry:
    with office.open() as store:
        entry = filing.file(store, report, FORMATS)
        store.publish()
    return entry


def wrong(office: Installation) -> list[tuple[Verdict, str]]:
    """What a verification of the store finds, but that nobody pinned it."""
    found = office.verify("fast").findings
    return [(finding.verdict, finding.path) for finding in found if finding.verdict is not Verdict.UNPINNED]


@pytest.fixture
def objects(office: Installation, filed: Entry) -> Iterator[list[Path]]:
    """The report's objects, which a test may damage."""
    paths = [office.folder / item["path"] for item in filed.value["objects"]]
    kept = [path.read_bytes() for path in paths]
    yield paths
    for path, data in zip(paths, kept, strict=True):
        path.write_bytes(data)


def test_the_entry_lists_the_bytes_and_counts_the_verdicts(office: Installation, report: Report, filed: Entry) -> None:
    listed = {item["path"].rpartition("/")[2]: item for item in filed.value["objects"]}

    assert filed.value["name"] == "sample"
    assert filed.value["checkpoint_size"] == report.as_of.size
    assert filed.value["verdicts"] == {
        "evidenced": 1,
        "exceptions_found": 1,
        "not_applicable": 1,
        "not_evidenced_here": 1,
    }
    for fmt, name in (("json", "sample.json"), ("csv", "sample.csv.zip")):
        data = (office.folder / listed[name]["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (listed[name]["size"], listed[name]["sha256"])
        assert data == documents.render(report, fmt)


def test_the_names_of_objects_are_codes_and_random(report: Report, filed: Entry) -> None:
    (folder,) = {item["path"].rpartition("/")[0] for item in filed.value["objects"]}
    made = re.fullmatch(r"reports/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-sample-[0-9a-f]{32}", folder)

    assert made
    assert "{}-{}-{}T{}:{}:{}".format(*made.groups()) == report.as_of.time[:19]


def test_parameters_that_are_no_codes_stay_out_of_the_ledger(office: Installation) -> None:
    """Whatever somebody typed is in the report they asked for, and not in an entry, which nothing can take back."""
    report = msgspec.structs.replace(
        current(office),
        parameters=(
            ("Frameworks", "eu-ai-act, soc2"),
            ("From", "2026-10-01T00:00:00Z"),
            ("Model", None),
            ("At most", 50),
            ("Asked by", "Leonie Aster"),
            ("Contact", "leonie@bank.example"),
        ),
    )

    with office.open() as store:
        entry = filing.file(store, report, ["json"])

    assert entry.value["parameters"] == {
        "frameworks": "eu-ai-act, soc2",
        "from": "2026-10-01T00:00:00Z",
        "at_most": "50",
    }


def test_a_filed_report_is_covered_by_the_checkpoint_and_intact(office: Installation, filed: Entry) -> None:
    assert wrong(office) == []
    with office.open() as store:
        assert store.checkpoint()[0] > filed.index
    assert not [note for note in office.verify("fast").notes if "listed by no commit" in note]


def test_verify_names_a_report_that_was_deleted(office: Installation, objects: list[Path]) -> None:
    objects[0].unlink()

    assert wrong(office) == [(Verdict.LOST, str(objects[0].relative_to(office.folder)))]


def test_verify_names_a_report_with_one_flipped_bit(office: Installation, objects: list[Path]) -> None:
    data = bytearray(objects[1].read_bytes())
    data[len(data) // 2] ^= 1
    assert bytes(data) != objects[1].read_bytes()
    objects[1].write_bytes(data)

    assert wrong(office) == [(Verdict.TAMPERED, str(objects[1].relative_to(office.folder)))]


def test_what_no_entry_lists_under_reports_is_an_orphan(office: Installation, filed: Entry) -> None:
    orphan = office.folder / "reports" / "20261120T101112Z-sample-0" / "sample.json"
    orphan.parent.mkdir()
    orphan.write_bytes(b"{}")

    notes = office.verify("fast").notes
    orphan.unlink()

    assert "1 objects under reports/ are listed by no commit" in " ".join(notes)


def test_without_a_format_or_with_an_unknown_one_nothing_is_committed(office: Installation) -> None:
    report = current(office)
    with office.open() as store:
        before = len(store.history.entries)
        for formats in ((), ("docx",)):
            with pytest.raises(UsageError):
                filing.file(store, report, formats)
        store.refresh()

        assert len(store.history.entries) == before


@pytest.mark.parametrize("path", ["events/date=2026-10-01/a.parquet", "reports/a", "reports/../a/b", "reports/a/b/c"])
def test_an_entry_cannot_list_as_a_report_what_stands_elsewhere(path: str) -> None:
    body = {
        "_": "evidence/entry/1",
        "checkpoint_size": 1,
        "name": "sample",
        "objects": [{"path": path, "sha256": "0" * 64, "size": 1}],
        "type": "report",
    }

    with pytest.raises(FormatError, match="malformed report entry"):
        entries.decode(entries.canonical_bytes(body))
