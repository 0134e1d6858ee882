"""The README's tour is run as it stands, in an empty folder beside the sample data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def tour() -> str:
    """The blocks of shell commands, one after the other: later ones build on earlier ones."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    return "".join(blocks)


def test_every_command_of_the_tours_works(tmp_path: Path) -> None:
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVIDENCE_")}

    done = subprocess.run(  # the document's own commands
        ["/bin/sh", "-eux"],
        input=tour(),
        cwd=tmp_path,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"

    recovered = next((ROOT / "sample_data" / "logs").rglob("2026-10-23-recovered.jsonl"))
    assert (tmp_path / "again.jsonl").read_bytes() == recovered.read_bytes()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")))))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`?make ([a-z]+)`?", README.read_text(encoding="utf-8")))

    assert {"demo", "test", "install"} <= named
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)
