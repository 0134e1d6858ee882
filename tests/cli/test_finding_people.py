"""``dsar find``, ``subjects``, ``mentions scan`` and ``accesses`` as people and scripts run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell

NAME, MAIL = "HV-104417", "ana@example.org"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Ana in two sessions under two identifiers, a review of hers, and another customer who names her."""
    shell = Shell(tmp_path_factory.mktemp("desk"))
    shell("init")
    lines = [
        event("a1", "s1", "hello", end_user=[("user_id", NAME)]),
        event("a2", "s2", "hello again", end_user=[("email", MAIL)]),
        {**event("r1", "s3", "good", reviewer=[("user_id", NAME)]), "kind": "review", "decision": "approved"},
        event("b1", "s3", "my sister is ANA@example.org, Ana  Ruiz", end_user=[("user_id", "other")]),
    ]
    log = shell.folder / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shell("ingest", log)
    shell("mentions", "scan")
    return shell


def event(own_id: str, session: str, text: str, **roles: list[tuple[str, str]]) -> dict[str, Any]:
    message = {"role": "user", "parts": [{"type": "text", "content": text}]}
    return {
        "evidence": "event/1",
        "kind": "inference",
        "source": "chat",
        "id": own_id,
        "session": session,
        "time": "2025-03-01T10:00:00Z",
        "subjects": {role: [{"type": kind, "id": value} for kind, value in people] for role, people in roles.items()},
        "input": [message],
        "output": [],
    }


def test_a_person_is_found_with_what_was_not_looked_at(desk: Shell) -> None:
    done = desk("dsar", "find", NAME)

    assert "1 reference: 2 records in 2 sessions" in done.out
    assert "end_user 1, owner 1" in done.out
    assert "reviewer 1" in done.out
    assert "approved" in done.out
    assert "Mentions in other people's content: 0" in done.out
    assert "read by email, phone, iban, card" in done.err
    assert "found only by --search" in done.err
    assert MAIL not in done.out + done.err


def test_a_mention_is_found_by_an_identifier_in_another_spelling(desk: Shell) -> None:
    found = desk("dsar", "find", "Ana@Example.org", "--json").json

    assert found["schema"] == "evidence/dsar/find/1"
    (mention,) = found["mentions"]
    assert (mention["session"], mention["detector"], mention["type"]) == ("s3", "email", "email")
    assert found["counts"] == {"inference": {"end_user": 1, "owner": 1}}
    assert found["index"]["missing"] == []


def test_a_search_finds_names_and_states_its_recall(desk: Shell) -> None:
    done = desk("dsar", "find", NAME, "--search", "--name", "Ana Ruiz", "--from", "2025-03-01", "--to", "2025-03-02")

    # The review that she wrote is nobody's, and names her too.
    assert "Mentions in other people's content: 2 in 2 records" in done.out
    assert "search: 2 values looked for in" in done.err
    assert "canaries in known spellings" in done.err


def test_linked_identifiers_are_one_person(desk: Shell) -> None:
    desk("subjects", "link", f"user_id:{NAME}", f"email:{MAIL}")
    assert "2 references: 3 records in 3 sessions" in desk("dsar", "find", NAME).out
    shown = desk("subjects", "show", MAIL, "--json").json["subjects"]
    assert {item["value"] for one in shown for item in one["identifiers"]} == {NAME.casefold(), MAIL}

    desk("subjects", "unlink", NAME, MAIL)
    assert "1 reference: 2 records" in desk("dsar", "find", NAME).out
    desk("subjects", "unlink", NAME, MAIL, ends_with=20)


def test_a_link_takes_in_what_no_source_has_named(desk: Shell) -> None:
    desk("subjects", "link", NAME, "phone:+49 151 0123456")
    assert "phone" in desk("subjects", "show", NAME).out
    assert "2 records" in desk("dsar", "find", "0049 151 0123456").out
    desk("subjects", "unlink", NAME, "+49 151 0123456")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("dsar", "find", "nobody-here"), 20),
        (("dsar", "find", "nobody-here", "--search"), 20),
        (("dsar", "find", "\udce9"), None),
        (("dsar", "find", NAME, "--from", "2025-01-01"), 2),
        (("dsar", "find", NAME, "--search", "--from", "yesterday"), 2),
        (("dsar", "find", NAME, "--search", "--session", "nowhere"), 20),
        (("dsar", "find"), 2),
        (("subjects", "link", NAME), 2),
        (("subjects", "link", NAME, "nobody-here"), 20),
        (("subjects", "show", "nobody-here"), 20),
        (("accesses", "--from", "yesterday"), 2),
    ],
)
def test_mistakes_are_answered_in_words(desk: Shell, words: tuple[str, ...], code: int | None) -> None:
    done = desk(*words, ends_with=code)

    assert done.code in (2, 20)
    assert done.err


def test_every_look_is_listed_even_one_that_found_nobody_and_no_identifier_is_in_it(desk: Shell) -> None:
    desk("dsar", "find", NAME, "--purpose", "ticket 4711")
    desk("dsar", "find", "nobody-here", ends_with=20)
    desk("seal")
    listed = desk("accesses", "--json").json["accesses"]

    assert {"mentions scan", "dsar find", "subjects show", "subjects link"} <= {item["command"] for item in listed}
    (named,) = [item for item in listed if item["purpose"] == "ticket 4711"]
    assert len(named["selection"]["subjects"]) == 32
    assert all(item["operator"] and item["asserted"] and item["state"] == "verified" for item in listed)
    assert not any(text in json.dumps(listed) for text in (NAME, MAIL, "nobody-here"))

    desk("seal")
    again = desk("accesses", "--json", "--limit", "1").json
    assert again["more"]
    assert again["accesses"][0]["command"] == "accesses", "listing accesses is an access"


def test_accesses_are_chosen_by_time_and_operator(desk: Shell) -> None:
    desk("seal")
    everything = desk("accesses", "--json").json["accesses"]
    who, host = everything[0]["operator"], everything[0]["host"]

    assert desk("accesses", "--operator", who, "--json").json["accesses"] == everything
    assert desk("accesses", "--operator", f"{who}@{host}", "--to", "2020-01-01", "--json").json["accesses"] == []
    assert "no access matches" in desk("accesses", "--operator", "nobody").err


@pytest.mark.parametrize("command", [("dsar", "find", NAME), ("subjects", "show", NAME), ("accesses",)])
def test_nothing_is_shown_when_the_access_cannot_be_recorded(
    desk: Shell, tmp_path: Path, command: tuple[str, ...]
) -> None:
    shell = desk.copy(tmp_path / "copy")
    spool = next(shell.folder.glob("**/spool"))
    for file in spool.iterdir():
        file.unlink()
    spool.rmdir()
    spool.write_text("a file stands where the folder should")

    done = shell(*command, ends_with=19)

    assert done.out == ""


def test_ingest_ends_with_a_scan_where_the_settings_say_so(desk: Shell, tmp_path: Path) -> None:
    shell = desk.copy(tmp_path / "copy")
    log = shell.folder / "more.jsonl"
    log.write_text(json.dumps(event("b2", "s9", "again ana@example.org", end_user=[("user_id", "other")])) + "\n")

    assert shell("ingest", log, "--json", EVIDENCE_MENTIONS="ingest").json["mentions"] == 1
    found = shell("dsar", "find", MAIL, "--json").json["mentions"]
    assert {item["session"] for item in found} == {"s3", "s9"}
