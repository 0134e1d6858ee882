"""``evidence retention`` and ``evidence hold``, as people and cron run them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

POLICY = """format = "evidence/retention-policy/1"

[[rule]]
name = "month"
basis = "own-policy"
words = "A month."
sources = ["mira"]
content.maximum = "P1D"
"""


@pytest.fixture
def configured(damaged: Shell) -> Shell:
    """The filled store with a policy by which everything of one source has expired."""
    (damaged.folder / "retention.toml").write_text(POLICY)
    with (damaged.folder / "evidence.toml").open("a") as file:
        file.write('retention_policy = "retention.toml"\ndelete_expired = true\n')
    return damaged


def files(shell: Shell, kind: str) -> set[Path]:
    return set((shell.store / kind).rglob("*.parquet"))


def test_an_example_is_copied_checked_and_used(damaged: Shell) -> None:
    names = damaged("retention", "example").out.split()
    assert names == ["ai-act-six-months", "hipaa-six-years", "sec-17a-4"]
    for name in names:
        (damaged.folder / f"{name}.toml").write_text(damaged("retention", "example", name).out)
        checked = damaged("retention", "check", f"{name}.toml", "--json").json
        assert len(checked["policy"]) == 64
        assert checked["rules"][0]["metadata_minimum"] in ("P6M", "P6Y")
        planned = damaged("retention", "plan", "--policy", f"{name}.toml", "--json").json
        assert (planned["policy"], planned["partitions"]) == (checked["policy"], [])
    assert "There are: ai-act-six-months" in damaged("retention", "example", "gdpr", ends_with=20).err


def test_a_wrong_policy_is_named_with_file_rule_and_field(shell: Shell) -> None:
    (shell.folder / "p.toml").write_text(POLICY.replace("P1D", "one day"))

    done = shell("retention", "check", "p.toml", ends_with=11)

    assert "p.toml: rule 'month', content.maximum: 'one day' is no ISO 8601 duration" in done.err


def test_without_a_policy_nothing_expires(filled: Shell) -> None:
    for command in (("plan",), ("apply", "--yes")):
        assert "no retention policy is configured" in filled("retention", *command, ends_with=11).err


def test_what_is_planned_is_applied_and_stays_verified(configured: Shell) -> None:
    before = configured("query", "SELECT count(*) AS n FROM records", "--json").json["rows"]
    plan = configured("retention", "plan", "--json").json
    content, events = files(configured, "content"), files(configured, "events")
    assert plan["rows"] > 100
    assert "policy:month=" in configured("retention", "plan").out

    done = configured("retention", "apply", "--plan", plan["plan"], "--json").json

    assert (done["plan"], done["rows"]) == (plan["plan"], plan["rows"])
    assert len(done["objects_deleted"]) == len(content) - len(files(configured, "content")) > 0
    assert files(configured, "events") >= events
    assert configured("query", "SELECT count(*) AS n FROM records", "--json").json["rows"] == before
    assert f"expired     {plan['rows']} contents" in configured("verify", "--level", "deep").out
    assert "Nothing is due" in configured("retention", "plan").out
    assert configured("retention", "apply", "--yes").out == "Nothing is due.\n"


def test_without_a_digest_or_yes_somebody_has_to_confirm(configured: Shell) -> None:
    content = files(configured, "content")

    assert "nobody is there to confirm" in configured("retention", "apply", ends_with=2).err
    assert "nothing was ended" in configured("retention", "apply", "--plan", "0" * 64, ends_with=25).err
    assert files(configured, "content") == content


def test_json_alone_confirms_nothing(configured: Shell) -> None:
    content = files(configured, "content")

    assert "nobody is there to confirm" in configured("retention", "apply", "--json", ends_with=2).err
    assert files(configured, "content") == content


def test_a_hold_changes_the_plan_and_says_what_it_blocks(configured: Shell) -> None:
    before = configured("retention", "plan", "--json").json
    added = configured(
        *("hold", "add", "--subject", "HV-104417", "--basis", "litigation", "--why", "The Miller case"),
        *("--purpose", "case 2026/17", "--json"),
    ).json
    listed = configured("hold", "list", "--blocked", "--json").json

    assert [item["hold"] for item in listed["holds"]] == [added["hold"]]
    assert "HV-104417" not in configured("hold", "list", "--blocked").out
    assert "Miller" not in configured("hold", "list").out
    assert f"{added['hold'][:8]} | The Miller case" in configured("hold", "list", "--words", "--purpose", "review").out
    assert all(item["basis"] == f"hold:{added['hold']}" for item in listed["blocked"])
    overdue = sum(item["rows"] for item in listed["blocked"] if item["overdue"])
    held = configured("retention", "plan", "--json").json
    # Some of them shared a segment with what stays, and so stayed before.
    assert held["rows"] < before["rows"]
    basis = f"hold:{added['hold']}"
    due = {item["entry"] for item in listed["blocked"] if item["overdue"]}
    assert sum(item["staying"].get(basis, 0) for item in held["partitions"] if item["entry"] in due) >= 1
    assert overdue > 0
    configured("retention", "apply", "--plan", before["plan"], ends_with=25)

    configured("hold", "release", added["hold"][:8])
    assert configured("retention", "plan", "--json").json["plan"] == before["plan"]
    assert "no hold is in force" in configured("hold", "list").err


def test_looking_up_a_person_for_a_hold_is_recorded_first(configured: Shell) -> None:
    configured("seal")
    configured("hold", "add", "--subject", "nobody-of-this-name", "--basis", "audit", ends_with=20)

    assert configured("seal", "--json").json["records"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("hold", "add", "--basis", "audit"),
        ("hold", "add", "--basis", "because", "--session", "mira-34a7fff4"),
        ("hold", "add", "--basis", "audit", "--from", "yesterday"),
        ("hold", "release", "nothex"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(filled: Shell, arguments: tuple[str, ...]) -> None:
    assert filled(*arguments, ends_with=2).err.startswith("evidence: ")
