"""Fixtures and Hypothesis profiles for all tests.

``EVIDENCE_HYPOTHESIS_PROFILE``: ``dev`` (100 examples, the default) or ``thorough`` (2000).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.fixtures_history",
    "tests.fixtures_objects",
    "tests.fixtures_pages",
    "tests.fixtures_postgres",
    "tests.fixtures_stores",
    "tests.simulator.faulty_objects",
]

settings.register_profile("dev", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("thorough", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("EVIDENCE_HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data of others, beside the repository. It is not part of the product, so it may be absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared is not there")
    return folder
