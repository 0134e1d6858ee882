"""What only the controller knows, and no store: purposes, categories of recipients, periods in words. A TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from ledger.errors import UsageError

MAX_BYTES: Final = 256 * 1024
NOT_STATED: Final = "not stated in this store"


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The controller's own statements for a person; what is empty is said to be not stated.

    ``retention``: retention class → how long and why. ``sources``: source system → what it is. ``automated_decisions``:
    whether there are any with legal or similar effect, their logic, what they lead to.
    """

    controller: str = ""
    contact: str = ""
    data_protection_officer: str = ""
    supervisory_authority: str = ""
    purposes: list[str] = []
    legal_bases: list[str] = []
    recipients: list[str] = []
    transfers: str = ""
    automated_decisions: str = ""
    retention: dict[str, str] = {}
    sources: dict[str, str] = {}


def load(path: Path | None) -> Context:
    """The statements in a file; none without one. Raises UsageError for a file that is not such a one."""
    if path is None:
        return Context()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES} bytes")
        return msgspec.convert(tomllib.loads(data.decode()), Context)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is no context of an access package: {error}", hint=_HINT) from None


_HINT: Final = f"Keys: {', '.join(field.name for field in msgspec.structs.fields(Context))}."
