"""A person of real conversations, whom no record declares: found by mentions, handed over with their whole sessions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.settings import DetectorPattern
from replay.records import find_record, line_of
from tests.handover.conftest import Office, ask, hand_over, to_review

FILE = "gpt-4.1_retail_gpt-4.1_1trials.json"
SOFIA, OTHERS = "sofia_li_9219", ("mei_kovacs_8020", "noah_ito_3850")


@pytest.fixture(scope="module")
def retail(tmp_path_factory: pytest.TempPathFactory, new_installation: Callable[..., Any], shared_data: Path) -> Office:
    """114 conversations of a shop, searched for the customers' ids."""
    folder = tmp_path_factory.mktemp("tau2")
    installation = new_installation(folder / "installation")
    customer = DetectorPattern(name="customer", type="user_id", pattern="[a-z]+_[a-z]+_[0-9]{4}")
    settings = installation.settings.model_copy(update={"detectors": ("email", "phone", customer)})
    object.__setattr__(installation, "settings", settings)
    installation.ingest(shared_data / "tau2" / FILE)
    office = Office(installation, folder)
    with office.installation.open() as store:
        store.reference("user_id", SOFIA)
    return office


def test_conversations_that_name_a_person_are_handed_over(retail: Office) -> None:
    request = ask(retail, f"user_id:{SOFIA}")
    package = hand_over(retail, request)
    mentioned = [record for record in package.lines("records.jsonl") if record["roles"] == ["mentioned"]]
    assert len(mentioned) >= 5
    assert SOFIA.encode() in package.everything
    for other in OTHERS:
        assert other.encode() not in package.everything


def test_whole_sessions_by_the_reviewers_decision(retail: Office) -> None:
    request = ask(retail, f"user_id:{SOFIA}")
    few = hand_over(retail, request)
    record = next(record for record in few.lines("records.jsonl") if record["roles"] == ["mentioned"])
    with retail.listed() as (_, opened):
        session = line_of(opened, find_record(opened, record["record_id"]))["session"]
        whole = opened.connection.execute(
            "SELECT sum(rows) FROM session_parts WHERE session = ?", [session]
        ).fetchall()[0][0]
    with retail.installation.open() as store:
        from reports.dsar.requests import find_request

        request = find_request(store, request.request)
    package = hand_over(retail, request, sessions=[session])
    records = [item for item in package.lines("records.jsonl") if item["line"].get("session") == session]
    assert len(records) == whole
    assert {line["session"] for line in package.lines("provided.jsonl")} == {session}
    assert to_review(retail, request, [session])
    assert package.html.count("Conversation <code>") == package.made.sessions
