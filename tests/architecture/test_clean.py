"""What is committed says nothing of the machine it was written on, and nothing in it waits to be done."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = {
    "the host of a package registry": re.compile(
        r"(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|(?:static|index)\.crates\.io|repo1?\.maven\.org)"
    ),
    "a path of one machine": re.compile(r"(?<![\w.:/-])/(?:root|work|home/\w+|Users/\w+|opt/wheels)/"),
    "something left to do": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"),
}


def committed_files() -> list[Path]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_file_mentions(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in committed_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the host of a package registry", "https://files." + "pythonhosted" + ".org/packages/x.whl"),
        ("a path of one machine", "open('/home" + "/jane/evidence.toml')"),
        ("something left to do", "# TO" + "DO: later"),
    ],
)
def test_the_patterns_find_what_they_name(what: str, text: str) -> None:
    assert FORBIDDEN[what].search(text)
