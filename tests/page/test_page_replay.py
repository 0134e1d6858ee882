"""The replay of a session: its turns, what they rest on, its gaps; stepping and searching; content that is sealed."""

from __future__ import annotations

import json

import pytest

from tests.fixtures_pages import Opened, Show
from tests.page.made import LOG, OWNER, Files, Turn, bundle_files, core, grant, said

FORCE = {"approval": None, "approved_at": None, "basis": "inferred", "kind": "policy", "name": "masking"}
ARGUMENTS = json.dumps({"account": "DE02", "limit": 500})


@pytest.fixture(scope="module")
def turns() -> list[Turn]:
    asked, answered = "May the limit be raised?", "It was raised to 500."
    return [
        Turn(
            json.dumps([asked]).encode(),
            [said("user", asked)],
            event={"in_force": [{**FORCE, "recorded_later": True, "version": "12"}]},
        ),
        Turn(
            json.dumps({"call": ARGUMENTS}).encode(),
            [
                said("assistant", ARGUMENTS, kind="tool_call", name="set_limit"),
                said("tool", "done", kind="tool_call_response", verbatim=False),
            ],
            kind="tool",
        ),
        Turn(
            b'{"rule":"pii"}',
            [said("policy", "pii", kind="fact", name="rule")],
            kind="policy",
            fields={"decision": "blocked"},
        ),
        Turn(json.dumps([answered]).encode(), [said("assistant", answered)], event={"idle": "4210", "repeated": 2}),
        Turn(state="erased"),
        Turn(b"elsewhere", [said("user", "elsewhere")], session="s-2"),
    ]


@pytest.fixture(scope="module")
def files(turns: list[Turn]) -> Files:
    return bundle_files(turns, entries=[{"subjects": [OWNER], "type": "erasure"}])


@pytest.fixture
def replayed(show: Show, files: Files) -> Opened:
    opened = show(core(files))
    opened.verdict()
    opened.give_key(LOG.vkey)
    opened.page.click("#tab-sessions")
    return opened


def place(opened: Opened) -> str:
    return opened.text("#sessions .place")


def test_turns_say_what_they_rest_on(replayed: Opened) -> None:
    cards = replayed.page.locator("#turns .turn")

    assert cards.count() == 5
    first, tool, decision, answer, erased = cards.all_inner_texts()
    assert "May the limit be raised?" in first
    assert "in the proven bytes" in first
    assert "masking 12" in " ".join(first.split())
    assert "recorded later" in first
    assert "no approval evidenced" in first
    assert "set_limit" in tool
    assert '"limit": 500' in tool, "arguments are set out to be read"
    assert "arranged by the exporter" in tool
    assert "blocked" in decision
    assert "1 h 10 min without an event" in answer
    assert "2 earlier messages" in answer
    assert "erased" in erased.lower()
    assert "key destruction" in erased


def test_keys_step_through_the_session_and_the_search_finds(replayed: Opened) -> None:
    press = replayed.page.keyboard.press
    assert place(replayed) == "1 / 5"
    press("j")
    press("j")
    assert place(replayed) == "3 / 5"
    press("k")
    assert place(replayed) == "2 / 5"
    press("n")
    assert place(replayed) == "3 / 5", "the next decision"
    press("/")
    replayed.page.keyboard.type("RAISED TO")
    replayed.page.locator("#turns mark").wait_for()
    assert place(replayed) == "4 / 5"
    assert replayed.text("#turns mark") == "raised to"


def test_play_walks_on_by_itself_and_pauses(replayed: Opened) -> None:
    replayed.page.locator("#sessions select").select_option("4")
    replayed.page.click("#play")
    replayed.page.locator("#sessions .place", has_text="2 / 5").wait_for()
    replayed.page.click("#play")
    stopped = place(replayed)
    replayed.page.wait_for_timeout(2500)

    assert place(replayed) == stopped
    assert replayed.text("#play") == "Play"


def test_a_record_leads_to_its_bytes_and_its_session(replayed: Opened) -> None:
    replayed.page.click("#tab-records")
    replayed.page.locator("#records .rows .row").nth(5).click()
    assert "elsewhere" in replayed.text("#drawer [data-bytes=content]")
    replayed.page.locator("#drawer button", has_text="hex").last.click()
    assert "65 6c 73 65" in replayed.text("#drawer [data-bytes=content]")
    replayed.page.click("#drawer >> text=Replay its session")

    assert "s-2" in replayed.text("#sessions .about")
    assert replayed.page.locator("#turns .turn").count() == 1


def test_a_text_that_is_not_in_the_bytes_is_shown_as_such(show: Show, turns: list[Turn]) -> None:
    def forge(files: Files) -> None:
        files["data/replay.jsonl"] = files["data/replay.jsonl"].replace(b"It was raised to 500.", b"It was not raised.")

    opened = show(core(bundle_files(turns, entries=[{"subjects": [OWNER], "type": "erasure"}], change=forge)))
    opened.verdict()
    opened.give_key(LOG.vkey)
    opened.page.click("#tab-sessions")

    assert opened.verdict()["verdict"] == "tampered"
    card = opened.page.locator("#turns .turn").nth(3).inner_text()
    assert "not in the bytes" in card


def test_without_content_the_lines_alone_are_replayed(show: Show, turns: list[Turn]) -> None:
    opened = show(core(bundle_files(turns, content="none")))
    opened.verdict()
    opened.give_key(LOG.vkey)
    opened.page.click("#tab-sessions")

    assert opened.verdict()["verdict"] == "intact"
    assert opened.page.locator("#turns .turn").count() == 5
    assert "from the record lines" in opened.text("#sessions .about")
    assert "not disclosed" in opened.text("#turns").lower()


@pytest.fixture
def sealed(show: Show, turns: list[Turn]) -> Opened:
    opened = show(core(bundle_files(turns, content="sealed", entries=[{"subjects": [OWNER], "type": "erasure"}])))
    opened.verdict()
    opened.give_key(LOG.vkey)
    opened.page.click("#tab-sessions")
    return opened


def test_sealed_content_opens_with_a_grant(sealed: Opened, turns: list[Turn]) -> None:
    assert sealed.verdict()["verdict"] == "intact"
    assert "May the limit be raised?" not in sealed.text("#turns")
    assert "drop the grant" in sealed.text("#turns")
    sealed.give("grant.json", grant(turns, "2999-01-01T00:00:00Z"))
    sealed.page.locator("#said", has_text="opened the content of 5 records").wait_for()

    assert sealed.verdict()["verdict"] == "intact"
    assert "May the limit be raised?" in sealed.text("#turns")
    assert "in the proven bytes" in sealed.text("#turns")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data, "expired"),
        (lambda data: data.replace(b"c0ffee", b"decade"), "another export"),
        (lambda data: data.replace(b'"issued_at":"2026', b'"issued_at":"2025'), "not good"),
        (lambda data: data[:200], "no grant"),
    ],
    ids=["expired", "of another export", "changed", "cut short"],
)
def test_a_grant_that_is_not_good_opens_nothing(sealed: Opened, turns: list[Turn], change: object, words: str) -> None:
    assert callable(change)
    until = "2020-01-01T00:00:00Z" if words == "expired" else "2999-01-01T00:00:00Z"
    sealed.give("grant.json", change(grant(turns, until)))
    sealed.page.locator("#said.bad").wait_for()

    assert words in sealed.text("#said")
    assert "May the limit be raised?" not in sealed.text("#turns")
