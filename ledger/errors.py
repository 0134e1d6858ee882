"""The one error tree. Every error carries the exit code of the command that it ends and a hint.

Codes 1 to 6 are the verdicts of ``evidence verify`` and ``evidence verify-bundle``; the others start at 10.
A script treats a code that it does not know as failure.
"""

from __future__ import annotations

from typing import ClassVar


class EvidenceError(Exception):
    """Base of all errors that a user may see: a message, an exit code, and what to do next."""

    exit_code: ClassVar[int] = 10
    hint: ClassVar[str] = "Run the command again with --help."

    def __init__(self, message: str, *, hint: str | None = None, **where: object) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = hint if hint is not None else self.hint
        self.where = {key: value for key, value in where.items() if value is not None}


class TamperedError(EvidenceError):
    """Bytes differ from what was sealed."""

    exit_code = 1
    hint = "Keep the store as it is and compare it with a backup; do not ingest into it."


class UsageError(EvidenceError):
    """The call itself is wrong."""

    exit_code = 2


class UnverifiableError(EvidenceError):
    """The check could not be made: a key or a meaning is missing."""

    exit_code = 3
    hint = "Give the public key or pin that you trust (--key, --pin)."


class NothingThereError(EvidenceError):
    """There is no store, or it holds nothing."""

    exit_code = 4
    hint = "Create a store with `evidence init`, or name another one with --store."


class LostError(EvidenceError):
    """Something that the ledger lists is not there and no entry explains why."""

    exit_code = 5
    hint = "Restore the named object from a backup of the store."


class StaleError(EvidenceError):
    """The store is older than it may be, or nothing outside vouches for its age."""

    exit_code = 6
    hint = "Verify against a pin kept outside the store (--pin)."


class ConfigError(EvidenceError):
    """A setting is missing or wrong."""

    exit_code = 11
    hint = "Check evidence.toml, or name it with --config; `evidence init` writes one."


class StorageError(EvidenceError):
    """The object store failed or refused."""

    exit_code = 12
    hint = "Check that the store can be reached and written, then run the command again: nothing acknowledged is lost."


class UnsafeStoreError(EvidenceError):
    """The object store does not honour conditional writes, so several writers could fork the ledger."""

    exit_code = 13
    hint = "Use a store that honours If-None-Match."


class ContentionError(EvidenceError):
    """Other writers won every attempt."""

    exit_code = 14
    hint = "Run the command again: what it had not committed is taken up again."


class KeyringError(EvidenceError):
    """The keyring cannot be opened, or a key in it is missing."""

    exit_code = 15
    hint = "Check the keyring and the key-encryption key beside the configuration."


class ErasedError(EvidenceError):
    """The content was rendered unreadable by key destruction."""

    exit_code = 16
    hint = "The ledger's erasure or retention entry says when and why."


class PublisherRefusedError(EvidenceError):
    """The publisher would have signed a forged commit or a rolled-back store."""

    exit_code = 17
    hint = (
        "Restore the newest copy of the store, or find out who wrote the commit; do not delete the publisher's state."
    )


class QueryRefusedError(EvidenceError):
    """A query asked for more than reading the views."""

    exit_code = 18
    hint = "Use one SELECT over the views that docs/QUERY.md lists, such as records, sessions, changes or entries."


class AccessNotRecordedError(EvidenceError):
    """The access record could not be written, so nothing is shown."""

    exit_code = 19
    hint = "Check that the spool folder can be written."


class NotFoundError(EvidenceError):
    """No such session, record or input in this store."""

    exit_code = 20
    hint = "List what is there: `evidence sessions`, or `evidence query`."


class FormatError(EvidenceError):
    """Bytes do not follow their documented format."""

    exit_code = 21
    hint = "See docs/FORMAT.md."


class HostileArchiveError(FormatError):
    """An archive breaks the bounds that a bundle must keep."""

    exit_code = 22
    hint = "Do not unpack it; ask for the bundle again."


class RestrictedError(EvidenceError):
    """Processing of what is about a person is restricted, so it is not shown."""

    exit_code = 24
    hint = "The ledger's restriction entry says since when; `evidence dsar lift` ends it."


class PlanChangedError(EvidenceError):
    """What is there is no longer what was planned, so nothing was done."""

    exit_code = 25
    hint = "Make the plan again, look at it, and carry that one out."


class MissingObjectError(EvidenceError):
    """An object that was asked for is not in the store."""

    exit_code = 23
    hint = "Check that the store is the right one and complete; `evidence verify` names what is lost."


class CountsDifferError(EvidenceError):
    """Counts of the same records, made in different ways, are not equal."""

    exit_code = 28
    hint = "See which partition or source differs; `evidence verify --level deep` says whether the store is unchanged."


class RequestRefusedError(EvidenceError):
    """The state of a data subject's request, its plan or its approvals do not allow this step."""

    exit_code = 30
    hint = "See `evidence dsar show` for what happened to the request so far."


class TimestampError(EvidenceError):
    """The timestamp authority cannot be reached, refused, or answered with what does not verify."""

    exit_code = 31
    hint = "Check tsa_url and tsa_roots, then run the command again: nothing was handed out."


class GrantRefusedError(EvidenceError):
    """A grant is not given, or does not open this bundle: it has expired, is of another export, or is not signed."""

    exit_code = 32
    hint = "Ask whoever exported the bundle for a new grant: `evidence exports grant`."


class ExceptionsFoundError(EvidenceError):
    """A report found exceptions, and was asked to end with an error where there are any."""

    exit_code = 35
    hint = "The report lists them; each one has to be explained."
