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
ANY: Final = "%"
"""A parameter that fits everything, which goes without saying."""

COUNTED: Final[dict[Verdict, str]] = {
    "evidenced": "evidenced",
    "exceptions found": "with exceptions",
    "not evidenced here": "not evidenced here",
    "not applicable": "not applicable",
}


def of_test(asked: Asked, answer: Answer) -> str:
    """Why a test has its verdict, in a sentence, with the facts that it states."""
    if answer.missing:
        said = f"Not there: {'; '.join(answer.missing)}."
    elif answer.population == 0:
        said = f"There are no {asked.test.items} to look at."
    else:
        said = f"{_capital(asked.test.items)}: {answer.population:,} looked at"
        said += f", {_exceptions(answer.exceptions)}." if asked.test.exceptions else "."
    stated = [f"{name}: {value if value is not None else 'none'}" for name, value in answer.facts]
    set_to = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asked.values if value != ANY)
    stated += [f"settings: {set_to}"] if set_to else []
    return " ".join([said, *(f"{_capital(item)}." for item in stated)])


def of_control(spec: ControlSpec, verdict: Verdict, now: str, missing: list[str]) -> tuple[str, ...]:
    """Why a control has its verdict. ``now``: the time of the checkpoint; ``missing``: what its tests lack."""
    return tuple(said for said in (_reason(spec, verdict, missing), _since(spec, now)) if said)


def _reason(spec: ControlSpec, verdict: Verdict, missing: list[str]) -> str:
    if verdict == "not applicable" and spec.not_applicable is not None:
        return spec.not_applicable.why
    if verdict == "exceptions found":
        also = ["Besides, not all that its tests look for is here.", *missing] if missing else []
        return " ".join([spec.wording.exceptions or "The exceptions below have to be explained.", *also])
    if verdict == "evidenced":
        return spec.wording.evidenced or "The tests below found what they look for, and no exception."
    rest = [] if spec.missing is None else [f"Missing: {spec.missing}"]
    if not spec.tests:
        return " ".join(["This store holds nothing that speaks to it.", *rest])
    if not missing and not rest:
        return "Nothing of what its tests look at is here."
    if not missing:
        return " ".join(["What the tests below look for is here, but that is a part of what it asks.", *rest])
    return " ".join([spec.wording.not_evidenced or "Not all that its tests look for is here.", *missing, *rest])


def _since(spec: ControlSpec, now: str) -> str:
    if spec.applies_from is None:
        return spec.applies_note or ""
    day = spec.applies_from.isoformat()
    verb = "applies from" if day > now[:10] else "has applied since"
    note = f" {spec.applies_note}" if spec.applies_note else ""
    return f"This {verb} {day}, where it applies at all.{note}"


def _exceptions(number: int) -> str:
    return {0: "no exception", 1: "1 exception"}.get(number, f"{number:,} exceptions")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
