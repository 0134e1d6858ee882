"""Fixtures of the bundle tests: the store, its bundles, and the auditor."""

from __future__ import annotations

from tests.reports.bundles import audit, bank, content_bundle, fresh_bank, morning, period_bundle, session_bundle

__all__ = ["audit", "bank", "content_bundle", "fresh_bank", "morning", "period_bundle", "session_bundle"]
