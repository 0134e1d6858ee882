"""Access records: no record, no reveal. A reveal needs a receipt, and only a durable access record gives one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.clock import utc_now
from ledger.errors import AccessNotRecordedError, EvidenceError, KeyringError
from ledger.keyring.access_numbers import AccessNumbers
from ledger.settings import Settings
from ledger.spool import Frame, SpoolFile, identify

SOURCE: Final = "evidence"
ADAPTER: Final = "access/1"
SPOOL_NUMBERS: Final = 10_000
"""Records after which a process begins another spool: a spool is sealed as a whole."""


class Receipt(NamedTuple):
    """Proof that an access record is durable: its spool and number."""

    spool: str
    number: int


class AccessRecorder:
    """Writes this process's access records to its spool."""

    def __init__(self, settings: Settings, numbers: AccessNumbers) -> None:
        self._settings = settings
        self._numbers = numbers
        self._file: SpoolFile | None = None
        self._given: set[Receipt] = set()

    def record(self, content: bytes, subjects: Mapping[str, list[str]], warnings: Sequence[str] = ()) -> Receipt:
        """Make one access record durable and return its receipt. Raises AccessNotRecordedError.

        The number is taken first: if this process dies before the record is written, the gap shows it.
        """
        try:
            file, number = self._take()
            now = utc_now()
            fields: dict[str, Any] = {
                "kind": "access",
                "source": SOURCE,
                "source_id": f"{file.spool}/{number}",
                "adapter": ADAPTER,
                "observed_at": now,
                "occurred_at": now,
                "time_basis": "source",
                "capture": "complete",
                "retention_class": self._settings.retention_class,
            }
            if subjects:
                fields["subjects"] = dict(subjects)
            if warnings:
                fields["warnings"] = sorted(warnings)
            file.append(Frame(number, fields, content))
        except AccessNotRecordedError:
            raise
        except EvidenceError as error:
            raise AccessNotRecordedError(f"the access could not be recorded: {error.message}") from None
        receipt = Receipt(file.spool, number)
        self._given.add(receipt)
        if number >= SPOOL_NUMBERS:
            self.close()
        return receipt

    def check(self, receipt: Receipt) -> None:
        """Raise AccessNotRecordedError unless this recorder gave the receipt."""
        if receipt not in self._given:
            raise AccessNotRecordedError("nothing is shown without an access record")

    def close(self) -> None:
        """Take no further records in this spool, so that it can be sealed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take(self) -> tuple[SpoolFile, int]:
        """The next number, of another spool if a sealer ended this one before anything was in it."""
        file = self._open()
        try:
            return file, self._numbers.take(file.spool)
        except KeyringError:
            self.close()
        file = self._open()
        return file, self._numbers.take(file.spool)

    def _open(self) -> SpoolFile:
        if self._file is None or self._file.closed:
            key = self._numbers.new_spool(identify(self._settings.spool))
            self._file = SpoolFile(self._settings.spool, key.spool, key.key)
        return self._file
