"""The change population: broken rules are named, what nobody recorded is held against nobody."""

from __future__ import annotations

from typing import Any

import pytest

from replay.approvals import APPROVED_LATE, NOT_EVIDENCED, TIME_UNKNOWN
from reports import restrictions
from reports.fixed import changes
from reports.fixed.changes import change_population
from reports.fixed.lineage import model_lineage
from tests.fixed_reports.conftest import approval, call, change

BEFORE, NOON, AFTER = "2026-03-01T08:00:00Z", "2026-03-01T12:00:00Z", "2026-03-02T08:00:00Z"


def found(read: Any, table: str, title: str) -> dict[str, list[str]]:
    """What a table says of each change, by the version that it brought."""
    by_version: dict[str, list[str]] = {}
    for row in read.rows(table):
        by_version.setdefault(str(row["Change"]).rpartition(" to ")[2], []).append(row[title])
    return by_version


def test_every_broken_rule_is_named(bank: Any) -> None:
    bank.ingest(
        *(change("c1", "2026-02-01T00:00:00Z", "v1", was="v0"), approval("c1", "2026-01-31T00:00:00Z")),
        change("none", NOON, "v2", was="v1"),
        *(change("late", NOON, "v3", was="v1"), approval("late", AFTER)),
        *(change("own", NOON, "v4", was="v1"), approval("own", BEFORE, by="author")),
        *(change("refused", NOON, "v5", was="v1"), approval("refused", BEFORE, decision="rejected")),
        change("new", NOON, "n1", name="newcomer"),
        change("later", NOON, "v6", was="v1"),
    )
    bank.ingest(approval("later", BEFORE))
    read = bank.report(change_population)

    assert found(read, "exceptions", "Exception") == {
        "v2": [NOT_EVIDENCED],
        "v3": [APPROVED_LATE],
        "v4": [changes.SELF_APPROVED],
        "v5": [changes.REJECTED_YET_MADE],
        "n1": [NOT_EVIDENCED, changes.NO_TARGET],
        "v6": [changes.RECORDED_LATER],
    }
    assert read.facts()["Judged changes with an exception"] == 6
    assert "7 changes looked at for" in (read.table("exceptions").note or "")
    order = dict(read.column("approvals", "What", "In the log"))
    assert order["model m: v0 to v1"] == "same commit"
    assert order["model m: v1 to v6"] == "later"


def test_what_the_records_do_not_say_is_neither_kept_nor_broken(bank: Any) -> None:
    bank.ingest(
        *(change("c1", NOON, "v1", was="v0"), approval("c1", None)),
        *(change("c2", NOON, "v2", was="v0", actor=None), approval("c2", BEFORE)),
        *(change("c3", NOON, "v3", was="v0"), approval("c3", BEFORE, by=None)),
        *(change("c4", None, "v4", was="v0"), approval("c4", BEFORE)),
        change("c5", NOON, "v5", name="") | {"change": {"type": "model", "to": "v5"}},
    )
    read = bank.report(change_population)

    assert found(read, "undecided", "Why it cannot be decided") == {
        "v1": [TIME_UNKNOWN],
        "v2": [changes.NO_AUTHOR],
        "v3": [changes.NO_APPROVER],
        "v4": [changes.NO_TIME],
        "v5": [changes.NO_NAME],
    }
    assert read.rows("exceptions") == []


def test_registering_tagging_and_states_of_a_deployment_are_no_changes_to_judge(month: Any) -> None:
    read = month.report(change_population)
    sources = dict(read.column("records", "Change", "Source"))
    effects = {sources[change]: effect for change, effect in read.column("population", "Change", "Effect")}
    assert len(effects) == 22
    assert effects["mlflow/456463ca93836d2a69320a180b25db1a"] == changes.NO_EFFECT
    assert effects["github/deployment_status:27314401096"] == changes.STATE
    deployed = read.column("releases", "Deployed")
    assert len(deployed) == 14
    assert "2026-10-12T05:31:57Z" in deployed


def test_the_sample_month_has_the_exceptions_of_its_story(month: Any) -> None:
    read = month.report(change_population)
    assert read.column("exceptions", "Change", "Exception")[:2] == [
        ("prompt mira-system: p-07 to p-08", NOT_EVIDENCED),
        ("dataset price-list: 2024-02 to 2026-01", APPROVED_LATE),
    ]
    assert read.column("exceptions", "Exception")[2:] == [changes.NO_TARGET] * 2
    decisions = read.column("decisions", "Decision", "About")
    assert ("rejected", "hv-change/chg-2026-0338, mlflow/81b984755cccd4a9a888f792d44f495f") in decisions
    what = "model mira-7b: v1.5.0 to v1.4.0"
    (back,) = [row for row in read.rows("releases") if row["What"] == what]
    assert (back["Takes back"], back["Can go back to"], back["Evaluations before"]) == (
        "hv-change/chg-2026-0323",
        "v1.5.0",
        2,
    )
    assert dict(read.column("approvals", "What", "Before by"))[what] == "22 minutes"


def test_a_period_takes_the_changes_that_took_effect_in_it(month: Any) -> None:
    read = month.report(change_population, ("2026-10-14T00:00:00Z", "2026-10-16T00:00:00Z"))
    assert read.column("population", "To") == ["p-08"]
    assert "TIMESTAMPTZ '2026-10-14T00:00:00Z'" in (read.table("population").query or "")
    assert "$since" not in (read.table("population").query or "")


def test_people_that_are_linked_are_one_when_duties_are_told_apart(bank: Any) -> None:
    bank.ingest(change("c1", NOON, "v1", was="v0", actor="a-17"), approval("c1", BEFORE, by="anna"))
    assert bank.report(change_population).rows("exceptions") == []
    with bank.installation.open() as store:
        store.links.add(bank.person("a-17"), bank.person("anna"))
    assert bank.report(change_population).column("exceptions", "Exception") == [changes.SELF_APPROVED]


def test_restricted_people_are_left_out_and_counted(bank: Any) -> None:
    bank.ingest(
        *(change("c1", NOON, "v1", was="v0", actor="hidden"), approval("c1", BEFORE)),
        *(change("c2", NOON, "v2", was="v1"), approval("c2", BEFORE, by="hidden")),
    )
    person = bank.person("hidden")
    with bank.installation.open() as store:
        restrictions.restrict(store, [person], "art18-1-a")
        store.publish()
    read = bank.report(change_population)

    assert read.column("population", "To") == ["v2"]
    assert "1 change left out" in read.alerts()
    assert read.column("undecided", "Why it cannot be decided") == [changes.RESTRICTED]
    assert person not in str(read.report)


def test_what_was_committed_after_the_checkpoint_is_not_in_it(bank: Any) -> None:
    bank.ingest(change("c1", NOON, "v1", was="v0"))
    with bank.installation.open() as store:
        size, _ = store.checkpoint()
    then = bank.report(change_population)
    bank.ingest(approval("c1", BEFORE), change("c2", NOON, "v2"))

    assert bank.report(change_population, size=size).report == then.report
    assert then.column("exceptions", "Exception") == [NOT_EVIDENCED]
    assert bank.report(change_population).column("population", "To") == ["v1", "v2"]


def test_where_no_change_is_recorded_that_is_not_called_good(bank: Any) -> None:
    bank.ingest(call("e1", NOON))
    read = bank.report(change_population)
    assert read.rows("population") == read.rows("exceptions") == []
    assert "not shown by that" in read.alerts()


@pytest.mark.parametrize("name", ["a=1+1", "x[link](y)", "x#set~text", "a,b"])
def test_names_come_through_as_they_are(bank: Any, name: str) -> None:
    """What a name means to a spreadsheet or a page is for whoever draws the report; here it is text."""
    bank.ingest(
        change("c1", NOON, f"{name}-1", name=name),
        change("c2", AFTER, f"{name}-2", name=name, was=f"{name}-1"),
        call("e1", AFTER, model={"name": name}),
    )
    read = bank.report(change_population)
    assert read.column("population", "Name", "To") == [(name, f"{name}-1"), (name, f"{name}-2")]
    lineage = bank.report(model_lineage)
    assert lineage.column("served", "Model", "Version", "Version is") == [(name, f"{name}-2", "inferred")]
