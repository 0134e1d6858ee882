"""What goes into a bundle, as a predicate on record lines: both verifiers evaluate the same one on every line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger import canonical
from ledger.errors import UsageError

MAX_SUBJECTS: Final = 150
"""References that one selection names: a ledger entry, which states it, has at most 8 KiB."""


@dataclass(frozen=True)
class Selection:
    """What every selection has: the time [start, end) that narrows it (RFC 3339 UTC, None for open)."""

    start: str | None = field(default=None, kw_only=True)
    end: str | None = field(default=None, kw_only=True)

    kind = ""
    """The selection's ``type``."""

    evaluated = True
    """Whether a line says by itself that it belongs, so that a bundle can show that nothing is missing."""

    def as_json(self) -> dict[str, Any]:
        """As ``bundle.json`` and ledger entry state it."""
        bounds = {"from": self.start, "to": self.end}
        within = {name: value for name, value in bounds.items() if value is not None}
        return {"type": self.kind, **self._named(), **within}

    def matches(self, line: Mapping[str, Any]) -> bool:
        """Whether a record belongs to the selection, by its line."""
        return self._is_meant(line) and self._is_within(line)

    def may_hold(self, entry: Mapping[str, Any]) -> bool:
        """Whether a partition of this entry can hold such records: to the second, as its bounds are ordered as text."""
        first, last = entry["time"]["from"][:19], entry["time"]["to"][:19]
        return (self.start is None or self.start[:19] <= last) and (self.end is None or first <= self.end[:19])

    def hints(self) -> list[bytes] | None:
        """Bytes of which every matching line holds some: what to look for before a line is parsed. None: no such."""
        return self._hints()

    def _hints(self) -> list[bytes] | None:
        return None

    def in_words(self) -> str:
        """What it selects, as people read it. References, opaque ids and closed codes: nobody is named."""
        named = " ".join(str(item) for value in self._named().values() for item in _listed(value))
        within = (
            f"from {self.start or 'the first'} until before {self.end or 'the end'}" if self.start or self.end else ""
        )
        return " ".join(word for word in (_WORDS[self.kind], named, within) if word)

    def _named(self) -> dict[str, Any]:
        return {}

    def _is_meant(self, _line: Mapping[str, Any]) -> bool:
        return True

    def _is_within(self, line: Mapping[str, Any]) -> bool:
        """By ``occurred_at``, else ``observed_at``. Without its Z, RFC 3339 UTC text sorts at any precision."""
        at: str = (line.get("occurred_at") or line["observed_at"])[:-1]
        return (self.start is None or self.start[:-1] <= at) and (self.end is None or at < self.end[:-1])


@dataclass(frozen=True)
class PeriodSelection(Selection):
    """All records of a period."""

    start: str | None
    end: str | None

    kind = "time"


@dataclass(frozen=True)
class SessionSelection(Selection):
    """All records of one session. Its id stands in the record lines: opaque, or a random reference."""

    session: str

    kind = "session"

    def _hints(self) -> list[bytes]:
        return [canonical.encode(self.session)]

    def _named(self) -> dict[str, Any]:
        return {"session": self.session}

    def _is_meant(self, line: Mapping[str, Any]) -> bool:
        return line.get("session") == self.session


@dataclass(frozen=True)
class SubjectSelection(Selection):
    """All records that name one of these references in any role, or whose content one of them owns."""

    subjects: tuple[str, ...]

    kind = "subject"

    def _hints(self) -> list[bytes]:
        return [reference.encode() for reference in self.subjects]

    def _named(self) -> dict[str, Any]:
        return {"subjects": sorted(self.subjects)}

    def _is_meant(self, line: Mapping[str, Any]) -> bool:
        named = {reference for references in line.get("subjects", {}).values() for reference in references}
        return not named.isdisjoint(self.subjects) or line["content"]["owner"] in self.subjects


@dataclass(frozen=True)
class ModelSelection(Selection):
    """All records that name a model, as what was asked for, what answered or what they refer to; or one version of it.

    A version is what the record itself asserts (``model_ref``): what only lineage infers is not in the line.
    """

    model: str
    version: str | None = None

    kind = "model"

    def _hints(self) -> list[bytes]:
        return [canonical.encode(self.model)]

    def _named(self) -> dict[str, Any]:
        return {"model": self.model} | ({} if self.version is None else {"version": self.version})

    def _is_meant(self, line: Mapping[str, Any]) -> bool:
        stated = line.get("model_ref", {})
        names = (stated.get("name"), line.get("gen_ai_request_model"), line.get("gen_ai_response_model"))
        return self.model in names and self.version in (None, stated.get("version"))


@dataclass(frozen=True)
class ChosenSelection(Selection):
    """Records that something else has chosen, by their ids (64 hex): their lines do not say that they belong to it."""

    records: frozenset[str]

    evaluated = False


@dataclass(frozen=True)
class QuerySelection(ChosenSelection):
    """The records that a query names. ``sql`` can hold anything: it stands in the bundle, and never in the ledger.

    ``left_out``: records that no query sees, since they name people whose processing is restricted.
    """

    sql: str = ""
    left_out: int = 0

    kind = "query"


@dataclass(frozen=True)
class ControlSelection(ChosenSelection):
    """The population and the exceptions of a control of a framework."""

    framework: str
    control: str

    kind = "control"

    def _named(self) -> dict[str, Any]:
        return {"framework": self.framework, "control": self.control}


_WORDS: Final = {
    "time": "all records",
    "session": "records of the session",
    "subject": "records that are about the person",
    "model": "records that name the model",
    "query": "records that a query has chosen",
    "control": "records that were looked at for the control",
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def period(start: str | None, end: str | None) -> PeriodSelection:
    """All records between RFC 3339 UTC times. Raises UsageError for a period that holds nothing."""
    check_period(start, end)
    return PeriodSelection(start, end)


def check_period(start: str | None, end: str | None) -> None:
    """Raise UsageError for what is no time, and for a period that holds nothing."""
    if any(text is not None and not _UTC.match(text) for text in (start, end)):
        raise UsageError("a period is given by RFC 3339 times in UTC", hint="Write 2026-10-01T08:30:00Z.")
    if start is not None and end is not None and start[:-1] >= end[:-1]:
        raise UsageError("the period ends before it begins")


_UTC: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\Z")


def of_subjects(references: Sequence[str], start: str | None = None, end: str | None = None) -> SubjectSelection:
    """All records about a person. Raises UsageError for more references than a selection names."""
    if len(references) > MAX_SUBJECTS:
        raise UsageError(f"a selection names at most {MAX_SUBJECTS} references", hint="Name one of the identifiers.")
    return SubjectSelection(tuple(sorted(references)), start=start, end=end)


def stated(selection: Mapping[str, Any]) -> Selection | None:
    """A selection as an entry states it; None for one that its statement does not tell, or of a later version."""
    start, end = selection.get("from"), selection.get("to")
    match selection["type"]:
        case "time":
            return PeriodSelection(start, end)
        case "session":
            return SessionSelection(selection["session"], start=start, end=end)
        case "subject":
            return SubjectSelection(tuple(selection["subjects"]), start=start, end=end)
        case "model":
            return ModelSelection(selection["model"], selection.get("version"), start=start, end=end)
    return None
