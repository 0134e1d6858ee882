"""Checking a bundle from within the product: the very code that auditors run, with the product's errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ledger.errors import FormatError, TamperedError, UnverifiableError, UsageError
from reports.bundle import attestation, timestamping
from reports.standalone import verify
from reports.standalone.verify import Result, printable, report

__all__ = ["Result", "check_bundle", "check_timestamp", "printable", "report"]


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


def check_timestamp(
    bundle: Path, roots: Path, result: Result, *, max_size: int = verify.MAX_SIZE
) -> timestamping.Stamp | None:
    """Check the timestamp of a bundle under root certificates (PEM), which verify.py cannot; findings go to ``result``.

    None where there is none, it does not verify, or the check before found the bundle not to be whole. Raises
    ConfigError for roots that are none.
    """
    trusted = timestamping.read_roots(roots)
    if result.verdict in (verify.TAMPERED, verify.LOST, verify.NOTHING_THERE):
        return None
    with verify.open_bundle(str(bundle), max_size) as files:
        if timestamping.FILE not in files.sizes:
            result.add(verify.UNVERIFIABLE, timestamping.FILE, "is not there: nobody has timestamped the bundle")
            return None
        token = files.read(timestamping.FILE, timestamping.MAX_TOKEN)
        signed = files.read(attestation.FILE, attestation.MAX_ENVELOPE)
    try:
        stamp = timestamping.check_token(token, signed, trusted)
    except (FormatError, TamperedError) as error:
        result.add(verify.TAMPERED, timestamping.FILE, error.message)
    except UnverifiableError as error:
        result.add(verify.UNVERIFIABLE, timestamping.FILE, error.message)
    else:
        proven(result, "token")
        return stamp
    return None


def proven(result: Result, name: str) -> None:
    """Take back that something is not proven: it is by now."""
    sentence = verify.NOT_PROVEN[name]
    result.not_proven = [said for said in result.not_proven if said != sentence]
