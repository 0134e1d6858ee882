"""What an auditor does with a bundle, and the plain alternative, each in a process of its own.

Usage: python tests/bench/auditing.py zipped LINES OUT | reread BUNDLE | browser PAGE | pdf CONFIG

``zipped``: what one would hand over without proofs: the same lines in a zip, and the SHA-256 of each file in it.
``reread``: SHA-256 of every file of a bundle, and every record line parsed: no check can do less.
``browser``: the page is opened from disk in headless Chromium until it shows a verdict. ``pdf``: the report on all
controls. These two print JSON.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

BLOCK = 1 << 20
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LONG_TASKS = """
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
    }).observe({ type: "longtask", buffered: true });
"""


def zipped(lines: Path, out: Path) -> None:
    """A zip of a file of lines, with a manifest."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        digest = hashlib.sha256()
        with lines.open("rb") as file, archive.open("records.jsonl", "w") as packed:
            while block := file.read(BLOCK):
                digest.update(block)
                packed.write(block)
        archive.writestr("manifest-sha256.txt", f"{digest.hexdigest()}  records.jsonl\n")


def reread(bundle: Path) -> None:
    """Hash every file, parse every record line."""
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            digest = hashlib.sha256()
            with archive.open(name) as file:
                while block := file.read(BLOCK):
                    digest.update(block)
            digest.hexdigest()
        with archive.open("data/records.jsonl") as file:
            for line in file:
                json.loads(line)


def browser(page: Path) -> dict[str, float]:
    """Seconds from opening a page to its verdict, and milliseconds of the longest time it did not react."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = chromium.new_page()
        tab.add_init_script(LONG_TASKS)
        start = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="commit")
        while not tab.evaluate("Boolean(window.evidenceVerdict)"):  # the page's policy forbids waiting in the page
            tab.wait_for_timeout(20)
        seconds = time.perf_counter() - start
        tab.wait_for_timeout(100)
        verdict = tab.evaluate("window.evidenceVerdict")
        longest = tab.evaluate("window.longest")
        chromium.close()
    if {item["verdict"] for item in verdict["findings"]} != {"unverifiable"}:  # no key was given, and nothing else
        sys.exit(f"the page says {verdict['verdict']}: {verdict['findings'][:3]}")
    return {"seconds": seconds, "longest": longest, "records": verdict["checked"]["records"]}


def pdf(config: Path) -> dict[str, float]:
    """Seconds of making the report on all controls a PDF, and its pages."""
    from pypdf import PdfReader

    from ledger.settings import load
    from ledger.store import Store
    from replay.catalog import opened
    from reports import controls
    from reports.documents import render
    from reports.published import publish_all

    with Store.open(load(str(config))) as store, opened(store) as catalog:
        report = controls.evaluate(catalog, controls.names(), publish_all(store))
    start = time.perf_counter()
    made = render(report, "pdf")
    return {"seconds": time.perf_counter() - start, "pages": len(PdfReader(BytesIO(made)).pages)}


def main() -> None:
    """Do one of them."""
    kind, *paths = sys.argv[1:]
    given = [Path(path).resolve() for path in paths]
    match kind:
        case "zipped":
            zipped(*given)
        case "reread":
            reread(*given)
        case "browser":
            print(json.dumps(browser(*given)))
        case "pdf":
            print(json.dumps(pdf(*given)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
