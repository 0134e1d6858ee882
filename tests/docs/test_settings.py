"""docs/SETTINGS.md is made from the settings themselves: one that is not documented fails here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ledger.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "SETTINGS.md"
HEAD = """# Settings

Generated from `ledger/settings.py` by `make docs`. `evidence init` writes the file, `evidence.toml`; what it does not
name has the default. A variable of the environment that is not empty comes before the file, and `--store` before both.
Relative paths are taken from the folder of the file; that of a store named by `--store` or `EVIDENCE_STORE` from the
current one. An unknown key is an error (exit code 11).

The file is looked for, in this order: `--config`; `EVIDENCE_CONFIG`; `evidence.toml` beside the store that `--store`
names; `evidence.toml` in the current folder.

| setting | default | variable | meaning |
|---|---|---|---|
"""
TAIL = """
`EVIDENCE_DEBUG=1` is no setting: with it an unexpected error shows where it came from.
"""


def default(field: FieldInfo) -> str:
    """The default as the file would spell it."""
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def document() -> str:
    rows = [
        f"| `{name}` | {default(field)} | `EVIDENCE_{name.upper()}` | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n" + TAIL


def test_the_document_lists_the_settings_that_there_are() -> None:
    if os.environ.get("EVIDENCE_UPDATE_DOCS") == "1":
        DOCUMENT.write_text(document(), encoding="utf-8")

    assert DOCUMENT.read_text(encoding="utf-8") == document(), "`make docs` writes it anew"
