"""Deep verification names the row: the number in the file and the record's id."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger import canonical, merkle, records, segments
from ledger.verify import Finding, Verdict

if TYPE_CHECKING:
    from tests.verify.conftest import Victim

ROW = 3


def busiest(victim: Victim) -> dict[str, Any]:
    """The partition entry with the most rows."""
    with victim.installation.open() as store:
        entries = [entry.value for entry in store.history.partitions()]
    entry: dict[str, Any] = max(entries, key=lambda entry: int(entry["rows"]))
    return entry


def table_of(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


def written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, store_schema=False)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def with_line(table: pa.Table, row: int, **changes: Any) -> pa.Table:
    """The table with one record line changed, and its typed columns left as they were."""
    lines = table.column("line").to_pylist()
    lines[row] = canonical.encode(canonical.decode(lines[row]) | changes)
    return table.set_column(0, table.schema.field(0), pa.array(lines, pa.binary()))


def with_columns(table: pa.Table) -> pa.Table:
    """The table with all typed columns derived from its lines again: what a careful forger does."""
    lines = records.read_lines(table.column("line").to_pylist())
    for field, column in zip(records.DERIVED, records.derive(lines), strict=True):
        at = table.schema.get_field_index(field.name)
        table = table.set_column(at, table.schema.field(at), column.cast(table.schema.field(at).type))
    return table


def tampered(victim: Victim, path: str, data: bytes) -> list[Finding]:
    with victim.changed(path, data):
        report = victim.verify()
    assert report.verdict is Verdict.TAMPERED
    findings: list[Finding] = [finding for finding in report.findings if finding.path == path]
    return findings


def test_rewriting_a_file_with_the_same_rows_changes_nothing_but_its_digest(victim: Victim) -> None:
    path = busiest(victim)["events"]["path"]
    findings = tampered(victim, path, written(table_of(victim.read(path))))
    assert [finding.row for finding in findings] == [None], "the file is another one, and every row is as it was"


@pytest.mark.parametrize("change", [{"status": "error"}, {"model_ref": {"name": "other"}}, {"seq": 2**53 - 1}])
def test_a_changed_line_differs_from_the_root_and_from_its_columns(victim: Victim, change: dict[str, Any]) -> None:
    path = busiest(victim)["events"]["path"]
    table = with_line(table_of(victim.read(path)), ROW, **change)
    findings = tampered(victim, path, written(table))
    assert any("another root" in finding.reason for finding in findings)
    named = {(finding.row, finding.record) for finding in findings if finding.row is not None}
    line = table.column("line")[ROW].as_py()
    assert named <= {(ROW, merkle.leaf_hash(line).hex())}
    assert named or "model_ref" in change, "no column follows from model_ref: only the root tells"


def test_fixing_the_columns_does_not_hide_a_changed_line(victim: Victim) -> None:
    """The root says that a line was changed. Which one, only a line that contradicts something else can say."""
    path = busiest(victim)["events"]["path"]
    table = with_columns(with_line(table_of(victim.read(path)), ROW, status="error"))
    findings = tampered(victim, path, written(table))
    assert any("another root" in finding.reason for finding in findings)


def test_a_line_that_commits_to_other_content_is_named_with_the_content(victim: Victim) -> None:
    entry = busiest(victim)
    path = entry["events"]["path"]
    table = table_of(victim.read(path))
    content = canonical.decode(table.column("line")[ROW].as_py())["content"] | {"commitment": "0" * 64}
    changed = with_columns(with_line(table, ROW, content=content))
    with victim.changed(path, written(changed)):
        report = victim.verify()
    assert (entry["content"]["path"], ROW) in {(finding.path, finding.row) for finding in report.findings}


def test_a_changed_column_is_named(victim: Victim) -> None:
    path = busiest(victim)["events"]["path"]
    table = table_of(victim.read(path))
    at = table.schema.get_field_index("status")
    values = table.column("status").to_pylist()
    values[ROW] = "altered"
    table = table.set_column(at, table.schema.field(at), pa.array(values, pa.string()))
    findings = tampered(victim, path, written(table))
    assert ("column status differs from the line", ROW) in {(f.reason, f.row) for f in findings}


def test_a_line_that_is_no_record_is_named(victim: Victim) -> None:
    path = busiest(victim)["events"]["path"]
    table = table_of(victim.read(path))
    for line in (b"{}", b"\xff", b'{"_":"evidence/record/1","kind":"inference"}'):
        lines = table.column("line").to_pylist()
        lines[ROW] = line
        changed = table.set_column(0, table.schema.field(0), pa.array(lines, pa.binary()))
        findings = tampered(victim, path, written(changed))
        assert ROW in {finding.row for finding in findings}


def test_a_replaced_segment_names_the_rows_in_it(victim: Victim) -> None:
    """Ciphertext of another segment does not decrypt; the rows whose content it held are named."""
    entry = busiest(victim)
    path = entry["content"]["path"]
    table = table_of(victim.read(path))
    assert len(table) > 1
    sealed = table.column("ciphertext").to_pylist()
    sealed[0] = sealed[1]
    at = table.schema.get_field_index("ciphertext")
    changed = written(table.set_column(at, table.schema.field(at), pa.array(sealed, pa.binary())))
    rows = table_of(victim.read(entry["events"]["path"])).column("segment").to_pylist()
    assert {finding.row for finding in tampered(victim, path, changed)} == {
        None,
        *(row for row, segment in enumerate(rows) if segment == 0),
    }


def test_content_sealed_again_under_its_own_key_does_not_match_its_commitment(victim: Victim) -> None:
    """Whoever holds the keyring can make a segment that opens; the commitment in the line still says no."""
    entry = busiest(victim)
    path = entry["content"]["path"]
    table = table_of(victim.read(path))
    with victim.installation.open() as store:
        row = table.slice(0, 1).to_pylist()[0]
        context = segments.SegmentId(store.history.store, path, 0, row["owner"], row["version"]).context()
        key = segments.segment_key(
            store.keyring.data_key(row["owner"], row["version"]), store.keyring.tree(path).leaf(0), context
        )
    opened = segments.unseal(key, context, segments.Sealed(row["nonce"], row["ciphertext"]))
    forged = segments.seal(key, context, opened.salt, [b"never said", *opened.slices[1:]])
    for name, value in (("nonce", forged.nonce), ("ciphertext", forged.ciphertext)):
        at = table.schema.get_field_index(name)
        values = [value, *table.column(name).to_pylist()[1:]]
        table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
    rows = [finding.row for finding in tampered(victim, path, written(table)) if finding.row is not None]
    locations = table_of(victim.read(entry["events"]["path"])).select(["segment", "slot"]).to_pylist()
    assert rows == [number for number, at in enumerate(locations) if (at["segment"], at["slot"]) == (0, 0)]
