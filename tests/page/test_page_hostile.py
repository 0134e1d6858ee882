"""Recorded text is the attacker's: nothing of it runs, loads or moves, wherever a page shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures_pages import Opened, Show
from tests.page.made import LOG, Files, Turn, bundle_files, core, said

SCRIPT = "<script>window.pwned = 1</script>"
TEXTS = (
    SCRIPT,
    '<img src=x onerror="window.pwned = 2">',
    '<svg onload="window.pwned = 3"><a href="javascript:window.pwned=4">x</a></svg>',
    "</script><script>window.pwned = 5</script>",
    '"><iframe src="https://attacker.example/"></iframe>',
    "javascript:window.pwned=6",
    "![x](https://attacker.example/pixel.png)",
    "${window.pwned = 7}{{7*7}}",
    "\u202egnp.exe\u202c \u2066isolated\u2069",
    "\x1b[31mred\x1b[0m \x1b]8;;https://attacker.example\x07link\x1b]8;;\x07",
    "zero\u200bwidth \U000e0041tag \x00nul",
)
RAW = set("\u202e\u202c\u2066\u2069\x1b\x07\u200b\U000e0041\x00")
"""Characters that act instead of being read: none of them may reach the screen."""


@pytest.fixture(scope="module")
def hostile() -> Files:
    turns = []
    for number, text in enumerate(TEXTS):
        content = json.dumps({"text": text}, ensure_ascii=False).encode()
        parts = [
            said("user", text),
            said("assistant", text, kind="tool_call", name=text, verbatim=False),
            said(text, text, kind=text, verbatim=False),
            said("policy", text, kind="fact", name=text, verbatim=False),
        ]
        fields = {"error_type": "x", "gen_ai_response_model": text, "source": text, "decision": text, "kind": text}
        force = [{"approval": text, "basis": text, "kind": text, "name": text, "version": text}]
        event = {"in_force": force, "notes": [text], "kind": text}
        turns.append(Turn(content, parts, session=f"{text} {number}", fields=fields, event=event))
    return bundle_files(turns)


def is_harmless(opened: Opened) -> None:
    assert opened.page.evaluate("window.pwned ?? null") is None
    assert opened.requests == opened.stopped == []
    assert opened.errors == []
    assert opened.refused == [], "the policy had to stop something"
    assert not RAW & set(opened.text("body"))


def visit(opened: Opened) -> None:
    """Look at everything: every tab, every session, a record's bytes."""
    for tab in ("summary", "records", "sessions", "files"):
        opened.page.click(f"#tab-{tab}")
        is_harmless(opened)
    opened.page.click("#tab-sessions")
    for session in range(opened.page.locator("#sessions .session").count()):
        opened.page.locator("#sessions .session").nth(session).click()
        is_harmless(opened)
        opened.page.locator("#sessions .turn button", has_text="Bytes").first.click()
        is_harmless(opened)
        opened.page.keyboard.press("Escape")


def test_nothing_in_a_record_runs_or_loads(show: Show, hostile: Files) -> None:
    opened = show(core(hostile))
    assert opened.verdict()["exit_code"] == 3
    opened.give_key(LOG.vkey)
    assert opened.verdict()["verdict"] == "intact"

    visit(opened)

    # They were there to be seen: as what they are.
    opened.page.locator("#sessions .session").first.click()
    shown = "".join(opened.page.locator("#sessions .session").all_inner_texts())
    assert SCRIPT in shown
    assert "\\u202egnp.exe" in shown


def test_nor_in_a_bundle_that_is_forged_all_over(show: Show, hostile: Files) -> None:
    def forge(files: Files) -> None:
        stated = json.loads(files["data/bundle.json"])
        stated |= {"origin": SCRIPT, "store": SCRIPT, "selection": {"session": SCRIPT, "type": "session"}}
        files["data/bundle.json"] = json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()
        files["data/population.csv"] = files["data/population.csv"].replace(b"\n3,1,", b"\n3,1" + SCRIPT.encode(), 1)

    opened = show(core(bundle_files([Turn(b"x", session=SCRIPT)] * 3, change=forge)))
    opened.give_key(LOG.vkey)

    assert opened.verdict()["verdict"] == "tampered"
    for tab in ("summary", "records", "sessions", "files"):
        opened.page.click(f"#tab-{tab}")
        is_harmless(opened)


@pytest.mark.parametrize("odd", [7, True, ["x"], {"x": 1}, "x"], ids=str)
def test_values_of_other_types_than_expected_break_nothing(show: Show, odd: Any) -> None:
    """A log's own writer can put anything into lines; its exporter can arrange anything."""
    names = ("change", "decision", "error_type", "model_ref", "session", "source", "status", "warnings", "capture")
    event = dict.fromkeys(("at", "idle", "in_force", "notes", "repeated", "duplicate", "session"), odd)
    part = {"name": odd, "role": odd, "text": odd, "type": odd, "verbatim": False}
    opened = show(core(bundle_files([Turn(b"x", [part], fields=dict.fromkeys(names, odd), event=event), Turn(b"y")])))
    opened.give_key(LOG.vkey)

    assert opened.verdict()["exit_code"] in (0, 1)
    visit(opened)


def test_a_name_of_a_file_that_is_given_is_text(show: Show) -> None:
    opened = show()
    opened.give(SCRIPT.replace("/", "_"), b"nothing known")
    opened.page.locator("#said.bad").wait_for()

    assert "neither a bundle nor a key" in opened.text("#said")
    is_harmless(opened)


def test_a_megabyte_in_one_text_is_shown_in_part(show: Show) -> None:
    text = "a" * (1 << 20) + SCRIPT
    opened = show(core(bundle_files([Turn(json.dumps(text).encode(), [said("user", text)])])))
    opened.give_key(LOG.vkey)
    assert opened.verdict()["verdict"] == "intact"
    opened.page.click("#tab-sessions")

    assert len(opened.text("#turns")) < 20_000
    opened.page.locator("#turns .more").click()
    assert opened.text("#turns").count("a") >= 1 << 20
    is_harmless(opened)


def test_the_policy_stops_what_a_hole_in_the_page_would_let_in(show: Show) -> None:
    """The fragment is made by the report's template, which escapes. If it did not, the policy would stand behind it."""
    opened = show(fragment=f"<article class=report>{''.join(TEXTS[:5])}</article>")
    opened.page.wait_for_timeout(200)

    assert opened.page.evaluate("window.pwned ?? null") is None
    assert opened.refused, "the browser says what it refused"
    assert opened.requests == []


def test_no_script_can_be_added_and_no_network_be_asked(show: Show) -> None:
    opened = show()
    script: Any = """async () => {
      const done = [];
      try { await fetch('https://attacker.example/'); done.push('fetch'); } catch { }
      const added = document.createElement('script'); added.textContent = 'window.pwned = 8';
      document.body.append(added);
      const image = new Image(); image.src = 'https://attacker.example/x.png'; document.body.append(image);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return done;
    }"""

    assert opened.page.evaluate(script) == []
    assert opened.page.evaluate("window.pwned ?? null") is None
    assert len(opened.refused) >= 3
