"""A browser that opens pages from disk, and notes whatever a page asks for or is forbidden to do."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reports.page import page, verifier

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60.0
"""Seconds until a page that says nothing has failed: far above what any of them takes."""


@dataclass
class Opened:
    """A page in the browser. ``requests``: what it asked for beside itself; ``stopped``: those that its policy let go
    nowhere; ``refused``: what the browser says of its policy.
    """

    page: Any
    requests: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def verdict(self) -> dict[str, Any]:
        """The verdict as ``verify.py --json`` has it, once there is one."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = self.page.evaluate("JSON.stringify(window.evidenceVerdict ?? null)")
            if found != "null":
                return dict(json.loads(found))
            time.sleep(0.01)
        raise AssertionError(f"no verdict: {self.text('#banner')} {self.errors}")

    def give(self, name: str, data: bytes) -> None:
        """Hand the page a file, as if it was dropped on it."""
        self.page.set_input_files("#file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})

    def give_bundle(self, path: Path) -> None:
        """Hand the page a bundle."""
        self.page.evaluate("window.evidenceVerdict = null")
        self.page.set_input_files("#file", str(path))

    def give_key(self, vkey: str) -> None:
        self.page.fill("#key", vkey)
        self.page.click("#use-key")

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def state(self) -> str:
        return str(self.page.get_attribute("#banner", "data-state"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


Show = Callable[..., Opened]


@pytest.fixture
def show(chromium: Any, tmp_path: Path) -> Iterator[Show]:
    """Open a page that holds a bundle, or the released verifier where none is given."""
    contexts: list[Any] = []

    def opened(core: bytes | None = None, fragment: str = "", **options: Any) -> Opened:
        path = tmp_path / "report.html"
        path.write_bytes(verifier() if core is None and not fragment else page(fragment, core, "Records of a test"))
        context = chromium.new_context(**options)
        contexts.append(context)
        shown = Opened(context.new_page())
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        shown.page.on("requestfailed", lambda request: _stopped(request, shown))
        shown.page.on("pageerror", lambda error: shown.errors.append(str(error)))
        shown.page.on("console", lambda message: _note(message, shown))
        shown.page.goto(path.as_uri())
        shown.requests.remove(path.as_uri())
        return shown

    yield opened
    for context in contexts:
        context.close()


def _stopped(request: Any, shown: Opened) -> None:
    if "csp" in (request.failure or ""):
        shown.requests.remove(request.url)
        shown.stopped.append(request.url)


def _note(message: Any, shown: Opened) -> None:
    if message.type == "error":
        shown.refused.append(message.text)
