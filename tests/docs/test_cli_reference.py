"""docs/CLI.md is made from the command line itself: a command or option that is not documented fails here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import GROUPS, app

DOCUMENT = Path(__file__).parents[2] / "docs" / "CLI.md"
HEAD = """# Commands

Generated from the command line by `make docs`. Every command takes `--store` (or `EVIDENCE_STORE`), `--config` (or
`EVIDENCE_CONFIG`), `--json` and `--help`. With `--json` one object comes on stdout whose `schema` names the command and
the version of its fields; unknown fields must be ignored. Progress and messages go to stderr. Exit codes are in
[EXIT-CODES.md](EXIT-CODES.md).
"""


WITHOUT_A_STORE = {"verify-bundle", "keys new", "retention check", "retention example", "verifiers"}


def help_of(*words: str) -> str:
    done = CliRunner().invoke(
        app, [*words, "--help"], prog_name="evidence", env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    )
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def names() -> list[str]:
    """Every command, those of two words with a space."""
    grouped = [
        name
        for group in GROUPS
        for name in ([group.name] if group.alone else []) + [f"{group.name} {item.name}" for item in group.commands]
    ]
    return [str(command.name) for command in app.registered_commands] + grouped


def document() -> str:
    return "\n".join([HEAD, *(f"## evidence {name}\n\n```text\n{help_of(*name.split())}\n```\n" for name in names())])


def test_the_reference_is_what_the_commands_say() -> None:
    if os.environ.get("EVIDENCE_UPDATE_DOCS") == "1":
        DOCUMENT.write_text(document(), encoding="utf-8")

    assert DOCUMENT.read_text(encoding="utf-8") == document(), "`make docs` writes it anew"


@pytest.mark.parametrize("name", names())
def test_every_command_has_the_shared_options_and_an_example(name: str) -> None:
    text = help_of(*name.split())
    wanted = {"--json"} if name in WITHOUT_A_STORE else {"--store", "--config", "--json"}

    assert all(option in text for option in wanted)
    assert "Example: evidence" in text
