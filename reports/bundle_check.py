"""Checking a bundle from within the product: the very code that auditors run, with the product's errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ledger.errors import UsageError
from reports.standalone import verify
from reports.standalone.verify import Result, printable, report

__all__ = ["Result", "check_bundle", "printable", "report"]


def check_bundle(
    bundle: Path,
    keys: Sequence[str] = (),
    pin: Path | None = None,
    *,
    strict: bool = False,
    max_size: int = verify.MAX_SIZE,
) -> Result:
    """Check a zip or an unpacked folder. ``keys``: verifier keys, or files that hold one. Raises UsageError."""
    try:
        trusted = [verify.read_key(key) for key in keys]
        remembered = verify.read_pin(str(pin)) if pin is not None else None
        return verify.check(str(bundle), trusted, remembered, strict, max_size)
    except verify.UsageError as error:
        raise UsageError(str(error)) from None
