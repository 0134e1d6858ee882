"""What the page is made of: one script and one style that its policy names, nothing that could let a text act."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import pytest

from reports.page import SCRIPTS, page, verifier

SCRIPT_FILES = sorted(path.name for path in files("reports.page").joinpath("js").iterdir())


def test_the_same_arguments_make_the_same_page() -> None:
    assert page("<p>1</p>", b"zip", "T") == page("<p>1</p>", b"zip", "T")
    assert verifier() == verifier()


def test_every_script_is_in_the_page_and_none_twice() -> None:
    assert sorted(f"{name}.js" for name in SCRIPTS) == SCRIPT_FILES


def test_the_policy_lets_in_the_script_and_the_style_and_nothing_else() -> None:
    html = verifier().decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    allowed = dict(part.split(" ", 1) for part in policy[1].replace("&#39;", "'").split("; "))
    # Nothing stands before the policy that a browser could load before it reads it.
    assert html.index("Content-Security-Policy") < html.index("<style>")

    assert allowed == {
        "default-src": "'none'",
        "script-src": digest_of(re.search(r"<script>(.*?)</script>", html, re.DOTALL)),
        "style-src": digest_of(re.search(r"<style>(.*?)</style>", html, re.DOTALL)),
        "img-src": "data:",
        "connect-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def digest_of(found: re.Match[str] | None) -> str:
    assert found is not None
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"


@pytest.mark.parametrize("name", SCRIPT_FILES)
def test_no_script_turns_text_into_markup_or_asks_a_network(name: str) -> None:
    source = files("reports.page").joinpath("js", name).read_text(encoding="utf-8")
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|setAttribute\(.on"
    )
    network = r"fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(|\.src\b|\.href\b|https?://(?!in-toto\.io|www\.w3\.org)"

    assert re.findall(forbidden, source) == []
    assert re.findall(network, source) == []
    assert "</script" not in source
    assert len(source.splitlines()) <= 300


def test_a_title_is_text() -> None:
    assert b"<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in page("", None, "<script>alert(1)</script>")
