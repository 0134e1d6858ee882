"""Writing an access record before anything is revealed: who, from where, by which command, why, and what."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from typing import Final

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import AccessNotRecordedError, EvidenceError, KeyringError, StorageError
from ledger.settings import Settings
from ledger.store import Store, record_without_store

NOT_STATED: Final = "not stated"
"""The purpose of an access for which nobody gave one."""


def record(store: Store, command: str, purpose: str, selection: Mapping[str, str]) -> Receipt:
    """Record an access and return its receipt. The operator's name is the operating system's: asserted, not proven.

    ``purpose`` and ``selection`` are content: they may name a person. That no purpose was given is a code in the line,
    so that it can be asked without opening anything. Raises AccessNotRecordedError.
    """
    warnings = ["purpose_not_stated"] if purpose.strip().lower() in ("", NOT_STATED) else []
    try:
        viewer = operator(store)
        return store.record_access(_content(command, purpose, selection), {"viewer": [viewer]}, warnings)
    except (KeyringError, StorageError, OSError) as error:
        why = error.message if isinstance(error, EvidenceError) else type(error).__name__
        raise AccessNotRecordedError(f"the access could not be recorded: {why}") from None


def operator(store: Store) -> str:
    """The reference of the operator as the operating system names them: asserted, not proven."""
    name, host = _operator()
    return store.reference("operator", f"{name}@{host}")


def record_verification(settings: Settings, selection: Mapping[str, str]) -> None:
    """Record that a machine opens content to compare it: one record a run, which needs no readable store.

    Raises AccessNotRecordedError; KeyringError or ConfigError where there is no key to open anything with.
    """
    name, host = _operator()
    record_without_store(settings, _content("verify", "verification", selection), ("operator", f"{name}@{host}"))


def _content(command: str, purpose: str, selection: Mapping[str, str]) -> bytes:
    return canonical.encode(
        {
            "_": "evidence/access/1",
            "command": command,
            "operator": who(),
            "purpose": purpose,
            "selection": dict(selection),
        }
    )


def who() -> dict[str, str | bool]:
    """The operator in words, as encrypted content states them: name and host are asserted, not proven."""
    name, host = _operator()
    return {"asserted": True, "host": host, "name": name}


def _operator() -> tuple[str, str]:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return name, socket.gethostname()
