"""Restriction of processing (GDPR, Article 18): what is about a person is kept, and not shown, until it is lifted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from ledger.errors import ConfigError, NotFoundError, RequestRefusedError, UsageError
from ledger.history import Entry
from ledger.store import Store
from reports.codes import check_code
from reports.dsar.register import Step, advance
from reports.dsar.requests import RequestState, refusal

KIND: Final = "restriction"
"""The kind of requests that ask for it."""
MAX_SUBJECTS: Final = 150
"""References that one entry names."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")


class Changed(NamedTuple):
    """What was restricted or lifted: the references that it changed, and the entries that say so."""

    subjects: list[str]
    entries: list[Entry]


def restrict(
    store: Store, references: Sequence[str], basis: str, until: str | None = None, request: RequestState | None = None
) -> Changed:
    """Restrict processing of what is about these people. ``until``: a day that is stated; it ends nothing by itself.

    Nobody who is restricted on this basis until this day already is named again. ``request``: what asks for it; one of
    restriction is executed by it. Raises ConfigError where this installation may not, RequestRefusedError.
    """
    check_code(basis, "a basis")
    _check_day(until)
    if request is not None:
        _check_executable(request)
    standing = store.standing.restricted
    new = [
        reference
        for reference in sorted(set(references))
        if reference not in standing or (standing[reference].basis, standing[reference].until) != (basis, until)
    ]
    reference = None if request is None else request.request
    changed = _commit(store, "restrict", new, {"basis": basis, "until": until, "request": reference})
    if request is not None and request.kind == KIND:
        advance(store, request, [Step("executed", {"basis": basis})])
    return changed


def _check_executable(request: RequestState) -> None:
    why = refusal(request, "executed", {}) if request.kind == KIND else None
    if why is not None:
        raise RequestRefusedError(f"nothing is restricted for request {request.request[:8]}: {why}")


def lift(store: Store, references: Sequence[str], basis: str, request: RequestState | None = None) -> Changed:
    """End the restriction. Whoever asked for it is told before (Article 18(3)). Raises NotFoundError for none."""
    check_code(basis, "a basis")
    held = [reference for reference in sorted(set(references)) if reference in store.standing.restricted]
    if not held:
        raise NotFoundError("no restriction is in force for this person", hint="Nothing was changed.")
    reference = None if request is None else request.request
    return _commit(store, "lift", held, {"basis": basis, "request": reference})


def _commit(store: Store, action: str, subjects: Sequence[str], more: dict[str, Any]) -> Changed:
    vkey = store.signer("privacy").vkey
    if all(holder.vkey != vkey for holder in store.history.holders("erasure")):
        raise ConfigError("the privacy key does not hold the role erasure in this log")
    stated = {name: value for name, value in more.items() if value is not None}
    bodies = [
        ("restriction", {"action": action, "subjects": list(some), **stated}) for some in _in_parts(list(subjects))
    ]
    return Changed(list(subjects), store.append(bodies, by=("privacy",)) if bodies else [])


def _in_parts(subjects: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(subjects), MAX_SUBJECTS):
        yield subjects[start : start + MAX_SUBJECTS]


def _check_day(until: str | None) -> None:
    if until is None:
        return
    try:
        date.fromisoformat(until if _DAY.match(until) else "")
    except ValueError:
        raise UsageError("a restriction is until a day", hint="Write 2027-01-31.") from None
