"""What the packages import is declared; what is declared is locked; the locks can be installed without resolving.

Why each dependency is there: docs/decisions/0001-dependencies.md.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ingest", "ledger", "replay", "app", "reports", "cli")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [item for extra in PROJECT["project"]["optional-dependencies"].values() for item in extra]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")

# One locked package: a name, an exact version, perhaps a marker, then its hashes and nothing else.
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[a-z0-9.]+)(?: ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normalised(re.split(r"[\s\[<>=;~!]", requirement, maxsplit=1)[0]) for requirement in requirements}


def pins(lock: str) -> dict[str, str]:
    found = [PIN.fullmatch(line) for line in (ROOT / lock).read_text().splitlines()]
    return {match["name"]: match["version"] for match in found if match}


def imports(path: Path) -> Iterator[str]:
    """The top-level names that a file imports absolutely."""
    for node in ast.walk(ast.parse(path.read_text())):
        yield from imported(node)


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_declared(package: str) -> None:
    """A package that only a development tool brings along is there in tests and absent at the user's."""
    declared = names([*PROJECT["project"]["dependencies"], *EXTRAS])
    distributions = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imports(path)
        if name not in PACKAGES and name not in sys.stdlib_module_names
        if not declared & {normalised(distribution) for distribution in distributions.get(name, [name])}
    }

    assert undeclared == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_what_an_extra_brings_is_imported_in_functions_alone(package: str) -> None:
    """Without the extra every module can be imported still."""
    at_once = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in imported(statement)
        if normalised(name) in names(EXTRAS)
    }

    assert at_once == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pins_and_hashes_and_nothing_else(lock: str) -> None:
    """No address of a registry, no path of a machine, nothing without a hash."""
    lines = (ROOT / lock).read_text().splitlines()
    strange = [line for line in lines if not PIN.fullmatch(line) and not HASH.fullmatch(line)]
    unhashed = [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if PIN.fullmatch(line) and not HASH.fullmatch(following)
    ]

    assert (strange, unhashed) == ([], [])


def test_every_declared_dependency_is_locked() -> None:
    groups = PROJECT["dependency-groups"]
    development = [requirement for requirement in groups["dev"] if isinstance(requirement, str)]

    assert names(PROJECT["project"]["dependencies"]) <= pins("requirements.lock").keys()
    assert names(groups["build"]) <= pins("requirements-build.lock").keys()
    assert names(development) <= pins("requirements-dev.lock").keys()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_one_environment_can_hold_all_locks(lock: str) -> None:
    assert pins(lock).items() <= pins("requirements-dev.lock").items()


def test_the_merkletools_dependency_that_does_not_build_stays_out() -> None:
    assert "pysha3" not in pins("requirements-dev.lock")
