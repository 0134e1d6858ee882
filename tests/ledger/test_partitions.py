"""A partition from rows to its two files and back: every content opens, and a reader reads no more than it needs."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from ledger import entries, kdf, merkle, parquet, partition_writer, records, segments
from ledger.content import ContentReader, Ledger
from ledger.endings import Endings
from ledger.errors import FormatError, StorageError
from ledger.kdf import derive
from ledger.keyring.keyring import Keyring
from ledger.keytree import KeyTree
from ledger.objects import ObjectInfo, Objects, open_objects
from ledger.partition_reader import PartitionReader
from ledger.partition_writer import Built, Place, Row

STORE = "0" * 32


def place() -> Place:
    name = secrets.token_hex(16)
    return Place(STORE, f"events/date=2026-10-01/{name}.parquet", f"content/date=2026-10-01/{name}.parquet")


def row(number: int, content: bytes, owner: str = "ana", **fields: Any) -> Row:
    line = {
        "kind": "inference",
        "source": "test",
        "source_id": str(number),
        "adapter": "test/1",
        "observed_at": "2026-10-01T00:00:00Z",
        "time_basis": "none",
        "retention_class": "standard",
    }
    return Row.of(line | fields, content, owner)


class Store:
    """Partitions in memory, with their keys."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.objects = Counting(open_objects(f"memory://{secrets.token_hex(8)}"))

    def build(self, rows: Sequence[Row]) -> tuple[Built, dict[str, Any]]:
        where, tree = place(), KeyTree.generate()
        self.keyring.put_tree(where.content, tree)
        built = partition_writer.build(rows, where, tree, self.keyring.data_keys({row.owner for row in rows}))
        partition_writer.write(self.objects, where, built)
        return built, built.body

    def contents(self, entry: dict[str, Any]) -> dict[str, bytes | None]:
        reader = ContentReader(self.objects, self.keyring, Ledger(STORE, Endings()), entry)
        return {found.line["source_id"]: found.bytes for found in reader.all_rows()}


class Counting:
    """Objects that remember how many bytes were read of each."""

    def __init__(self, inner: Objects) -> None:
        self._inner = inner
        self.url = inner.url
        self.read: dict[str, int] = {}

    def get(self, path: str) -> bytes:
        return self._inner.get(path)

    def get_range(self, path: str, start: int, length: int) -> bytes:
        data = self._inner.get_range(path, start, length)
        self.read[path] = self.read.get(path, 0) + len(data)
        return data

    def head(self, path: str) -> int | None:
        return self._inner.head(path)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._inner.list(prefix)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        return self._inner.put_if_absent(path, data)


@pytest.fixture
def store(keyring: Keyring) -> Store:
    return Store(keyring)


def test_every_content_comes_back_checked(store: Store) -> None:
    contents = {str(number): b"content %d " % number * number for number in range(30)}
    rows = [row(int(name), data, owner=f"owner {int(name) % 3}") for name, data in contents.items()]
    _, entry = store.build(rows)
    assert store.contents(entry) == contents


def test_the_entry_says_what_the_files_are(store: Store) -> None:
    built, body = store.build([row(number, b"x", kind="tool" if number else "inference") for number in range(3)])
    table = pq.read_table(io.BytesIO(built.events))
    lines = table.column("line").to_pylist()
    assert body["rows"] == len(lines) == 3
    assert body["root"] == merkle.root(merkle.leaf_hashes(lines)).hex()
    assert body["kinds"] == {"inference": 1, "tool": 2}
    assert body["time"] == {"from": "2026-10-01T00:00:00Z", "to": "2026-10-01T00:00:00Z"}
    for name, data in (("events", built.events), ("content", built.content)):
        assert (body[name]["size"], body[name]["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    whole = {**body, "date": "2026-10-01", "retention_class": "standard", "inputs": []}
    assert entries.decode(entries.encode("partition", whole))["rows"] == 3
    keys = records.source_keys(("test", records.parse_line(line)["source_id"]) for line in lines)
    assert built.source_keys == keys.astype("<u8").tobytes()


def test_rows_stand_by_session_time_and_place_in_their_input(store: Store) -> None:
    rows = [
        row(1, b"", session="b", occurred_at="2026-10-01T00:00:00Z"),
        row(2, b"", session="a", occurred_at="2026-10-01T00:00:01Z"),
        row(3, b"", session="a", occurred_at="2026-10-01T00:00:00.5Z"),
        row(4, b"", session="a", occurred_at="2026-10-01T00:00:00Z", input={"ref": "r", "step": 0, "part": 2}),
        row(5, b"", session="a", occurred_at="2026-10-01T00:00:00Z", input={"ref": "r", "step": 0, "part": 1}),
        row(6, b""),
    ]
    _, entry = store.build(rows)
    assert list(store.contents(entry)) == ["6", "5", "4", "3", "2", "1"]


def test_rows_of_one_owner_and_session_share_a_segment(store: Store) -> None:
    places = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "a")]
    rows = [
        row(number, b"x", owner=owner, session=session, input={"ref": "r", "step": 0, "part": number})
        for number, (session, owner) in enumerate(places)
    ]
    built, body = store.build(rows)
    assert body["segments"] == 3
    table = pq.read_table(io.BytesIO(built.events))
    assert table.select(["session", "owner", "segment", "slot"]).to_pylist() == [
        {"session": "a", "owner": "a", "segment": 0, "slot": 0},
        {"session": "a", "owner": "a", "segment": 0, "slot": 1},
        {"session": "a", "owner": "b", "segment": 1, "slot": 0},
        {"session": "b", "owner": "a", "segment": 2, "slot": 0},
    ]


def test_a_slice_beyond_the_limit_is_cut_into_chunks(store: Store) -> None:
    large = bytes(range(256)) * ((2 * segments.CHUNK + 1000) // 256)
    exact = b"e" * segments.CHUNK
    _, entry = store.build([row(1, b"before"), row(2, large), row(3, exact), row(4, b"after")])
    assert store.contents(entry) == {"1": b"before", "2": large, "3": exact, "4": b"after"}
    table = PartitionReader(store.objects, entry).all_rows(["chunks"])
    assert table.column("chunks").to_pylist() == [1, 3, 1, 1]


def test_a_full_segment_is_followed_by_another(store: Store) -> None:
    part = secrets.token_bytes(partition_writer.SEGMENT_TARGET // 2)
    _, body = store.build([row(number, part + bytes([number])) for number in range(3)])
    assert body["segments"] > 1


def test_one_session_is_read_without_the_rest(store: Store) -> None:
    """A few row groups of the events, and of the content only the groups of the segments that are wanted."""
    rows = [row(n, secrets.token_bytes(900), session=f"{n // 10:04}") for n in range(3 * parquet.EVENTS_GROUP)]
    built, entry = store.build(rows)
    metadata = pq.read_metadata(io.BytesIO(built.events))
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [parquet.EVENTS_GROUP] * 3
    reader = ContentReader(store.objects, store.keyring, Ledger(STORE, Endings()), entry)
    found = [item.line["source_id"] for item in reader.rows(2 * parquet.EVENTS_GROUP + 8, 10)]
    assert found == [str(2 * parquet.EVENTS_GROUP + number) for number in range(8, 18)]
    assert store.objects.read[entry["events"]["path"]] < len(built.events) * 0.6
    assert store.objects.read[entry["content"]["path"]] < len(built.content) * 0.4


@pytest.mark.parametrize(("first", "count"), [(0, 1), (4095, 2), (8190, 5), (5000, 0), (8999, 1)])
def test_rows_are_read_across_groups(store: Store, first: int, count: int) -> None:
    _, entry = store.build([row(number, b"", seq=number) for number in range(9000)])
    table = PartitionReader(store.objects, entry).rows(first, count, ["seq"])
    assert len(table) == count


def test_commitments_are_salted(store: Store) -> None:
    """Equal contents have different commitments, in one partition and in two."""
    first, _ = store.build([row(1, b"yes"), row(2, b"yes")])
    second, _ = store.build([row(1, b"yes")])
    lines = [*pq.read_table(io.BytesIO(first.events)).column("line").to_pylist()]
    lines += pq.read_table(io.BytesIO(second.events)).column("line").to_pylist()
    assert len({records.parse_line(line)["content"]["commitment"] for line in lines}) == 3
    for built in (first, second):
        assert b"yes" not in built.events + built.content


def test_one_input_has_another_digest_in_each_partition() -> None:
    commitments = ["aa", "bb"]
    digests = {kdf.input_digest(bytes([number]) * 32, commitments) for number in range(3)}
    assert len(digests) == 3
    assert kdf.input_digest(bytes(32), commitments) != kdf.input_digest(derive(bytes(32), b""), commitments)


def test_nothing_is_no_partition(store: Store) -> None:
    with pytest.raises(FormatError):
        store.build([])


def test_a_line_that_is_too_long_is_refused(store: Store) -> None:
    with pytest.raises(FormatError, match="65536"):
        store.build([row(1, b"", session="x" * records.MAX_LINE)])


def test_a_name_that_is_taken_by_other_bytes_is_told(store: Store) -> None:
    where = place()
    store.objects.put_if_absent(where.content, b"something else")
    built = partition_writer.build([row(1, b"x")], where, KeyTree.generate(), store.keyring.data_keys(["ana"]))
    with pytest.raises(StorageError, match="other bytes"):
        partition_writer.write(store.objects, where, built)
