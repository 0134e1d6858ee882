"""The tables of docs/CONTROLS.md are made from the shipped files. EVIDENCE_UPDATE_DOCS=1 writes them anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reports.controls import library
from reports.controls.schema import ControlTest, Framework

DOCUMENT = Path(__file__).parents[2] / "docs" / "CONTROLS.md"
MARK = "<!-- generated: tests/docs/test_controls.py -->\n"


def tables() -> str:
    known = library.load()
    lines = ["\n## Frameworks that are shipped\n"]
    for framework in known.frameworks.values():
        lines += [*_framework(framework), ""]
    lines += ["## Tests that are shipped\n", "| test | asks | parameters |", "|---|---|---|"]
    lines += [_test(test) for test in known.tests.values()]
    return "\n".join(lines) + "\n"


def _framework(framework: Framework) -> Iterator[str]:
    yield f"### {framework.title} (`{framework.name}`)\n"
    yield f"{framework.source.strip()}\n"
    yield "| control | title | applies from | tests | missing besides |"
    yield "|---|---|---|---|---|"
    for control in framework.controls:
        uses = [
            f"`{use.test}`" + "".join(f" {name} {value}" for name, value in use.with_.items()) for use in control.tests
        ]
        cells = (control.id, control.title, str(control.applies_from or ""), ", ".join(uses), control.missing or "")
        yield f"| {' | '.join(cell.strip() for cell in cells)} |"


def _test(test: ControlTest) -> str:
    parameters = ", ".join(f"{name} = {value}" for name, value in test.parameters.items())
    return f"| `{test.name}` | {test.question} | {parameters} |"


def test_the_tables_are_those_of_the_files() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    head, mark, found = text.partition(MARK)
    if os.environ.get("EVIDENCE_UPDATE_DOCS"):
        DOCUMENT.write_text(head + mark + tables(), encoding="utf-8")
        return
    assert found == tables(), "run it with EVIDENCE_UPDATE_DOCS=1"
