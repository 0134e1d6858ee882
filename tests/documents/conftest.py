"""Reports that use every kind of block."""

from __future__ import annotations

import pytest

from reports.document import Report
from tests.documents import sample_reports


@pytest.fixture(scope="session")
def sample() -> Report:
    """An ordinary report with every kind of block."""
    return sample_reports.report()


@pytest.fixture(scope="session")
def hostile() -> Report:
    """A report in which every text is hostile."""
    return sample_reports.hostile()
