"""One error tree: each class has its own exit code, words that explain it, and a row in docs/EXIT-CODES.md.

The document is generated from the classes: ``make docs`` writes it anew.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import EvidenceError

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "EXIT-CODES.md"
PACKAGES = ("ingest", "ledger", "replay", "app", "reports", "cli")

HEAD = """\
# Exit codes

Generated from `ledger/errors.py` by `make docs`.

0 means that the command did what it was asked; for `evidence verify` and `evidence verify-bundle`, that everything
checked is intact. Codes 1 to 6 are their other verdicts; where several hold, the worst is returned, in the order
1, 5, 3, 4, 6. A script must treat a code that it does not know as failure.

What is no verdict and no error of the table has codes of its own: 70 a defect of this program, 74 the output could not
be written (a full disk), 130 interrupted, 141 the reader of the output has left. So a run of `verify` does not end with
1 because its output failed.

| code | error | meaning | what to do |
|---:|---|---|---|
"""


def family(error: type[EvidenceError]) -> Iterator[type[EvidenceError]]:
    yield error
    for child in error.__subclasses__():
        yield from family(child)


ERRORS = [error for error in family(EvidenceError) if error.__module__ == "ledger.errors"]


def meaning(error: type[EvidenceError]) -> str:
    return (error.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()


def document() -> str:
    rows = sorted((error.exit_code, error.__name__, meaning(error), error.hint) for error in ERRORS)
    return HEAD + "".join(f"| {code} | {name} | {words} | {hint} |\n" for code, name, words, hint in rows)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_explains_itself(error: type[EvidenceError]) -> None:
    assert meaning(error).endswith("."), "the docstring is what the document says of the code"
    assert error.hint.endswith((".", ")")), "the hint is a sentence that says what to do next"
    assert "|" not in meaning(error) + error.hint, "a bar would break the document's table"


def test_an_exit_code_belongs_to_one_class() -> None:
    """A subclass without a code of its own is a special case of its parent and shares the parent's."""
    own = sorted((error.exit_code, error.__name__) for error in ERRORS if "exit_code" in vars(error))
    codes = [code for code, _ in own]

    assert len(set(codes)) == len(codes), own


@pytest.mark.parametrize("error", ERRORS)
def test_an_exit_code_leaves_the_reserved_ones_alone(error: type[EvidenceError]) -> None:
    """0 is success, 1 to 6 are verdicts, 126 and above belong to the shell."""
    assert 1 <= error.exit_code <= 6 or 10 <= error.exit_code <= 125


def test_errors_are_defined_in_one_file() -> None:
    tree = {error.__name__ for error in ERRORS}
    elsewhere = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path != ROOT / "ledger" / "errors.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        if tree & {name.id for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name)}
    ]

    assert elsewhere == []


def test_the_document_lists_every_error() -> None:
    if os.environ.get("EVIDENCE_UPDATE_DOCS") == "1":
        DOCUMENT.write_text(document(), encoding="utf-8")

    assert DOCUMENT.read_text(encoding="utf-8") == document(), "`make docs` writes it anew"
