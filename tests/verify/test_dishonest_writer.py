"""A writer who holds the key and commits what is not so: every object has the digest that its entry states.

``fast`` cannot see it; ``deep`` opens what is stated and compares.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger import canonical, erasing, merkle, partition_writer
from ledger.erasing import Erasing
from ledger.verify import Verdict
from ledger.verify.checked import Checked
from ledger.verify.contents import check_inputs
from ledger.verify.lines import Rows

FIELDS = {
    "kind": "inference",
    "source": "test",
    "adapter": "test/1",
    "observed_at": "2026-10-01T00:00:00Z",
    "time_basis": "none",
    "retention_class": "standard",
}


def commit(installation: Any, change: Callable[[pa.Table], pa.Table] | None = None, **body: Any) -> str:
    """One partition of three rows, its events file changed before it is listed. Returns the file's path."""
    with installation.open() as store:
        place, tree = store.new_partition("2026-10-01")
        owner = store.bookmarks.add_input("test", "", "blocks")
        rows = [partition_writer.Row.of(FIELDS | {"source_id": str(n)}, b"content %d" % n, owner) for n in range(3)]
        built = partition_writer.build(rows, place, tree, store.keyring.data_keys([owner]))
        events = built.events
        if change is not None:
            events = changed(events, change)
        lines = pq.read_table(io.BytesIO(events)).column("line").to_pylist()
        stated = {"path": place.events, "size": len(events), "sha256": hashlib.sha256(events).hexdigest()}
        root = merkle.root(merkle.leaf_hashes(lines)).hex()
        partition_writer.write(store.objects, place, built._replace(events=events))
        fixed = {"date": "2026-10-01", "retention_class": "standard", "inputs": []}
        store.append([("partition", {**built.body, "events": stated, "root": root, **fixed, **body})])
        store.publish()
    path: str = place.events
    return path


def changed(events: bytes, change: Callable[[pa.Table], pa.Table]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(change(pq.read_table(io.BytesIO(events))), sink, store_schema=False)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def set_column(name: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(name)
        return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))

    return change


def set_line(**changes: Any) -> Callable[[pa.Table], pa.Table]:
    """The second line's fields; None takes one away."""

    def change(table: pa.Table) -> pa.Table:
        lines = table.column("line").to_pylist()
        line = canonical.decode(lines[1]) | changes
        lines[1] = canonical.encode({name: value for name, value in line.items() if value is not None})
        return set_column("line", lines)(table)

    return change


def claim_another_owner(table: pa.Table) -> pa.Table:
    """Lines and column name somebody whose erasure would leave the content readable."""
    lines = [canonical.decode(line) for line in table.column("line").to_pylist()]
    named = [line | {"content": line["content"] | {"owner": "0" * 32}} for line in lines]
    return set_column("owner", ["0" * 32] * 3)(set_column("line", [canonical.encode(line) for line in named])(table))


def test_an_honest_partition_is_intact(installation: Any) -> None:
    commit(installation)
    assert installation.verify("deep").verdict is Verdict.INTACT


@pytest.mark.parametrize(
    "change",
    [
        set_column("model", ["flattering"] * 3),
        set_column("owner", ["0" * 32] * 3),
        set_column("observed_at", [2**62] * 3),
        set_column("slot", [0, -1, 0]),
        set_column("slot", [0, None, 0]),
        set_column("segment", [0, 7, 0]),
        set_column("segment", [0, None, 0]),
        set_column("chunks", [1, 2**31 - 1, 1]),
        set_column("chunks", [1, 0, 1]),
        set_line(status=7),
        set_line(source_id=None),
        set_line(observed_at=None),
        set_line(content=None),
        set_line(content="secret"),
        set_line(content={"owner": "0" * 32}),
        set_line(input="everything"),
        set_line(subjects={"end_user": 5}),
        set_line(retention_class="forever"),
        set_line(kind="access"),
        set_line(observed_at="whenever"),
        claim_another_owner,
    ],
    ids=range(21),
)
def test_what_does_not_follow_from_the_lines_is_found(
    installation: Any, change: Callable[[pa.Table], pa.Table]
) -> None:
    commit(installation, change)
    assert installation.verify("fast").verdict is Verdict.INTACT
    assert installation.verify("deep").verdict is Verdict.TAMPERED


@pytest.mark.parametrize(
    "body",
    [
        {"rows": 2},
        {"root": "0" * 64},
        {"kinds": {"inference": 2, "rejected": 1}},
        {"sources": [{"source": "other", "rows": 3}]},
        {"time": {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}},
        {"rejected": 3},
        {"retention_class": "forever"},
        {"segments": 9},
    ],
    ids=lambda body: next(iter(body)),
)
def test_what_an_entry_says_of_its_rows_is_compared(installation: Any, body: dict[str, Any]) -> None:
    path = commit(installation, **body)
    assert installation.verify("fast").verdict is Verdict.INTACT
    report = installation.verify("deep")
    assert report.verdict is Verdict.TAMPERED
    assert {finding.path.rpartition("/")[2] for finding in report.findings} >= {path.rpartition("/")[2]}


def test_an_object_listed_twice_would_count_twice(installation: Any) -> None:
    commit(installation)
    with installation.open() as store:
        (entry,) = store.history.partitions()
        body = {name: value for name, value in entry.value.items() if name not in {"_", "type"}}
        store.append([("partition", body)])
        store.publish()
    report = installation.verify("fast")
    assert report.verdict is Verdict.TAMPERED
    assert entry.value["events"]["path"] in {finding.path for finding in report.findings}


def test_without_keys_deep_still_compares_the_content_files_with_their_entries(installation: Any) -> None:
    commit(installation)
    (path,) = installation.folder.glob("content/*/*.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    assert installation.verify("deep", open_decryptor=None).verdict is Verdict.TAMPERED
    path.unlink()
    assert installation.verify("deep", open_decryptor=None).verdict is Verdict.LOST


def seal(installation: Any, *contents: bytes, change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> list[str]:
    """One partition of records with two owners in turn, its files changed before they are listed; the owners."""
    with installation.open() as store:
        place, tree = store.new_partition("2026-10-01")
        owners = [store.bookmarks.add_input(f"owner {number}", "", "blocks") for number in range(2)]
        rows = [
            partition_writer.Row.of(FIELDS | {"source_id": str(number)}, content, owners[number % 2])
            for number, content in enumerate(contents)
        ]
        built = partition_writer.build(rows, place, tree, store.keyring.data_keys(owners))
        events, content = change(built.events, built.content)
        partition_writer.write(store.objects, place, built._replace(events=events, content=content))
        stated = {
            name: {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, path, data in (("events", place.events, events), ("content", place.content, content))
        }
        fixed = {"date": "2026-10-01", "retention_class": "standard", "inputs": []}
        store.append([("partition", {**built.body, **stated, **fixed})])
        store.publish()
    return owners


def test_a_later_chunk_that_does_not_open_is_no_intact_content(installation: Any) -> None:
    def noise(events: bytes, content: bytes) -> tuple[bytes, bytes]:
        texts = pq.read_table(io.BytesIO(content)).column("ciphertext").to_pylist()
        assert len(texts) == 2
        return events, changed(content, set_column("ciphertext", [texts[0], secrets.token_bytes(len(texts[1]))]))

    seal(installation, secrets.token_bytes(17 << 20), change=noise)
    report = installation.verify("deep")
    assert report.verdict is Verdict.UNVERIFIABLE
    assert any("1 contents do not open" in finding.reason for finding in report.findings)


def test_chunks_that_reach_into_another_rows_segment_are_named(installation: Any) -> None:
    seal(installation, b"first", b"second", change=lambda e, c: (changed(e, set_column("chunks", [2, 1])), c))
    report = installation.verify("deep")
    assert report.verdict is Verdict.TAMPERED
    assert {"the chunks of the row are in segments of other rows"} <= {finding.reason for finding in report.findings}


def test_content_of_the_living_does_not_pass_for_that_of_the_erased(installation: Any) -> None:
    """The content file names an erased owner; the line names somebody who is there."""
    gone = seal(installation, b"hers", b"his", change=lambda e, c: (e, c))[0]
    with installation.open() as store:
        living = store.reference("email", "living@example.com")
        place, tree = store.new_partition("2026-10-01")
        row = partition_writer.Row.of(FIELDS | {"source_id": "hidden"}, b"hidden", living)
        built = partition_writer.build([row], place, tree, store.keyring.data_keys([living]))
        content = changed(built.content, set_column("owner", [gone]))
        partition_writer.write(store.objects, place, built._replace(content=content))
        stated = {"path": place.content, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        fixed = {"date": "2026-10-01", "retention_class": "standard", "inputs": []}
        store.append([("partition", {**built.body, "content": stated, **fixed})])
        erase(store, gone)
    report = installation.verify("deep")
    assert report.verdict is Verdict.TAMPERED
    assert report.explained == {"erased": 1}


def erase(store: Any, owner: str) -> None:
    """Erase an owner and publish."""
    erasing.erase(store, Erasing([owner]))
    store.publish()


SPOOL = "ab" * 16


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([{"spool": SPOOL, "first": 1, "last": 5}], id="no partition holds the records"),
        pytest.param([{"spool": SPOOL, "first": 7, "last": 7, "missing": [[7, 7]]}], id="the first numbers left out"),
        pytest.param([{"spool": SPOOL, "first": 1, "last": 2, "missing": [[1, 2]]}] * 2, id="stated twice"),
    ],
)
def test_access_numbers_are_stated_once_from_the_first_and_have_their_records(
    installation: Any, statements: list[dict[str, Any]]
) -> None:
    commit(installation)
    with installation.open() as store:
        for statement in statements:
            store.append([("heartbeat", {"spools": [statement]})])
        store.publish()
    assert installation.verify("fast").verdict is Verdict.TAMPERED


@pytest.mark.parametrize("change", ["rows", "digest", "ref"])
def test_what_an_entry_says_of_its_inputs_is_compared(installation: Any, tmp_path: Any, change: str) -> None:
    source = tmp_path / "note.txt"
    source.write_text("not a log\n")
    installation.ingest(source)
    with installation.open() as store:
        (entry,) = store.history.partitions()
        (stated,) = entry.value["inputs"]
        other = {"rows": stated["rows"] + 1, "digest": "0" * 64, "ref": "0" * 32}[change]
        assert stated[change] != other
        again = {name: value for name, value in entry.value.items() if name not in {"_", "type"}}
        # The same files under another entry: what is said of the inputs is compared all the same.
        store.append([("partition", again | {"inputs": [stated | {change: other}]})])
        store.publish()
    reasons = [finding.reason for finding in installation.verify("deep").findings]
    assert any("input" in reason for reason in reasons), reasons


def test_a_commitment_that_is_no_hash_has_no_digest() -> None:
    """It can stand in a line that was altered, which is named as such; comparing goes on."""
    portion = ("0" * 32, 0)
    stated = [{"ref": portion[0], "step": portion[1], "rows": 1, "digest": "0" * 64}]
    rows = Rows([bytes(32)], ["no hash"], ["0" * 32], ([0], [0], [1]), {portion: [(0, "no hash")]})
    checked = Checked()
    check_inputs({"events": {"path": "events/x"}}, stated, rows, Root(), checked)
    assert [problem.verdict for problem in checked.problems] == ["tampered"]


class Root:
    """Keys of a partition that holds its whole root."""

    def root(self) -> bytes:
        return bytes(32)

    def prepare(self, owners: set[tuple[str, int]], segment_count: int) -> None:
        raise AssertionError

    def unseal(self, number: int, owner: str, version: int, sealed: Any) -> Any:
        raise AssertionError
