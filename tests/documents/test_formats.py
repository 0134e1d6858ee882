"""Every format comes out of the installed package: templates, style and fonts are in it."""

from __future__ import annotations

import pytest

from reports import documents
from reports.document import Report

pytestmark = pytest.mark.wheel

BEGINNINGS = {
    "html": b"<!doctype html>",
    "pdf": b"%PDF-1.7",
    "xlsx": b"PK\x03\x04",
    "csv": b"PK\x03\x04",
    "json": b'{\n "_": "evidence/report/1"',
    "oscal": b'{\n "assessment-results"',
}


@pytest.mark.parametrize("fmt", documents.FORMATS)
def test_every_format_comes_out(fmt: str, sample: Report) -> None:
    assert documents.render(sample, fmt).startswith(BEGINNINGS[fmt])
