"""The app's pages, run as Streamlit runs them, over stores made from the sample logs.

AppTest runs the script of a page without a browser. What it cannot see, such as the look, is not tested here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Set
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ledger.verify import pin as pins
from tests.fixtures_stores import SAMPLE_LOGS, Installation

ENTRY = Path(__file__).resolve().parents[2] / "app" / "main.py"
WEEK = SAMPLE_LOGS / "mira" / "2026-W42.jsonl"
LEONIE = "HV-104417"
BLOCKED_CARD = "mira-34a7fff4"
FIRST_WORDS = "My card was just declined at the bakery"
PAGED = "mira-pages"
NO_FILE_CAN_BE_MADE = Path("/proc")

SCRIPTS = "mira-76b04a40"
ESCAPES = "mira-93f4d669"
HOSTILE = ("<script", "<img", "onerror", "javascript:", "![", "](http", "\x1b", "\u202e", "\u200b")
SHOWS_TEXT_AS_IT_IS = frozenset({"text", "dataframe", "text_input"})

Opens = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting from outside, and no store left open."""
    for name in ("EVIDENCE_CONFIG", "EVIDENCE_STORE", "EVIDENCE_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def sample(new_installation: Callable[..., Installation], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """All sample logs, verified, with the verification remembered."""
    made = new_installation(tmp_path_factory.mktemp("sample"))
    made.ingest(SAMPLE_LOGS)
    _, pin = made.verify_and_pin("fast")
    assert pin is not None
    pins.save(made.settings.pin, pin)
    return made


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Opens:
    """A page of the app over an installation, with the query parameters of its address."""

    def opens(installation: Installation | None, name: str = "overview", **query: str) -> AppTest:
        if installation is not None:
            monkeypatch.setenv("EVIDENCE_CONFIG", str(installation.config))
        at = AppTest.from_file(ENTRY, default_timeout=60).run()
        for key, value in query.items():
            at.query_params[key] = value
        return turn_to(at, name)

    return opens


def turn_to(at: AppTest, name: str) -> AppTest:
    at.switch_page(f"page_{name}.py").run()
    return at


def show(at: AppTest, purpose: str) -> AppTest:
    """State a purpose and press the button."""
    at.text_input(key="session_purpose").set_value(purpose)
    button(at, "Show content").click().run()
    return at


def button(at: AppTest, label: str) -> Any:
    return next(item for item in at.button if item.label == label)


def texts(at: AppTest) -> str:
    return "\n".join(item.value for item in at.text)


def sent(at: AppTest, *, but: Set[str] = frozenset()) -> str:
    """Everything on the page as it is sent to the browser, except elements of some types."""
    protos = [item.proto for item in at.main if item.type not in but and getattr(item, "proto", None) is not None]
    assert protos
    return "\n".join(proto.SerializeToString().decode("utf-8", "replace") for proto in protos)


def interpreted(at: AppTest) -> str:
    """What the browser may read as Markdown or HTML."""
    return sent(at, but=SHOWS_TEXT_AS_IT_IS)


def metrics(at: AppTest) -> dict[str, str]:
    return {item.label: item.value for item in at.metric}


def waiting(installation: Installation) -> int:
    with installation.open() as store:
        return store.waiting()


def assert_no_traceback(at: AppTest) -> None:
    assert not at.exception
    assert "Traceback" not in sent(at)


# -- without a store, and with an empty one


@pytest.mark.parametrize("name", ["overview", "sessions"])
def test_without_a_configuration_a_page_says_what_to_do_first(page: Opens, name: str) -> None:
    at = page(None, name)

    assert_no_traceback(at)
    assert at.warning[0].value == "There is no store that can be shown."
    assert "no configuration found; looked at evidence.toml" in texts(at)
    assert "evidence init" in at.code[0].value


def test_without_a_configuration_no_session_opens(page: Opens) -> None:
    at = show(page(None, "session", session=BLOCKED_CARD), "ticket 4711")

    assert_no_traceback(at)
    assert "no configuration found" in texts(at)


def test_an_empty_store_is_shown_as_empty(page: Opens, installation: Installation) -> None:
    at = page(installation)

    assert_no_traceback(at)
    assert "empty" in at.info[0].value
    assert "No verification is remembered here" in at.warning[0].value
    assert metrics(at)["Records"] == "0"

    assert "No session matches" in turn_to(at, "sessions").info[0].value


# -- Overview


def test_the_overview_names_log_checkpoint_counts_and_the_last_verification(page: Opens, sample: Installation) -> None:
    with sample.open() as store:
        origin, partitions = store.history.origin, store.history.partitions()
        size, _ = store.checkpoint()
        root = store.history.frontier.root().hex()

    at = page(sample)

    assert_no_traceback(at)
    shown = texts(at)
    assert origin in shown
    assert f"covers {size} entries, all there are" in shown
    assert root in shown
    assert f"the first {size} entries of the log" in shown
    assert " ago" in shown
    assert metrics(at)["Records"] == str(sum(entry.value["rows"] for entry in partitions))
    assert metrics(at)["Partitions"] == str(len(partitions))
    assert metrics(at)["Sessions"] == "61"
    assert metrics(at)["Waiting, not anchored"] == str(waiting(sample))


def test_the_overview_warns_of_a_checkpoint_older_than_what_was_verified(
    page: Opens, installation: Installation, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(installation.folder, old)
    installation.ingest(WEEK)
    _, pin = installation.verify_and_pin("fast")
    assert pin is not None
    pins.save(installation.settings.pin, pin)
    shutil.rmtree(installation.folder)
    old.rename(installation.folder)

    at = page(installation)

    assert_no_traceback(at)
    assert "less than was verified here before" in at.error[0].value


def test_a_pin_that_cannot_be_read_is_an_error_on_the_overview_and_nothing_else(
    page: Opens, installation: Installation
) -> None:
    installation.settings.pin.write_text("no pin")

    at = page(installation)

    assert_no_traceback(at)
    assert "The pin cannot be read" in at.error[0].value
    assert metrics(at)["Records"] == "0"


# -- Sessions


def test_all_sessions_are_listed_newest_first(page: Opens, sample: Installation) -> None:
    table = page(sample, "sessions").dataframe[0].value

    assert len(table) == 61
    assert list(table["To (UTC)"]) == sorted(table["To (UTC)"], reverse=True)


def test_sessions_are_found_by_person_model_and_decision(page: Opens, sample: Installation) -> None:
    at = page(sample, "sessions")

    at.text_input(key="filter_person").set_value(LEONIE).run()
    of_leonie = list(at.dataframe[0].value["Session"])
    at.selectbox(key="filter_model").set_value("mira-7b").run()
    at.selectbox(key="filter_decision").set_value("masked").run()

    assert BLOCKED_CARD in of_leonie
    assert len(of_leonie) < 61
    assert_no_traceback(at)
    assert BLOCKED_CARD in list(at.dataframe[0].value["Session"])
    assert all("masked" in cell for cell in at.dataframe[0].value["Decisions"])


def test_a_period_finds_the_sessions_that_overlap_with_it(page: Opens, sample: Installation) -> None:
    at = page(sample, "sessions")

    at.datetime_input(key="filter_since").set_value(datetime(2026, 10, 6, 9, 30)).run()  # noqa: DTZ001 - as typed
    at.datetime_input(key="filter_until").set_value(datetime(2026, 10, 6, 9, 31)).run()  # noqa: DTZ001

    assert list(at.dataframe[0].value["Session"]) == [BLOCKED_CARD], "it lasts from 09:14 to 09:58"


def test_an_unknown_person_is_a_message_not_an_empty_table(page: Opens, sample: Installation) -> None:
    at = page(sample, "sessions")

    at.text_input(key="filter_person").set_value("nobody").run()

    assert_no_traceback(at)
    assert "the keyring knows no such identifier" in texts(at)
    assert not at.dataframe


def test_a_row_leads_to_its_session_which_is_not_open_yet(page: Opens, sample: Installation) -> None:
    at = page(sample, "sessions")
    first = at.dataframe[0].value["Session"][0]

    at.session_state["session_table"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    at.run()

    assert at.header[0].value == "Session"
    assert at.text_input(key="session_name").value == first
    assert "Nothing is shown until a purpose is stated" in at.caption[-1].value


def test_at_most_200_sessions_are_shown_and_the_page_says_that_there_are_more(
    page: Opens, installation: Installation, tmp_path: Path
) -> None:
    events = tmp_path / "many.jsonl"
    events.write_text("".join(inference(f"many-{number}", number % 60) for number in range(201)))
    installation.ingest(events)

    at = page(installation, "sessions")

    assert len(at.dataframe[0].value) == 200
    assert "there are more" in at.caption[0].value


def inference(session: str, minute: int) -> str:
    """A line of the native format with a question in it."""
    said = [{"role": "user", "parts": [{"type": "text", "content": f"Question of minute {minute}"}]}]
    time = f"2026-10-01T10:{minute:02}:00Z"
    event = {"evidence": "event/1", "kind": "inference", "source": "test", "session": session, "time": time}
    return json.dumps({**event, "id": f"{session}/{minute}", "input": said}) + "\n"


# -- Session: purpose, access record, content, in this order


@pytest.mark.parametrize("purpose", ["", "   "])
def test_no_content_without_a_purpose(page: Opens, sample: Installation, purpose: str) -> None:
    before = waiting(sample)
    at = page(sample, "session", session=BLOCKED_CARD)
    assert FIRST_WORDS not in sent(at)

    show(at, purpose)

    assert_no_traceback(at)
    assert "no purpose is stated" in texts(at)
    assert FIRST_WORDS not in sent(at)
    assert waiting(sample) == before


def test_content_is_shown_after_its_access_record_is_written(page: Opens, sample: Installation) -> None:
    before = waiting(sample)

    at = show(page(sample, "session", session=BLOCKED_CARD), "ticket 4711")

    assert_no_traceback(at)
    assert waiting(sample) == before + 1
    shown = texts(at)
    assert FIRST_WORDS in shown
    assert 'get_account {"customer_number":"HV-104417"}' in shown, "tool calls are shown"
    assert "model mira-7b v1.4.0 (asserted)" in shown, "the version in force is shown"
    assert shown.count("model mira-7b v1.4.0") == 1, "and only where it is new"
    badges = " ".join(item.value for item in at.markdown)
    for icon, text in (("check_circle", "content verified"), ("ink_eraser", "masked"), ("task_alt", "approved")):
        assert f":material/{icon}: {text}" in badges, "a badge has an icon and a text"


def test_the_access_record_states_the_purpose(page: Opens, installation: Installation) -> None:
    installation.ingest(WEEK)
    show(page(installation, "session", session=SCRIPTS), "ticket 4711, said once")

    with installation.open() as store:
        assert store.seal().records == 1
    at = page(installation)

    assert metrics(at)["Waiting, not anchored"] == "0", "the app holds no spool that cannot be sealed"
    kinds = at.dataframe[0].value.set_index("Kind")["Records"]
    assert kinds["access"] == 1


def test_what_is_done_on_the_page_afterwards_needs_no_further_record(page: Opens, sample: Installation) -> None:
    at = show(page(sample, "session", session=BLOCKED_CARD), "ticket 4711")
    before = waiting(sample)

    at.button_group[0].set_value(["Tools"]).run()

    assert "4 of 17 events shown" in [item.value for item in at.caption]
    assert "get_account" in texts(at)
    assert FIRST_WORDS not in texts(at)
    assert waiting(sample) == before


@pytest.mark.skipif(not NO_FILE_CAN_BE_MADE.is_dir(), reason="needs a folder that refuses even root")
def test_nothing_is_shown_if_the_access_cannot_be_recorded(
    page: Opens, sample: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIDENCE_SPOOL", str(NO_FILE_CAN_BE_MADE))

    at = show(page(sample, "session", session=BLOCKED_CARD), "ticket 4711")

    assert_no_traceback(at)
    assert "nothing is shown" in at.error[0].value
    assert "Check that the spool folder can be written." in texts(at)
    assert FIRST_WORDS not in sent(at)


@pytest.mark.parametrize("leave", ["hide", "another page"])
def test_leaving_ends_what_the_purpose_allowed(page: Opens, sample: Installation, leave: str) -> None:
    at = show(page(sample, "session", session=BLOCKED_CARD), "ticket 4711")

    if leave == "hide":
        button(at, "Hide content").click().run()
    else:
        turn_to(turn_to(at, "sessions"), "session")

    assert FIRST_WORDS not in sent(at)


def test_an_unknown_session_is_a_message_and_leaves_no_record(page: Opens, sample: Installation) -> None:
    before = waiting(sample)

    at = show(page(sample, "session", session="<b>nobody</b>"), "ticket 4711")

    assert_no_traceback(at)
    assert "no session '<b>nobody</b>' in this store" in texts(at)
    assert waiting(sample) == before


def test_nothing_decrypted_stays_in_the_session_state(page: Opens, sample: Installation) -> None:
    at = show(page(sample, "session", session=BLOCKED_CARD), "ticket 4711")

    assert FIRST_WORDS in texts(at)
    assert FIRST_WORDS not in str(at.session_state)


def test_a_long_session_is_shown_in_pages(page: Opens, installation: Installation, tmp_path: Path) -> None:
    events = tmp_path / "long.jsonl"
    events.write_text("".join(inference(PAGED, minute) for minute in range(60)))
    installation.ingest(events)

    at = show(page(installation, "session", session=PAGED), "ticket 4711")
    first = texts(at)
    at.pagination[0].set_value(2).run()

    assert "Question of minute 49" in first
    assert "Question of minute 50" not in first
    assert "Question of minute 50" in texts(at)


def test_a_pause_is_shown_with_its_length(page: Opens, installation: Installation, tmp_path: Path) -> None:
    events = tmp_path / "pause.jsonl"
    events.write_text(inference(PAGED, 0) + inference(PAGED, 42))
    installation.ingest(events)

    at = show(page(installation, "session", session=PAGED), "ticket 4711")

    assert ":material/hourglass_empty: 42 min without an event" in [item.value for item in at.caption]


def test_damaged_content_is_called_tampered_and_not_shown(page: Opens, installation: Installation) -> None:
    installation.ingest(WEEK)
    for file in (installation.folder / "content").rglob("*.parquet"):
        data = file.read_bytes()
        half = len(data) // 2
        file.write_bytes(data[:4] + bytes(byte ^ 1 for byte in data[4:half]) + data[half:])

    at = show(page(installation, "session", session=SCRIPTS), "ticket 4711")

    assert_no_traceback(at)
    assert "TAMPERED" in " ".join(item.value for item in at.markdown)


# -- recorded text is attacker-controlled


@pytest.mark.parametrize(
    ("session", "as_text"),
    [(SCRIPTS, "<script>alert(document.cookie)</script>"), (ESCAPES, r"\x1b[2J\x1b[1;31mERROR 4711")],
)
def test_hostile_text_of_the_sample_is_shown_as_text_only(
    page: Opens, sample: Installation, session: str, as_text: str
) -> None:
    at = show(page(sample, "session", session=session), "ticket 4711")

    assert_no_traceback(at)
    assert as_text in texts(at)
    assert [mark for mark in HOSTILE if mark in interpreted(at)] == []
    assert not set(texts(at)) & {"\x1b", "\u202e", "\u200b"}


def test_hostile_text_in_every_field_is_shown_as_text_only(
    page: Opens, installation: Installation, tmp_path: Path
) -> None:
    bad = "<script>x</script><img src=x onerror=y> ![p](http://evil.example) \x1b[2J \u202egpj.exe \u200b"
    part = {"type": bad, "content": bad}
    call = {"type": "tool_call", "name": bad, "id": bad, "arguments": {bad: bad}}
    event = {
        "evidence": "event/1",
        "source": "hostile",
        "session": "hostile-1",
        "time": "2026-10-01T10:00:00Z",
        "kind": "inference",
        "id": bad,
        "system": bad,
        "error_type": bad,
        "status": "error",
        "decision": "blocked",
        "model": {"name": bad, "version": bad},
        "gen_ai": {"request.model": bad, "tool.name": bad},
        "subjects": {"end_user": [{"type": "user_id", "id": bad}]},
        "text": bad,
        "facts": {bad: bad},
        "input": [{"role": bad, "parts": [part]}],
        "output": [{"role": "assistant", "parts": [call]}],
    }
    named = {**event, "session": bad, "id": "named"}
    log = tmp_path / "hostile.jsonl"
    log.write_text(json.dumps(event) + "\n" + json.dumps(named) + "\n")
    installation.ingest(log)

    at = show(page(installation, "session", session="hostile-1"), bad)
    assert_no_traceback(at)
    assert r"<script>x</script><img src=x onerror=y> ![p](http://evil.example) \x1b[2J" in texts(at)
    assert [mark for mark in HOSTILE if mark in interpreted(at)] == []
    assert not set(texts(at)) & {"\x1b", "\u202e", "\u200b"}

    for name in ("overview", "sessions"):
        turn_to(at, name)
        assert_no_traceback(at)
        assert at.dataframe
        assert [mark for mark in HOSTILE if mark in interpreted(at)] == []
