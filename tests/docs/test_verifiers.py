"""docs/VERIFIERS.md lists the digests of the two verifiers: what an auditor compares before they trust one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from reports.verifiers import digests, programs

DOCUMENT = Path(__file__).parents[2] / "docs" / "VERIFIERS.md"
START, END = "<!-- digests -->\n", "<!-- end -->\n"


def test_the_document_lists_the_digests_of_this_release() -> None:
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(START)
    listed = "".join(f"{digest}  {name}\n" for name, digest in digests().items())
    expected = f"```text\n{listed}```\n"
    _, _, tail = rest.partition(END)
    if os.environ.get("EVIDENCE_UPDATE_DOCS") == "1":
        DOCUMENT.write_text(f"{head}{START}{expected}{END}{tail}", encoding="utf-8")
        rest = expected + END + tail

    assert rest.startswith(expected), "`make docs` writes it anew"


def test_the_command_writes_what_the_document_lists(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["verifiers", "-o", str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    for name, data in programs().items():
        written = (tmp_path / "out" / name).read_bytes()
        assert written == data
        assert f"{hashlib.sha256(written).hexdigest()}  {name}" in done.stdout


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_text("mine")

    done = CliRunner().invoke(app, ["verifiers", "-o", str(tmp_path)])

    assert done.exit_code != 0
    assert (tmp_path / "verify.py").read_text() == "mine"
