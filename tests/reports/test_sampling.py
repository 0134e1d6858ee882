"""Samples: drawn again to the same rows by anybody, whatever the order of the population, and fair."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ledger import canonical
from ledger.errors import EvidenceError, FormatError, TamperedError, UsageError
from reports.sampling.drawing import (
    MAX_SEED,
    PopulationRow,
    Replace,
    Sample,
    SamplingRequest,
    Seed,
    allocate,
    check_field,
    draw,
    population_csv,
    stratum_of,
)
from reports.sampling.files import read_population, read_sampling, redraw
from reports.standalone import verify

pytestmark = pytest.mark.wheel

CHECKPOINT = b"demo\n12\nnxAiU1ulV2BAAfEWyYS/Fj0eFFEZQ8qj7pM+4jYqdLQ=\n"
DICE = Seed("given", "6 2 5 5 1")


def numbered(size: int, stratum: Callable[[int], str] = lambda _: "") -> list[PopulationRow]:
    """A population of so many rows, in two partitions."""
    ids = [hashlib.sha256(str(number).encode()).digest() for number in range(size)]
    return [PopulationRow(5 + number // 100, number % 100, each, stratum(number)) for number, each in enumerate(ids)]


def chosen(sample: Sample) -> list[bytes]:
    return [item.row.record for item in sample.items]


any_row = st.builds(
    PopulationRow,
    st.integers(0, 3),
    st.integers(0, 50),
    st.binary(min_size=32, max_size=32),
    st.sampled_from("abcé"),
)
populations = st.lists(any_row, unique_by=lambda row: row[:2], max_size=60)
"""Also with the same line twice."""
of_different_lines = st.lists(any_row, unique_by=(lambda row: row[:2], lambda row: row.record), max_size=60)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
seeds = st.builds(Seed, st.sampled_from(["given", "nonce"]), texts)


# -- drawing


@given(rows=populations, seed=seeds, size=st.integers(0, 80), data=st.data())
def test_it_is_drawn_again_from_its_files_whatever_the_order_of_the_population(
    rows: list[PopulationRow], seed: Seed, size: int, data: st.DataObject
) -> None:
    sample = draw(rows, seed, CHECKPOINT, size, field="kind")
    shuffled = data.draw(st.permutations(rows))

    assert redraw(sample.sampling_json(), sample.sample_csv(), shuffled, CHECKPOINT) == sample
    assert drawn_by_verify(sample, rows) == as_verify_says(sample)
    assert len(sample.items) == min(size, len(rows))
    assert {item.row for item in sample.items} <= set(rows)


@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 10_000])
def test_none_one_all_and_more_than_there_are(size: int) -> None:
    sample = draw(numbered(200), DICE, CHECKPOINT, size)

    assert len(sample.records) == min(size, 200)
    assert [item.rank for item in sample.items] == list(range(1, min(size, 200) + 1))


def test_a_larger_sample_begins_with_the_smaller_one() -> None:
    ten, thirty = (draw(numbered(200), DICE, CHECKPOINT, size) for size in (10, 30))

    assert chosen(thirty)[:10] == chosen(ten)


def test_an_empty_population_gives_nothing() -> None:
    sample = draw([], DICE, CHECKPOINT, 10)

    assert (sample.items, sample.strata) == ((), ())


def test_less_than_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no fewer than 0"):
        draw(numbered(3), DICE, CHECKPOINT, -1)


def test_a_line_that_is_there_twice_is_two_rows_in_the_order_of_the_log() -> None:
    twin = numbered(1)[0]
    rows = [twin._replace(partition=9), twin._replace(row=7), twin]

    assert [item.row for item in draw(rows, DICE, CHECKPOINT, 3).items] == [twin, rows[1], rows[0]]


def test_a_line_that_is_there_twice_is_not_replaced() -> None:
    rows = [*numbered(9), numbered(1)[0]._replace(partition=9)]
    first = draw(rows, DICE, CHECKPOINT, 1).items[0].row.record

    with pytest.raises(UsageError, match="stands in the population twice"):
        draw(rows, DICE, CHECKPOINT, 1, [Replace("void", first)])


def test_the_order_is_the_documented_one() -> None:
    """Computed here in another way: ten lines that an auditor can type, see docs/SAMPLING.md."""
    key = hashlib.sha256(b"evidence/sample-nonce/1\n" + CHECKPOINT + b"11 to 4").digest()
    by_hand = sorted((hmac.new(key, row.record, "sha256").digest(), row.record) for row in numbered(200))[:25]

    assert chosen(draw(numbered(200), Seed("nonce", "11 to 4"), CHECKPOINT, 25)) == [record for _, record in by_hand]


def test_a_nonce_gives_another_sample_under_another_checkpoint_and_a_given_seed_does_not() -> None:
    def drawn(seed: Seed, checkpoint: bytes) -> list[bytes]:
        return chosen(draw(numbered(200), seed, checkpoint, 20))

    assert drawn(Seed("nonce", "4711"), b"one\n") != drawn(Seed("nonce", "4711"), b"two\n")
    assert drawn(Seed("given", "4711"), b"one\n") == drawn(Seed("given", "4711"), b"two\n")
    assert drawn(Seed("given", "4711"), b"one\n") != drawn(Seed("given", "4712"), b"one\n")


def test_every_row_is_drawn_equally_often() -> None:
    """Over 4,000 seeds each of 50 rows is in a sample of 5 about 400 times; the seeds are fixed, so is the result."""
    rows = numbered(50)
    times = Counter(
        record for number in range(4_000) for record in chosen(draw(rows, Seed("given", f"{number}"), b"", 5))
    )
    pairs = Counter(
        frozenset(chosen(draw(rows[:8], Seed("given", f"pair {number}"), b"", 2))) for number in range(2_800)
    )

    assert chisquare([times[row.record] for row in rows]).pvalue > 0.01
    assert len(pairs) == 28
    assert chisquare(list(pairs.values())).pvalue > 0.01


@pytest.mark.parametrize("text", ["", "x" * (MAX_SEED + 1), "\ud800"])
def test_a_seed_is_some_text(text: str) -> None:
    with pytest.raises(UsageError, match="a seed is text"):
        Seed("given", text)


# -- strata


@given(counts=st.dictionaries(texts, st.integers(1, 10_000), max_size=12), size=st.integers(0, 60_000))
def test_strata_give_in_proportion_at_least_one_and_never_more_than_they_have(
    counts: dict[str, int], size: int
) -> None:
    total = sum(counts.values())
    size = min(size, total)
    drawn = allocate(counts, size)

    assert drawn.keys() == counts.keys()
    assert sum(drawn.values()) == size
    assert all(drawn[name] <= counts[name] for name in counts)
    if size >= len(counts):
        assert all(drawn.values())
    if all(size * count >= total for count in counts.values()):
        assert all(abs(drawn[name] - size * counts[name] / total) < 1 for name in counts)


@given(counts=st.dictionaries(texts, st.integers(1, 1000), min_size=1, max_size=8), data=st.data())
def test_allocation_depends_on_the_names_and_not_on_their_order(counts: dict[str, int], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, sum(counts.values())))
    shuffled = dict(data.draw(st.permutations(list(counts.items()))))

    assert allocate(counts, size) == allocate(shuffled, size)


@pytest.mark.parametrize(
    ("counts", "size", "drawn"),
    [
        ({"a": 900, "b": 90, "c": 10}, 60, {"a": 54, "b": 5, "c": 1}),
        ({"a": 5000, "b": 3000, "c": 1999, "d": 1}, 100, {"a": 49, "b": 30, "c": 20, "d": 1}),
        ({"b": 10, "a": 10, "c": 10}, 4, {"a": 2, "b": 1, "c": 1}),
        ({"b": 10, "a": 10, "c": 10}, 2, {"a": 1, "b": 1, "c": 0}),
        ({"a": 1, "b": 1, "c": 1}, 3, {"a": 1, "b": 1, "c": 1}),
        ({"z": 1, "\U00010000": 1, "\uffff": 1}, 2, {"z": 1, "\uffff": 1, "\U00010000": 0}),
    ],
    ids=["largest remainder", "one at least", "equal remainders", "too few for all", "all", "not by UTF-16"],
)
def test_allocation(counts: dict[str, int], size: int, drawn: dict[str, int]) -> None:
    assert allocate(counts, size) == drawn


def test_each_stratum_has_an_order_and_ranks_of_its_own() -> None:
    rows = numbered(120, lambda number: "tool" if number % 4 else "inference")
    sample = draw(rows, DICE, CHECKPOINT, 12, field="kind")
    alone = draw([row for row in rows if row.stratum == "tool"], DICE, CHECKPOINT, 9)

    assert [tuple(stratum) for stratum in sample.strata] == [("inference", 30, 3), ("tool", 90, 9)]
    assert [item.rank for item in sample.items] == [1, 2, 3, *range(1, 10)]
    assert [item.row for item in sample.items[3:]] == [item.row for item in alone.items]


@pytest.mark.parametrize(
    ("line", "field", "stratum"),
    [
        ({"kind": "tool"}, "kind", "tool"),
        ({"model_ref": {"version": "v1.5.0"}}, "model_ref.version", "v1.5.0"),
        ({"model_ref": {"name": "mira"}}, "model_ref.version", ""),
        ({"kind": "tool"}, "system", ""),
        ({"kind": "tool"}, None, ""),
    ],
)
def test_the_stratum_is_a_field_of_the_line(line: dict[str, object], field: str | None, stratum: str) -> None:
    assert stratum_of(line, field) == stratum


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "a\nb", 'a"b', "<script>", "x" * 257, 7, {"name": "x"}])
def test_what_is_no_code_is_no_stratum(text: object) -> None:
    with pytest.raises(FormatError, match="no code"):
        stratum_of({"system": text}, "system")


def test_nobody_is_a_stratum() -> None:
    with pytest.raises(UsageError, match="stratified by 'content.owner'"):
        check_field("content.owner")


# -- replacements


def test_a_replacement_is_the_next_in_the_order_of_the_same_stratum_and_hides_nothing() -> None:
    rows = numbered(120, lambda number: "tool" if number % 4 else "inference")
    before = draw(rows, DICE, CHECKPOINT, 12, field="kind")
    out = before.items[4].row
    after = draw(rows, DICE, CHECKPOINT, 12, [Replace("not_available", out.record)], "kind")
    longer = draw([row for row in rows if row.stratum == "tool"], DICE, CHECKPOINT, 10)

    assert after.items[-1].row == longer.items[-1].row
    assert after.items[-1].replaces == out.record
    assert after.items[:-1] == before.items
    assert [item.row for item in after.counting] == [item.row for item in after.items if item.row != out]
    assert after.strata == before.strata


@given(rows=of_different_lines, seed=seeds, size=st.integers(1, 20), data=st.data())
def test_chains_of_replacements_are_drawn_again(
    rows: list[PopulationRow], seed: Seed, size: int, data: st.DataObject
) -> None:
    wishes: list[Replace] = []
    sample = draw(rows, seed, CHECKPOINT, size, field="kind")
    for _ in range(data.draw(st.integers(0, 6))):
        open_ones = [item for item in sample.counting if spare(rows, sample, item.row.stratum)]
        if not open_ones:
            break
        wishes.append(Replace("void", data.draw(st.sampled_from(open_ones)).row.record))
        sample = draw(rows, seed, CHECKPOINT, size, wishes, "kind")

    assert redraw(sample.sampling_json(), sample.sample_csv(), rows, CHECKPOINT) == sample
    assert drawn_by_verify(sample, rows) == as_verify_says(sample)
    assert len(sample.counting) == min(size, len(rows))
    assert len(sample.items) == min(size, len(rows)) + len(wishes)


def drawn_by_verify(sample: Sample, rows: list[PopulationRow]) -> list[tuple[str, int, bytes, str]]:
    """The same by verify.py, which shares no code with the product."""
    listed = verify.Rows()
    for row in sorted(rows):
        listed.partitions.append(row.partition)
        listed.rows.append(row.row)
        listed.records.append(row.record)
        listed.strata.append(row.stratum)
    found = verify.draw_again(json.loads(sample.sampling_json()), listed, CHECKPOINT)
    return [(stratum, rank, listed.records[at], replaces) for stratum, rank, at, replaces in found]


def as_verify_says(sample: Sample) -> list[tuple[str, int, bytes, str]]:
    return [
        (item.row.stratum, item.rank, item.row.record, item.replaces.hex() if item.replaces else "")
        for item in sample.items
    ]


def spare(rows: list[PopulationRow], sample: Sample, stratum: str) -> bool:
    return sum(row.stratum == stratum for row in rows) > sum(item.row.stratum == stratum for item in sample.items)


def test_a_replacement_can_be_replaced() -> None:
    order = chosen(draw(numbered(50), DICE, CHECKPOINT, 4))
    sample = draw(numbered(50), DICE, CHECKPOINT, 2, [Replace("void", order[0]), Replace("void", order[2])])

    assert [(item.record, item.by) for item in sample.replacements] == [(order[0], order[2]), (order[2], order[3])]
    assert [item.row.record for item in sample.counting] == [order[1], order[3]]


def test_what_cannot_be_replaced() -> None:
    rows = numbered(3)
    order = chosen(draw(rows, DICE, CHECKPOINT, 3))

    def replaced(size: int, *records: bytes, reason: str = "void") -> None:
        draw(rows, DICE, CHECKPOINT, size, [Replace(reason, record) for record in records])

    with pytest.raises(UsageError, match="was not drawn"):
        replaced(1, order[1])
    with pytest.raises(UsageError, match="replaced already"):
        replaced(1, order[0], order[0])
    with pytest.raises(UsageError, match="all of its population"):
        replaced(3, order[0])
    with pytest.raises(UsageError, match="a code, not words"):
        replaced(1, order[0], reason="The customer, Ines, called")


# -- files


@given(rows=populations)
def test_a_population_is_read_as_it_was_written(rows: list[PopulationRow]) -> None:
    ordered = sorted(rows)

    assert read_population(population_csv(ordered)) == ordered


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"partition", b"part", 1),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"5,1,", b"5,01,"),
        lambda data: data.replace(b"5,1,", b"5,+1,"),
        lambda data: data.replace(b"5,1,", b"5,2,"),
        lambda data: data.replace(b"5,1,", "5,\u0661,".encode()),
        lambda data: data[:-1],
        lambda data: data + b"5,9,00,\n",
        lambda data: data + b'5,9,"' + b"0" * 200_000 + b'",\n',
        lambda data: data + b"\xff",
        lambda _: b"",
    ],
)
def test_another_spelling_of_a_population_is_refused(change: Callable[[bytes], bytes]) -> None:
    data = population_csv(numbered(4))
    changed = change(data)

    assert changed != data
    with pytest.raises(FormatError):
        read_population(changed)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    for read in (read_population, read_sampling):
        with pytest.raises(EvidenceError):
            read(data)


@given(seed=seeds, size=st.integers(0, 1 << 40), field=st.none() | st.just("kind"))
def test_what_was_wanted_is_read_as_it_was_written(seed: Seed, size: int, field: str | None) -> None:
    assert read_sampling(draw([], seed, b"", size, field=field).sampling_json()) == SamplingRequest(seed, size, field)


CHANGES: dict[str, object] = {
    "seed": {"kind": "given", "seed": "6 2 5 5 2"},
    "size": 11,
    "strata": [{"drawn": 11, "population": 50, "stratum": ""}],
    "replacements": [],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_sample_whose_files_say_something_else_is_not_drawn_again(name: str) -> None:
    rows = numbered(50)
    first = chosen(draw(rows, DICE, CHECKPOINT, 10))[0]
    sample = draw(rows, DICE, CHECKPOINT, 10, [Replace("void", first)])
    value = canonical.decode(sample.sampling_json())
    changed = canonical.encode({**value, name: CHANGES[name]})

    assert changed != sample.sampling_json()
    with pytest.raises(EvidenceError):
        redraw(changed, sample.sample_csv(), rows, CHECKPOINT)


def test_a_row_that_was_exchanged_is_found() -> None:
    rows = numbered(50)
    sample = draw(rows, DICE, CHECKPOINT, 10)
    wanted = next(row for row in rows if row.record not in sample.records)
    exchanged = sample.sample_csv().replace(sample.items[3].row.record.hex().encode(), wanted.record.hex().encode())

    assert exchanged != sample.sample_csv()
    with pytest.raises(TamperedError):
        redraw(sample.sampling_json(), exchanged, rows, CHECKPOINT)


def test_a_record_that_was_left_out_of_the_population_is_found_by_its_counts() -> None:
    rows = numbered(50)
    sample = draw(rows, DICE, CHECKPOINT, 10)
    fewer = [row for row in rows if row.record in sample.records or row.row != 0]

    assert len(fewer) < 50
    with pytest.raises(TamperedError):
        redraw(sample.sampling_json(), sample.sample_csv(), fewer, CHECKPOINT)
