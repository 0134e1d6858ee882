"""Finding a person by reference: the same rows as reading every line, but only their row groups are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle, records
from ledger.errors import NotFoundError
from ledger.partition_reader import PartitionReader
from replay import persons
from replay.persons import person_rows, resolve_person

Turn = Callable[..., dict[str, Any]]


def by_reading_all(opened: Any) -> dict[str, set[str]]:
    """Record ids by reference, from every line of the store."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in opened.partitions():
        for line in PartitionReader(opened.store.objects, entry.value).all_rows(["line"]).column("line").to_pylist():
            fields = records.parse_line(line)
            people = {
                fields["content"]["owner"],
                *(ref for refs in fields.get("subjects", {}).values() for ref in refs),
            }
            for reference in people:
                found[reference].add(merkle.leaf_hash(line).hex())
    return found


def test_every_person_of_the_sample_has_the_rows_that_name_them(sample: Any) -> None:
    with sample.listed() as (_, opened):
        expected = by_reading_all(opened)
        assert len(expected) > 10
        for reference, ids in expected.items():
            rows = person_rows(opened, [reference])

            assert {row.record_id for row in rows} == ids
            assert len(rows) == len(ids)
            assert all(row.roles for row in rows)


def test_two_references_of_one_person_count_a_record_once(sample: Any) -> None:
    with sample.listed() as (_, opened):
        expected = by_reading_all(opened)
        one, other = sorted(expected, key=lambda ref: -len(expected[ref]))[:2]
        rows = person_rows(opened, [one, other])

        assert {row.record_id for row in rows} == expected[one] | expected[other]
        assert len(rows) == len({row.record_id for row in rows})


def test_a_row_says_where_it_is_and_in_which_roles(desk: Any, turn: Turn) -> None:
    desk.ingest(
        turn(
            "q", "a", id="e1", time="2025-03-01T10:00:00Z", subjects={"end_user": [{"type": "email", "id": "a@b.org"}]}
        ),
        turn(
            "q", "a", id="e2", time="2025-03-01T10:01:00Z", subjects={"reviewer": [{"type": "email", "id": "A@B.org "}]}
        ),
    )
    with desk.listed() as (store, opened):
        references = resolve_person(store, ["email:a@b.org"])
        rows = person_rows(opened, references)
        entry = opened.partitions()[rows[0].partition]

        assert [row.roles for row in rows] == [("end_user", "owner"), ("reviewer",)]
        assert [(row.source_id, row.row, row.entry) for row in rows] == [("e1", 0, entry.index), ("e2", 1, entry.index)]
        assert [(row.kind, row.session, row.at) for row in rows][1] == ("inference", "s1", "2025-03-01T10:01:00Z")
        assert rows[0].owner == references[0] != rows[1].owner


def test_only_the_row_groups_that_hold_the_person_are_read(
    desk: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = {"end_user": [{"type": "user_id", "id": "rare"}]}
    desk.ingest(
        *(turn("q", "a", id=f"e{n}", session=f"s{n:05}", time="2025-03-01T10:00:00Z") for n in range(6000)),
        *(turn("q", "a", id=f"r{n}", session="s00100", time="2025-03-01T11:00:00Z", subjects=user) for n in range(3)),
        turn("q", "a", id="r9", session="s05999", time="2025-03-01T11:00:00Z", subjects=user),
    )
    read: list[int] = []
    original = PartitionReader.rows

    def noted(self: PartitionReader, first: int, count: int, columns: Any) -> Any:
        read.append(count)
        return original(self, first, count, columns)

    monkeypatch.setattr(PartitionReader, "rows", noted)
    with desk.listed() as (store, opened):
        rows = person_rows(opened, resolve_person(store, ["rare"]))

    assert [row.source_id for row in rows] == ["r0", "r1", "r2", "r9"]
    assert read == [3, 1]


def test_linked_references_are_one_person_until_they_are_unlinked(desk: Any, turn: Turn) -> None:
    for number, name in enumerate(("ana", "a@b.org", "4711")):
        subjects = {"end_user": [{"type": "user_id", "id": name}]}
        desk.ingest(turn("q", "a", id=f"e{number}", time="2025-03-01T10:00:00Z", subjects=subjects))
    with desk.listed() as (store, opened):
        ana, mail, third = (resolve_person(store, [name])[0] for name in ("ana", "a@b.org", "4711"))
        store.links.add(ana, mail)
        store.links.add(mail, third)

        assert resolve_person(store, ["4711"]) == sorted((ana, mail, third))
        assert len(person_rows(opened, resolve_person(store, ["ana"]))) == 3

        assert store.links.remove(third, mail)
        assert resolve_person(store, ["4711"]) == [third]


def test_identifiers_are_given_with_a_type_or_without(desk: Any, turn: Turn) -> None:
    people = [{"type": "user_id", "id": "x:1"}, {"type": "phone", "id": "+49 151 0123"}]
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z", subjects={"end_user": people}))
    with desk.listed() as (store, _):
        user, phone = (store.keyring.lookup(item["id"], [item["type"]])[0] for item in people)

        for text in ("x:1", "user_id:x:1", user):
            assert resolve_person(store, [text]) == [user]
        assert resolve_person(store, ["phone:0049 151 0123"]) == resolve_person(store, ["+491510123"]) == [phone]
        assert resolve_person(store, ["x:1", "+491510123"]) == sorted((user, phone))
        for unknown in ("", "s1", "phone:x:1", "user_id:", "x", "0" * 32, "\udc80"):
            with pytest.raises(NotFoundError):
                resolve_person(store, ["x:1", unknown])


def test_what_the_keyring_holds_of_a_reference_is_gone_after_an_erasure(desk: Any, turn: Turn) -> None:
    people = [{"type": "email", "id": "Ana@B.org"}]
    desk.ingest(turn("q", "a", id="e1", time="2025-03-01T10:00:00Z", subjects={"end_user": people}))
    with desk.listed() as (store, _):
        (reference,) = resolve_person(store, ["ana@b.org"])
        assert store.identities.of([reference]) == {reference: [("email", "ana@b.org")]}

    desk.installation.erase("ana@b.org")

    with desk.listed() as (store, opened):
        assert store.identities.of([reference]) == {reference: []}
        assert len(person_rows(opened, [reference])) == 1
        with pytest.raises(NotFoundError):
            resolve_person(store, ["ana@b.org"])


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 3000)), min_size=1, max_size=30))
def test_spans_cover_every_run_once(ranges: list[tuple[int, int]]) -> None:
    spans = list(persons._spans(sorted(ranges)))

    assert all(any(at <= first and first + count <= at + size for at, size in spans) for first, count in ranges)
    ends = [at + size for at, size in spans]
    assert all(end < start for end, (start, _) in zip(ends, spans[1:], strict=False))
