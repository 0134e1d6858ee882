"""Who may sign what: enrolling and retiring keys, which only a key with the role ``admin`` commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger import entries, notes
from ledger.errors import ConfigError, NotFoundError, UsageError

if TYPE_CHECKING:
    from ledger.history import Entry, History
    from ledger.store import Store

APPROVER: Final = "approver"


class Holder(NamedTuple):
    """A key of the log: its name and vkey, its roles, the commit that enrolled it, and whether it was retired."""

    name: str
    vkey: str
    roles: tuple[str, ...]
    since: int
    retired: bool


def holders(history: History) -> list[Holder]:
    """Every key that the log has named, in the order of their enrolment; those that were retired last."""
    listed = [(history.keys, False), (history.retired, True)]
    return [
        Holder(key.verifier.name, vkey, tuple(sorted(key.roles)), key.since, retired)
        for keys, retired in listed
        for vkey, key in keys.items()
    ]


def enrol(
    store: Store,
    key: notes.Verifier,
    roles: Sequence[str],
    admin: notes.Signer,
    own: notes.Signer | None = None,
) -> Entry:
    """Enrol a key. ``own``: the same key, with which one that is to commit must sign its enrolment.

    Raises UsageError for roles that there are not, a key that is here under another name (one person would count as
    two), or one that lacks ``own``; ConfigError where ``admin`` may not enrol.
    """
    store.refresh()
    unknown = sorted(set(roles) - entries.ROLES)
    if unknown or not roles:
        raise UsageError(f"no such role: {', '.join(unknown) or 'none given'}", hint=f"Roles: {_roles()}.")
    for other in store.history.keys.values():
        if other.verifier.public_key == key.public_key and other.verifier.vkey != key.vkey:
            raise UsageError("the same key is enrolled under another name", hint="Retire that one first.")
    if APPROVER in roles and len(set(roles)) > 1:
        raise UsageError("a key that approves holds no other role", hint="Enrol another key for the other role.")
    by = [admin]
    if list(roles) != [APPROVER]:
        if own is None or own.vkey != key.vkey:
            raise UsageError(
                "a key that is to sign must sign its own enrolment", hint="Name its private key with --sign-with."
            )
        by.append(own)
    return _commit(store, {"action": "enrol", "vkey": key.vkey, "roles": sorted(set(roles))}, by, admin)


def retire(store: Store, which: str, admin: notes.Signer) -> Entry:
    """Retire a key, given by its vkey or its name. What it has signed so far stays good.

    Raises NotFoundError, or UsageError for a name that several keys have and for the last key of the roles ``admin``,
    ``log`` and ``append``: a log without them ends.
    """
    store.refresh()
    found = [key for vkey, key in store.history.keys.items() if which in (vkey, key.verifier.name)]
    if not found:
        raise NotFoundError("no enrolled key has this name", hint="List them: `evidence keys list`.")
    if len(found) > 1:
        raise UsageError("several keys have this name", hint="Give the whole key instead: `evidence keys list --json`.")
    for role in sorted(found[0].roles & {"admin", "append", "log"}):
        if len(store.history.holders(role)) == 1:
            raise UsageError(f"it is the last key with the role {role}", hint="Enrol its successor first.")
    return _commit(store, {"action": "retire", "vkey": found[0].verifier.vkey}, [admin], admin)


def _commit(store: Store, body: dict[str, Any], by: Sequence[notes.Signer], admin: notes.Signer) -> Entry:
    if all(holder.vkey != admin.vkey for holder in store.history.holders("admin")):
        raise ConfigError(
            "this key does not hold the role admin in this log", hint="Use the admin key that `evidence init` made."
        )
    return store.append([("key", body)], by=by)[0]


def _roles() -> str:
    return ", ".join(sorted(entries.ROLES))
