"""The six packages have everyday names, so another distribution could ship one too: pip would overwrite files silently.

These tests notice it. They hold for an editable installation and, marked ``wheel``, for the built wheel.
"""

from __future__ import annotations

import sys
from importlib.metadata import distribution, packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

DISTRIBUTION = "evidence-ledger"
PACKAGES = ("ingest", "ledger", "replay", "app", "reports", "cli")

pytestmark = pytest.mark.wheel


def folder_of(package: str) -> Path:
    """The folder that ``import package`` loads from."""
    spec = find_spec(package)
    assert spec is not None, f"the package {package} is not installed"
    assert spec.origin is not None, f"{package} has no __init__.py: it is a namespace that others could add to"
    return Path(spec.origin).resolve().parent


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_provides_the_package(package: str) -> None:
    providers = set(packages_distributions().get(package, []))

    assert providers <= {DISTRIBUTION}, f"{sorted(providers - {DISTRIBUTION})} also ships a package named {package}"


def test_all_packages_come_from_one_place() -> None:
    parents = {package: folder_of(package).parent for package in PACKAGES}

    assert len(set(parents.values())) == 1, f"another installation shadows one of ours: {parents}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (folder_of(package) / "py.typed").is_file()


def test_the_command_is_installed() -> None:
    commands = {
        point.name: point.value for point in distribution(DISTRIBUTION).entry_points if point.group == "console_scripts"
    }

    assert commands == {"evidence": "cli.main:main"}


def test_no_file_in_app_shadows_a_package() -> None:
    """``streamlit run app/main.py`` puts ``app/`` first on sys.path, so its names win over everything installed."""
    in_app = {path.stem for path in folder_of("app").iterdir() if path.suffix == ".py" or path.is_dir()}
    taken = {*PACKAGES, *packages_distributions(), *sys.stdlib_module_names}

    assert in_app & taken == set()
