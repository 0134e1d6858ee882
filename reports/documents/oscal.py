"""A report of controls as OSCAL assessment results (NIST, JSON, version 1.2.1): for tools that read nothing else.

Each test of a control is an observation, found by testing; a control without tests has one, found by examining what is
there. Findings are for controls with exceptions alone: OSCAL knows no word for "not evidenced here", so that stands in
the observation. All ids follow from the report.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from ledger.errors import UsageError
from replay.visible import one_line, visible
from reports.document import Column, Control, Report, Table, TestResult
from reports.documents import json, outline
from reports.documents.cells import shortened, text

VERSION: Final = "1.2.1"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:evidence:oscal:1")
_NS: Final = "urn:evidence:oscal:1"
_EXCEPTIONS: Final = 1_000
"""Exceptions of a test that are listed; XLSX, CSV and JSON have what the report has."""
_RECORD: Final = re.compile(r"[0-9a-f]{64}")
_LONG: Final = 4_000

Name = Callable[..., str]
"""An id from what it is the id of: the same for the same thing in the same report."""


def assessment_results(report: Report) -> bytes:
    """The document. Raises UsageError for a report without controls: OSCAL has nothing to say of it."""
    controls = outline.controls(report)
    if not controls:
        raise UsageError("OSCAL is for reports of controls, and this one has none", hint="Take json or xlsx.")
    digest = hashlib.sha256(json.encode(report)).hexdigest()

    def name(*parts: object) -> str:
        return str(uuid.uuid5(_NAMESPACE, "\n".join([digest, *map(str, parts)])))

    plan = name("plan")
    document = {
        "uuid": name("document"),
        "metadata": _metadata(report, digest),
        "import-ap": {"href": f"#{plan}", "remarks": "There is no assessment plan in OSCAL; see this resource."},
        "results": [_result(report, controls, name)],
        "back-matter": {"resources": [_plan(plan, report)]},
    }
    return msgspec.json.format(msgspec.json.encode({"assessment-results": document}), indent=1) + b"\n"


def _metadata(report: Report, digest: str) -> dict[str, Any]:
    as_of = report.as_of
    facts = {
        "log-origin": as_of.origin,
        "checkpoint-size": str(as_of.size),
        "checkpoint-root": as_of.root,
        "report-sha256": digest,
    }
    return {
        "title": _line(report.title),
        "last-modified": as_of.time,
        "version": str(as_of.size),
        "oscal-version": VERSION,
        "props": [_prop(label, value) for label, value in facts.items()],
        "remarks": _words("Not shown by this report:", *report.not_proven),
    }


def _plan(name: str, report: Report) -> dict[str, Any]:
    asked = [f"{label}: {text(value)}" for label, value in report.parameters]
    return {
        "uuid": name,
        "title": "What was asked for",
        "description": _words("The controls, their tests and queries are named in the observations.", *asked),
    }


def _result(report: Report, controls: list[Control], name: Name) -> dict[str, Any]:
    observed = [(control, list(_observations(report, index, control, name))) for index, control in enumerate(controls)]
    found = [
        _finding(control, observations, name("finding", index))
        for index, (control, observations) in enumerate(observed)
        if control.verdict == "exceptions found"
    ]
    ids = dict.fromkeys(control_id(control) for control in controls)
    return {
        "uuid": name("result"),
        "title": _line(report.title),
        "description": "What this store's records and ledger show of each control, up to the checkpoint named above.",
        "start": report.as_of.time,
        "end": report.as_of.time,
        "reviewed-controls": {"control-selections": [{"include-controls": [{"control-id": item} for item in ids]}]},
        "observations": [item for _, observations in observed for item in observations],
        **({"findings": found} if found else {}),
    }


def control_id(control: Control) -> str:
    """The control's id as OSCAL writes ids: letters, digits, dots, hyphens and underscores, a letter first."""
    token = re.sub(r"[^a-z0-9._-]+", "-", f"{control.framework}-{control.control}".lower()).strip("-.")
    return token if token[:1].isalpha() else f"_{token}"


def _observations(report: Report, index: int, control: Control, name: Name) -> Iterator[dict[str, Any]]:
    for number, test in enumerate(control.tests):
        yield {
            "uuid": name("observation", index, number),
            "title": _line(test.question),
            "description": _words(test.words),
            "props": [*_props(control, test.verdict), *_counts(test)],
            "methods": ["TEST"],
            "types": ["control-objective"],
            **_evidence(test.exceptions),
            "collected": report.as_of.time,
            "remarks": _words("Query:", test.query, *control.limits),
        }
    if not control.tests:
        yield {
            "uuid": name("observation", index),
            "title": _line(control.title),
            "description": _words(*control.words),
            "props": _props(control, control.verdict),
            "methods": ["EXAMINE"],
            "types": ["control-objective"],
            "collected": report.as_of.time,
            "remarks": _words(control.asks, *control.limits),
        }


def _finding(control: Control, observations: list[dict[str, Any]], name: str) -> dict[str, Any]:
    target = {
        "type": "objective-id",
        "target-id": control_id(control),
        "title": _line(f"{control.framework} {control.control}: {control.title}"),
        "description": _words(control.asks),
        "status": {"state": "not-satisfied", "reason": "fail", "remarks": _words(*control.words)},
    }
    return {
        "uuid": name,
        "title": _line(f"{control.framework} {control.control}: exceptions found"),
        "description": _words(*control.words),
        "target": target,
        "related-observations": [{"observation-uuid": item["uuid"]} for item in observations],
    }


def _props(control: Control, verdict: str) -> list[dict[str, str]]:
    facts = {"framework": control.framework, "control": control.control, "verdict": verdict}
    if control.applies_from:
        facts["applies-from"] = control.applies_from
    return [_prop(label, value) for label, value in facts.items()]


def _counts(test: TestResult) -> list[dict[str, str]]:
    counts = {"population": test.population, "exceptions": outline.exceptions(test.exceptions)}
    return [_prop("test", test.test), *(_prop(label, str(number)) for label, number in counts.items())]


def _evidence(exceptions: Table) -> dict[str, Any]:
    """The exceptions, those that are records by their ids."""
    found = [_exception(exceptions.columns, row) for row in exceptions.rows[:_EXCEPTIONS]]
    return {"relevant-evidence": found} if found else {}


def _exception(columns: tuple[Column, ...], row: tuple[Any, ...]) -> dict[str, str]:
    words = "; ".join(f"{column.title}: {text(cell, column.kind)}" for column, cell in zip(columns, row, strict=True))
    record = row[0] if row and isinstance(row[0], str) and _RECORD.fullmatch(row[0]) else None
    return {**({"href": f"urn:evidence:record:{record}"} if record else {}), "description": _words(words)}


def _prop(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": _NS, "value": _line(value)}


def _line(value: str) -> str:
    """One line that is not empty."""
    return shortened(one_line(value), _LONG).strip() or "-"


def _words(*values: str) -> str:
    """Paragraphs that are not empty."""
    return "\n\n".join(shortened(visible(value), _LONG) for value in values).strip() or "-"
