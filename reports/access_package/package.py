"""The access package as a whole: gathered, reviewed, written, and its hand-over recorded in the register."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import msgspec

from ledger import canonical
from ledger.access import Receipt
from ledger.clock import utc_now
from ledger.errors import RequestRefusedError
from ledger.store import Store
from replay.catalog import Catalog
from replay.third_parties import Others
from reports.access_package import document, facts, portability, review
from reports.access_package.context import NOT_STATED, Context
from reports.access_package.encryption import Encryptor
from reports.access_package.gathering import Held, Told, elsewhere, hold, told
from reports.archive import Archive
from reports.dsar.mentioned import mentions_of
from reports.dsar.register import Step, advance
from reports.dsar.requests import RequestState, refusal, requests
from reports.exports.recipients import bundles_with, recipient_names
from reports.retention import policy

TYPE: Final = "evidence/access-package/1"
REVIEWER: Final = "reviewer"
"""Type of the identifiers under which reviewers stand in the keyring."""
_FILES: Final = (
    ("index.html", "This document."),
    ("records.jsonl", "Every record, one JSON object a line; schema.json says what is in it."),
    (
        "records.csv",
        "The same as a table, for spreadsheets. A mark (') stands before what one could take for a formula.",
    ),
    ("provided.jsonl", "What you wrote yourself, to take with you (portability)."),
    ("provided.csv", "The same as a table."),
    ("context.json", "What this document says beside the copy, for machines."),
    ("schema.json", "JSON Schema of the files in JSON Lines."),
    ("manifest.json", "Size and SHA-256 of each file."),
    ("SHA256SUMS", "The same for `sha256sum -c`."),
)


@dataclass(frozen=True)
class Order:
    """What is asked for: whose request, in which context, with which decisions about other people's data."""

    request: RequestState
    context: Context = field(default_factory=Context)
    reviewed: Sequence[review.Span] = ()
    redact_undecided: bool = False
    sessions: Sequence[str] = ()
    search: bool = False
    recipient: str = "person"
    encryptor: Encryptor | None = None


class Delivered(msgspec.Struct, frozen=True):
    """A package that was written and recorded: SHA-256 and size of the file, and what is in it."""

    sha256: str
    size: int
    records: int
    sessions: int
    withheld: int
    states: dict[str, int]
    encrypted: str | None
    entry: int


def check_deliverable(request: RequestState) -> None:
    """Raise RequestRefusedError where the register does not allow a hand-over: before anything is opened."""
    why = refusal(request, "delivered", {})
    if why is not None:
        raise RequestRefusedError(f"nothing is handed over for request {request.request[:8]}: {why}")


def spans_to_review(catalog: Catalog, receipt: Receipt, order: Order) -> list[review.Span]:
    """What in the person's records may be about other people, for somebody to decide on."""
    subjects = order.request.subjects
    mentions = mentions_of(catalog, order.request, receipt, search=order.search)
    held = hold(catalog, receipt, subjects, mentions, order.sessions)
    return review.find_spans(Others(catalog.store, subjects), held)


def deliver(store: Store, catalog: Catalog, receipt: Receipt, order: Order, out: BinaryIO) -> Delivered:
    """Write the package to ``out`` and record in the ledger that it was handed over; what returns has been recorded.

    Write to a scratch file and give it its name only after this returned. Raises UsageError while a span is undecided,
    RequestRefusedError, AccessNotRecordedError.
    """
    check_deliverable(order.request)
    mentions = mentions_of(catalog, order.request, receipt, search=order.search)
    held = hold(catalog, receipt, order.request.subjects, mentions, order.sessions)
    found = review.find_spans(Others(store, order.request.subjects), held)
    taken = review.settle(found, order.reviewed, redact_undecided=order.redact_undecided)
    reviewers = {name: store.reference(REVIEWER, name) for name in review.reviewers_of(taken)}
    left, withheld = review.withhold(held, taken, reviewers)
    stories = told(catalog, left)
    values = _values(store, catalog, order, stories, withheld)
    values["elsewhere"] = elsewhere(catalog, mentions, held)
    made = _write(values, stories, order, out)
    return _record(store, order, made, values)


def _values(
    store: Store, catalog: Catalog, order: Order, stories: Sequence[Told], withheld: Sequence[review.Withheld]
) -> dict[str, Any]:
    """All that the document says, by the names that it uses."""
    subjects, context = order.request.subjects, order.context
    handed = bundles_with(catalog, subjects)
    every = requests(store)
    return {
        "context": context,
        "files": _FILES,
        "made_at": utc_now(),
        "models": facts.models(stories),
        "not_stated": NOT_STATED,
        "periods": facts.periods(stories, context, policy.configured(store.settings)),
        "recipients": facts.recipients(handed, recipient_names(store, handed), every, subjects),
        "request": order.request,
        "requests": facts.request_facts(every, subjects),
        "searched": order.search,
        "restrictions": facts.restrictions(store, subjects),
        "rights": facts.RIGHTS.get(order.request.regime, facts.RIGHTS["gdpr"]),
        "sources": facts.sources(stories, context),
        "states": facts.states(stories),
        "totals": _totals(stories),
        "verdicts": facts.verdicts(stories),
        "withheld": withheld,
    }


def _totals(stories: Sequence[Told]) -> dict[str, Any]:
    times = sorted(event.at for story in stories for event in story.events if event.at)
    held: list[Held] = [item for story in stories for item in story.held]
    return {
        "envelopes": sum(item.revealed.line["kind"] == "envelope" for item in held),
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
        "records": len(held),
        "sessions": sum(story.session is not None for story in stories),
    }


@dataclass(frozen=True)
class _Made:
    sha256: str
    size: int


def _write(values: dict[str, Any], stories: Sequence[Told], order: Order, out: BinaryIO) -> _Made:
    """The archive, encrypted where that is asked for."""
    plain = io.BytesIO()
    with Archive(plain) as writer:
        writer.add("index.html", document.render(values, stories))
        writer.add("records.jsonl", portability.json_lines(portability.record_values(stories)))
        writer.add("records.csv", portability.records_csv(stories))
        writer.add("provided.jsonl", portability.json_lines(portability.provided_values(stories)))
        writer.add("provided.csv", portability.provided_csv(stories))
        writer.add("context.json", _context(values))
        writer.add("schema.json", _indented(portability.SCHEMA))
        _list(writer, order)
    data = plain.getvalue()
    if order.encryptor is not None:
        data = order.encryptor.encrypt(data)
    out.write(data)
    return _Made(hashlib.sha256(data).hexdigest(), len(data))


def _list(writer: Archive, order: Order) -> None:
    """Every file with its size and SHA-256, for machines and for ``sha256sum``."""
    files = [{"path": path, "sha256": item.sha256, "size": item.size} for path, item in sorted(writer.files.items())]
    # The ledger states the digest of the package: with random bytes in it nobody can try contents against it.
    nonce = secrets.token_hex(32)
    manifest = {"_": TYPE, "files": files, "nonce": nonce, "request": order.request.request}
    writer.add("manifest.json", canonical.encode(manifest))
    sums = (f"{writer.files[path].sha256}  {path}\n" for path in sorted(writer.files))
    writer.add("SHA256SUMS", "".join(sums).encode())


def _context(values: dict[str, Any]) -> bytes:
    """The facts beside the copy, for machines."""
    left_out = ("files", "not_stated", "rights", "request")
    plain = {name: value for name, value in values.items() if name not in left_out}
    return _indented({"_": "evidence/access-context/1", **msgspec.to_builtins(plain)})


def _indented(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"


def _record(store: Store, order: Order, made: _Made, values: dict[str, Any]) -> Delivered:
    totals = values["totals"]
    method = None if order.encryptor is None else order.encryptor.method
    details: dict[str, str | int | bool | None] = {
        "package": made.sha256,
        "recipient": order.recipient,
        "records": totals["records"],
        "withheld": len(values["withheld"]),
        **({} if method is None else {"encrypted": method}),
    }
    state = advance(store, order.request, [Step("delivered", details)])
    return Delivered(
        sha256=made.sha256,
        size=made.size,
        records=totals["records"],
        sessions=totals["sessions"],
        withheld=len(values["withheld"]),
        states=values["states"],
        encrypted=method,
        entry=state.events[-1].entry,
    )
