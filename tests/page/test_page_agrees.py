"""Both verifiers on real bundles of a store: the same verdict, files and rows. Changed ones: test_both_verifiers.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.standalone import verify
from tests.fixtures_pages import Opened, Show
from tests.reports.bundles import Bank, bank, check, content_bundle, morning, period_bundle, session_bundle, unzip

__all__ = ["bank", "content_bundle", "morning", "period_bundle", "session_bundle"]


@pytest.fixture
def verifier(show: Show, bank: Bank) -> Opened:
    opened = show()
    opened.give_key(bank.log_vkey)
    return opened


def judged(opened: Opened, data: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "given.zip"
    path.write_bytes(data)
    opened.give_bundle(path)
    return opened.verdict()


def named(findings: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(item["verdict"], item["object"]) for item in findings}


@pytest.mark.parametrize("kind", ["session_bundle", "period_bundle", "content_bundle"])
def test_they_say_the_same_of_what_is_clean(
    verifier: Opened, bank: Bank, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    bundle: bytes = request.getfixturevalue(kind)

    found = judged(verifier, bundle, tmp_path)
    assert found["verdict"] == "intact"
    assert found == check(bundle, tmp_path, bank.log_vkey).as_json()


def test_the_page_in_a_bundle_verifies_the_bundle(show: Show, bank: Bank, content_bundle: bytes) -> None:
    page = unzip(content_bundle)["report.html"]
    opened = show()
    path = opened.page.url.removeprefix("file://")
    Path(path).write_bytes(page)
    opened.page.reload()
    opened.verdict()
    opened.give_key(bank.log_vkey)

    verdict = opened.verdict()
    assert verdict["verdict"] == verify.INTACT
    assert verdict["checked"]["records"] > 2
    opened.page.click("#tab-sessions")
    assert opened.page.locator("#turns .turn").count() > 2
    assert opened.refused == []
