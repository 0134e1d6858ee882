"""Somebody who can write to the store and has no key: what they plant is no evidence and does not stop the check."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ledger import commits, records
from ledger.verify import Verdict


def test_one_object_under_a_high_number_does_not_make_millions_of_findings(filled: Any) -> None:
    path = filled.folder / commits.commit_path(commits.MAX_SEQ)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    report = filled.verify("fast")
    assert report.verdict is Verdict.TAMPERED or report.verdict is Verdict.LOST
    assert len(report.findings) + report.suppressed < 200
    assert any(f"up to commit {commits.MAX_SEQ - 1}" in finding.reason for finding in report.findings)


def test_a_planted_commit_does_not_make_an_old_store_fresh(filled: Any) -> None:
    """``head`` reads no history, so it knows only the keys that an earlier run saw there."""
    _, pin = filled.verify_and_pin("fast")
    options: dict[str, Any] = {"pin": pin, "strict": True, "max_age": timedelta(hours=1)}
    assert filled.verify("head", **options).verdict is Verdict.INTACT
    with filled.open() as store:
        last = store.history.seq
        data = store.objects.get(commits.commit_path(last))
    commit, _ = commits.parse_commit(data)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    planted = data.replace(commit.time.encode(), now.encode())
    assert planted != data
    (filled.folder / commits.commit_path(last + 1)).write_bytes(planted)
    assert filled.verify("head", **options).verdict is Verdict.STALE
    assert filled.verify("fast", **options).verdict is Verdict.TAMPERED


def test_head_does_not_call_an_empty_store_intact(installation: Any) -> None:
    report = installation.verify("head")
    assert (report.verdict, report.exit_code) == (Verdict.NOTHING_THERE, 4)


def test_the_newest_commit_deleted_is_lost_not_tampered(filled: Any) -> None:
    _, pin = filled.verify_and_pin("fast")
    with filled.open() as store:
        path = commits.commit_path(store.history.seq)
    (filled.folder / path).unlink()
    for level in ("head", "fast", "deep"):
        report = filled.verify(level, pin=pin)
        assert (report.verdict, report.exit_code) == (Verdict.LOST, 5), level
        assert path in {finding.path for finding in report.findings}


_MEASURE = """
import json, resource, sys
from ledger.objects import open_objects
from ledger.verify.deep import check_partition
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
checked = check_partition(open_objects(sys.argv[1]), json.loads(sys.argv[2]), None)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([[p.reason for p in checked.problems], (after - before) // 1024]))
"""


def test_a_small_file_that_claims_millions_of_rows_is_not_decoded(filled: Any) -> None:
    rows = 3_000_000
    columns = [pa.nulls(rows, field.type) for field in records.SCHEMA]
    columns[0] = pa.array([b"x" * 100] * rows, pa.binary())
    planted = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=records.SCHEMA), planted, store_schema=False, compression="zstd"
    )
    with filled.open() as store:
        (entry,) = store.history.partitions()
    assert len(planted.getvalue()) < 1 << 20 < rows * 100
    (filled.folder / entry.value["events"]["path"]).write_bytes(planted.getvalue())
    command = [sys.executable, "-c", _MEASURE, str(filled.folder), json.dumps(entry.value)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    reasons, mebibytes = json.loads(done.stdout)
    assert any("3000000 rows" in reason for reason in reasons)
    assert mebibytes < 200
