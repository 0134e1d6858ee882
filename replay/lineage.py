"""What was in force when something happened: models, datasets, prompts, policies, and their approvals.

Judged by when things happened and by the order of commits. A version is *asserted* where the record itself names it,
*inferred* from the latest change before it, *ambiguous* where two changes contend; a change that was committed after
the event was *recorded later*. Nothing here says that a change was right: only what is evidenced.

A change to a version puts it in force. One from a version to nothing ends that version; one of an alias to nothing
ends whatever the alias named. All others (a tag, a version that was registered) leave what is in force alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
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


class Span(msgspec.Struct, frozen=True):
    """A time in which the same held of one name for what runs in one system: from ``begin`` until before ``end``.

    ``versions``: one, or those that contend. ``changes``: what put them in force. ``end`` is None where nothing ended
    it. ``system`` is None for what names no system.
    """

    type: str
    name: str
    system: str | None
    versions: tuple[str, ...]
    begin: str
    end: str | None
    changes: tuple[Change, ...]


def spans(catalog: Catalog, kind: str, systems: Iterable[str | None] = (None,)) -> list[Span]:
    """What held of each name of a kind (``model``, ``dataset``, …), and when, for events of each of the systems.

    The same reading of the changes as that of ``Lineage.at``; names of aliases stand apart from those of models.
    """
    by_name: dict[str, list[Change]] = {}
    for change in changes(catalog):
        if change.type == kind and (change.version_to or change.version_from or alias_of(change.name)):
            by_name.setdefault(change.name, []).append(change)
    wanted = sorted(set(systems), key=lambda system: (system is not None, system or ""))
    return [
        span for name, history in sorted(by_name.items()) for system in wanted for span in _spans(history, name, system)
    ]


def _spans(history: Sequence[Change], name: str, system: str | None) -> Iterator[Span]:
    """The spans of one name for one system; neighbours in which the same versions hold are one."""
    moments = sorted({change.at for change in history if system is None or change.system in (None, system)})
    found: Span | None = None
    for moment in moments:
        held = tuple(_latest(history, moment, system))
        versions = tuple(sorted({change.version_to for change in held if change.version_to}))
        if found is not None and found.versions == versions:
            continue
        if found is not None:
            yield msgspec.structs.replace(found, end=moment)
        found = Span(held[0].type, name, system, versions, moment, None, held) if held else None
    if found is not None:
        yield found


class Lineage:
    """The changes of a store, ready to be asked what held at an event."""

    def __init__(self, catalog: Catalog) -> None:
        self._by_name: dict[tuple[str, str], list[Change]] = {}
        for change in changes(catalog):
            if change.version_to or change.version_from or alias_of(change.name):
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
        model = None if asserted is not None else _model_name(line)
        yield from _contending(self._held("model", moment, system, seq, model))
        for kind in sorted({kind for kind, _ in self._by_name} - {"model", "deployment"}):
            yield from self._held(kind, moment, system, seq)

    def _held(
        self, kind: str, moment: str, system: str | None, seq: int, model: str | None = None
    ) -> Iterator[InForce]:
        """What held of one kind; of models, those that are the event's, by its name or an alias of it."""
        for (of, name), history in sorted(self._by_name.items()):
            if of == kind and (kind != "model" or _names(name, model)):
                held = _latest(history, moment, system)
                if held:
                    yield _inferred(kind, name, held, seq)

    def _with_approval(self, asserted: InForce, moment: str | None, system: str | None, seq: int) -> InForce:
        """An asserted version with the change that brought it, where one is recorded."""
        histories = (
            of for (kind, name), of in self._by_name.items() if kind == "model" and _names(name, asserted.name)
        )
        brought = [
            change
            for change in sorted(chain.from_iterable(histories), key=_in_time)
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


def alias_of(name: str) -> str | None:
    """The model or prompt whose alias this is the name of, as registries write it: ``model@alias``."""
    return name.rpartition("@")[0] or None


def _names(name: str, model: str | None) -> bool:
    """Whether a change of this name is one of the model: of itself, or of an alias of it."""
    return model is not None and model in (name, alias_of(name))


def _in_time(change: Change) -> tuple[str, int, str]:
    return change.at, change.seq, change.record_id


def _contending(found: Iterator[InForce]) -> list[InForce]:
    """A model under several names at once: where their versions differ, nothing says which of them answered."""
    models = list(found)
    if len({item.version for item in models}) < 2:
        return models
    return [msgspec.structs.replace(item, basis="ambiguous", approval=None, approved_at=None) for item in models]


def _latest(history: Sequence[Change], moment: str, system: str | None) -> list[Change]:
    """The change, or the changes at one instant, that came last at or before a moment and still hold at it.

    A change that names a system holds for that system only; one that names none holds for every. For an event that
    names no system, what holds in each of them contends.
    """
    before = [change for change in history if change.at <= _cut(moment)]
    systems = {change.system for change in before} if system is None else {system}
    held: set[Change] = set()
    for each in systems:
        mine = [change for change in before if change.system in (None, each)]
        held.update(_standing(mine))
    return [change for change in before if change in held]


def _standing(before: Sequence[Change]) -> list[Change]:
    """The changes at the last instant that put something in force, without those that a later one ended."""
    begun = [change for change in before if change.version_to is not None]
    if not begun:
        return []
    at = begun[-1].at
    ended = {change.version_from for change in before if change.version_to is None and change.at > at}
    if None in ended:
        return []
    return [change for change in begun if change.at == at and change.version_to not in ended]


def _inferred(kind: str, name: str, held: Sequence[Change], seq: int) -> InForce:
    versions = {change.version_to for change in held}
    change = held[-1]
    if len(versions) > 1:
        contending = " or ".join(sorted(version for version in versions if version))
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
