"""Requests of data subjects as privacy staff deal with them: from receipt over plan and approval to the end."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

PERSON = "HV-104417"
"""A customer of the sample data."""
TODAY = datetime.now(UTC).date()
RECEIVED = str(TODAY - timedelta(days=3))


@pytest.fixture
def desk(damaged: Any) -> Any:
    """A copy of the filled store."""
    return damaged


@pytest.fixture
def request_id(desk: Any) -> str:
    """An erasure request of a customer."""
    opened = desk("dsar", "open", PERSON, "--requester", "Ana Canary", "--received", RECEIVED, "--json").json
    reference: str = opened["request"]
    return reference


def approver(desk: Any) -> Path:
    """A second person's own key, enrolled."""
    key: Path = desk.folder / "dpo.key"
    vkey = desk("keys", "new", "example.org/approver/dpo", "-o", key).out.strip()
    desk("keys", "enrol", "--role", "approver", "--key", vkey, "--admin-key", desk.private / "admin.key")
    return key


def test_a_request_is_opened_with_its_deadline(desk: Any) -> None:
    opened = desk("dsar", "open", PERSON, "--received", "2026-01-31", "--json").json

    assert opened["schema"] == "evidence/dsar/open/1"
    assert (opened["due_at"], opened["status"], opened["kind"]) == ("2026-03-02", "open", "erasure")
    assert "2026-03-02" in desk("dsar", "show", opened["request"][:8]).out


def test_the_list_puts_overdue_ones_first_and_the_deadline_stands_still(desk: Any, request_id: str) -> None:
    late = desk("dsar", "open", PERSON, "--received", "2025-06-02", "--json").json["request"]
    listed = desk("dsar", "list", "--json").json

    assert [item["request"] for item in listed["requests"]] == [late, request_id]
    assert [item["overdue"] for item in listed["requests"]] == [True, False]
    assert listed["requests"][0]["due_at"] == "2025-07-02"
    first, second = desk("dsar", "list").out.splitlines()[2:]
    assert first.startswith(late[:8])
    assert "overdue" in first
    assert second.startswith(request_id[:8])


def test_an_unknown_person_is_opened_by_type_and_value(desk: Any) -> None:
    refused = desk("dsar", "open", "nobody@example.org", ends_with=20)
    assert "type:value" in refused.err

    assert desk("dsar", "open", "email:nobody@example.org", "--kind", "access").out.startswith("Request ")


def test_from_receipt_to_approval(desk: Any, request_id: str) -> None:
    key = approver(desk)
    desk("dsar", "identify", request_id, "--method", "account")
    plan = desk("dsar", "plan", request_id, "--rows", "--json").json
    assert {row["outcome"] for row in plan["rows"]} == {"erase"}
    assert sum(item["number"] for item in plan["outcomes"]) == len(plan["rows"])

    approved = desk("dsar", "approve", request_id, "--key", key, "--plan", plan["plan"][:12], "--json").json
    assert approved["status"] == "approved"

    shown = desk("dsar", "show", request_id, "--json").json
    assert [item["counts"] for item in shown["approvals"]] == [True]
    assert [item["event"] for item in shown["events"]] == ["opened", "identified", "planned", "approved"]
    assert "counts" in desk("dsar", "show", request_id).out
    desk("verify", "--level", "deep")


def test_an_ssh_key_approves(desk: Any, request_id: str) -> None:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("ssh-keygen is not installed")
    desk("dsar", "plan", request_id)
    (desk.folder / "statement.txt").write_text(desk("dsar", "statement", request_id).out)
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-f", "ssh"], cwd=desk.folder, check=True)
    sign = [program, "-q", "-Y", "sign", "-f", "ssh", "-n", "evidence-approval", "statement.txt"]
    subprocess.run(sign, cwd=desk.folder, check=True, capture_output=True)

    signature = desk.folder / "statement.txt.sig"
    refused = desk("dsar", "approve", request_id, "--ssh-signature", signature, ends_with=2)
    assert "no role approver" in refused.err
    enrolling = ("keys", "enrol", "--role", "approver", "--key", desk.folder / "ssh.pub", "--name", "dpo")
    desk(*enrolling, "--admin-key", desk.private / "admin.key")
    assert "approved" in desk("dsar", "approve", request_id, "--ssh-signature", signature).out


def test_whoever_planned_does_not_approve(desk: Any, request_id: str) -> None:
    key = approver(desk)
    desk("dsar", "plan", request_id, "--sign-key", key)
    refused = desk("dsar", "approve", request_id, "--key", key, ends_with=30)

    assert "second person" in refused.err


def test_a_plan_that_was_not_read_is_not_approved(desk: Any, request_id: str) -> None:
    key = approver(desk)
    desk("dsar", "plan", request_id)
    assert "another than" in desk("dsar", "approve", request_id, "--key", key, "--plan", "0" * 64, ends_with=30).err


def test_a_plan_that_is_gone_hides_nothing_else_and_is_not_approved(desk: Any, request_id: str) -> None:
    key = approver(desk)
    plan = desk("dsar", "plan", request_id, "--json").json["plan"]
    (desk.store / "ledger" / "blob" / plan).unlink()

    shown = desk("dsar", "show", request_id)
    assert "planned" in shown.out
    assert "cannot be shown" in shown.err
    desk("dsar", "approve", request_id, "--key", key, ends_with=20)
    assert desk("dsar", "show", request_id, "--json").json["approvals"] == []


def test_what_was_said_is_shown_only_after_an_access_record(desk: Any, request_id: str) -> None:
    assert "Ana Canary" not in desk("dsar", "show", request_id).out
    shutil.rmtree(desk.private / "spool", ignore_errors=True)
    (desk.private / "spool").write_text("a file stands where the folder should")

    for what in ("--words", "--rows"):
        refused = desk("dsar", "show", request_id, what, ends_with=19)
        assert "Ana Canary" not in refused.out + refused.err
    (desk.private / "spool").unlink()
    assert "requester: Ana Canary" in desk("dsar", "show", request_id, "--words", "--purpose", "an answer").out


def test_planning_reveals_a_person_so_it_is_recorded_first(desk: Any, request_id: str) -> None:
    shutil.rmtree(desk.private / "spool", ignore_errors=True)
    (desk.private / "spool").write_text("a file stands where the folder should")
    refused = desk("dsar", "plan", request_id, ends_with=None)

    assert refused.code in (12, 19)
    (desk.private / "spool").unlink()
    assert desk("dsar", "show", request_id, "--json").json["plan"] is None


def test_a_pause_under_the_ccpa_is_refused_with_the_reason(desk: Any) -> None:
    opened = desk("dsar", "open", PERSON, "--regime", "ccpa", "--received", RECEIVED, "--json").json
    assert opened["confirm_by"]
    assert "GDPR" in desk("dsar", "pause", opened["request"], ends_with=30).err
    assert "confirmed" in desk("dsar", "confirm", opened["request"]).out


def test_clocks_move_by_their_rules(desk: Any, request_id: str) -> None:
    before = desk("dsar", "show", request_id, "--json").json["due_at"]
    assert "paused" in desk("dsar", "pause", request_id).out
    assert desk("dsar", "list", "--json").json["requests"][0]["days_left"] is None
    assert desk("dsar", "resume", request_id, "--json").json["due_at"] == before
    extended = desk("dsar", "extend", request_id, "--reason", "complexity", "--note", "many", "--json").json
    assert extended["due_at"] > before
    assert "extended once" in desk("dsar", "extend", request_id, "--reason", "number", ends_with=30).err


def test_closing_is_confirmed_by_typing_or_by_an_option(desk: Any, request_id: str) -> None:
    unasked = desk("dsar", "close", request_id, "--reason", "withdrawn", ends_with=2)
    assert "--yes" in unasked.err
    assert (
        "nothing was executed" in desk("dsar", "close", request_id, "--reason", "fulfilled", "--yes", ends_with=30).err
    )

    desk("dsar", "close", request_id, "--reason", "withdrawn", "--yes")
    assert desk("dsar", "list", "--json").json["requests"] == []
    (closed,) = desk("dsar", "list", "--all", "--json").json["requests"]
    assert closed["closed"] == "withdrawn"
    assert "it is closed" in desk("dsar", "identify", request_id, "--method", "account", ends_with=30).err


MISTAKES = [
    (("open", PERSON, "--kind", "forgetting"), 2),
    (("open", PERSON, "--regime", "lgpd"), 2),
    (("open", PERSON, "--received", "yesterday"), 2),
    (("open", PERSON, "--received", "2999-01-01"), 2),
    (("show", "ffffffff"), 20),
    (("show", PERSON), 2),
    (("statement", "REQUEST"), 30),
    (("approve", "REQUEST", "--key", "evidence.toml"), 30),
    (("identify", "REQUEST", "--method", "telepathy"), 2),
    (("identify", "REQUEST", "--method", "document", "--evidence", "no-such-file"), 2),
    (("extend", "REQUEST", "--reason", "boredom"), 30),
    (("resume", "REQUEST"), 30),
    (("close", "REQUEST", "--reason", "bored", "--yes"), 30),
]


def test_mistakes_end_with_their_code_and_change_nothing(desk: Any, request_id: str) -> None:
    before = desk("dsar", "list", "--json").json
    for arguments, code in MISTAKES:
        done = desk("dsar", *(request_id if item == "REQUEST" else item for item in arguments), ends_with=code)
        assert done.err.startswith("evidence: "), arguments

    assert desk("dsar", "list", "--json").json == before


def test_hostile_words_do_not_act_in_a_terminal(desk: Any) -> None:
    hostile = "\x1b[31mred\u202e\nRequest 00000000: approved"
    opened = desk("dsar", "open", PERSON, "--requester", hostile, "--json").json
    shown = desk("dsar", "show", opened["request"], "--words")

    assert "\\x1b[31mred\\u202e\\nRequest" in shown.out
