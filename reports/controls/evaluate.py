"""Controls of frameworks judged by their tests, as a report. What the store does not see is said, not guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from replay import snapshot
from replay.catalog import Catalog
from reports.controls import library, wording
from reports.controls.library import Library
from reports.controls.questions import Answer, Asked, Moment, applies, ask_all, records_of
from reports.controls.schema import ControlSpec, Framework, TestUse
from reports.document import (
    AsOf,
    Block,
    Cell,
    Control,
    Facts,
    Report,
    Section,
    Table,
    TestResult,
    Text,
    Verdict,
)
from reports.published import Published, as_of

NAME = "controls"


def names(folder: Path | None = None) -> list[str]:
    """The frameworks that there are. Raises ConfigError."""
    return list(library.load(folder).frameworks)


def evaluate(
    catalog: Catalog,
    frameworks: Sequence[str],
    published: Published,
    period: tuple[str | None, str | None] = (None, None),
    controls: Sequence[str] = (),
    folder: Path | None = None,
) -> Report:
    """A report on frameworks, all where none is named, as of a published checkpoint.

    ``period``: since (included) and until (not included), RFC 3339 UTC: of what has a time of its own. ``controls``:
    only those with these ids. ``folder``: frameworks of one's own; the settings' where none is given.

    Raises UsageError for a framework or control that there is not, ConfigError or QueryRefusedError for one whose file
    or query does not work.
    """
    known = library.load(folder or catalog.store.settings.frameworks)
    chosen = [known.framework(name) for name in dict.fromkeys(frameworks or known.frameworks)]
    specs = {framework.name: library.chosen(framework, controls) for framework in chosen}
    stated = as_of(catalog.store, published)
    moment = Moment(stated.time, *period)
    every = [spec for listed in specs.values() for spec in listed]
    with snapshot.at(catalog, stated.size) as views:
        asked = {_asked(known, use): None for spec in every for use in spec.tests}
        answers = ask_all(views, list(asked), moment)
        rules = [spec.not_applicable for spec in every if spec.not_applicable is not None]
        applicable = dict(zip(map(id, rules), applies(views, rules, moment), strict=True))
        left_out = views.left_out
    judge = _Judge(known, answers, applicable, moment)
    judged = {
        framework.name: [judge.control(framework, spec) for spec in specs[framework.name]] for framework in chosen
    }
    return _report(chosen, judged, stated, moment, left_out)


def record_ids(
    catalog: Catalog,
    framework: str,
    control: str,
    published: Published,
    period: tuple[str | None, str | None] = (None, None),
) -> set[str]:
    """The ids of the records that the tests of one control look at. Raises as ``evaluate`` does."""
    known = library.load(catalog.store.settings.frameworks)
    stated = as_of(catalog.store, published)
    specs = library.chosen(known.framework(framework), [control])
    asked = list({_asked(known, use): None for spec in specs for use in spec.tests})
    with snapshot.at(catalog, stated.size) as views:
        return records_of(views, asked, Moment(stated.time, *period))


def _asked(known: Library, use: TestUse) -> Asked:
    test = known.tests[use.test]
    return Asked(test.name, tuple(sorted({**test.parameters, **use.with_}.items())), test)


class _Judge:
    """Turns answers into verdicts."""

    def __init__(
        self, known: Library, answers: Mapping[Asked, Answer], applicable: Mapping[int, bool], moment: Moment
    ) -> None:
        self._known = known
        self._answers = answers
        self._applicable = applicable
        self._now = moment.now

    def control(self, framework: Framework, spec: ControlSpec) -> Control:
        """A control with its verdict: exceptions outweigh what is missing, and nothing is evidenced by halves."""
        tests = [(use, _asked(self._known, use)) for use in spec.tests]
        results = [self._result(framework, spec, use, asked) for use, asked in tests]
        missing = [f"{result.question} {result.words}" for result in results if result.verdict == "not evidenced here"]
        verdict = self._verdict(spec, [result.verdict for result in results])
        limits = dict.fromkeys([*spec.limits, *(limit for _, asked in tests for limit in asked.test.limits)])
        return Control(
            framework=framework.name,
            control=spec.id,
            title=spec.title,
            asks=spec.asks,
            verdict=verdict,
            words=wording.of_control(spec, verdict, self._now, missing),
            tests=() if verdict == "not applicable" else tuple(results),
            applies_from=None if spec.applies_from is None else spec.applies_from.isoformat(),
            limits=tuple(limits),
        )

    def _verdict(self, spec: ControlSpec, found: Sequence[Verdict]) -> Verdict:
        if spec.not_applicable is not None and not self._applicable[id(spec.not_applicable)]:
            return "not applicable"
        if "exceptions found" in found:
            return "exceptions found"
        spoken = set(found) - {"not applicable"}
        return "evidenced" if spec.missing is None and spoken == {"evidenced"} else "not evidenced here"

    def _result(self, framework: Framework, spec: ControlSpec, use: TestUse, asked: Asked) -> TestResult:
        answer = self._answers[asked]
        return TestResult(
            test=use.test,
            question=asked.test.question,
            population=answer.population,
            exceptions=_exceptions(f"{framework.name}-{_slug(spec.id)}-{use.test}", asked, answer),
            verdict=_verdict_of(asked, answer),
            words=wording.of_test(asked, answer),
            query=answer.query,
        )


def _verdict_of(asked: Asked, answer: Answer) -> Verdict:
    """Of one test. What it needs comes first: without it, an exception may be but a gap in what was taken in."""
    if answer.missing:
        return "not evidenced here"
    if answer.population == 0:
        return asked.test.when_none
    return "exceptions found" if answer.exceptions else "evidenced"


def _exceptions(name: str, asked: Asked, answer: Answer) -> Table:
    rows = answer.rows if _verdict_of(asked, answer) == "exceptions found" else ()
    total = answer.exceptions if rows and len(rows) < answer.exceptions else None
    return Table(name, f"Exceptions: {asked.test.question}", answer.columns, rows, query=answer.query, total=total)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _report(
    frameworks: Sequence[Framework],
    judged: Mapping[str, Sequence[Control]],
    stated: AsOf,
    moment: Moment,
    left_out: int,
) -> Report:
    sections = [Section("How to read this report", (Text(wording.HOW_TO_READ), *_left_out(left_out)))]
    for framework in frameworks:
        controls = judged[framework.name]
        about = Facts((("Version", framework.version), ("Source of the wording", framework.source), *_counts(controls)))
        sections.append(Section(framework.title, (about, *controls)))
    parameters: list[tuple[str, Cell]] = [("Frameworks", ", ".join(framework.name for framework in frameworks))]
    parameters += [("From", moment.since), ("To", moment.until)]
    return Report(NAME, "Controls", stated, tuple(sections), tuple(parameters), wording.NOT_PROVEN)


def _left_out(records: int) -> tuple[Block, ...]:
    if not records:
        return ()
    words = f"{records:,} records name people whose processing is restricted. They were not looked at."
    return (Text((words,), "limit"),)


def _counts(controls: Sequence[Control]) -> list[tuple[str, Cell]]:
    counted = Counter(control.verdict for control in controls)
    return [(f"Controls {word}", counted[verdict]) for verdict, word in wording.COUNTED.items()]
