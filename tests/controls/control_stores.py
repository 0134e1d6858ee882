"""Two stores for the control tests: one in which all is well, one in which every test finds what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ledger import entries, notes
from ledger.store import Store, load_signer
from replay import access, catalog, snapshot
from replay.query import Views
from reports.controls import library
from reports.controls.questions import Answer, Asked, Moment, ask_all
from reports.published import as_of, publish_all
from tests.fixtures_stores import Installation, make_installation

Line = dict[str, Any]

LATE: Final = {"regime": "gdpr", "received": "2020-01-01", "due": "2020-02-01", "opened_by": "key"}
"""A request whose time is over, whenever this runs; the one below is in time."""
IN_TIME: Final = {**LATE, "due": "2999-02-01"}


def event(kind: str, name: str, time: str | None, **fields: Any) -> Line:
    """A line of the product's own format, of an event in production at ``MM-DDThh`` of 2026."""
    at = {} if time is None else {"time": f"2026-{time}:00:00Z"}
    line = {"evidence": "event/1", "kind": kind, "source": "desk", "id": name, "system": "assistant", **at}
    return {**line, "environment": "production", **fields}


def call(name: str, time: str | None, version: str | None = "v1", **fields: Any) -> Line:
    """A model call that was answered."""
    model = {"name": "m"} if version is None else {"name": "m", "version": version}
    known = {"model": model, "gen_ai": {"request.model": "m"}, "status": "ok", "capture": "complete"}
    return event("inference", name, time, **{**known, **fields})


def change(name: str, time: str, of: str, to: str, before: str | None = "before", **fields: Any) -> Line:
    """A change of ``type/name`` by Dev."""
    kind, _, what = of.partition("/")
    changed = {"type": kind, "name": what, "to": to, "digest_to": f"sha256:{to}"}
    if before is not None:
        changed["from"] = before
    return event("change", name, time, **{"change": changed, "subjects": people(actor="dev"), **fields})


def approval(of: str, time: str, decision: str = "approved", **fields: Any) -> Line:
    """A decision of Boss on a change."""
    links = [{"relation": "approves", "source": "desk", "id": of}]
    known = {"decision": decision, "links": links, "subjects": people(approver="boss", requester="dev")}
    return event("approval", f"{decision}-{of}", time, **{**known, **fields})


def people(**roles: str) -> dict[str, list[dict[str, str]]]:
    """Employees by role."""
    return {role: [{"type": "employee", "id": name}] for role, name in roles.items()}


def make_good(folder: Path) -> Installation:
    """All is as it should be."""
    made = make_installation(folder)
    blocked = [{"relation": "part_of", "source": "desk", "id": "c2"}]
    _ingest(
        made,
        *(approval(of, "01-01T08") for of in ("to-m", "to-guard", "to-data", "to-place")),
        approval("to-m", "01-01T07", "requested", subjects=people(requester="dev")),
        change("to-m", "01-02T08", "model/m", "v1"),
        change("to-guard", "01-02T08", "policy/guard", "g1"),
        change("to-data", "01-02T08", "dataset/d", "d1"),
        change("to-place", "01-02T08", "deployment/place", "sha1"),
        event("evaluation", "e1", "01-01T08", model={"name": "m", "version": "v1"}),
        call("c1", "01-03T08", session="s1", seq=0),
        call("c2", "01-04T08", session="s1", seq=1, decision="blocked"),
        event("policy", "p1", "01-04T08", session="s1", seq=2, decision="blocked", links=blocked),
        event("evaluation", "e2", "01-05T08", session="s1", seq=3),
    )
    with made.open() as store:
        access.record(store, "replay", "ticket 4711", {})
        store.close_spool()
        store.seal()
        first = store.history.partitions()[0].index
        _request(store, "1" * 32, "erasure", IN_TIME, "identified", "extended", "approved", "executed", "certified")
        for kind in ("access", "portability", "rectification"):
            _request(store, kind.encode().hex()[:32].ljust(32, "0"), kind, IN_TIME, "identified", "delivered", "closed")
        plan = "e" * 64
        store.append([("erasure", {"subjects": ["9" * 32], "request": "1" * 32, "plan": plan})], by=("privacy",))
        epoch = {"begun": 2, "ended": 1, "unreadable_at": "2026-01-01T00:00:00Z"}
        store.append([("erasure", {"subjects": [], "epoch": epoch})], by=("privacy",))
        store.append([("hold", _hold("add", "4" * 32, basis="audit", record="a" * 64))], by=("privacy",))
        store.append([("hold", _hold("release", "4" * 32))], by=("privacy",))
        store.append([("retention", _expiry(store, first))], by=("privacy",))
        store.append([("export", _export(recipient="7" * 32)), ("verification", _verification(0, "intact"))])
        store.publish()
    return made


def make_bad(folder: Path) -> Installation:
    """Every test finds its exception. What is recorded later comes in an ingest of its own."""
    made = make_installation(folder)
    answered = [{"relation": "part_of", "source": "desk", "id": "c-answered"}]
    _ingest(
        made,
        *(approval(of, "01-01T08") for of in ("to-self", "to-nobody", "to-unsigned", "to-first")),
        approval("to-late", "01-09T08"),
        approval("to-v8", "01-09T08"),
        approval("to-v3", "01-01T08", "rejected"),
        approval("to-wait", "01-01T08", "requested", subjects=people(requester="dev")),
        change("to-none", "01-02T08", "prompt/p", "p2"),
        change("to-late", "01-02T08", "prompt/p", "p3"),
        change("to-recorded", "01-02T08", "prompt/q", "q2"),
        change("to-self", "01-02T08", "prompt/r", "r2", subjects=people(actor="boss")),
        change("to-nobody", "01-02T08", "prompt/s", "s2"),
        change("to-unsigned", "01-02T08", "prompt/t", "t2"),
        change("to-first", "01-02T08", "deployment/place", "sha1", None),
        change("to-v8", "01-02T08", "model/m", "v8"),
        change("to-v7", "01-02T08", "model/m", "v7"),
        change("to-v3", "01-02T08", "model/m", "v3"),
        change("to-guard", "01-06T08", "policy/guard", "g2", "g1"),
        event("change", "to-data", "01-02T08", change={"type": "dataset", "name": "d", "to": "d1"}),
        event("evaluation", "e8", "01-01T08", model={"name": "m", "version": "v8"}),
        event("evaluation", "e7", "01-09T08", model={"name": "m", "version": "v7"}),
        call("c9", "01-03T08", "v9", session="s1", seq=0),
        call("c8", "01-03T08", "v8", session="s1", seq=2),
        call("c7", "01-03T08", "v7"),
        call("c3", "01-03T08", "v3"),
        call("c-none", "01-20T08", None, system=None, source="other", capture="truncated"),
        call("c-answered", "01-07T08", "v8"),
        call("c-far", "01-12T08", "v8"),
        call("c-untimed", None, "v8"),
        event("policy", "p1", "01-07T08", decision="blocked", links=answered),
        replace={"to-nobody": {"subjects": None}, "to-unsigned": {"subjects": people(requester="dev")}},
        garbage="{cut off\n",
    )
    _ingest(made, approval("to-recorded", "01-01T08"), approval("to-v7", "01-01T08"))
    with made.open() as store:
        access.record(store, "replay", "not stated", {})
        store.close_spool()
        store.seal()
        first = store.history.partitions()[0].index
        _request(store, "1" * 32, "erasure", LATE, "extended", "executed", "identified", extended={"told_at": "x"})
        _request(store, "2" * 32, "access", LATE)
        store.append([("erasure", {"subjects": ["9" * 32]})], by=("privacy",))
        store.append([("hold", _hold("add", "4" * 32, basis="audit"))], by=("privacy",))
        store.append([("retention", _expiry(store, first))], by=("privacy",))
        spools = [{"spool": "5" * 32, "first": 1, "last": 3, "missing": [[2, 3]]}]
        store.append(
            [("export", _export()), ("verification", _verification(1, "tampered")), ("heartbeat", {"spools": spools})]
        )
        other = notes.Signer.generate("both.invalid/writer")
        both = {"action": "enrol", "vkey": other.verifier.vkey, "roles": ["append", "erasure"]}
        admin = load_signer(made.config.parent / f"{made.config.stem}-private" / "admin.key")
        store.append([("key", both)], by=[admin, other])
        store.publish()
    return made


def _ingest(
    made: Installation, *lines: Line, replace: Mapping[str, Mapping[str, Any]] | None = None, garbage: str = ""
) -> None:
    """One file with these lines. ``replace``: fields of the approvals of these changes; None takes one away."""
    for of, fields in (replace or {}).items():
        (found,) = (line for line in lines if line["id"] == f"approved-{of}")
        found.update(fields)
    kept = [{name: value for name, value in line.items() if value is not None} for line in lines]
    path = made.config.parent / f"log-{len(list(made.config.parent.glob('*.jsonl')))}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in kept) + garbage)
    made.ingest(path)


def _request(
    store: Store, reference: str, kind: str, opened: Mapping[str, str], *events: str, **details: Mapping[str, str]
) -> None:
    """The entries of a request, as the ledger has them."""
    said: dict[str, Mapping[str, Any]] = {
        "opened": {**opened, "kind": kind},
        "extended": {"reason": "complexity", "due": opened["due"], "told_at": "2020-01-02"},
        **details,
    }
    for name in ("opened", *events):
        body = {"request": reference, "event": name, "details": said.get(name, {}), "subjects": ["9" * 32]}
        store.append([("request", body)])


def _hold(action: str, reference: str, **fields: str) -> dict[str, Any]:
    scope = {"scope": {"session": "s1"}} if action == "add" else {}
    return {"action": action, "hold": reference, **scope, **fields}


def _expiry(store: Store, partition: int) -> dict[str, Any]:
    policy = b"a retention policy"
    digest = entries.sha256(policy)
    store.objects.put_if_absent(entries.blob_path(digest), policy)
    return {"policy": digest, "what": "content", "partitions": [{"partition": partition}]}


def _export(**fields: str) -> dict[str, Any]:
    counts = {"partitions": 1, "records": 1, "checkpoint_size": 1}
    return {
        "bundle": {"sha256": "c" * 64, "size": 1},
        "selection": {"type": "time"},
        "with_content": False,
        **counts,
        **fields,
    }


def _verification(exit_code: int, verdict: str) -> dict[str, Any]:
    times = {"begun_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:01Z"}
    return {
        "level": "deep",
        "verdict": verdict,
        "exit_code": exit_code,
        "checkpoint_size": 1,
        "grade": "pinned",
        **times,
    }


@contextmanager
def viewed(made: Installation) -> Iterator[tuple[Views, Moment]]:
    """The views of a store as of its checkpoint, and what now is."""
    with made.open() as store, catalog.opened(store) as opened:
        stated = as_of(store, publish_all(store))
        with snapshot.at(opened, stated.size) as views:
            yield views, Moment(stated.time)


def answers(made: Installation, settings: Mapping[str, Mapping[str, int | str]]) -> dict[str, Answer]:
    """What each shipped test says of a store, with some parameters set otherwise."""
    tests = library.load().tests
    asked = [
        Asked(name, tuple(sorted({**test.parameters, **settings.get(name, {})}.items())), test)
        for name, test in tests.items()
    ]
    with viewed(made) as (views, moment):
        return {item.name: answer for item, answer in ask_all(views, asked, moment).items()}
