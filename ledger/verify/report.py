"""What a verification found and what it covered: verdicts are never blurred, and nothing unchecked is called intact."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Verdict(StrEnum):
    """The results that a check can have."""

    INTACT = "intact"
    TAMPERED = "tampered"
    UNVERIFIABLE = "unverifiable"
    NOTHING_THERE = "nothing there"
    LOST = "lost"
    STALE = "stale"
    UNPINNED = "unpinned"


EXIT_CODES: Final = {
    Verdict.INTACT: 0,
    Verdict.TAMPERED: 1,
    Verdict.UNVERIFIABLE: 3,
    Verdict.NOTHING_THERE: 4,
    Verdict.LOST: 5,
    Verdict.STALE: 6,
    Verdict.UNPINNED: 6,
}
WORST_FIRST: Final = (
    Verdict.TAMPERED,
    Verdict.LOST,
    Verdict.UNVERIFIABLE,
    Verdict.NOTHING_THERE,
    Verdict.STALE,
    Verdict.UNPINNED,
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the verdict, the object, the row in it where that is known, and why."""

    verdict: Verdict
    path: str
    reason: str
    row: int | None = None
    record: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        found: dict[str, Any] = {"verdict": str(self.verdict), "object": self.path, "reason": self.reason}
        return found | {k: v for k, v in (("row", self.row), ("record", self.record)) if v is not None}


MAX_FINDINGS: Final = 1000


@dataclass
class Report:
    """The result of one run. ``covered`` says what was checked, in numbers; ``notes`` what was not, and why."""

    level: str
    strict: bool = False
    findings: list[Finding] = field(default_factory=list)
    suppressed: int = 0
    covered: dict[str, int] = field(default_factory=dict)
    explained: dict[str, int] = field(default_factory=dict)
    explained_by: dict[str, set[int]] = field(default_factory=dict)
    """The ledger entries that explain contents, by state."""
    notes: list[str] = field(default_factory=list)
    grade: str = ""
    origin: str = ""
    size: int = 0
    root: str = ""
    last_commit_at: str = ""
    verdicts: set[Verdict] = field(default_factory=set)
    """Every verdict found, also those of findings that are only counted."""

    def add(self, verdict: Verdict, path: str, reason: str, row: int | None = None, record: str | None = None) -> None:
        """Note a finding; after MAX_FINDINGS only their number."""
        finding = Finding(verdict, path, reason, row, record)
        if finding in self.findings:
            return
        self.verdicts.add(verdict)
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        else:
            self.suppressed += 1

    def count(self, what: str, number: int = 1) -> None:
        """Add to the coverage."""
        self.covered[what] = self.covered.get(what, 0) + number

    def explain(self, what: str, number: int = 1) -> None:
        """Count rows whose content is lawfully not there, by state."""
        self.explained[what] = self.explained.get(what, 0) + number

    def say_why(self, what: str, entry: int) -> None:
        """Name an entry that explains contents of a state."""
        self.explained_by.setdefault(what, set()).add(entry)

    @property
    def verdict(self) -> Verdict:
        """The worst finding; stale and unpinned count only under ``strict``."""
        ignored = set() if self.strict else {Verdict.STALE, Verdict.UNPINNED}
        found = self.verdicts - ignored
        return next((verdict for verdict in WORST_FIRST if verdict in found), Verdict.INTACT)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "verdict": str(self.verdict),
            "exit_code": self.exit_code,
            "level": self.level,
            "grade": self.grade,
            "checkpoint": {"origin": self.origin, "size": self.size, "root": self.root},
            "last_commit_at": self.last_commit_at,
            "covered": self.covered,
            "explained": self.explained,
            "explained_by": {state: sorted(entries) for state, entries in sorted(self.explained_by.items())},
            "findings": [finding.as_json() for finding in self.findings],
            "findings_not_shown": self.suppressed,
            "notes": self.notes,
        }
