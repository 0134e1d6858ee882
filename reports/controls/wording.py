"""The words of a control report. Never a percentage, never "compliant": what is evidenced, and what is not."""

from __future__ import annotations

from typing import Final

from reports.controls.questions import Answer, Asked
from reports.controls.schema import ControlSpec
from reports.document import Verdict

_VERDICTS: Final = (
    "Each control has one of four verdicts. Evidenced: there were items to look at, and none was an exception. "
    "Exceptions found: they are listed, and each has to be explained. Not evidenced here: something is missing in this "
    "store; it may well be elsewhere. Not applicable: the reason is given."
)
_PROVING: Final = (
    "An exception names a record by its id, or an entry of the log by its index. `evidence prove ID` proves a record "
    "up to the checkpoint; an export by control carries the proofs of all that are listed."
)
_REPEATING: Final = (
    "Under each test stands the query that found its exceptions. `evidence query` runs it again; it then sees what was "
    "committed since, too."
)
_DATES: Final = (
    "Where it says since when a control applies, that is for information. Nothing here says that a duty was breached."
)
HOW_TO_READ: Final = (_VERDICTS, _PROVING, _REPEATING, _DATES)
NOT_PROVEN: Final = (
    "That a source told the truth: what is here is unchanged since ingest, and no more is shown.",
    "That everything that happened was recorded: the tests see what was ingested.",
    "That an organisation complies with a framework: a control is more than what a store can see.",
    "That two references are two people: a person under two identifiers that were never linked has two.",
)
COUNTED: Final[dict[Verdict, str]] = {
    "evidenced": "evidenced",
    "exceptions found": "with exceptions",
    "not evidenced here": "not evidenced here",
    "not applicable": "not applicable",
}


def of_test(asked: Asked, answer: Answer) -> str:
    """Why a test has its verdict, in a sentence, with the facts that it states."""
    items = asked.test.items
    if answer.missing:
        said = f"Not there: {'; '.join(answer.missing)}."
    elif answer.population == 0:
        said = f"There are no {items} to look at."
    elif answer.exceptions:
        said = f"{answer.exceptions:,} of {answer.population:,} {items} are exceptions."
    elif asked.test.exceptions is None:
        said = f"{answer.population:,} {items}."
    else:
        said = f"{answer.population:,} {items}, none of them an exception."
    stated = [f"{name}: {value if value is not None else 'none'}" for name, value in answer.facts]
    stated += [f"set to {name.replace('_', ' ')} {value}" for name, value in asked.values]
    return " ".join([said, *(f"{_capital(item)}." for item in stated)])


def of_control(spec: ControlSpec, verdict: Verdict, now: str, missing: list[str]) -> tuple[str, ...]:
    """Why a control has its verdict. ``now``: the time of the checkpoint; ``missing``: what its tests lack."""
    return tuple(said for said in (_reason(spec, verdict, missing), _since(spec, now)) if said)


def _reason(spec: ControlSpec, verdict: Verdict, missing: list[str]) -> str:
    if verdict == "not applicable" and spec.not_applicable is not None:
        return spec.not_applicable.why
    if verdict == "exceptions found":
        return spec.wording.exceptions or "The exceptions below have to be explained."
    if verdict == "evidenced":
        return spec.wording.evidenced or "All tests below found what they look for, and no exception."
    if not spec.tests:
        return f"This store holds nothing that speaks to it. {spec.missing}"
    return " ".join([spec.wording.not_evidenced or "Missing in this store:", *missing])


def _since(spec: ControlSpec, now: str) -> str:
    if spec.applies_from is None:
        return spec.applies_note or ""
    day = spec.applies_from.isoformat()
    verb = "applies from" if day > now[:10] else "has applied since"
    note = f" {spec.applies_note}" if spec.applies_note else ""
    return f"This {verb} {day}, where it applies at all.{note}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
