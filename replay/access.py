"""Writing an access record before anything is revealed: who, from where, by which command, why, and what."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import AccessNotRecordedError, EvidenceError, KeyringError, StorageError
from ledger.store import Store


def record(store: Store, command: str, purpose: str, selection: Mapping[str, str]) -> Receipt:
    """Record an access and return its receipt. The operator's name is the operating system's: asserted, not proven.

    ``purpose`` and ``selection`` are content: they may name a person. Raises AccessNotRecordedError.
    """
    name, host = _operator()
    content = canonical.encode(
        {
            "_": "evidence/access/1",
            "command": command,
            "operator": {"asserted": True, "host": host, "name": name},
            "purpose": purpose,
            "selection": dict(selection),
        }
    )
    try:
        viewer = store.reference("operator", f"{name}@{host}")
        return store.record_access(content, {"viewer": [viewer]})
    except (KeyringError, StorageError, OSError) as error:
        why = error.message if isinstance(error, EvidenceError) else type(error).__name__
        raise AccessNotRecordedError(f"the access could not be recorded: {why}") from None


def _operator() -> tuple[str, str]:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return name, socket.gethostname()
