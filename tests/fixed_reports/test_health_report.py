"""Ledger health: what the entries state, as of the checkpoint; a grade is not claimed for what is not evidenced."""

from __future__ import annotations

from typing import Any

import pytest

from replay import access
from reports import holds, restrictions
from reports.fixed.health import PINNED, SELF_SIGNED, ledger_health
from tests.fixed_reports.conftest import call

NOON = "2026-03-01T12:00:00Z"


def verified(grade: str) -> tuple[str, dict[str, Any]]:
    times = {"begun_at": "2026-03-02T00:00:00Z", "ended_at": "2026-03-02T00:00:05Z"}
    found = {"level": "deep", "verdict": "intact", "exit_code": 0, "checkpoint_size": 7, "grade": grade, **times}
    return "verification", found


def commit(bank: Any, *entries: tuple[str, dict[str, Any]]) -> None:
    with bank.installation.open() as store:
        store.append(list(entries))
        store.publish()


@pytest.mark.parametrize("grade", [SELF_SIGNED, PINNED])
def test_the_grade_is_what_a_recorded_verification_had(bank: Any, grade: str) -> None:
    bank.ingest(call("e1", NOON))
    before = bank.report(ledger_health)
    assert before.facts()["Grade that is evidenced here"] == SELF_SIGNED
    assert "No verification is recorded" in before.alerts()

    commit(bank, verified(grade))
    read = bank.report(ledger_health)
    assert read.facts()["Grade that is evidenced here"] == grade
    assert read.column("verifications", "Level", "Verdict", "Grade") == [("deep", "intact", grade)]
    assert str(read.rows("verifications")[0]["Age at the checkpoint"]).endswith("days")
    assert "No verification" not in read.alerts()
    assert [row["Evidenced here"] for row in read.rows("grades")][2:] == ["not evidenced here"] * 2


def test_keys_stand_with_their_roles_and_when_they_were_retired(bank: Any) -> None:
    bank.ingest(call("e1", NOON))
    read = bank.report(ledger_health)
    roles = read.column("keys", "Roles", "Retired")
    assert roles[0] == ("admin", None)
    assert {"append", "log", "erasure, retention", "bundle", "certificate"} <= {role for role, _ in roles}


def test_numbers_without_a_record_show_the_spool(bank: Any) -> None:
    bank.ingest(call("e1", NOON))
    with bank.installation.open() as store:
        access.record(store, "test", "a look", {})
        store.seal()
        store.publish()
    assert bank.report(ledger_health).rows("spools") == []
    spool = "ab" * 16
    commit(bank, ("heartbeat", {"spools": [{"spool": spool, "first": 1, "last": 3, "missing": [[1, 3]]}]}))
    read = bank.report(ledger_health)
    assert read.column("spools", "Spool", "Numbers", "Never recorded") == [(spool, 3, 3)]
    assert read.facts()["Numbers that were taken and never recorded"] == 3


def test_what_was_ended_held_and_restricted_is_counted(bank: Any) -> None:
    bank.ingest(call("e1", NOON), call("e2", NOON, "ben"))
    bank.installation.erase("ana@example.org")
    with bank.installation.open() as store:
        hold = holds.add(store, holds.Wanted(session="s-e2"), "litigation")
        restrictions.restrict(store, store.keyring.lookup("ben@example.org"), "art18-1-a")
        store.publish()
    read = bank.report(ledger_health)

    facts = read.facts()
    assert facts["References whose keys were destroyed by erasures"] == 1
    assert facts["References whose processing is restricted"] == 1
    assert facts["Holds ever, and in force"] == "1, 1"
    assert read.column("endings", "Type", "Does") == [
        ("erasure", "destroys keys"),
        ("hold", "add"),
        ("restriction", "restrict"),
    ]
    assert read.column("holds", "Hold", "A session", "Released") == [(hold.value["hold"][:12], True, None)]


def test_input_that_nobody_understood_is_counted_by_reason(bank: Any) -> None:
    path = bank.folder / "broken.jsonl"
    path.write_bytes(b'{"evidence":"event/1","kind":"nothing"}\n\xff\xfe\n{"evidence":\n')
    bank.installation.ingest(path, format_name="evidence")
    read = bank.report(ledger_health)
    assert read.facts()["Records that no adapter understood"] == sum(read.column("rejected", "Records")) == 3
    assert set(read.column("rejected", "Reason")) == {"unknown_kind", "not_utf8", "not_json"}


def test_entries_after_the_checkpoint_change_nothing(bank: Any) -> None:
    bank.ingest(call("e1", NOON))
    with bank.installation.open() as store:
        size, _ = store.checkpoint()
    then = bank.report(ledger_health).report
    commit(bank, verified(PINNED))
    assert bank.report(ledger_health, size=size).report == then
    assert bank.report(ledger_health).report != then


def test_a_period_takes_what_was_committed_in_it(bank: Any) -> None:
    bank.ingest(call("e1", NOON))
    commit(bank, verified(PINNED))
    read = bank.report(ledger_health, ("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"))
    assert read.rows("verifications") == []
    assert read.facts()["Records"] == 1
    assert set(read.column("entry-types", "In the period")) == {0}


def test_an_empty_store_has_keys_and_nothing_else(bank: Any) -> None:
    with bank.installation.open() as store:
        store.publish()
    read = bank.report(ledger_health)
    assert (read.facts()["Partitions"], read.facts()["Records"]) == (0, 0)
    assert len(read.rows("keys")) > 3
