"""The certificate of an erasure: a signed statement about entries of the log, with every proof, verified offline.

A certificate is a bag in a zip like a bundle (reports/bundle/) and is checked by the same ``verify.py``. It names
nobody: people are random references. What it states follows from the ledger; only ``negative_check``, ``recipients``
and the numbers of keys and identifiers are the word of the store that issued it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, BinaryIO, Final

import msgspec

from ledger import canonical, notes
from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.clock import utc_now
from ledger.entry_shapes import Erasure, Reseal, read
from ledger.errors import RequestRefusedError
from ledger.history import Entry
from ledger.store import Store
from replay.catalog import Catalog
from reports.bundle.log import LogFiles
from reports.bundle.writer import BundleWriter, add_tools
from reports.dsar.approvals import counting
from reports.dsar.certificate_words import ASSUMPTION, OUT_OF_SCOPE, RESIDUE, TECHNIQUE, in_words
from reports.dsar.execute import acts
from reports.dsar.plan import Plan, encode, load_plan
from reports.dsar.requests import Happened, RequestState
from reports.exports.recipients import bundles_with
from reports.published import Published, as_of, consistency, publish_all

TYPE: Final = "evidence/certificate/1"


_LOOKED: Final = ("sampled", "opened", "found", "searched", "mentioned")
_MUST_BE_NONE: Final = ("opened", "found", "mentioned")


class Issued(msgspec.Struct, frozen=True):
    """A certificate that was written: SHA-256 and size of the file, and what it states."""

    sha256: str
    size: int
    statement: dict[str, Any]


def issue(catalog: Catalog, state: RequestState, out: BinaryIO) -> Issued:
    """Write the certificate of a request whose plan was carried out, as far as it was.

    Raises RequestRefusedError where nothing was, ConfigError where the settings name no key for certificates.
    """
    store = catalog.store
    done = [item for item in state.events if item.event == "executed" and item.refused is None]
    if state.plan is None or not done:
        raise RequestRefusedError(f"nothing of request {state.request[:8]} was executed that could be certified")
    if any(int(done[-1].details[name]) for name in _MUST_BE_NONE):
        raise RequestRefusedError(
            f"request {state.request[:8]} is not certified: when it was executed not all was gone",
            hint="Run `evidence keys reconcile`; then plan and execute again.",
        )
    published = publish_all(store)
    before = _before(store, acts(store, state), published.checkpoint)
    statement = _statement(catalog, state, done, before, published.checkpoint)
    text = f"{TYPE}\n{store.history.origin}\n".encode() + canonical.encode(statement) + b"\n"
    note = notes.sign_note(text, store.signer("certificate"))
    plan = load_plan(store, state.plan)
    with BundleWriter(out) as writer:
        _write(store, writer, statement, note, plan, before, published)
    return Issued(writer.sha256, writer.size, statement)


class _Before(msgspec.Struct, frozen=True):
    """The checkpoint that was published last before the erasure."""

    note: bytes
    checkpoint: Checkpoint


def _before(store: Store, done: Sequence[Entry], newest: Checkpoint) -> _Before:
    first = min((entry.index for entry in done), default=newest.size)
    sizes = [int(info.path.rpartition("/")[2]) for info in store.objects.list("ledger/checkpoints/")]
    size = max((size for size in sizes if size <= first), default=None)
    if size is None:
        raise RequestRefusedError("no checkpoint from before the erasure was published", hint="Run `evidence seal`.")
    note = store.objects.get(f"ledger/checkpoints/{size}")
    opened = notes.open_note(note, store.history.log_verifiers())
    return _Before(note, parse_checkpoint(opened.text))


def _statement(
    catalog: Catalog, state: RequestState, done: Sequence[Happened], before: _Before, after: Checkpoint
) -> dict[str, Any]:
    store = catalog.store
    plan = load_plan(store, state.plan or "")
    carried_out = acts(store, state)
    erasures = [entry for entry in carried_out if entry.value["type"] == "erasure"]
    reseals = [entry for entry in carried_out if entry.value["type"] == "reseal"]
    return {
        "_": TYPE,
        "after": _point(after),
        "assumption": ASSUMPTION,
        "backups": _backups(store.history.entries, erasures),
        "before": _point(before.checkpoint),
        "entries": _named(store, state, done, erasures, reseals),
        "erased": _erased(done, reseals),
        "issued_at": utc_now(),
        "kind": state.kind,
        "live_at": max((entry.time for entry in carried_out), default=done[-1].at),
        "negative_check": {name: int(done[-1].details[name]) for name in _LOOKED} | {"at": done[-1].at},
        "origin": store.history.origin,
        "out_of_scope": list(OUT_OF_SCOPE),
        "outcomes": _outcomes(plan),
        "plan": state.plan,
        "received": state.received_at,
        "recipients": [
            {
                "bundle": item.sha256,
                "entry": item.entry,
                "recipient": item.recipient,
                "with_content": item.with_content,
            }
            for item in bundles_with(catalog, state.subjects)
        ],
        "regime": state.regime,
        "request": state.request,
        "residue": list(RESIDUE),
        "store": store.history.store,
        "subjects": sorted(state.subjects),
        "technique": TECHNIQUE,
        "tool": f"evidence {version('evidence-ledger')}",
    }


def _point(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"root": checkpoint.root.hex(), "size": checkpoint.size}


def _named(
    store: Store, state: RequestState, done: Sequence[Happened], erasures: Iterable[Entry], reseals: Iterable[Entry]
) -> dict[str, Any]:
    """The entries that the statement rests on."""
    planned = max(item.entry for item in state.events if item.event == "planned" and item.plan == state.plan)
    return {
        "approved": sorted(item.entry for item in counting(store, state)),
        "erasure": [entry.index for entry in erasures],
        "executed": done[0].entry,
        "opened": state.events[0].entry,
        "planned": planned,
        "reseal": [entry.index for entry in reseals],
    }


def _erased(done: Sequence[Happened], reseals: Iterable[Entry]) -> dict[str, Any]:
    redacted = sum(len(found.redacted) for entry in reseals if isinstance(found := read(entry.value), Reseal))
    summed = {name: sum(int(item.details[name]) for item in done) for name in ("keys", "identifiers", "erased")}
    last = done[-1].details
    return {
        "everywhere": bool(last["everywhere"]),
        "identifiers": summed["identifiers"],
        "keys": summed["keys"],
        "records": summed["erased"],
        "redacted": redacted,
        "refused": int(last["refused"]),
        "waiting": int(last["waiting"]),
    }


def _backups(log: Sequence[Entry], erasures: Sequence[Entry]) -> dict[str, Any]:
    """From when no backup of the keyring opens what was erased: the end of the epoch that was current then."""
    last = max((entry.index for entry in erasures), default=-1)
    for entry in log[last + 1 :]:
        if entry.value["type"] == "erasure":
            found = read(entry.value)
            if isinstance(found, Erasure) and found.epoch is not None:
                epoch = found.epoch
                return {
                    "depends_on": epoch.depends_on,
                    "entry": entry.index,
                    "unreadable_at": epoch.unreadable_at,
                }
    return {"depends_on": None, "entry": None, "unreadable_at": None}


def _outcomes(plan: Plan) -> list[dict[str, Any]]:
    counted = Counter((row.outcome, row.basis) for row in plan.rows)
    counted.update((item.outcome, item.basis) for item in plan.redactions)
    return [{"basis": basis, "outcome": outcome, "rows": rows} for (outcome, basis), rows in sorted(counted.items())]


def _write(
    store: Store,
    writer: BundleWriter,
    statement: dict[str, Any],
    note: bytes,
    plan: Plan,
    before: _Before,
    published: Published,
) -> None:
    history, after = store.history, published.checkpoint
    log = LogFiles(history, published)
    log.add_checkpoint(writer)
    writer.add("certificate", note)
    writer.add("plan.json", encode(plan))
    writer.add("before", before.note)
    if before.checkpoint.size < after.size:
        writer.add("before.json", consistency(history, before.checkpoint, after))
    for index in _wanted(statement):
        log.need(index)
    described = {
        "_": TYPE,
        "checkpoint": {"origin": after.origin, **_point(after)},
        "counts": {"entries": log.add_entries(writer)},
        "origin": after.origin,
        "store": history.store,
    }
    writer.add("bundle.json", canonical.encode(described))
    writer.seal(as_of(store, published))
    add_tools(writer, in_words(statement))
    writer.finish()


def _wanted(statement: dict[str, Any]) -> set[int]:
    """The entries that the statement names."""
    named = statement["entries"]
    wanted = {*named["approved"], *named["erasure"], *named["reseal"]}
    wanted |= {named["opened"], named["planned"], named["executed"]}
    if statement["backups"]["entry"] is not None:
        wanted.add(statement["backups"]["entry"])
    return wanted
