"""Activity: each call counts once, users are references, whoever is restricted is left out and said to be."""

from __future__ import annotations

from typing import Any

from reports import restrictions
from reports.fixed import activity as module
from reports.fixed.activity import activity
from tests.fixed_reports.conftest import call

DAY_1, DAY_3 = "2026-03-01T12:00:00Z", "2026-03-03T12:00:00Z"
TOKENS: dict[str, Any] = {"gen_ai": {"usage.input_tokens": 10, "usage.output_tokens": 2, "response.model": "m-1"}}


def verdict(own: str, user: str, decision: str) -> dict[str, Any]:
    line = call(own, DAY_1, user) | {"kind": "policy", "source": "guard", "decision": decision}
    del line["model"]
    return line


def test_calls_tokens_errors_and_verdicts_are_counted_by_model_and_user(bank: Any) -> None:
    bank.ingest(
        call("e1", DAY_1, **TOKENS),
        call("e2", DAY_3, status="error", error_type="timeout", **TOKENS),
        call("e3", DAY_3, "ben", gen_ai={"response.model": "m-2"}),
        call("e4", None, None),
        verdict("p1", "ana", "blocked"),
    )
    read = bank.report(activity)
    ana, ben = bank.person("ana@example.org"), bank.person("ben@example.org")

    facts = read.facts()
    assert (facts["Calls of models"], facts["Users, by reference"], facts["Calls that name no user"]) == (4, 2, 1)
    assert (facts["Calls that failed"], facts["Calls without any count of tokens"]) == (1, 2)
    assert read.column("by-model", "Model", "Calls", "Users", "Input tokens", "Failed") == [
        ("m-1", 2, 1, 20, 1),
        ("m", 1, 0, None, 0),
        ("m-2", 1, 1, None, 0),
    ]
    users = read.column("by-user", "Reference", "Calls", "Input tokens", "Failed", "Content")
    assert users == [(ana, 2, 20, 1, "kept"), (ben, 1, None, 0, "kept")]
    assert read.column("verdicts-by-user", "Reference", "Blocked", "Masked") == [(ana, 1, 0)]
    assert read.column("errors", "Error", "Model", "Calls") == [("timeout", "m-1", 1)]
    assert read.column("decisions", "Decision", "Kind", "Source") == [("blocked", "policy", "guard")]


def test_a_day_without_a_call_is_a_zero_on_its_line(bank: Any) -> None:
    bank.ingest(call("e1", DAY_1, **TOKENS), call("e2", DAY_3, status="error", **TOKENS))
    read = bank.report(activity, (None, "2026-04-01T00:00:00Z"))
    assert [row[:2] for row in read.chart("calls-by-day").rows] == [
        ("2026-03-01T00:00:00Z", 1),
        ("2026-03-02T00:00:00Z", 0),
        ("2026-03-03T00:00:00Z", 1),
    ]
    assert [row[1] for row in read.chart("tokens-by-day").rows] == [12, 0, 12]
    assert {row[2] for row in read.chart("errors-by-day").rows} == {"m-1"}


def test_a_long_time_is_drawn_by_month_and_many_models_as_others(bank: Any) -> None:
    days = [f"20{25 + month // 12}-{month % 12 + 1:02d}-15T00:00:00Z" for month in range(15)]
    bank.ingest(*(call(f"e{n}", day, model={"name": f"m{min(n, 6)}"}) for n, day in enumerate(days)))
    rows = bank.report(activity).chart("calls-by-day").rows
    assert rows[0][0] == "2025-01-01T00:00:00Z"
    assert len({row[0] for row in rows}) == 15
    assert len({row[2] for row in rows}) == module.SERIES + 1
    assert rows[-1][2] == "others"


def test_a_call_that_several_records_tell_of_counts_once(month: Any) -> None:
    with month.opened() as (_, listed):
        ((calls,),) = listed.connection.execute("SELECT sum(inferences) FROM session_parts").fetchall()
    assert month.report(activity).facts()["Calls of models"] == calls


def test_restricted_people_are_in_no_number_and_erased_ones_stay_in_all(bank: Any) -> None:
    bank.ingest(call("e1", DAY_1), call("e2", DAY_1, "ben"), call("e3", DAY_1, "cleo"))
    ben, cleo = bank.person("ben@example.org"), bank.person("cleo@example.org")
    bank.installation.erase("cleo@example.org")
    with bank.installation.open() as store:
        restrictions.restrict(store, [ben], "art18-1-a")
        store.publish()
    read = bank.report(activity)

    assert ben not in str(read.report)
    assert read.facts()["Calls of models"] == 2
    assert read.facts()["Records left out because they name restricted people"] == 1
    assert "1 record of people whose processing is restricted" in read.alerts()
    assert dict(read.column("by-user", "Reference", "Content"))[cleo] == "keys destroyed"


def test_small_numbers_are_said_to_be_about_somebody(month: Any) -> None:
    read = month.report(activity)
    few = sum(users < module.SMALL for users in read.column("by-model", "Users"))
    assert 0 < few < len(read.rows("by-model"))
    assert f"{few} of {len(read.rows('by-model'))} models had fewer than {module.SMALL} users" in str(read.report)


def test_an_empty_store_is_reported_on(bank: Any) -> None:
    with bank.installation.open() as store:
        store.publish()
    read = bank.report(activity)
    assert read.facts()["Calls of models"] == 0
    assert read.rows("by-model") == read.rows("by-user") == []
    assert read.chart("calls-by-day").rows == ()
