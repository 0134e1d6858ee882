"""Verification: needs a read-only object source and public keys; imports neither writer nor keyring nor settings."""

from ledger.verify.pin import Pin
from ledger.verify.report import Finding, Report, Verdict
from ledger.verify.run import Options, verify

__all__ = ["Finding", "Options", "Pin", "Report", "Verdict", "verify"]
