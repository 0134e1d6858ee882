"""What was in force when something happened: models, datasets, prompts, policies, and their approvals.

Judged by when things happened and by the order of commits. A version is *asserted* where the record itself names it,
*inferred* from the latest change before it, *ambiguous* where two changes contend; a change that was committed after
the event was *recorded later*. Nothing here says that a change was right: only what is evidenced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from replay.approvals import NOT_EVIDENCED
from replay.catalog import Catalog


class Change(msgspec.Struct, frozen=True):
    """One change record with what is known of its approval. Times are RFC 3339 UTC to the microsecond."""

    record_id: str
    seq: int
    source: str
    source_id: str
    at: str
    type: str
    name: str
    version_from: str | None
    version_to: str | None
    system: str | None
    approval: str
    approved_at: str | None
    approval_record: str | None
    approval_seq: int | None


class InForce(msgspec.Struct, frozen=True):
    """One thing in force at an event. ``basis``: asserted, inferred, ambiguous.

    ``recorded_later``: the change that it rests on was committed after the event. ``change`` is that change's record.
    """

    type: str
    name: str
    version: str | None
    basis: str
    recorded_later: bool
    approval: str | None
    approved_at: str | None
    change: str | None


class Lineage:
    """The changes of a store, ready to be asked what held at an event."""

    def __init__(self, catalog: Catalog) -> None:
        self._by_name: dict[tuple[str, str], list[Change]] = {}
        for change in changes(catalog):
            self._by_name.setdefault((change.type, change.name), []).append(change)

    def at(self, line: Mapping[str, Any], seq: int) -> Iterator[InForce]:
        """What was in force for an event, given its record line and the number of its commit."""
        if line["kind"] not in ("inference", "tool", "policy"):
            return
        moment, system = line.get("occurred_at"), line.get("system")
        asserted = _asserted(line)
        if asserted is not None:
            yield self._with_approval(asserted, moment, system, seq)
        if moment is None:
            return
        model = _model_name(line)
        for (kind, name), history in sorted(self._by_name.items()):
            if kind == "deployment" or (kind == "model" and (asserted is not None or name != model)):
                continue
            held = _latest(history, moment, system)
            if held:
                yield _inferred(kind, name, held, seq)

    def _with_approval(self, asserted: InForce, moment: str | None, system: str | None, seq: int) -> InForce:
        """An asserted version with the change that brought it, where one is recorded."""
        history = self._by_name.get(("model", asserted.name), [])
        brought = [
            change
            for change in history
            if change.version_to == asserted.version
            and (system is None or change.system in (None, system))
            and (moment is None or change.at <= _cut(moment))
        ]
        if not brought:
            return asserted
        change = brought[-1]
        return msgspec.structs.replace(
            asserted,
            recorded_later=change.seq > seq,
            approval=change.approval,
            approved_at=change.approved_at,
            change=change.record_id,
        )


def _asserted(line: Mapping[str, Any]) -> InForce | None:
    reference = line.get("model_ref", {})
    if "version" not in reference:
        return None
    name = reference.get("name") or _model_name(line) or ""
    return InForce("model", name, reference["version"], "asserted", False, NOT_EVIDENCED, None, None)


def _model_name(line: Mapping[str, Any]) -> str | None:
    return line.get("model_ref", {}).get("name") or line.get("gen_ai_request_model")


def _latest(history: Sequence[Change], moment: str, system: str | None) -> list[Change]:
    """The change, or the changes at one instant, that came last at or before a moment.

    A change that names a system holds for that system only; one that names none holds for every. For an event that
    names no system, what holds in each of them contends.
    """
    before = [change for change in history if change.at <= _cut(moment)]
    systems = {change.system for change in before} if system is None else {system}
    held: set[Change] = set()
    for each in systems:
        mine = [change for change in before if change.system in (None, each)]
        held.update(change for change in mine if change.at == mine[-1].at)
    return [change for change in before if change in held]


def _inferred(kind: str, name: str, held: Sequence[Change], seq: int) -> InForce:
    versions = {change.version_to for change in held}
    change = held[-1]
    if len(versions) > 1:
        contending = " or ".join(sorted(version or "unknown" for version in versions))
        return InForce(kind, name, contending, "ambiguous", change.seq > seq, None, None, change.record_id)
    return InForce(
        kind,
        name,
        change.version_to,
        "inferred",
        change.seq > seq,
        change.approval,
        change.approved_at,
        change.record_id,
    )


def _cut(moment: str) -> str:
    """RFC 3339 UTC text to the microsecond, comparable as text with Change.at."""
    head, _, fraction = moment[:-1].partition(".")
    return f"{head}.{fraction[:6]:0<6}Z"


_AS_TEXT: Final = "strftime(timezone('UTC', {}), '%Y-%m-%dT%H:%M:%S.%fZ')"


def changes(catalog: Catalog) -> list[Change]:
    """Every change that names what it changed, in the order in which they took effect."""
    rows = catalog.connection.execute(f"""
        SELECT record_id, seq, source, source_id, {_AS_TEXT.format("occurred_at")}, change_type, change_name,
            change_from, change_to, system, approval, {_AS_TEXT.format("approved_at")}, approval_record, approval_seq
        FROM change_state WHERE change_name IS NOT NULL ORDER BY occurred_at, seq, record_id
    """).fetchall()
    return [Change(*row) for row in rows]
