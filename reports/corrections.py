"""Putting right what is recorded of a person (GDPR, Article 16): a record that says so, beside the one that stays."""

from __future__ import annotations

from typing import Any, Final

from ledger.errors import ErasedError, RequestRefusedError, UsageError
from ledger.recording import NewRecord, Recorded, record, words
from ledger.store import Store
from replay import access
from replay.catalog import Catalog
from replay.records import Place, line_of
from reports.codes import check_code
from reports.dsar.register import Step, advance
from reports.dsar.requests import RequestState, refusal

MAX_TEXT: Final = 1 << 20
"""Bytes of a correction."""
_CARRIED: Final = ("system", "environment", "session")
_PEOPLE: Final = ("data_subject", "end_user")


def correct(
    store: Store, catalog: Catalog, place: Place, text: str, reason: str, request: RequestState | None = None
) -> Recorded:
    """Record what is right instead of what a record says: in its session, under the key of the same owner.

    ``request``: one of rectification, of which it is the carrying out. Raises UsageError for a record that nobody said,
    ErasedError where the owner's key was destroyed: what is gone needs no correction.
    """
    check_code(reason, "a reason")
    if not text.strip() or len(text.encode(errors="replace")) > MAX_TEXT:
        raise UsageError("a correction has 1 byte to 1 MiB of text")
    if request is not None:
        _check_executable(request)
    line = line_of(catalog, place)
    if line["kind"] in ("access", "envelope"):
        raise UsageError(f"a record of kind {line['kind']} is the store's own and is not corrected")
    owner = line["content"]["owner"]
    if owner in store.endings.subjects:
        raise ErasedError("the key of whoever this record is about was destroyed, so nothing is added to it")
    made = NewRecord(_fields(store, line), words(text=text, reason=reason, corrects=place.record_id), owner)
    done = record(store, [made])
    if request is not None:
        advance(store, request, [Step("executed", {"correction": done.record_ids[0], "corrects": place.record_id})])
    return done


def _check_executable(request: RequestState) -> None:
    why = refusal(request, "executed", {})
    if request.kind != "rectification":
        why = f"it is of kind {request.kind}, not rectification"
    if why is not None:
        raise RequestRefusedError(f"nothing is corrected for request {request.request[:8]}: {why}")


def _fields(store: Store, line: dict[str, Any]) -> dict[str, Any]:
    """The line of a correction: where and of whom the corrected record is, and who corrects."""
    people = {role: line["subjects"][role] for role in _PEOPLE if role in line.get("subjects", {})}
    return {
        **{name: line[name] for name in _CARRIED if name in line},
        "kind": "correction",
        "links": [{"relation": "corrects", "source": line["source"], "source_id": line["source_id"]}],
        "subjects": {**people, "reviewer": [access.operator(store)]},
    }
