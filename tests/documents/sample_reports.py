"""Reports that use every kind of block, ordinary, hostile and long."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from reports.document import (
    AsOf,
    Cell,
    Chart,
    Column,
    Control,
    Facts,
    Report,
    Section,
    Table,
    TestResult,
    Text,
)

AS_OF = AsOf("bank.example/mira", 1_234, hashlib.sha256(b"root").hexdigest(), "2026-11-20T10:11:12.123Z")

HOSTILE: tuple[Cell, ...] = (
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example","click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r\n=1+1",
    "\uff1d1+1",
    "#set page(fill: red)",
    "$x$ *strong* _emph_ @label <label> `raw` \\u{41} // gone",
    '#read("/etc/passwd") #import "@preview/a:0.1.0": *',
    "{{ 7 * 7 }} {% raw %}",
    "user\u202egnp.exe \u2066isolated\u2069 zero\u200bwidth",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u0915\u094d\u0937 \u4e2d\u6587 \U0001f600 e\u0301\u0323",
    "".join(chr(code) for code in range(32)) + "\x7f\x9b\ud800",
    "_x0041_ escaped as in XLSX",
    "http://evil.example/" + "a" * 3_000,
    "long " * 2_000,
    "x" * 10_000,
    "x" * 40_000,
    "",
    " leading and trailing ",
    "one\ntwo\r\nthree",
    None,
    True,
    0,
    -1,
    2**60,
    0.1 + 0.2,
    1e300,
    float("nan"),
    float("-inf"),
)
"""What a record may put into a cell, and what else a cell may hold."""


def record(number: int) -> str:
    """A record id."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def exceptions(name: str, rows: int, total: int | None = None) -> Table:
    """A table of exceptions, by record."""
    columns = (Column("Record", "id"), Column("At", "time"), Column("Model", "code"), Column("Why"))
    return Table(
        name,
        "Versions used before they were approved",
        columns,
        tuple(
            (
                record(number),
                f"2026-10-{number % 28 + 1:02d}T08:{number % 60:02d}:00Z",
                "mira-bank-assistant",
                "approved 3 hours after its first use, and recorded two days later",
            )
            for number in range(rows)
        ),
        total=total,
    )


def controls() -> tuple[Control, ...]:
    """One control with each verdict."""
    query = (
        "SELECT record_id, change_name, change_to\nFROM changes\nWHERE environment = 'production' AND approval IS NULL"
    )
    tests = (
        TestResult(
            test="approval-before-use",
            question="Had every production version an approval before its first use?",
            population=12,
            exceptions=exceptions("approval-before-use", 3),
            verdict="exceptions found",
            words="3 of 12 versions were used before anybody had approved them.",
            query=query,
        ),
        TestResult(
            test="rollback-target",
            question="Has every deployment a version to go back to?",
            population=12,
            exceptions=exceptions("rollback-target", 0),
            verdict="evidenced",
            words="Every deployment names the version before it.",
            query="SELECT count(*) FROM changes WHERE change_type = 'deployment'",
        ),
    )
    return (
        Control(
            framework="EU AI Act",
            control="Article 12(1)",
            title="Record-keeping",
            asks="High-risk AI systems shall allow for the automatic recording of events over their lifetime.",
            verdict="evidenced",
            words=("Records of 2 systems on 31 of 31 days, sealed within a day of the event.",),
            tests=tests[1:],
            applies_from="2027-12-02",
            limits=("Completeness of what was ingested is shown, not of what happened.",),
        ),
        Control(
            framework="SOC 2",
            control="CC8.1",
            title="Change management",
            asks="Changes are authorised, tested, approved and implemented, by different people.",
            verdict="exceptions found",
            words=("Of 12 changes, 3 were in use before they were approved.", "See the records below."),
            tests=tests,
        ),
        Control(
            framework="ISO/IEC 42001",
            control="A.6.2.4",
            title="Verification and validation",
            asks="Measures of verification and validation are defined and documented.",
            verdict="not evidenced here",
            words=("No evaluation records of the deployed versions are in this store.",),
        ),
        Control(
            framework="SEC",
            control="17a-4(f)",
            title="Audit-trail alternative",
            asks="All modifications and deletions, with date and time.",
            verdict="not applicable",
            words=("No record is declared a broker-dealer record.",),
        ),
    )


def charts() -> tuple[Chart, ...]:
    """One chart of each kind."""
    decisions = (("allowed", 1_203, 903), ("masked", 44, 14), ("blocked", 7, 17))
    bar = [
        (name, number, system)
        for name, *numbers in decisions
        for system, number in zip(("mira", "otto"), numbers, strict=True)
    ]
    line = [
        (f"2026-10-{day:02d}T00:00:00Z", day * 7 % 13 + extra, name)
        for day in range(1, 31)
        for name, extra in (("mira", 2), ("otto", 9))
    ]
    span = [
        ("2026-10-01T00:00:00Z", "2026-10-11T06:00:00Z", "2026-09", "mira"),
        ("2026-10-11T06:00:00Z", None, "2026-10", "mira"),
        ("2026-10-05T00:00:00Z", "2026-10-20T00:00:00Z", "7", "otto"),
    ]
    return (
        Chart(
            "decisions",
            "Decisions by system",
            "bar",
            tuple(bar),
            "Decision",
            "Records",
            "Most were allowed; blocked and masked are few in both systems.",
        ),
        Chart(
            "requests",
            "Requests a day",
            "line",
            tuple(line),
            "Day",
            "Requests",
            "Both systems vary between 2 and 21 requests a day.",
        ),
        Chart(
            "versions",
            "Versions in force",
            "span",
            tuple(span),
            "Time",
            "Version",
            "mira went from 2026-09 to 2026-10 on 11 October.",
        ),
    )


def table(rows: int = 40) -> Table:
    """A table with a column of every kind."""
    columns = (
        Column("Entry", "number"),
        Column("Committed at", "time"),
        Column("Record", "id"),
        Column("Kind", "code"),
        Column("Size", "bytes"),
        Column("Words"),
    )
    return Table(
        "entries",
        "Entries of the period",
        columns,
        tuple(
            (
                number,
                f"2026-10-{number % 28 + 1:02d}T08:{number % 60:02d}:07.5Z",
                record(number),
                "partition",
                number * 70_001,
                "Zürich, Λάμδα, Москва: sealed" if number % 3 else None,
            )
            for number in range(rows)
        ),
        note="Sizes are those of the objects, not of what was ingested.",
        query="SELECT * FROM partitions ORDER BY entry",
        total=rows + 60,
    )


def report(rows: int = 40) -> Report:
    """A report with every kind of block."""
    sections = (
        Section(
            "Summary",
            (
                Text(
                    (
                        "Two systems were in production during the period.",
                        "Three versions were used before they were approved.",
                    )
                ),
                Facts(
                    (
                        ("Systems", 2),
                        ("Oldest record", "2026-10-01T06:00:00Z"),
                        ("Share of masked records", 0.0253),
                        ("Holds in force", None),
                        ("Published", True),
                    )
                ),
                Text(("Completeness of what was ingested is shown, not of what happened.",), tone="limit"),
                Text(
                    ("Two approvals were recorded after the version had been used. Somebody has to look at them.",),
                    tone="alert",
                ),
            ),
        ),
        Section("Controls", controls()),
        Section("Activity", charts()),
        Section("Entries", (table(rows),), level=2),
        Section(
            "Nothing here", (Table("none", "Nothing was found", (Column("Record", "id"), Column("Why")), ()),), level=2
        ),
    )
    return Report(
        "sample",
        "Controls of the bank's assistant",
        AS_OF,
        sections,
        parameters=(("Frameworks", "eu-ai-act, soc2"), ("From", "2026-10-01"), ("To", "2026-11-01"), ("Model", None)),
        not_proven=("That a source recorded everything that happened.", "That this checkpoint is the newest one."),
    )


def hostile(cells: Sequence[Cell] = HOSTILE) -> Report:
    """A report in which every text is hostile, one after the other."""
    words = [str(cell) for cell in cells]
    kinds = ("text", "code", "id", "time", "number", "bytes")
    grid = Table(
        "cells",
        words[0],
        tuple(Column(words[number % len(words)][:40], kind) for number, kind in enumerate(kinds)),  # type: ignore[arg-type]
        tuple(tuple(cell for _ in kinds) for cell in cells),
        note=words[1],
        query=words[9],
    )
    bad = TestResult(
        words[9][:40],
        words[10],
        1,
        Table("bad", words[11], grid.columns, grid.rows[:12]),
        "exceptions found",
        words[13],
        words[12],
    )
    control = Control(
        words[0],
        words[10],
        words[9],
        words[14],
        "exceptions found",
        tuple(words[:16]),
        (bad,),
        words[2],
        tuple(words[:5]),
    )
    texts = Text(tuple(words))
    drawings = (
        Chart(
            "b",
            words[0],
            "bar",
            tuple((cell, number, words[number]) for number, cell in enumerate(cells)),
            words[1],
            words[9],
            words[0],
        ),
        Chart("l", words[9], "line", tuple((cell, cell, cell) for cell in cells), words[10], words[11], words[13]),
        Chart(
            "s",
            words[10],
            "span",
            tuple(("2026-10-01T00:00:00Z", None, cell, cell) for cell in cells),
            words[1],
            words[0],
            words[15],
        ),
    )
    sections = tuple(
        Section(word[:200], (texts, Facts(tuple((word, cell) for word, cell in zip(words, cells, strict=True)))))
        for word in words[:2]
    )
    sections += (Section(words[9], (grid, control, *drawings), level=2),)
    return Report("hostile", words[0], AS_OF, sections, tuple(zip(words, cells, strict=True)), tuple(words[:14]))
