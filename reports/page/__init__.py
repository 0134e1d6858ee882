"""The page that verifies and replays a bundle in a browser: plain scripts and one style sheet, joined at export.

Nothing is fetched: the content security policy allows the one script and the one style by their SHA-256, and nothing
else. The same page without a bundle is the released verifier.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from jinja2 import Environment

from reports.documents.html import STYLESHEET

SCRIPTS: Final = (
    "bytes", "canonical", "sha256", "pace", "result", "visible",
    "zip", "merkle", "notes", "bag", "statement", "trust", "entries", "rows", "lines", "contents", "replayed", "lists",
    "sampling", "attestation", "certificate", "sealed", "words", "verify",
    "elements", "facts", "banner", "records", "raw", "sessions", "turns", "player", "filesview", "inputs", "page",
)  # fmt: skip
"""One subject each, in an order in which nothing is used before it is there. They share one scope."""

_HERE: Final = files("reports.page")


def page(fragment: str, core: bytes | None, title: str) -> bytes:
    """The page of one bundle. ``fragment``: HTML of the report, safe as it is. ``core``: the zip that it verifies, or
    None where that is too large to be embedded and has to be dropped on the page. Same arguments, same bytes.
    """
    script, style = _script(), _style()
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; img-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(_file("page.html.j2"))
    return template.render(
        policy=policy,
        title=title,
        style=style,
        fragment=fragment,
        core=base64.b64encode(core).decode() if core is not None else "",
        script=script,
    ).encode()


def verifier() -> bytes:
    """The page without a bundle: what the release ships, and what counts when it verifies."""
    return page("", None, "Verify an evidence bundle")


def _script() -> str:
    """All scripts in one, in a scope of their own."""
    joined = "\n".join(_file(f"js/{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{joined}}})();\n'


def _style() -> str:
    """The style of the page, then that of the report that it shows."""
    return _file("page.css") + STYLESHEET.read_text(encoding="utf-8") + _file("report-in-page.css")


def _file(name: str) -> str:
    return _HERE.joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The inline script or style of exactly this text, as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
