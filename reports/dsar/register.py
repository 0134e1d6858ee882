"""Writing the register: a request is opened, and events follow, each refused where it has no place.

What is said in words (who asks, by which channel, why) is sealed as a record under the person's own key, in the commit
of the entry that names it: it goes with an erasure, the codes and days of the entry stay.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from ledger import entries
from ledger.clock import utc_now
from ledger.entry_shapes import CHECKS
from ledger.errors import ConfigError, ContentionError, RequestRefusedError, UsageError
from ledger.history import Entry
from ledger.recording import NewRecord, record, words
from ledger.store import KeyName, Store
from replay import access
from reports.dsar import clocks
from reports.dsar.clocks import Regime, read_holidays, regime_of
from reports.dsar.requests import IDENTIFYING, KINDS, RequestState, after, requests

MAX_SUBJECTS: Final = 150
"""References that one request names: an entry has at most 8 KiB."""


class Opening(NamedTuple):
    """What is known when a request comes in. ``said``: words such as requester and channel, sealed as content."""

    subjects: Sequence[str]
    regime: str
    kind: str
    received: date
    said: Mapping[str, str] = {}


class Step(NamedTuple):
    """An event to be: closed codes, days, digests; a plan's SHA-256 and how many rows it lists."""

    event: str
    details: Mapping[str, str | int | bool | None] = {}
    plan: tuple[str, int] | None = None


def today() -> date:
    """The day in UTC."""
    return date.fromisoformat(utc_now()[:10])


def day_told(day: date | None) -> date:
    """The day on which a requester was told something: today unless another is given. Raises UsageError."""
    if day is not None and _is_ahead(day):
        raise UsageError(f"the requester was not told on {day}: that day is still to come")
    return day or today()


def _is_ahead(day: date) -> bool:
    """Whether a day has begun nowhere yet: east of Greenwich it may be tomorrow already."""
    return day > today() + timedelta(days=1)


def holidays_of(store: Store) -> frozenset[date]:
    """The public holidays that the settings name. Raises ConfigError where the file cannot be read."""
    path = store.settings.holidays
    if path is None:
        return clocks.NO_HOLIDAYS
    try:
        return read_holidays(path.read_text())
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"cannot read the holidays {path}", hint="Name a text file with one date a line.") from None


def open_request(store: Store, opening: Opening) -> RequestState:
    """Open a request; its deadline is fixed from here on. Raises UsageError for what no request can be."""
    regime = regime_of(opening.regime)
    if opening.kind not in KINDS:
        raise UsageError(f"no request is of kind {opening.kind!a}", hint=f"There are: {', '.join(KINDS)}.")
    if not 0 < len(set(opening.subjects)) <= MAX_SUBJECTS:
        raise UsageError(f"a request names 1 to {MAX_SUBJECTS} references of a person")
    if _is_ahead(opening.received):
        raise UsageError(f"nothing was received on {opening.received}: that day is still to come")
    holidays = holidays_of(store)
    clock = clocks.start(regime, opening.received, holidays)
    details: dict[str, Any] = {
        "regime": regime.code,
        "kind": opening.kind,
        "received": opening.received.isoformat(),
        "due": clock.due_at.isoformat(),
        "opened_by": store.signer("writer").vkey,
        **_digest_of(holidays),
    }
    if clock.confirm_by is not None:
        details["confirm_by"] = clock.confirm_by.isoformat()
    reference = secrets.token_hex(16)
    subjects = sorted(set(opening.subjects))
    body = {"request": reference, "event": "opened", "subjects": subjects, "details": details}
    _commit(store, [body], _Words(f"{reference}/1", subjects, opening.said))
    return requests(store)[reference]


def advance(
    store: Store,
    state: RequestState,
    steps: Sequence[Step],
    said: Mapping[str, str] | None = None,
    by: Sequence[KeyName] = ("writer",),
) -> RequestState:
    """Commit events of a request; the request after them. ``said``: words, sealed and named by the first event.

    Raises RequestRefusedError for an event out of place, ContentionError where another process was faster.
    """
    bodies = [_body(state.request, step) for step in steps]
    _try(state, bodies)

    def recheck(foreign: list[Entry]) -> None:
        if any(entry.value["type"] == "request" and entry.value["request"] == state.request for entry in foreign):
            raise ContentionError("another process changed this request meanwhile")

    number = len(state.events) + 1
    _commit(store, bodies, _Words(f"{state.request}/{number}", state.subjects, said or {}), by, recheck)
    return requests(store)[state.request]


def _try(state: RequestState, bodies: Sequence[dict[str, Any]]) -> None:
    """Raise RequestRefusedError unless each event may follow on those before it."""
    for body in bodies:
        state = after(state, Entry(0, 0, utc_now(), b"", {"type": "request", **body}))
        why = state.events[-1].refused
        if why is not None:
            raise RequestRefusedError(f"request {state.request[:8]} cannot be {body['event']}: {why}")


def identify(
    store: Store, state: RequestState, method: str, evidence: bytes | None, said: Mapping[str, str]
) -> RequestState:
    """The requester was identified; a clock that was paused for it runs on.

    Of ``evidence`` (a copy of a document, a message) a digest under a key of this store is sealed with the words, under
    the person's key: the bytes themselves are not kept.
    """
    if method not in IDENTIFYING:
        raise UsageError(f"no method {method!a}", hint=f"There are: {', '.join(IDENTIFYING)}.")
    words_and_digest = dict(said)
    if evidence is not None:
        mac = store.keyring.secret_mac("identity-evidence")
        mac.update(evidence)
        words_and_digest["evidence_hmac"] = mac.hexdigest()
    steps = [
        Step("identified", {"method": method, "verified_at": today().isoformat(), "evidence": evidence is not None})
    ]
    if state.paused_since is not None:
        steps.append(_resumption(store, state))
    return advance(store, state, steps, words_and_digest)


def pause(store: Store, state: RequestState, reason: str, said: Mapping[str, str]) -> RequestState:
    """Stop the clock: only for doubt about an identity, and only where the law allows it."""
    return advance(store, state, [Step("paused", {"reason": reason, "since": today().isoformat()})], said)


def resume(store: Store, state: RequestState, said: Mapping[str, str]) -> RequestState:
    """Let the clock run on: the deadline moves by the days on which it stood still."""
    steps = [_resumption(store, state)] if state.paused_since is not None else [Step("resumed")]
    return advance(store, state, steps, said)


def extend(store: Store, state: RequestState, reason: str, told: date, said: Mapping[str, str]) -> RequestState:
    """Take the longer period that the law allows once; ``told``: the day on which the requester was told."""
    due = _deadline(store, state, extended=True, paused_days=state.paused_days)
    details = {"reason": reason, "told_at": day_told(told).isoformat(), "due": due, "before": state.due_at}
    return advance(store, state, [Step("extended", details)], said)


def _resumption(store: Store, state: RequestState) -> Step:
    days = (today() - date.fromisoformat(state.paused_since or "")).days
    due = _deadline(store, state, extended=state.extended, paused_days=state.paused_days + days)
    return Step("resumed", {"days": days, "due": due, "before": state.due_at})


def _deadline(store: Store, state: RequestState, *, extended: bool, paused_days: int) -> str:
    regime: Regime = regime_of(state.regime)
    received = date.fromisoformat(state.received_at)
    return clocks.deadline(
        regime, received, extended=extended, paused_days=paused_days, holidays=holidays_of(store)
    ).isoformat()


def _digest_of(holidays: Collection[date]) -> dict[str, str]:
    """Which holidays a deadline was counted with."""
    if not holidays:
        return {}
    return {"holidays": entries.sha256("\n".join(sorted(map(str, holidays))).encode())}


class _Words(NamedTuple):
    """Words to be sealed: the source id of their record, whose they are, and the words by their label."""

    source_id: str
    subjects: Sequence[str]
    said: Mapping[str, str]


def _body(request: str, step: Step) -> dict[str, Any]:
    body: dict[str, Any] = {"request": request, "event": step.event, "details": dict(step.details)}
    if step.plan is not None:
        body["plan"] = {"blob": step.plan[0], "count": step.plan[1]}
    return body


def _commit(
    store: Store,
    bodies: Sequence[dict[str, Any]],
    spoken: _Words,
    by: Sequence[KeyName] = ("writer",),
    recheck: Callable[[list[Entry]], None] | None = None,
) -> None:
    """The entries, with the record of the words where there are any. The operator is stated by a reference."""
    operator = access.operator(store)
    for body in bodies:
        body["details"]["operator"] = operator
        CHECKS["request"]({"type": "request", **body})
    said = {label: text for label, text in spoken.said.items() if text}
    if not said:
        store.append([("request", body) for body in bodies], recheck, by=by)
        return
    fields = {"kind": "review", "source_id": spoken.source_id, "subjects": {"data_subject": list(spoken.subjects)}}
    made = NewRecord(fields, words(about="request", **said), _owner(store, spoken))

    def named(record_ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
        bodies[0]["record"] = record_ids[0]
        return [("request", body) for body in bodies]

    record(store, [made], named, by, recheck)


def _owner(store: Store, spoken: _Words) -> str:
    """The person's own reference; once all of them are erased the request's, which is nobody's."""
    for reference in spoken.subjects:
        if store.keyring.state(reference) in ("live", "never existed") and reference not in store.endings.subjects:
            return reference
    return spoken.source_id.partition("/")[0]
