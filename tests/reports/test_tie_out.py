"""The same records counted in several ways: equal in a sound store, and each difference named where there is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import TamperedError, UsageError
from ledger.store import Store
from replay.catalog import Catalog, opened
from reports.published import Published, publish_all
from reports.restrictions import restrict
from reports.selection.choosing import Chosen, choose
from reports.selection.predicates import PeriodSelection, Selection, SessionSelection
from reports.tie_out.counting import Scope, scope_of, table, tie_out
from reports.tie_out.period_counts import count_period
from reports.tie_out.source_counts import Compared, compare, differences, parse_counts, read_counts
from reports.tie_out.source_counts import table as source_table
from tests.fixtures_stores import Installation
from tests.reports.bundles import Bank

Looked = tuple[Catalog, Published]


@pytest.fixture(scope="module")
def looked(bank: Bank) -> Iterator[Looked]:
    with Store.open(bank.settings) as store:
        published = publish_all(store)
        with opened(store) as catalog:
            yield catalog, published


# -- in a sound store


def test_everything_is_counted_four_ways_and_ties(looked: Looked) -> None:
    counted = count_period(*looked, None, None).tie_out

    assert {count.number for count in counted.counts} == {sum(entry.value["rows"] for entry in looked[0].partitions())}
    assert [count.name for count in counted.counts] == ["ledger", "events", "selected", "population", "report"]
    assert counted.differences == ()


def test_a_period_that_cuts_through_days(looked: Looked, morning: PeriodSelection) -> None:
    counted = count_period(*looked, morning.start, morning.end).tie_out
    number = {count.name: count.number for count in counted.counts}

    assert number["ledger"] == number["events"] > number["selected"] == number["population"] == number["report"] > 0
    assert counted.differences == ()
    assert any(item.selected < item.events for item in counted.partitions)


def test_a_period_without_records_ties_at_nothing(looked: Looked) -> None:
    counted = count_period(*looked, "1999-01-01T00:00:00Z", "1999-02-01T00:00:00Z").tie_out

    assert {count.number for count in counted.counts} == {0}
    assert counted.differences == ()


def chosen(looked: Looked, selection: Selection) -> list[Chosen]:
    return [row for _, rows in choose(looked[0], selection, complete=False) for row in rows]


def selections(catalog: Catalog, session: str) -> dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]]:
    """Selections as bundles state them, and what they mean, said in Python."""
    ((subject,),) = catalog.connection.execute(
        "SELECT subject FROM subject_runs GROUP BY subject ORDER BY sum(rows) DESC LIMIT 1"
    ).fetchall()

    def names(line: dict[str, Any]) -> bool:
        return line["content"]["owner"] == subject or any(subject in each for each in line.get("subjects", {}).values())

    def is_model(line: dict[str, Any]) -> bool:
        return "mira-7b-v1.5.0" in (line.get("gen_ai_request_model"), line.get("gen_ai_response_model"))

    return {
        "session": ({"type": "session", "session": session}, lambda line: line.get("session") == session),
        "subject": ({"type": "subject", "subjects": [subject, "0" * 32]}, names),
        "model": ({"type": "model", "model": "mira-7b-v1.5.0"}, is_model),
        "version": ({"type": "model", "model": "mira-7b", "version": "no-such"}, lambda _line: False),
        "from": (
            {"type": "time", "from": "2026-10-20T00:00:00Z"},
            lambda line: line.get("occurred_at", line["observed_at"]) >= "2026-10-20",
        ),
    }


@pytest.mark.parametrize("name", ["session", "subject", "model", "version", "from"])
def test_the_sql_of_a_selection_is_what_it_means(looked: Looked, bank: Bank, name: str) -> None:
    catalog, published = looked
    stated, means = selections(catalog, bank.session)[name]
    wanted = sum(means(item.line) for item in chosen(looked, PeriodSelection(None, None)))
    counted = tie_out(catalog, published, scope_of(stated), wanted, None)

    assert wanted or name == "version"
    assert counted.differences == ()


def test_records_that_a_query_chose_are_counted_by_their_ids(looked: Looked, bank: Bank) -> None:
    catalog, published = looked
    ids = [item.record.hex() for item in chosen(looked, SessionSelection(bank.session))]

    assert tie_out(catalog, published, scope_of({"type": "query"}, ids), len(ids), None).differences == ()
    assert tie_out(catalog, published, scope_of({"type": "query"}, [*ids, "0" * 64]), len(ids) + 1, None).differences


def test_what_is_committed_after_the_checkpoint_is_not_counted(fresh_bank: Bank) -> None:
    with Store.open(fresh_bank.settings) as store:
        published = publish_all(store)
        before = sum(entry.value["rows"] for entry in store.history.partitions())
        store.record_access(b"{}", {})
        store.close_spool()
        store.seal()
        with opened(store) as catalog:
            counted = count_period(catalog, published, None, None).tie_out
        assert sum(entry.value["rows"] for entry in store.history.partitions()) == before + 1

    assert {count.number for count in counted.counts} == {before}
    assert counted.differences == ()


def test_who_is_restricted_is_counted_and_said_to_be_left_out(fresh_bank: Bank) -> None:
    with Store.open(fresh_bank.settings) as store:
        with opened(store) as catalog:
            ((person,),) = catalog.connection.execute(
                "SELECT subject FROM subject_runs GROUP BY subject ORDER BY sum(rows) DESC LIMIT 1"
            ).fetchall()
        restrict(store, [person], "art18-1-a")
        published = publish_all(store)
        with opened(store) as catalog:
            found = count_period(catalog, published, None, None)

    assert found.left_out > 0
    assert found.tie_out.differences == ()
    assert f"{found.left_out} left out there" in found.tie_out.counts[-1].query


def test_a_record_that_is_missing_from_the_report_is_named(looked: Looked) -> None:
    catalog, published = looked
    total = count_period(*looked, None, None).tie_out.counts[0].number
    shown = table(catalog, published, (None, None), total, total - 1)

    assert shown.note == f"population counts {total}, report {total - 1}."
    assert [row[:2] for row in shown.rows][-1] == ("report", total - 1)


def test_a_difference_names_the_partition(looked: Looked) -> None:
    catalog, published = looked
    first, second = (entry for entry in catalog.partitions()[:2])
    total = sum(entry.value["rows"] for entry in catalog.partitions())
    moved = {entry.index: entry.value["rows"] for entry in catalog.partitions()}
    moved[first.index] += 1
    moved[second.index] -= 1
    found = tie_out(catalog, published, Scope(), total, total, moved).differences

    assert [item.split(":")[0] for item in found] == [f"entry {first.index}", f"entry {second.index}"]


def test_an_events_file_that_was_exchanged_is_tampered(fresh_bank: Bank) -> None:
    with Store.open(fresh_bank.settings) as store:
        published = publish_all(store)
        with opened(store) as catalog:
            folder = Path(store.settings.store)
            first, second = (folder / entry.value["events"]["path"] for entry in catalog.partitions()[:2])
            assert first.read_bytes() != second.read_bytes()
            first.unlink()
            first.write_bytes(second.read_bytes())
            with pytest.raises(TamperedError, match="SHA-256"):
                count_period(catalog, published, None, None)


def test_the_csv_of_a_bundle(looked: Looked) -> None:
    counted = count_period(*looked, None, None).tie_out

    assert counted.csv().decode().splitlines()[0] == "count,number,query"
    assert len(counted.csv().splitlines()) == 1 + len(counted.counts)
    assert len(counted.by_partition().rows) == len(looked[0].partitions())


# -- against the source


def by_day(looked: Looked, source: str) -> dict[str, int]:
    rows = (
        looked[0]
        .connection.execute(
            "SELECT strftime(occurred_at, '%Y-%m-%d') AS day, count(*) FROM read_parquet(?) WHERE source = ? "
            "GROUP BY day ORDER BY day",
            [looked[0].events_paths(), source],
        )
        .fetchall()
    )
    return dict(rows)


def test_counts_of_a_source_that_agree(looked: Looked) -> None:
    true = by_day(looked, "litellm")
    lines = "".join(f"litellm,{day},{count}\n" for day, count in true.items())
    stated = parse_counts(f"source,day,count\n{lines}".encode())
    found = compare(*looked, stated, Scope())

    assert len(true) > 3
    assert [item.difference for item in found] == [0] * len(true)
    assert differences(found) == []
    assert source_table(stated, found).rows[0][:4] == ("litellm", next(iter(true)), *[next(iter(true.values()))] * 2)


def test_what_the_source_had_more_what_it_had_less_and_what_it_does_not_state(looked: Looked) -> None:
    true = by_day(looked, "litellm")
    first, second, *_, last = true
    stated = parse_counts(
        f"source,count,day\nlitellm,{true[first] + 2},{first}\nlitellm,0,{last}\nnowhere,5,{first}\n".encode()
    )
    found = compare(*looked, stated, Scope())

    assert [item.difference for item in found[:3]] == [-2, true[last], -5]
    assert [item.key for item in found[3:]] == [("litellm", day) for day in true if day not in (first, last)]
    assert found[3] == Compared(("litellm", second), None, true[second], 0, 0)
    assert differences(found)[0] == f"litellm {first}: 2 fewer here than the source states ({true[first] + 2})"


def test_a_record_that_came_twice_is_one_of_the_source(
    new_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    installation = new_installation(tmp_path / "twice")
    event = {"evidence": "event/1", "kind": "tool", "source": "desk", "time": "2026-10-04T08:00:00Z", "system": "mira"}
    for name, status in (("one", "ok"), ("two", "error")):
        (tmp_path / name).write_text(json.dumps({**event, "id": "t-1", "status": status}) + "\nno json\n")
        installation.ingest(tmp_path / name, format_name="evidence")
    with installation.open() as store, opened(store) as catalog:
        published = publish_all(store)
        found = compare(catalog, published, parse_counts(b"system,source,day,count\nmira,desk,2026-10-04,1\n"), Scope())

    assert found == [Compared(("mira", "desk", "2026-10-04"), 1, 1, 1, 0)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "need a heading"),
        ("source,day\nmira,2026-10-13\n", "need a heading"),
        ("count\n3\n", "need a heading"),
        ("source,source,count\na,b,3\n", "need a heading"),
        ("source,owner,count\na,b,3\n", "need a heading"),
        ("source,count\nmira,-3\n", "line 2"),
        ("source,count\nmira,3\nmira,4\n", "line 3 of the counts counts the same again"),
        ("source,count\nmira,\u0663\n", "line 2"),
        ("source,count\nmira,3,4\n", "line 2"),
        ("source,day,count\nmira,13.10.2026,3\n", "no day"),
        ('source,count\n"mira,3\n', "no CSV"),
    ],
)
def test_counts_that_cannot_be_read(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_counts(text.encode())


@given(data=st.binary(max_size=100) | st.text(max_size=100).map(lambda text: f"source,count\n{text}".encode()))
def test_no_bytes_break_the_reader_of_counts(data: bytes) -> None:
    try:
        stated = parse_counts(data)
    except UsageError:
        return
    assert all(len(key) == len(stated.columns) for key in stated.counts)


def test_spreadsheets_write_a_mark_and_other_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_bytes("\ufeffsource;count".replace(";", ",").encode() + b"\r\nmira,3\r\n\r\n")

    assert read_counts(file).counts == {("mira",): 3}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_counts(tmp_path / "nothing.csv")
