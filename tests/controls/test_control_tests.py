"""Each control test finds what it is for, and nothing where all is as it should be."""

from __future__ import annotations

from typing import Final

import pytest

from reports.controls import library
from reports.controls.questions import Answer
from tests.controls.control_stores import answers, make_bad, make_good

TESTS: Final = library.load().tests

FOUND: Final = {
    "accesses-all-recorded": ("missing", [2]),
    "accesses-have-a-purpose": ("why", ["no purpose was stated"]),
    "approvals-answered": ("source id", ["requested-to-wait"]),
    "approver-not-author": ("source id", ["to-nobody", "to-self", "to-unsigned"]),
    "backups-unreadable": ("why", ["the keyring was not rotated since"]),
    "blocked-never-answered": ("source id", ["p1"]),
    "calls-name-a-system": ("source", ["other"]),
    "calls-name-a-version": ("system", ["other"]),
    "captured-whole": ("capture", ["truncated"]),
    "changes-approved": (
        "source id",
        ["to-data", "to-guard", "to-late", "to-none", "to-recorded", "to-v3", "to-v7", "to-v8"],
    ),
    "datasets-on-record": ("source id", ["to-data"]),
    "decisions-by-people": ("decision", ["approved"]),
    "erasures-approved": ("why", ["it names no request"]),
    "erasures-certified": ("request", ["1" * 32]),
    "expiry-under-holds": ("hold", ["4" * 32]),
    "exports-name-recipients": ("why", ["no recipient was named"]),
    "extensions-have-reasons": ("request", ["1" * 32]),
    "holds-have-reasons": ("hold", ["4" * 32]),
    "kept-as-long-as-required": ("why", ["content expired before the time was over"]),
    "model-versions-approved": ("version", ["v3", "v7", "v8", "v9"]),
    "no-days-missing": ("why", ["4 days without a call before it"]),
    "no-gaps-in-sequence": ("session", ["s1"]),
    "nothing-ended": ("why", ["content expired", "content was rendered unreadable by key destruction"]),
    "nothing-rejected": ("reason", ["not_json"]),
    "policy-in-force": (
        "why",
        [
            "in force without approval in time: guard g2",
            "none is on record as in force; a later change says that it was g1",
        ],
    ),
    "requests-identified": ("request", ["1" * 32]),
    "requests-within-clock": ("request", ["1" * 32, "2" * 32]),
    "roles-separated": ("name", ["both.invalid/writer"]),
    "rollback-target": ("source id", ["to-first"]),
    "times-from-source": ("why", ["no time; the time of receipt stands for it"]),
    "verified-in-time": ("why", ["it ended as tampered"]),
    "versions-evaluated": ("version", ["v3", "v7", "v9"]),
}
"""What the bad store shows: a column of the exceptions, and what stands in it."""

PRESENCE: Final = frozenset({"monitored-in-service"})
"""Tests for which it is enough that something is there."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    return answers(make_good(tmp_path_factory.mktemp("good")), {"kept-as-long-as-required": {"months": 0}})


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    settings = {"kept-as-long-as-required": {"months": 1200}, "backups-unreadable": {"days": 0}}
    return answers(make_bad(tmp_path_factory.mktemp("bad")), settings)


def test_every_test_is_tried_both_ways() -> None:
    assert FOUND.keys() | PRESENCE == TESTS.keys()


@pytest.mark.parametrize("name", TESTS)
def test_nothing_is_found_where_all_is_well(good: dict[str, Answer], name: str) -> None:
    answer = good[name]
    if name == "nothing-ended":
        assert answer.exceptions == 2
        return
    assert answer.population > 0
    assert (answer.missing, answer.exceptions, answer.rows) == ((), 0, ())


@pytest.mark.parametrize("name", FOUND)
def test_what_a_test_is_for_is_found(bad: dict[str, Answer], name: str) -> None:
    column, expected = FOUND[name]
    answer = bad[name]
    at = [item.title for item in answer.columns].index(column)
    assert sorted({row[at] for row in answer.rows}, key=str) == expected
    assert answer.exceptions == len(answer.rows)


def test_presence_is_missed_where_there_is_none(bad: dict[str, Answer]) -> None:
    assert {name: bad[name].population for name in PRESENCE} == dict.fromkeys(PRESENCE, 0)
