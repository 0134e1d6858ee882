"""Files and functions stay small enough to be read at once; what grows is cut by subject, not by length.

``pytest -s tests/architecture/test_sizes.py`` prints the figures.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
ONE_FILE_BY_DESIGN = {"reports/standalone/verify.py"}
"""An auditor reads it from top to bottom and carries it alone: it cannot be cut (its functions are measured)."""
SOURCES = ("ingest", "ledger", "replay", "app", "reports", "cli", "sample_data")


class Size(NamedTuple):
    lines: int
    where: str


def files() -> Iterator[Size]:
    for path in python_files():
        where = str(path.relative_to(ROOT))
        if where not in ONE_FILE_BY_DESIGN:
            yield Size(len(path.read_text().splitlines()), where)


def functions() -> Iterator[Size]:
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield Size(lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")


def python_files() -> list[Path]:
    return [path for source in SOURCES for path in sorted((ROOT / source).rglob("*.py"))]


@pytest.mark.parametrize(("measured", "p95", "cap"), [(files, 500, 800), (functions, 50, 100)])
def test_sizes(measured: Callable[[], Iterator[Size]], p95: int, cap: int) -> None:
    # An empty __init__.py says nothing about the size of files.
    sizes = sorted(size for size in measured() if size.lines > 2 or measured is functions)
    found = quantiles([size.lines for size in sizes], n=20)[-1]
    print(
        f"\n{measured.__name__}: {len(sizes)}, median {median(size.lines for size in sizes):.0f} lines, "
        f"p95 {found:.0f} (at most {p95}), largest {sizes[-1].lines} {sizes[-1].where} (at most {cap})"
    )

    assert found <= p95, sizes[-10:]
    assert sizes[-1].lines <= cap, sizes[-1]
