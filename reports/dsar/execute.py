"""Carrying out an approved plan: keys are destroyed, mentions taken out, and it is looked whether anything still opens.

Safe to repeat after a crash: what the ledger says was done is not done again. Run again later, it carries out what had
to wait for a date or the end of a hold, which the approved plan says too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ledger.access import Receipt
from ledger.erasing import Erasing, erase, still_opens
from ledger.errors import RequestRefusedError
from ledger.history import Entry
from ledger.keyring.identifiers import Identifier
from ledger.resealing import Redaction, reseal
from ledger.store import Store
from replay import access
from replay.catalog import Catalog
from replay.mentions import Mention, forget, mention_macs
from replay.persons import own_sessions, person_rows
from replay.redacting import redacted
from replay.search import Scope, search_mentions
from reports.dsar.approvals import counting
from reports.dsar.mentioned import ALL, mentions_of, was_searched
from reports.dsar.plan import ALREADY, Plan, PlannedRedaction, PlannedRow, changes_since, load_plan, make_plan
from reports.dsar.register import Step, advance, today
from reports.dsar.requests import RequestState
from reports.retention.policy import Policy

SAMPLE: Final = 200
"""Records whose segments the negative check tries to open."""
DEFERRED: Final = "erasure_deferred"
"""Basis of the restriction of people some of whose records have to wait."""


class Executed(msgspec.Struct, frozen=True):
    """What was done. ``everywhere``: the people's keys were destroyed as a whole, not single segments.

    ``waiting``: records that stay until a date or the end of a hold. The negative check: of ``sampled`` segments those
    ``opened`` still; of the people those ``found`` in the keyring still (0 where something has to stay); how often the
    identifiers ``searched`` for are ``mentioned`` again in redacted records. All three are to be 0. Nothing can be
    searched for by a run that goes on after another had deleted the identifiers.
    """

    request: str
    plan: str
    everywhere: bool
    keys: int
    identifiers: int
    erased: int
    redacted: int
    waiting: int
    refused: int
    sampled: int
    opened: int
    found: int
    searched: int
    mentioned: int

    @property
    def is_clean(self) -> bool:
        """Whether the negative check found nothing."""
        return not (self.opened or self.found or self.mentioned)


def execute(catalog: Catalog, state: RequestState, policy: Policy) -> Executed:
    """Carry out the newest plan of a request, or what of it has become due.

    Raises RequestRefusedError where it is not approved by a second person, where nothing of it is left to do, or where
    policy, population or an outcome is no longer as planned; then nothing has changed.
    """
    store = catalog.store
    store.seal()
    catalog.sync()
    plan = _approved(store, state)
    receipt = access.record(store, "dsar execute", "erasure", {"plan": state.plan or "", "request": state.request})
    if state.executed != state.plan and not acts(store, state) and not _is_begun(store, state):
        mentions = mentions_of(catalog, state, receipt, search=was_searched(state))
        _refuse_changed(catalog, state, plan, policy, mentions)
    now = _now(catalog, state, plan, policy)
    due = _due(now, plan)
    gone = {row.record_id for row in now.rows if row.basis.startswith(ALREADY)}
    stays = {row.record_id for row in plan.rows if row.outcome in ("restrict", "refuse")} - due - gone
    left = [row for row in plan.rows if row.record_id in stays]
    rows = [row for row in plan.rows if row.record_id in due]
    redactions = _redactions(catalog, state, plan, now)
    is_ended = bool(left) or not store.survivors(state.subjects)
    if state.executed == state.plan and not rows and not redactions and is_ended:
        raise RequestRefusedError(f"nothing of the plan of request {state.request[:8]} is due")
    # So that there is a signed state of the log from before.
    store.publish()
    keys = identifiers = 0
    macs = mention_macs(store, state.subjects)
    known = [item for found in store.identities.of(state.subjects).values() for item in found]
    if rows or not left:
        done = erase(store, _erasing(catalog, state, rows, everywhere=not left))
        keys, identifiers = done.keys, done.identifiers
    if any(row.outcome == "restrict" for row in left):
        _restrict(store, state, left)
    if not left:
        forget(store, macs, state.subjects)
    taken_out = _redact(catalog, state, redactions, receipt)
    sampled = _segments(rows[:SAMPLE])
    made = Executed(
        request=state.request,
        plan=state.plan or "",
        everywhere=not left,
        keys=keys,
        identifiers=identifiers,
        erased=len(rows),
        redacted=taken_out,
        waiting=sum(row.outcome == "restrict" for row in left),
        refused=sum(row.outcome == "refuse" for row in left),
        sampled=sum(len(numbers) for numbers in sampled.values()),
        opened=still_opens(store, sampled),
        found=0 if left else len(store.survivors(state.subjects)),
        searched=len(known),
        mentioned=_mentioned(catalog, receipt, known, redactions),
    )
    details = msgspec.structs.asdict(made)
    del details["request"]
    advance(store, state, [Step("executed", details)], by=("writer", "privacy"))
    store.publish()
    return made


def acts(store: Store, state: RequestState) -> list[Entry]:
    """The entries that carried out something of a request's newest plan."""
    return [
        entry
        for entry in store.history.entries
        if entry.value["type"] in ("erasure", "reseal")
        and (entry.value.get("request"), entry.value.get("plan")) == (state.request, state.plan)
    ]


def _approved(store: Store, state: RequestState) -> Plan:
    if state.plan is None:
        raise RequestRefusedError(f"request {state.request[:8]} has no plan", hint="Make one: `evidence dsar plan`.")
    if state.closed is not None and state.executed is None:
        raise RequestRefusedError(f"request {state.request[:8]} is closed")
    if not counting(store, state):
        raise RequestRefusedError(
            f"the plan of request {state.request[:8]} has no approval that counts",
            hint="Let a second person approve it: `evidence dsar approve`; `evidence dsar show` says what counts.",
        )
    return load_plan(store, state.plan)


def _is_begun(store: Store, state: RequestState) -> bool:
    """Whether an erasure died before its entry: its identifiers are gone, so mentions cannot be looked up again."""
    return any(store.keyring.state(reference) in ("erasing", "erased") for reference in state.subjects)


def _refuse_changed(
    catalog: Catalog, state: RequestState, plan: Plan, policy: Policy, mentions: Sequence[Mention]
) -> None:
    changed = changes_since(catalog, state, plan, policy, mentions)
    if changed:
        raise RequestRefusedError(
            f"not executed: since the plan was made {' and '.join(changed)} changed",
            hint="Make a new plan, and have it approved: `evidence dsar plan`.",
        )


def _now(catalog: Catalog, state: RequestState, plan: Plan, policy: Policy) -> Plan:
    """The plan as it would be today, where something of it has to wait or was done; else as it is."""
    waiting = [item for item in plan.redactions if item.outcome == "restrict"]
    if not waiting and state.executed is None and all(row.outcome != "restrict" for row in plan.rows):
        return plan
    numbers = {entry.index: number for number, entry in enumerate(catalog.partitions())}
    spots = [
        Mention(item.record_id, numbers[item.entry], item.entry, item.row, "", start, end, "", "")
        for item in waiting
        for start, end in item.spans
    ]
    return make_plan(catalog, state, policy, spots, today())


def _due(now: Plan, plan: Plan) -> set[str]:
    """The records whose content is to go now: those planned so, and those whose date or hold has ended since."""
    planned = {row.record_id for row in plan.rows if row.outcome in ("erase", "restrict")}
    return planned & {row.record_id for row in now.rows if row.outcome == "erase"}


def _erasing(catalog: Catalog, state: RequestState, rows: Sequence[PlannedRow], *, everywhere: bool) -> Erasing:
    wanted = {row.record_id for row in rows}
    inputs = {
        (row.input, row.step)
        for row in person_rows(catalog, state.subjects)
        if row.record_id in wanted and row.input is not None and row.step is not None
    }
    reference: dict[str, Any] = {"plan": state.plan, "request": state.request}
    if everywhere:
        sessions = own_sessions(catalog, state.subjects)
        return Erasing(state.subjects, inputs=sorted(inputs), reference=reference, sessions=sessions)
    return Erasing(segments=_segments(rows), inputs=sorted(inputs), reference=reference)


def _segments(rows: Sequence[PlannedRow]) -> dict[int, list[int]]:
    """The segments of rows, by the index of their partition's entry."""
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row.entry, set()).update(range(row.segment, row.segment + max(row.chunks, 1)))
    return {entry: sorted(numbers) for entry, numbers in found.items()}


def _restrict(store: Store, state: RequestState, left: Sequence[PlannedRow]) -> None:
    """What has to stay for now is kept, and used for nothing else."""
    subjects = [ref for ref in state.subjects if ref not in store.standing.restricted]
    untils = [row.until for row in left if row.outcome == "restrict"]
    body: dict[str, Any] = {
        "action": "restrict",
        "subjects": sorted(subjects),
        "basis": DEFERRED,
        "request": state.request,
    }
    if all(until is not None for until in untils):
        body["until"] = max(until or "" for until in untils)
    if subjects:
        store.append([("restriction", body)], by=("privacy",))


def _redactions(catalog: Catalog, state: RequestState, plan: Plan, now: Plan) -> list[PlannedRedaction]:
    """The redactions that are not done yet. Raises RequestRefusedError for a record that another one came to since."""
    store = catalog.store
    planned_at = max((item.entry for item in state.events if item.plan == state.plan), default=-1)
    due = {item.record_id for item in now.redactions if item.outcome == "redact"}
    left = []
    for item in plan.redactions:
        entry = store.history.entries[item.entry].value
        known = store.endings.redacted.get(entry["content"]["path"], {}).get(item.row)
        is_due = item.outcome == "redact" or (item.outcome == "restrict" and item.record_id in due)
        if not is_due or (known is not None and known.entry.value.get("request") == state.request):
            continue
        if known is not None and known.entry.index > planned_at:
            raise RequestRefusedError(
                f"record {item.record_id[:12]} was redacted since the plan was made", hint="Make a new plan."
            )
        left.append(item)
    return left


def _redact(catalog: Catalog, state: RequestState, redactions: Sequence[PlannedRedaction], receipt: Receipt) -> int:
    """Take the mentions out, partition by partition; how many records were changed."""
    store = catalog.store
    by_entry: dict[int, list[PlannedRedaction]] = {}
    for item in redactions:
        by_entry.setdefault(item.entry, []).append(item)
    done = 0
    for index, items in sorted(by_entry.items()):
        entry = store.history.entries[index]
        rows = [item.row for item in items]
        revealed = store.reveal(receipt, entry.value, rows, despite_restriction=True)
        changes = {
            item.row: Redaction(redacted(row.bytes, item.spans), item.reason)
            for item, row in zip(items, revealed, strict=True)
            if row.bytes is not None
        }
        if changes:
            reseal(store, entry, changes, {"plan": state.plan, "request": state.request})
            done += len(changes)
    return done


def _mentioned(
    catalog: Catalog, receipt: Receipt, known: Sequence[Identifier], redactions: Sequence[PlannedRedaction]
) -> int:
    """How often the person is still named in records that were redacted: they are opened and searched again."""
    if not known or not redactions:
        return 0
    catalog.sync()
    done = {item.record_id for item in redactions}
    partitions = {entry.index: number for number, entry in enumerate(catalog.partitions())}
    scope = Scope(partitions=tuple(sorted({partitions[item.entry] for item in redactions})), max_rows=ALL.max_rows)
    found = search_mentions(catalog, receipt, (), scope, identifiers=known).mentions
    return sum(item.record_id in done for item in found)
