"""A control report: its verdicts and words, what it looks at and what not, and queries that can be run again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

from ledger.errors import ConfigError, QueryRefusedError, UsageError
from replay import catalog
from replay.query import query
from reports import restrictions
from reports.controls import evaluate
from reports.document import Control, Report, Table
from reports.published import publish_all, read_published
from tests.controls.control_stores import approval, call, change
from tests.fixtures_stores import Installation

STORY: Final = {
    "chg-2026-0327": "no approval evidenced here",
    "chg-2026-0335": "approved after it took effect",
    "deployment:2731440100": "approved, time unknown",
    "deployment:2731440711": "approved, time unknown",
    "deployment:2731441322": "approved, time unknown",
}
"""In the sample: a prompt that nobody approved, a price list approved two days late, and webhooks without a time."""


def report(made: Installation, *frameworks: str, size: int | None = None, **how: Any) -> Report:
    if frameworks == ("soc2",):
        how.setdefault("controls", ["CC8.1"])
    with made.open() as store, catalog.opened(store) as opened:
        published = publish_all(store) if size is None else read_published(store, size)
        return evaluate(opened, frameworks, published, **how)


def controls(of: Report) -> dict[str, Control]:
    blocks = [block for section in of.sections for block in section.blocks]
    return {block.control: block for block in blocks if isinstance(block, Control)}


@pytest.fixture(scope="module")
def sample(
    tmp_path_factory: pytest.TempPathFactory, new_installation: Callable[..., Installation], sample_logs: Path
) -> Installation:
    made = new_installation(tmp_path_factory.mktemp("sample") / "installation")
    made.ingest(sample_logs)
    return made


@pytest.fixture(scope="module")
def every(sample: Installation) -> Report:
    return report(sample)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, new_installation: Callable[..., Installation]) -> Installation:
    """A store with one approved change, then one without approval in a later commit."""
    made = new_installation(tmp_path_factory.mktemp("desk") / "installation")
    hand_in(made, approval("to-1", "01-01T08"), change("to-1", "01-02T08", "prompt/p", "p1"))
    hand_in(made, change("to-2", "03-02T08", "prompt/p", "p2"), call("c1", "03-03T08"))
    return made


def hand_in(made: Installation, *lines: dict[str, Any]) -> None:
    folder = made.config.parent
    path = folder / f"in-{len(list(folder.glob('in-*')))}.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    made.ingest(path)


# -- the sample's story


def test_the_sample_shows_its_story(every: Report) -> None:
    test = controls(every)["CC8.1"].tests[0]
    at = [column.title for column in test.exceptions.columns]
    assert {row[at.index("source id")]: row[at.index("why")] for row in test.exceptions.rows} == STORY
    assert test.population == 14
    assert controls(every)["CC8.1"].verdict == "exceptions found"


def test_all_four_verdicts_are_given_and_nothing_else(every: Report) -> None:
    found = {control.verdict for control in controls(every).values()}
    assert found == {"evidenced", "exceptions found", "not evidenced here", "not applicable"}
    said = msgspec.json.encode(every).decode().lower()
    assert "compliant" not in said
    assert "per cent" not in said
    assert not [row for row in words(every) if "%" in row]


def words(of: Report) -> list[str]:
    return [said for control in controls(of).values() for said in (*control.words, *(t.words for t in control.tests))]


def test_every_exception_names_a_record_or_an_entry_that_is_there(sample: Installation, every: Report) -> None:
    tables = [test.exceptions for control in controls(every).values() for test in control.tests]
    ids = {row[0] for table in tables for row in table.rows if table.columns[0].title == "record id"}
    assert len(ids) > 50
    with sample.open() as store:
        known = {row[0] for row in query(store, "SELECT record_id FROM records", limit=100_000).rows()}
    assert ids <= known


def test_the_query_of_a_test_gives_its_exceptions_again(sample: Installation, every: Report) -> None:
    with sample.open() as store:
        for control, number in (("CC8.1", 0), ("Article 26(5)", 1)):
            test = controls(every)[control].tests[number]
            again = query(store, test.query, limit=1000).rows()
            assert [row[0] for row in again][: len(test.exceptions.rows)] == [row[0] for row in test.exceptions.rows]
            assert len(again) == (test.exceptions.total or len(test.exceptions.rows))


def test_names_of_tables_are_unique(every: Report) -> None:
    tables = [block for section in every.sections for block in section.blocks if isinstance(block, Table)]
    tables += [test.exceptions for control in controls(every).values() for test in control.tests]
    named = [table.name for table in tables]
    assert len(set(named)) == len(named)


def test_a_date_that_is_to_come_is_no_breach(every: Report) -> None:
    article = controls(every)["Article 12(3)"]
    assert article.applies_from == "2027-12-02"
    assert "breach" not in " ".join(article.words)


# -- what is looked at


def test_what_was_committed_later_is_not_looked_at(desk: Installation) -> None:
    with desk.open() as store:
        first = store.history.partitions()[1].index + 1
    before = controls(report(desk, "soc2", size=first))["CC8.1"].tests[0]
    after = controls(report(desk, "soc2"))["CC8.1"].tests[0]
    assert (before.population, before.verdict) == (1, "evidenced")
    assert (after.population, after.verdict) == (2, "exceptions found")


def test_the_same_question_has_the_same_answer(desk: Installation) -> None:
    first = report(desk, "soc2")
    with desk.open() as store:
        size = store.checkpoint()[0]
    hand_in(desk, change("to-3", "04-02T08", "prompt/p", "p3"))
    assert msgspec.json.encode(report(desk, "soc2", size=size)) == msgspec.json.encode(first)


def test_a_period_bounds_what_is_looked_at_but_not_what_explains_it(desk: Installation) -> None:
    whole = ("2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z")
    test = controls(report(desk, "soc2", period=whole))["CC8.1"].tests[0]
    assert (test.population, test.verdict) == (1, "evidenced")  # its approval is of the day before


def test_one_control_alone(desk: Installation) -> None:
    assert list(controls(report(desk, "soc2", controls=["CC8.1"]))) == ["CC8.1"]
    with pytest.raises(UsageError, match="soc2 has no control 'CC9'"):
        report(desk, "soc2", controls=["CC9"])


def test_people_who_are_restricted_are_left_out_and_that_is_said(installation: Installation) -> None:
    hand_in(installation, approval("to-1", "01-01T08"), change("to-1", "01-02T08", "prompt/p", "p1"))
    with installation.open() as store:
        restrictions.restrict(store, store.keyring.lookup("dev"), "art18-1-a")
    found = report(installation, "soc2")
    assert controls(found)["CC8.1"].tests[0].population == 0
    assert "2 records name people whose processing is restricted" in str(found.sections[0])


def test_an_approver_who_is_restricted_is_no_author(installation: Installation) -> None:
    hand_in(installation, approval("to-1", "01-01T08"), change("to-1", "01-02T08", "prompt/p", "p1"))
    with installation.open() as store:
        restrictions.restrict(store, store.keyring.lookup("boss"), "art18-1-a")
    assert controls(report(installation, "soc2"))["CC8.1"].tests[1].verdict == "evidenced"


def test_a_snapshot_leaves_nothing_behind(desk: Installation) -> None:
    report(desk, "soc2")
    assert not list(desk.settings.cache.glob("snapshot-*"))


# -- verdicts

ROWS: Final = "SELECT record_id, occurred_at AS time, kind FROM records WHERE kind = '{}'"


def own(folder: Path, *tests: dict[str, Any], **fields: Any) -> Path:
    """A folder with a framework of one control, which uses these tests."""
    (folder / "tests").mkdir(parents=True)
    named = [{"format": "evidence/control-test/1", "name": f"t{number}", **test} for number, test in enumerate(tests)]
    for test in named:
        known = {"question": "Is it so?", "items": "things", "population": ROWS.format("change")}
        (folder / "tests" / f"{test['name']}.yaml").write_text(yaml.safe_dump({**known, **test}))
    control = {"id": "1", "title": "One", "asks": "It.", "tests": [test["name"] for test in named], **fields}
    about = {"format": "evidence/framework/1", "name": "own", "title": "Own", "version": "1", "source": "Own words."}
    (folder / "own.yaml").write_text(yaml.safe_dump({**about, "controls": [control]}))
    return folder


GOOD: Final = {"exceptions": "SELECT * FROM population WHERE false"}
BAD: Final = {"exceptions": "SELECT *, 'it is' AS why FROM population"}
NONE: Final = {"population": ROWS.format("review")}
NOTHING: Final = {**NONE, "when_none": "not applicable"}
LACKING: Final = {**BAD, "needs": [{"what": "reviews", "query": "SELECT count(*) FROM records WHERE kind = 'review'"}]}


@pytest.mark.parametrize(
    ("tests", "fields", "verdict", "said"),
    [
        ([GOOD], {}, "evidenced", "no exception"),
        ([GOOD, NOTHING], {}, "evidenced", "no exception"),
        ([GOOD, BAD], {}, "exceptions found", "have to be explained"),
        ([GOOD, NONE], {}, "not evidenced here", "There are no things to look at"),
        ([BAD, NONE], {}, "exceptions found", "Besides, not all that its tests look for is here"),
        ([NOTHING], {}, "not evidenced here", "Nothing of what its tests look at is here"),
        ([LACKING], {}, "not evidenced here", "Not there: reviews."),
        ([GOOD], {"missing": "A document."}, "not evidenced here", "a part of what it asks. Missing: A document."),
        ([], {"missing": "A document."}, "not evidenced here", "Missing: A document."),
        ([BAD], {"not_applicable": {"when": "SELECT true", "why": "It is so."}}, "not applicable", "It is so."),
        ([BAD], {"not_applicable": {"when": "SELECT false", "why": "It is so."}}, "exceptions found", "explained"),
        ([GOOD], {"wording": {"evidenced": "All is well."}}, "evidenced", "All is well."),
    ],
)
def test_the_verdict_of_a_control(
    desk: Installation, tmp_path: Path, tests: list[dict[str, Any]], fields: dict[str, Any], verdict: str, said: str
) -> None:
    found = controls(report(desk, "own", folder=own(tmp_path / "own", *tests, **fields)))["1"]
    assert (found.verdict, said in " ".join(found.words)) == (verdict, True), found.words


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({"population": "SELECT * FROM read_text('/etc/passwd')"}, "test t0: the query reaches outside the views"),
        ({"population": "SELECT 1) p, given g; DROP TABLE x; SELECT (1"}, "test t0: "),
        ({"population": "SELECT * FROM nothing"}, "test t0: the query reaches outside the views: 'nothing'"),
        ({"population": "SELECT 1 AS record_id"}, "test t0: the query does not work"),
        ({"facts": "SELECT * FROM '/etc/passwd'"}, "test t0: the query reaches outside the views"),
        ({"needs": [{"what": "x", "query": "SELECT current_setting('threads')"}]}, "test t0: the query reaches"),
    ],
)
def test_sql_of_ones_own_reaches_the_views_alone(
    desk: Installation, tmp_path: Path, test: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        report(desk, "own", folder=own(tmp_path / "own", {**GOOD, **test}))
    assert refused.value.message.startswith(said)


def test_rows_without_an_id_or_a_time_are_refused(desk: Installation, tmp_path: Path) -> None:
    wrong = {"exceptions": "SELECT kind, time FROM population"}
    with pytest.raises(ConfigError, match="test t0: its rows begin with record_id or entry"):
        report(desk, "own", folder=own(tmp_path / "own", wrong))


def test_parameters_reach_a_test_as_values(desk: Installation, tmp_path: Path) -> None:
    hostile = "x' OR true --"
    rows = "SELECT record_id, occurred_at AS time FROM records, given WHERE kind = text"
    test = {"population": rows, "parameters": {"text": hostile}}
    found = controls(report(desk, "own", folder=own(tmp_path / "own", {**GOOD, **test})))["1"].tests[0]
    assert found.population == 0
    assert hostile in found.words


def test_the_example_in_the_documents_works(desk: Installation, tmp_path: Path) -> None:
    document = Path(__file__).parents[2] / "docs" / "CONTROLS.md"
    framework, test = re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "own" / "tests").mkdir(parents=True)
    (tmp_path / "own" / "bank.yaml").write_text(framework)
    (tmp_path / "own" / "tests" / "prompts.yaml").write_text(test)
    found = controls(report(desk, "bank-rules", folder=tmp_path / "own"))["B-4"]
    assert [item.verdict for item in found.tests] == ["evidenced", "evidenced", "not evidenced here"]
    assert found.verdict == "not evidenced here"
